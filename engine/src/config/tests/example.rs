//! The commented example says what the loader does.

use std::collections::BTreeSet;

use super::*;

/// Keys that have no default value: what the example has of them is an example.
const WITHOUT_DEFAULT: [&str; 18] = [
    "instruments",
    "canonical",
    "core",
    "registry_username",
    "registry_password_file",
    "registry_ca",
    "message_timeout_ms",
    "librdkafka",
    "mechanism",
    "username",
    "password_file",
    "ca",
    "certificate",
    "key",
    "housekeeping",
    "max_age_s",
    "dir",
    "extra_ca",
];
/// Those of them that only hold together, or with a file.
const TOGETHER: [&str; 10] = [
    "instruments",
    "registry_username",
    "registry_password_file",
    "registry_ca",
    "mechanism",
    "username",
    "password_file",
    "ca",
    "certificate",
    "key",
];

/// The key of a line that is commented out.
fn commented_out(line: &str) -> Option<&str> {
    let (key, _) = line.strip_prefix('#')?.split_once(" = ")?;
    key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_').then_some(key)
}

/// The example with those keys in force that are `wanted`.
fn in_force(wanted: impl Fn(&str) -> bool) -> String {
    let line = |line: &'static str| commented_out(line).filter(|key| wanted(key)).map_or(line, |_| &line[1..]);
    EXAMPLE.lines().map(line).map(|line| format!("{line}\n")).collect()
}

#[test]
fn as_it_is_it_holds() {
    let plain = "[[feed]]\nexchange = \"binance\"\nsymbols = [\"BTCUSDT\", \"ETHUSDT\"]\n";
    assert_eq!(load(EXAMPLE, &[]), load(plain, &[]));
    let all = load(&in_force(|key| !WITHOUT_DEFAULT.contains(&key)), &[]);
    assert_eq!(all, load(plain, &[]), "a value that it shows is not the default");
}

#[test]
fn every_key_is_there_once_and_none_besides() {
    let text = in_force(|_| true);
    let table: toml::Table = text.parse().unwrap();
    let keys = |table: &toml::Value| table.as_table().unwrap().keys().cloned().collect::<BTreeSet<_>>();
    let known = |name: &str| file::keys(name).iter().map(|key| key.to_string()).collect::<BTreeSet<_>>();
    assert_eq!(keys(&table.clone().into()), known(""));
    assert_eq!(keys(&table["feed"][0]), known("feed"));
    for name in ["kafka", "cores", "limits", "repair", "session", "state", "spill", "http", "tls"] {
        assert_eq!(keys(&table[name]), known(name), "{name}");
    }
    assert_eq!(keys(&table["kafka"]["security"]), known("kafka.security"));
}

#[test]
fn every_key_is_explained_and_marked_if_it_has_no_default() {
    let lines: Vec<_> = EXAMPLE.lines().collect();
    for (number, line) in lines.iter().enumerate() {
        let key =
            commented_out(line).or_else(|| line.split_once(" = ").map(|(key, _)| key).filter(|key| !key.contains('#')));
        let Some(key) = key else { continue };
        let comment: Vec<_> = lines[..number].iter().rev().take_while(|line| line.starts_with("# ")).collect();
        assert!(!comment.is_empty(), "{key} is not explained");
        let marked = comment.iter().any(|line| line.contains("No default."));
        assert_eq!(marked, WITHOUT_DEFAULT.contains(&key), "{key}");
    }
}

#[test]
fn what_has_no_default_is_an_example_that_holds() {
    for key in WITHOUT_DEFAULT.into_iter().filter(|key| !TOGETHER.contains(key)) {
        let with = load(&in_force(|other| other == key), &[]);
        assert!(with.is_ok() && with != load(EXAMPLE, &[]) || key == "canonical", "{key}: {with:?}");
    }
    let folder = tempfile::tempdir().unwrap();
    let text = in_force(|key| key == "instruments").replace("symbols = [", "#symbols = [");
    std::fs::write(folder.path().join("feed.toml"), text).unwrap();
    std::fs::write(folder.path().join("instruments.yaml"), "instruments: {binance: {symbols: [SOLUSDT]}}").unwrap();
    let config = Config::load(Some(&folder.path().join("feed.toml")), []).unwrap();
    assert_eq!(symbols(&config.feeds[0]), ["SOLUSDT"], "the path is relative to the file that names it");
}

/// Where TLS is built in: elsewhere most of it is refused.
#[cfg(feature = "tls")]
#[test]
fn what_has_no_default_for_security_holds_together() {
    let folder = tempfile::tempdir().unwrap();
    let certified = rcgen::generate_simple_self_signed(["localhost".into()]).unwrap();
    let (certificate, key) = (certified.cert.pem(), certified.signing_key.serialize_pem());
    for (name, text) in [
        ("registry-password", "secret"),
        ("registry-root.pem", &certificate),
        ("kafka-password", "secret"),
        ("kafka-root.pem", &certificate),
        ("k2-feed.pem", &certificate),
        ("k2-feed.key", &key),
    ] {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let security = |key: &str| TOGETHER.contains(&key) && key != "instruments";
    let text = in_force(security).replace("#protocol = \"plaintext\"", "protocol = \"sasl_ssl\"");
    let text = text.replace("#schema_registry_url = \"http://", "schema_registry_url = \"https://");
    std::fs::write(folder.path().join("feed.toml"), text).unwrap();
    let kafka = Config::load(Some(&folder.path().join("feed.toml")), []).unwrap().kafka;
    let login = kafka.security.login.unwrap();
    assert_eq!((login.username.as_str(), login.password.reveal()), ("k2-feed", "secret"));
    assert!(kafka.security.identity.is_some() && kafka.registry_access.ca.is_some());
}

#[test]
fn the_readmes_lines_are_known() {
    let readme = include_str!("../../../../README.md");
    let block = readme.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let mut errors = error::Errors::default();
    let given = file::parse("README.md", block, &mut errors).unwrap();
    assert!(errors.is_empty() && given.feed.len() == 2, "{errors:?}");
}
