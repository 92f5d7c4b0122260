//! How librdkafka proves who it is, and finds out to whom it speaks.

use std::path::PathBuf;

use rdkafka::ClientConfig;
use serde::{Deserialize, Serialize};

use crate::secret::Secret;

/// Whether librdkafka is built with TLS and SCRAM.
pub const HAS_TLS: bool = cfg!(feature = "tls");

/// What a connection to Kafka is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// Neither encrypted nor logged in.
    #[default]
    Plaintext,
    /// TLS.
    Ssl,
    /// Logged in, not encrypted.
    SaslPlaintext,
    /// TLS, and logged in.
    SaslSsl,
}

impl Protocol {
    /// Whether it is encrypted.
    pub fn is_encrypted(self) -> bool {
        matches!(self, Protocol::Ssl | Protocol::SaslSsl)
    }

    /// Whether it has a login.
    pub fn has_login(self) -> bool {
        matches!(self, Protocol::SaslPlaintext | Protocol::SaslSsl)
    }

    /// As it is written in `feed.toml` and for librdkafka.
    pub fn name(self) -> &'static str {
        match self {
            Protocol::Plaintext => "plaintext",
            Protocol::Ssl => "ssl",
            Protocol::SaslPlaintext => "sasl_plaintext",
            Protocol::SaslSsl => "sasl_ssl",
        }
    }
}

/// How a password is proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mechanism {
    /// By sending it.
    Plain,
    /// By a challenge, hashed with SHA-256.
    #[serde(rename = "scram-sha-256")]
    ScramSha256,
    /// By a challenge, hashed with SHA-512.
    #[serde(rename = "scram-sha-512")]
    ScramSha512,
}

impl Mechanism {
    /// As it is written in `feed.toml`, and, in capitals, for librdkafka.
    pub fn name(self) -> &'static str {
        match self {
            Mechanism::Plain => "plain",
            Mechanism::ScramSha256 => "scram-sha-256",
            Mechanism::ScramSha512 => "scram-sha-512",
        }
    }
}

/// Who logs in, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Login {
    /// How the password is proven.
    pub mechanism: Mechanism,
    /// The user.
    pub username: String,
    /// The user's password.
    pub password: Secret,
}

/// A client certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Identity {
    /// A PEM file with the certificate, and those between it and its root.
    pub certificate: PathBuf,
    /// A PEM file with its private key.
    pub key: PathBuf,
}

/// `[kafka.security]`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Security {
    /// What connections are made of.
    pub protocol: Protocol,
    /// There if the protocol has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub login: Option<Login>,
    /// A PEM file with the roots to trust; the system's if not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca: Option<PathBuf>,
    /// Only for brokers that ask for one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity: Option<Identity>,
}

impl Security {
    /// Tells librdkafka. What it is by default is left unsaid.
    pub(super) fn tell(&self, config: &mut ClientConfig) {
        if self.protocol == Protocol::Plaintext {
            return;
        }
        config.set("security.protocol", self.protocol.name());
        if let Some(login) = &self.login {
            config.set("sasl.mechanism", login.mechanism.name().to_uppercase());
            config.set("sasl.username", &login.username).set("sasl.password", login.password.reveal());
        }
        if self.protocol.is_encrypted() {
            // The OpenSSL inside does not know where this system keeps its roots: librdkafka looks in the usual places.
            let ca = self.ca.as_ref().map_or("probe".into(), |ca| ca.to_string_lossy());
            config.set("ssl.ca.location", ca);
        }
        if let Some(identity) = &self.identity {
            config.set("ssl.certificate.location", identity.certificate.to_string_lossy());
            config.set("ssl.key.location", identity.key.to_string_lossy());
        }
    }
}
