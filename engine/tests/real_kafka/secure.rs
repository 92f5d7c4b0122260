//! TLS and logins, right and wrong, against a broker that has a listener of each kind.

use std::path::Path;

use k2_feed::sim::{self, Rate, SimulatorConfig, Stop};
use k2_feed::venue::Protocol;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use tempfile::TempDir;

use crate::child::{Ended, PATIENCE};
use crate::real::{Real, Settings, free_port};
use crate::report;
use crate::world::{Run, alone};

const COUNT: usize = 500;

/// A broker with listeners of all kinds, and what is needed to speak to each.
struct Secured {
    real: Real,
    ports: Ports,
    /// Certificates, keys and passwords.
    files: TempDir,
}

#[derive(Clone, Copy)]
struct Ports {
    sasl_ssl: u16,
    /// Wants a client's certificate.
    ssl: u16,
    /// PLAIN only.
    sasl_plaintext: u16,
    registry_https: u16,
}

impl Secured {
    fn start() -> Option<Self> {
        let ports =
            Ports { sasl_ssl: free_port(), ssl: free_port(), sasl_plaintext: free_port(), registry_https: free_port() };
        let files = tempfile::tempdir().unwrap();
        write_files(files.path());
        let folder = files.path().display();
        let listeners = [("SASL_SSL", ports.sasl_ssl), ("SSL", ports.ssl), ("SASL_PLAINTEXT", ports.sasl_plaintext)];
        let scram = |name: &str| format!("--add-scram {name}=[name=alice,password=right]");
        let settings = Settings {
            properties: properties(files.path()),
            listeners: listeners.map(|(name, port)| format!("{name}://localhost:{port}")).to_vec(),
            format: format!("{} {}", scram("SCRAM-SHA-256"), scram("SCRAM-SHA-512")),
            registry: vec![
                format!("-Dquarkus.http.ssl-port={}", ports.registry_https),
                format!("-Dquarkus.http.ssl.certificate.files={folder}/server.pem"),
                format!("-Dquarkus.http.ssl.certificate.key-files={folder}/server.key"),
            ],
        };
        Some(Secured { real: Real::with(settings)?, ports, files })
    }

    /// A run with `[kafka]` and these lines, in which `"@name"` stands for a file; its topics are called after `topic`.
    fn run(&self, servers: &str, lines: &str, url: &str, topic: &str) -> Run {
        let lines = lines.replace("\"@", &format!("\"{}/", self.files.path().display()));
        let file = format!("[kafka]\nbootstrap_servers = {servers:?}\n{lines}\n");
        let registry = if lines.contains("registry_ca") {
            format!("https://localhost:{}/apis/ccompat/v7", self.ports.registry_https)
        } else {
            self.real.broker.registry.clone()
        };
        let raw = format!("{topic}.raw");
        let variables = [
            ("K2_EXCHANGE", "binance"),
            ("K2_SYMBOLS", "BTCUSDT"),
            ("K2_BINANCE_WS_URL", url),
            ("K2_KAFKA_SCHEMA_REGISTRY_URL", &registry),
            ("K2_KAFKA_TOPIC_NORMALIZED", topic),
            ("K2_KAFKA_TOPIC_RAW", &raw),
        ];
        Run::with(&variables, Some(&file), &[])
    }

    /// Sends some trades and sees them acknowledged, and there for a reader that came by the plaintext listener.
    fn carries(&self, servers: &str, lines: &str, topic: &str) {
        let market = SimulatorConfig {
            rate: Rate::PerSecond(1_000.0),
            stop: Stop::Count(COUNT as u64),
            ..SimulatorConfig::new(Protocol::BinanceSpot)
        };
        let simulator = sim::start(market).unwrap();
        let run = self.run(servers, lines, &simulator.url(), topic).subscribed();
        let deadline = std::time::Instant::now() + PATIENCE;
        while self.records(topic) < COUNT || self.records(&format!("{topic}.raw")) < COUNT {
            assert!(std::time::Instant::now() < deadline, "{topic} has {} records", self.records(topic));
        }
        let stopped = run.stop();
        report::flawless(&stopped.report, COUNT);
        assert_eq!((self.records(topic), self.records(&format!("{topic}.raw"))), (COUNT, COUNT), "{topic}");
        assert!(
            !stopped.ended.stderr.contains("right") && !stopped.report.to_string().contains("right"),
            "the password"
        );
        simulator.stop();
    }

    /// How many records a topic has.
    fn records(&self, topic: &str) -> usize {
        let consumer: BaseConsumer =
            ClientConfig::new().set("bootstrap.servers", &self.real.broker.servers).create().unwrap();
        let metadata = consumer.fetch_metadata(Some(topic), PATIENCE).unwrap();
        let partitions = metadata.topics()[0].partitions().iter();
        let ends = partitions.map(|partition| consumer.fetch_watermarks(topic, partition.id(), PATIENCE).unwrap().1);
        ends.sum::<i64>() as usize
    }

    /// How a run ends that nothing lets begin.
    fn refused(&self, servers: &str, lines: &str) -> Ended {
        let ended = self.run(servers, lines, "ws://127.0.0.1:1/ws", "refused").child.ended().expect(1);
        assert!(!ended.stderr.contains("not-the-password"), "{}", ended.stderr);
        ended
    }
}

/// An authority with certificates of the server and of a client, another authority, and passwords.
fn write_files(folder: &Path) {
    let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
    let (root, issuer) = authority();
    write("root.pem", &root);
    write("other.pem", &authority().0);
    for (name, host) in [("server", "localhost"), ("client", "k2-feed")] {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new([host.to_string()]).unwrap().signed_by(&key, &issuer).unwrap();
        write(&format!("{name}.pem"), &certificate.pem());
        write(&format!("{name}.key"), &key.serialize_pem());
        write(&format!("{name}.both"), &format!("{}{}", key.serialize_pem(), certificate.pem()));
    }
    write("right", "right\n");
    write("wrong", "not-the-password");
}

fn authority() -> (String, Issuer<'static, KeyPair>) {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    // OpenSSL takes a certificate for its own issuer if both have the same name.
    authority.distinguished_name.push(DnType::CommonName, "the test's authority");
    let key = KeyPair::generate().unwrap();
    let certificate = authority.self_signed(&key).unwrap().pem();
    (certificate, Issuer::new(authority, key))
}

fn properties(files: &Path) -> String {
    const MODULES: &str = "org.apache.kafka.common.security";
    let files = files.display();
    let plain = format!("{MODULES}.plain.PlainLoginModule required user_alice=\"right\";");
    let scram = format!("{MODULES}.scram.ScramLoginModule required;");
    format!(
        "ssl.keystore.type=PEM\nssl.keystore.location={files}/server.both\n\
         ssl.truststore.type=PEM\nssl.truststore.location={files}/root.pem\n\
         listener.name.ssl.ssl.client.auth=required\n\
         sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512\n\
         listener.name.sasl_plaintext.sasl.enabled.mechanisms=PLAIN\n\
         listener.name.sasl_plaintext.plain.sasl.jaas.config={plain}\n\
         listener.name.sasl_ssl.plain.sasl.jaas.config={plain}\n\
         listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config={scram}\n\
         listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config={scram}\n"
    )
}

/// The lines of a login.
fn login(protocol: &str, mechanism: &str, password: &str) -> String {
    let ca = if protocol == "sasl_ssl" { "ca = \"@root.pem\"\n" } else { "" };
    format!(
        "[kafka.security]\nprotocol = {protocol:?}\nmechanism = {mechanism:?}\nusername = \"alice\"\n\
         password_file = \"@{password}\"\n{ca}"
    )
}

#[test]
fn who_is_known_gets_all_trades_through() {
    let _alone = alone();
    let Some(secured) = Secured::start() else { return };
    let at = |port: u16| format!("localhost:{port}");
    let Ports { sasl_ssl, ssl, sasl_plaintext, .. } = secured.ports;
    for mechanism in ["plain", "scram-sha-256", "scram-sha-512"] {
        secured.carries(&at(sasl_ssl), &login("sasl_ssl", mechanism, "right"), mechanism);
    }
    secured.carries(&at(sasl_plaintext), &login("sasl_plaintext", "plain", "right"), "unencrypted");
    let identity = "registry_ca = \"@root.pem\"\n[kafka.security]\nprotocol = \"ssl\"\nca = \"@root.pem\"\n\
                    certificate = \"@client.pem\"\nkey = \"@client.key\"";
    secured.carries(&at(ssl), identity, "certificate");
}

/// Each is told by its own words, and without waiting for what will not come.
#[test]
fn who_is_not_is_told_why_at_once() {
    let _alone = alone();
    let Some(secured) = Secured::start() else { return };
    let at = |port: u16| format!("localhost:{port}");
    let Ports { sasl_ssl, ssl, sasl_plaintext, .. } = secured.ports;
    let plaintext = &secured.real.broker.servers;
    let wrong = |mechanism: &str| login("sasl_ssl", mechanism, "wrong");
    let right = login("sasl_ssl", "plain", "right");
    let untrusted = right.replace("@root.pem", "@other.pem");
    let unencrypted = right.replace("sasl_ssl", "sasl_plaintext").replace("ca = \"@root.pem\"\n", "");
    let tls = "[kafka.security]\nprotocol = \"ssl\"\nca = \"@root.pem\"\n";
    let (no_login, no_trust) = ("the broker refuses the login", "a certificate is refused");
    for (servers, lines, expected) in [
        (at(sasl_ssl), &*wrong("plain"), &[no_login, "Invalid username or password", "K2_KAFKA_PASSWORD"][..]),
        (at(sasl_ssl), &wrong("scram-sha-256"), &[no_login, "invalid credentials", "K2_KAFKA_PASSWORD"]),
        (
            at(sasl_plaintext),
            &unencrypted.replace("\"plain\"", "\"scram-sha-256\""),
            &[no_login, "supported mechanisms: PLAIN", "mechanism"],
        ),
        (at(sasl_ssl), &untrusted, &[no_trust, "certificate verify failed", "kafka.security.ca"]),
        // The certificate is for another name.
        (format!("127.0.0.1:{sasl_ssl}"), &right, &[no_trust, "certificate verify failed", "host name"]),
        (at(ssl), tls, &[no_trust, "kafka.security.certificate and key"]),
        (at(sasl_ssl), "", &["the port speaks TLS", "set kafka.security.protocol to \"ssl\" or \"sasl_ssl\""]),
        (
            at(sasl_ssl),
            &unencrypted,
            &["the port speaks TLS", "set kafka.security.protocol to \"ssl\" or \"sasl_ssl\""],
        ),
        (plaintext.clone(), tls, &["the port does not speak TLS", "set kafka.security.protocol to \"plaintext\""]),
    ] {
        let ended = secured.refused(&servers, lines).says(&[&servers]).says(expected);
        assert!(!ended.stderr.contains("no broker answered"), "it was waited for: {}", ended.stderr);
    }
}

/// What may yet come to pass is waited for; then there is a reason, too.
#[test]
fn what_may_be_a_broker_that_starts_is_waited_for() {
    let _alone = alone();
    let Some(secured) = Secured::start() else { return };
    let no_login = secured.refused(&format!("localhost:{}", secured.ports.sasl_plaintext), "");
    no_login.says(&["no broker answered within 10 s", "it may want a login, or a certificate"]);
}
