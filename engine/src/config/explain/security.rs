//! How Kafka's and the registry's security is shown: files by their names, passwords not at all.

use std::fmt;
use std::path::PathBuf;

use super::{HIDDEN, Table, commented, hidden, pair, without};
use crate::config::file::{self, File};
use crate::kafka::security::{Identity, Security};
use crate::registry::Access;
use crate::secret::Secret;

/// `[kafka.security]`.
pub(super) fn show(f: &mut fmt::Formatter<'_>, security: &Security, given: &File) -> fmt::Result {
    let table = Table { prefix: "kafka.security.", origins: &given.origins };
    let Security { protocol, login, ca, identity } = security;
    writeln!(f, "\n[kafka.security]")?;
    table.line(f, "protocol", protocol)?;
    if let Some(login) = login {
        table.line(f, "mechanism", login.mechanism)?;
        table.line(f, "username", &login.username)?;
        let given = &given.kafka.security;
        show_password(f, &table, ("password", &given.password), ("password_file", &given.password_file))?;
    }
    match ca {
        Some(path) => table.path(f, "ca", path)?,
        None if protocol.is_encrypted() => without(f, "ca", "default: the system's roots")?,
        None => {}
    }
    match identity {
        Some(Identity { certificate, key }) => {
            table.path(f, "certificate", certificate)?;
            table.path(f, "key", key)
        }
        None => Ok(()),
    }
}

/// The registry's keys of `[kafka]`.
pub(super) fn show_registry(
    f: &mut fmt::Formatter<'_>,
    table: &Table<'_>,
    access: &Access,
    given: &file::Kafka,
) -> fmt::Result {
    if let Some(login) = &access.login {
        table.line(f, "registry_username", &login.username)?;
        let (password, file) = (&given.registry_password, &given.registry_password_file);
        show_password(f, table, ("registry_password", password), ("registry_password_file", file))?;
    }
    access.ca.as_ref().map_or(Ok(()), |path| table.path(f, "registry_ca", path))
}

/// By the file that holds it; one of the environment has no key in the file.
fn show_password(
    f: &mut fmt::Formatter<'_>,
    table: &Table<'_>,
    (key, password): (&str, &Option<Secret>),
    (file_key, file): (&str, &Option<PathBuf>),
) -> fmt::Result {
    if password.is_some() {
        commented(f, &format!("# {}", pair(key, HIDDEN)?), &hidden(table.source(key)))?;
    }
    file.as_ref().map_or(Ok(()), |path| table.path(f, file_key, path))
}
