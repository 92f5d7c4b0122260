//! `[kafka.security]`, and who asks the registry: nothing is half given, and every file holds what it should.

use std::path::Path;

use url::Url;

use crate::config::error::Section;
use crate::config::file;
use crate::kafka::security::{HAS_TLS, Identity, Login, Mechanism, Protocol, Security};
use crate::net::tls::{check_private_key, read_certificates};
use crate::registry;
use crate::secret::Secret;

const BUILD: &str = "this k2-feed has no TLS for Kafka: build it by `cargo build --release --features tls`";

/// Fills in defaults and checks every value.
pub(super) fn resolve(given: &file::Security, section: &mut Section<'_>) -> Security {
    let protocol = given.protocol.unwrap_or_default();
    let name = protocol.name();
    if protocol.is_encrypted() && !HAS_TLS {
        section.wrong("protocol", format!("{name:?}"), BUILD);
    }
    if !protocol.is_encrypted() {
        let paths = [("ca", &given.ca), ("certificate", &given.certificate), ("key", &given.key)];
        for (key, path) in paths.into_iter().filter_map(|(key, path)| Some((key, path.as_ref()?))) {
            let what = format!(
                "kafka.security.protocol = {name:?} is not encrypted: set it to \"ssl\" or \"sasl_ssl\", or remove {key}"
            );
            section.wrong(key, format!("{path:?}"), what);
        }
    }
    let login = resolve_login(given, protocol, section);
    let ca = given.ca.clone();
    if let Some(path) = &ca {
        check("ca", read_certificates("kafka.security.ca", path), section);
    }
    Security { protocol, login, ca, identity: resolve_identity(given, section) }
}

fn resolve_login(given: &file::Security, protocol: Protocol, section: &mut Section<'_>) -> Option<Login> {
    let name = protocol.name();
    if !protocol.has_login() {
        refuse_login(given, name, section);
        return None;
    }
    if given.mechanism.is_none() {
        let what = format!(
            "kafka.security.mechanism is not given, but protocol = {name:?} has a login: set it to \"plain\", \
             \"scram-sha-256\" or \"scram-sha-512\""
        );
        section.said(&["protocol"], what);
    }
    if let Some(mechanism @ (Mechanism::ScramSha256 | Mechanism::ScramSha512)) = given.mechanism
        && !HAS_TLS
    {
        section.wrong("mechanism", format!("{:?}", mechanism.name()), BUILD);
    }
    let keys = Keys {
        username: "username",
        password: "password",
        password_file: "password_file",
        variables: "K2_KAFKA_USERNAME, K2_KAFKA_PASSWORD or K2_KAFKA_PASSWORD_FILE",
    };
    let user = user(&keys, &given.username, &given.password, given.password_file.as_deref(), section);
    if user.is_none() && given.username.is_none() && given.password.is_none() && given.password_file.is_none() {
        let what = format!(
            "kafka.security.username is not given, but protocol = {name:?} has a login: set it and password_file, or {}",
            keys.variables
        );
        section.said(&["protocol"], what);
    }
    let (username, password) = user?;
    Some(Login { mechanism: given.mechanism?, username, password })
}

/// What belongs to a login has no place where the `protocol` has none.
fn refuse_login(given: &file::Security, protocol: &str, section: &mut Section<'_>) {
    let mut refuse = |key: &str, value: &str| {
        let what = format!(
            "kafka.security.protocol = {protocol:?} has no login: set it to \"sasl_ssl\" or \"sasl_plaintext\", or remove \
             {key}"
        );
        section.wrong(key, format!("{value:?}"), what);
    };
    if let Some(mechanism) = given.mechanism {
        refuse("mechanism", mechanism.name());
    }
    if let Some(username) = &given.username {
        refuse("username", username);
    }
    if let Some(path) = &given.password_file {
        refuse("password_file", &path.display().to_string());
    } else if given.password.is_some() {
        let what = format!(
            "it is set, but kafka.security.protocol = {protocol:?} has no login: set it to \"sasl_ssl\" or \
             \"sasl_plaintext\", or unset the variable"
        );
        section.said(&["password"], what);
    }
}

fn resolve_identity(given: &file::Security, section: &mut Section<'_>) -> Option<Identity> {
    match (&given.certificate, &given.key) {
        (Some(certificate), Some(key)) => {
            let chain = check("certificate", read_certificates("kafka.security.certificate", certificate), section);
            let private = check_private_key("kafka.security.key", key, chain.unwrap_or_default());
            check("key", private, section);
            Some(Identity { certificate: certificate.clone(), key: key.clone() })
        }
        (Some(certificate), None) => {
            let what = "its key is not given: set kafka.security.key";
            section.wrong("certificate", format!("{certificate:?}"), what);
            None
        }
        (None, Some(key)) => {
            let what = "its certificate is not given: set kafka.security.certificate";
            section.wrong("key", format!("{key:?}"), what);
            None
        }
        (None, None) => None,
    }
}

/// Who asks the registry at `url`, if that is one, and which roots it is trusted by.
pub(super) fn resolve_registry(given: &file::Kafka, url: Option<&Url>, section: &mut Section<'_>) -> registry::Access {
    let keys = Keys {
        username: "registry_username",
        password: "registry_password",
        password_file: "registry_password_file",
        variables: "K2_KAFKA_SCHEMA_REGISTRY_USERNAME, K2_KAFKA_SCHEMA_REGISTRY_PASSWORD or \
                    K2_KAFKA_SCHEMA_REGISTRY_PASSWORD_FILE",
    };
    let (password, file) = (&given.registry_password, given.registry_password_file.as_deref());
    let user = user(&keys, &given.registry_username, password, file, section);
    if let Some(username) = &given.registry_username
        && url.is_some_and(|url| !url.username().is_empty() || url.password().is_some())
    {
        let what = "kafka.schema_registry_url has a user, too: remove that from the URL";
        section.wrong("registry_username", format!("{username:?}"), what);
    }
    if let Some(path) = &given.registry_ca {
        if url.is_some_and(|url| url.scheme() != "https") {
            let what = "kafka.schema_registry_url is not https: write https://, or remove registry_ca";
            section.wrong("registry_ca", format!("{path:?}"), what);
        }
        check("registry_ca", read_certificates("kafka.registry_ca", path), section);
    }
    let login = user.map(|(username, password)| registry::Login { username, password });
    registry::Access { login, ca: given.registry_ca.clone() }
}

/// What the parts of a user are called.
struct Keys {
    username: &'static str,
    /// That of the environment.
    password: &'static str,
    password_file: &'static str,
    variables: &'static str,
}

/// The user and password, if both are given; one without the other is an error.
fn user(
    keys: &Keys,
    username: &Option<String>,
    password: &Option<Secret>,
    file: Option<&Path>,
    section: &mut Section<'_>,
) -> Option<(String, Secret)> {
    let password = match (password, file) {
        (Some(password), _) => Some(password.clone()),
        (None, None) => None,
        (None, Some(path)) => match read_password(path) {
            Ok(password) => Some(password),
            Err(why) => {
                section.wrong(keys.password_file, format!("{path:?}"), why);
                return None;
            }
        },
    };
    let way_out = |key: &str, section: &Section<'_>| format!("set {}, or {}", section.full(key), keys.variables);
    match (username, password) {
        (Some(username), Some(password)) => return Some((username.clone(), password)),
        (Some(username), None) => {
            let what = format!("its password is not given: {}", way_out(keys.password_file, section));
            section.wrong(keys.username, format!("{username:?}"), what);
        }
        (None, Some(_)) => {
            let (name, way_out) = (section.full(keys.username), way_out(keys.username, section));
            let what = format!("{name} is not given, but a password is: {way_out}");
            section.said(&[keys.password, keys.password_file], what);
        }
        (None, None) => {}
    }
    None
}

/// The first line: editors end it, and what writes secrets to files does not.
fn read_password(path: &Path) -> Result<Secret, String> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("the file cannot be read: {error}: name one that holds the password"))?;
    match text.trim_end_matches(['\r', '\n']) {
        "" => Err("the file is empty: write the password to it".into()),
        password if password.contains('\n') => Err("the file has several lines: write the password to it alone".into()),
        password => Ok(Secret::new(password)),
    }
}

/// What was read for a key, if it could be.
fn check<T>(key: &str, outcome: Result<T, String>, section: &mut Section<'_>) -> Option<T> {
    outcome.map_err(|error| section.said(&[key], error)).ok()
}
