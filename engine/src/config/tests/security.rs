//! `[kafka.security]`, and who asks the registry.

use super::*;
use crate::kafka::security::{HAS_TLS, Login, Mechanism, Protocol};
use crate::secret::Secret;

/// Files with what a configuration may name.
struct Files(tempfile::TempDir);

impl Files {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let certified = rcgen::generate_simple_self_signed(["localhost".into()]).unwrap();
        let (certificate, key) = (certified.cert.pem(), certified.signing_key.serialize_pem());
        let texts = [
            ("password", "hunter2\n"),
            ("empty", "\n"),
            ("lines", "a\nb\n"),
            ("root.pem", &certificate),
            ("key.pem", &key),
            ("other.pem", &rcgen::KeyPair::generate().unwrap().serialize_pem()),
        ];
        texts.iter().for_each(|(name, text)| std::fs::write(folder.path().join(name), text).unwrap());
        Files(folder)
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }

    /// These lines of `[kafka]`, in which `"@name"` stands for a file.
    fn load(&self, lines: &str, variables: &[(&str, &str)]) -> Result<Kafka, Vec<String>> {
        load(&self.text(lines), variables).map(|config| config.kafka)
    }

    fn text(&self, lines: &str) -> String {
        format!("{BINANCE}[kafka]\n{}\n", lines.replace("\"@", &format!("\"{}/", self.0.path().display())))
    }
}

const LOGIN: &str = "[kafka.security]\nprotocol = \"sasl_plaintext\"\nmechanism = \"plain\"\n";

fn alice(password: &str) -> Option<Login> {
    Some(Login { mechanism: Mechanism::Plain, username: "alice".into(), password: Secret::new(password) })
}

#[test]
fn nothing_is_secured_by_default() {
    let kafka = load(BINANCE, &[]).unwrap().kafka;
    assert_eq!((kafka.security, kafka.registry_access), Default::default());
}

#[test]
fn a_login_comes_from_files_or_the_environment() {
    let files = Files::new();
    let password = files.path("password");
    let by_file = format!("{LOGIN}username = \"alice\"\npassword_file = \"@password\"");
    for (lines, variables, expected) in [
        (&*by_file, &[][..], "hunter2"),
        (&by_file, &[("K2_KAFKA_PASSWORD", " from outside ")], " from outside "),
        (LOGIN, &[("K2_KAFKA_USERNAME", "alice"), ("K2_KAFKA_PASSWORD_FILE", &password)], "hunter2"),
        (&by_file.replace("alice", "bob"), &[("K2_KAFKA_USERNAME", "alice")], "hunter2"),
    ] {
        let security = files.load(lines, variables).unwrap().security;
        assert_eq!((security.protocol, security.login), (Protocol::SaslPlaintext, alice(expected)), "{lines}");
    }
    let registry = "registry_username = \"alice\"\nregistry_password_file = \"@password\"";
    for (variables, expected) in [(&[][..], "hunter2"), (&[("K2_KAFKA_SCHEMA_REGISTRY_PASSWORD", "x")], "x")] {
        let login = files.load(registry, variables).unwrap().registry_access.login.unwrap();
        assert_eq!((login.username.as_str(), login.password.reveal()), ("alice", expected));
    }
}

#[test]
fn what_contradicts_itself_is_refused_with_the_way_out() {
    let files = Files::new();
    let plain = "[kafka.security]\n";
    for (lines, expected) in [
        (format!("{plain}mechanism = \"plain\""), "kafka.security.mechanism = \"plain\": kafka.security.protocol = \"plaintext\" has no login: set it to"),
        (format!("{plain}username = \"a\""), "kafka.security.username = \"a\": kafka.security.protocol = \"plaintext\" has no login"),
        (format!("{plain}ca = \"@root.pem\""), "is not encrypted: set it to \"ssl\" or \"sasl_ssl\", or remove ca"),
        (format!("{LOGIN}username = \"alice\""), "kafka.security.username = \"alice\": its password is not given: set kafka.security.password_file, or K2_KAFKA_USERNAME, K2_KAFKA_PASSWORD"),
        (format!("{LOGIN}password_file = \"@password\""), "kafka.security.username is not given, but a password is"),
        (LOGIN.to_string(), "kafka.security.username is not given, but protocol = \"sasl_plaintext\" has a login"),
        (
            format!("{plain}protocol = \"sasl_plaintext\"\nusername = \"a\"\npassword_file = \"@password\""),
            "kafka.security.mechanism is not given, but protocol = \"sasl_plaintext\" has a login",
        ),
        (format!("{LOGIN}username = \"a\"\npassword_file = \"@none\""), "/none\": the file cannot be read: No such file"),
        (format!("{LOGIN}username = \"a\"\npassword_file = \"@empty\""), "/empty\": the file is empty: write the password to it"),
        (format!("{LOGIN}username = \"a\"\npassword_file = \"@lines\""), "/lines\": the file has several lines"),
        ("registry_username = \"a\"".into(), "kafka.registry_username = \"a\": its password is not given: set kafka.registry_password_file, or K2_KAFKA_SCHEMA_REGISTRY_USERNAME"),
        (
            "registry_username = \"a\"\nregistry_password_file = \"@password\"\nschema_registry_url = \"http://b:c@registry\"".into(),
            "kafka.registry_username = \"a\": kafka.schema_registry_url has a user, too",
        ),
        ("registry_ca = \"@root.pem\"".into(), "kafka.schema_registry_url is not https"),
        (
            "registry_ca = \"@key.pem\"\nschema_registry_url = \"https://registry\"".into(),
            "/key.pem\": the file holds no certificate",
        ),
        (format!("{plain}protocol = \"tls\""), "unknown variant `tls`, expected one of `plaintext`, `ssl`, `sasl_plaintext`, `sasl_ssl`"),
        (format!("{plain}user = \"a\""), "feed.toml:6: unknown key kafka.security.user, did you mean username?"),
    ] {
        let errors = files.load(&lines, &[]).unwrap_err();
        assert!(errors.len() == 1 && errors[0].contains(expected), "{lines}\n{expected:?} is not {errors:#?}");
    }
    let errors = files.load("", &[("K2_KAFKA_PASSWORD", "hunter2")]).unwrap_err();
    assert!(errors[0].starts_with("K2_KAFKA_PASSWORD: it is set, but") && !errors[0].contains("hunter2"), "{errors:?}");
    let both = [("K2_KAFKA_USERNAME", "a"), ("K2_KAFKA_PASSWORD", "hunter2"), ("K2_KAFKA_PASSWORD_FILE", "b")];
    let errors = files.load(LOGIN, &both).unwrap_err();
    assert!(
        errors[0].contains("K2_KAFKA_PASSWORD_FILE: it is set (\"b\"), but so is K2_KAFKA_PASSWORD: keep one"),
        "{errors:?}"
    );
    assert!(!format!("{errors:?}").contains("hunter2"), "{errors:?}");
}

#[test]
fn certificates_and_keys_are_read_before_anything_is_connected() {
    let files = Files::new();
    let ssl = "[kafka.security]\nprotocol = \"ssl\"\n";
    let load = |lines: &str| {
        let errors = files.load(&format!("{ssl}{lines}"), &[]).err().unwrap_or_default();
        errors.into_iter().filter(|error| !error.contains("--features tls")).collect::<Vec<_>>()
    };
    assert_eq!(load("ca = \"@root.pem\"\ncertificate = \"@root.pem\"\nkey = \"@key.pem\""), <[String; 0]>::default());
    for (lines, expected) in [
        ("ca = \"@none\"", "kafka.security.ca = "),
        ("ca = \"@key.pem\"", "the file holds no certificate: give one in PEM form"),
        ("certificate = \"@root.pem\"", "its key is not given: set kafka.security.key"),
        ("key = \"@key.pem\"", "its certificate is not given: set kafka.security.certificate"),
        (
            "certificate = \"@root.pem\"\nkey = \"@root.pem\"",
            "the file holds no private key: give one in PEM form, not encrypted",
        ),
        (
            "certificate = \"@root.pem\"\nkey = \"@other.pem\"",
            "/other.pem\": the key is not the certificate's: give the one",
        ),
    ] {
        let errors = load(lines);
        assert!(errors.len() == 1 && errors[0].contains(expected), "{lines}\n{expected:?} is not {errors:#?}");
    }
}

#[test]
fn what_is_not_built_in_is_refused_with_the_way_out() {
    let files = Files::new();
    let user = "username = \"alice\"\npassword_file = \"@password\"";
    for lines in [
        "protocol = \"ssl\"".to_string(),
        format!("protocol = \"sasl_plaintext\"\nmechanism = \"scram-sha-256\"\n{user}"),
    ] {
        let refused = files.load(&format!("[kafka.security]\n{lines}"), &[]).err().unwrap_or_default();
        assert_eq!(refused.len(), usize::from(!HAS_TLS), "{refused:?}");
        assert!(
            refused.iter().all(|error| error.contains("build it by `cargo build --release --features tls`")),
            "{refused:?}"
        );
    }
}

#[test]
fn passwords_are_not_shown_and_files_are() {
    let files = Files::new();
    let text = files.text(&format!(
        "registry_username = \"bob\"\nregistry_password_file = \"@password\"\n{LOGIN}username = \"alice\"\npassword_file = \"@password\""
    ));
    for variables in [&[][..], &[("K2_KAFKA_PASSWORD", "hunter2"), ("K2_KAFKA_SCHEMA_REGISTRY_PASSWORD", "hunter2")]] {
        let explained = explain(&text, variables).unwrap();
        let json = serde_json::to_string(&explained.config).unwrap();
        let all = format!("{explained}\n{json}\n{:?}", explained.config);
        assert!(!all.contains("hunter2") && all.contains("***"), "{all}");
        let shown = explained.to_string();
        if variables.is_empty() {
            assert_eq!(explain(&shown, &[]).unwrap().config, explained.config, "{shown}");
        } else {
            for line in ["# password = \"***\"", "# registry_password = \"***\""] {
                assert!(
                    shown.lines().any(|shown| shown.starts_with(line) && shown.contains("secret not shown")),
                    "{shown}"
                );
            }
        }
    }
}
