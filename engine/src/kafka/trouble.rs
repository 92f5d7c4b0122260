//! What is in the way of a connection, from librdkafka's words.

use std::fmt;

use rdkafka::types::RDKafkaErrorCode;

use super::said::Said;

/// What kind of trouble it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// The broker refuses the login.
    Login,
    /// One side refuses the other's certificate, or they agree on no version of TLS.
    Certificate,
    /// The port speaks TLS, we do not.
    SpeaksTls,
    /// We speak TLS, the port does not.
    SpeaksPlain,
    /// The connection ends, and nobody says why.
    Cut,
    /// The connection ends, though the broker answers on others.
    NoLogin,
    /// The name is not known.
    Name,
    /// Nobody is there, or the network fails.
    Network,
}

/// What is in the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trouble {
    pub(super) cause: Cause,
    /// librdkafka's, without how long it took.
    pub(super) words: String,
    /// Whether it was a connection with TLS.
    pub(super) is_encrypted: bool,
}

impl Trouble {
    /// The trouble that librdkafka tells of, if it does.
    pub(super) fn of(said: &Said) -> Option<Self> {
        let words = said.words.split(" (after ").next().unwrap_or_default();
        // Its log names the thread first.
        let words = words.split_once("]: ").map_or(words, |(_, words)| words);
        let has = |part: &str| words.contains(part);
        let cause = match said.error {
            Some(RDKafkaErrorCode::Authentication) => Cause::Login,
            Some(RDKafkaErrorCode::SSL) => Cause::Certificate,
            // With TLS 1.3 a broker refuses a client's certificate after the handshake.
            _ if has("SSL routines") => Cause::Certificate,
            _ if has("Disconnected") => Cause::Cut,
            Some(RDKafkaErrorCode::Resolve) => Cause::Name,
            Some(RDKafkaErrorCode::BrokerTransportFailure) => Cause::Network,
            _ => return None,
        };
        Some(Trouble { cause, words: words.to_string(), is_encrypted: has("ssl://") })
    }

    /// Whether waiting cannot help.
    pub(super) fn is_certain(&self) -> bool {
        matches!(self.cause, Cause::Login | Cause::Certificate | Cause::SpeaksTls | Cause::SpeaksPlain)
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, way_out) = match self.cause {
            Cause::Login => (
                "the broker refuses the login",
                "check kafka.security.username, the password (password_file, K2_KAFKA_PASSWORD) and mechanism",
            ),
            Cause::Certificate => (
                "a certificate is refused",
                "the broker's must be for the host name in bootstrap_servers and issued by a root of kafka.security.ca (or, \
                 without it, of the system's); a broker that wants one of yours needs kafka.security.certificate and key",
            ),
            Cause::SpeaksTls => (
                "the port speaks TLS",
                "set kafka.security.protocol to \"ssl\" or \"sasl_ssl\", or name the port of another listener",
            ),
            Cause::SpeaksPlain => (
                "the port does not speak TLS",
                "set kafka.security.protocol to \"plaintext\" or \"sasl_plaintext\", or name the port of another listener",
            ),
            Cause::Cut => (
                "connections are closed at once",
                "see whether the broker is up, and kafka.security.protocol that of its listener",
            ),
            Cause::NoLogin => (
                "the broker answers, but closes our connections",
                "it may want a login, or a certificate: see [kafka.security], or the broker's log",
            ),
            Cause::Name => (
                "the host name is not known",
                "correct it (kafka.bootstrap_servers, K2_KAFKA_BOOTSTRAP_SERVERS), or see to the name service",
            ),
            Cause::Network => ("it cannot be reached", "start it, or name another (K2_KAFKA_BOOTSTRAP_SERVERS)"),
        };
        write!(f, "{what} ({}): {way_out}", self.words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What librdkafka 2.12 says, and what it means.
    #[test]
    fn the_words_tell_the_cause() {
        let (login, certificate) = (RDKafkaErrorCode::Authentication, RDKafkaErrorCode::SSL);
        let (network, name) = (RDKafkaErrorCode::BrokerTransportFailure, RDKafkaErrorCode::Resolve);
        for (error, words, expected) in [
            (
                Some(login),
                "sasl_ssl://a:1/bootstrap: SASL authentication error: no (after 3ms in state AUTH_REQ)",
                Cause::Login,
            ),
            (Some(certificate), "ssl://a:1/bootstrap: SSL handshake failed: no", Cause::Certificate),
            (
                Some(network),
                "ssl://a:1/1: Receive failed: error:0A000412:SSL routines::ssl/tls alert",
                Cause::Certificate,
            ),
            (
                None,
                "FAIL: [thrd:a:1/bootstrap]: a:1/bootstrap: Disconnected: closed (after 2ms in state UP)",
                Cause::Cut,
            ),
            (Some(network), "ssl://a:1/bootstrap: SSL handshake failed: Disconnected: listener?", Cause::Cut),
            (Some(name), "a:1/bootstrap: Failed to resolve 'a:1'", Cause::Name),
            (Some(network), "a:1/bootstrap: Connect to ipv4#127.0.0.1:1 failed: Connection refused", Cause::Network),
        ] {
            let trouble = Trouble::of(&Said { error, words: words.into(), is_warning: true, is_fatal: false }).unwrap();
            assert_eq!((trouble.cause, trouble.is_encrypted), (expected, words.contains("ssl")), "{words}");
            assert!(!trouble.words.contains("(after") && !trouble.words.contains("thrd"), "{}", trouble.words);
            assert_eq!(trouble.is_certain(), matches!(expected, Cause::Login | Cause::Certificate), "{words}");
        }
        let down = Said {
            error: Some(RDKafkaErrorCode::AllBrokersDown),
            words: "1/1 brokers are down".into(),
            is_warning: true,
            is_fatal: false,
        };
        assert_eq!(Trouble::of(&down), None, "others say why");
    }
}
