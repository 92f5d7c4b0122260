//! Users and passwords, which belong into the environment rather than into a file that others read.

use std::path::PathBuf;

use super::Variables;
use crate::config::error::Errors;
use crate::config::file::File;
use crate::config::source::Source;
use crate::secret::Secret;

/// The variables of one user.
struct Names {
    username: &'static str,
    password: &'static str,
    password_file: &'static str,
    /// What goes before the keys of the file: `kafka.security.`.
    prefix: &'static str,
}

const KAFKA: Names = Names {
    username: "K2_KAFKA_USERNAME",
    password: "K2_KAFKA_PASSWORD",
    password_file: "K2_KAFKA_PASSWORD_FILE",
    prefix: "kafka.security.",
};
const REGISTRY: Names = Names {
    username: "K2_KAFKA_SCHEMA_REGISTRY_USERNAME",
    password: "K2_KAFKA_SCHEMA_REGISTRY_PASSWORD",
    password_file: "K2_KAFKA_SCHEMA_REGISTRY_PASSWORD_FILE",
    prefix: "kafka.registry_",
};

/// All of them.
pub(super) const ALL: [&str; 6] =
    [KAFKA.username, KAFKA.password, KAFKA.password_file, REGISTRY.username, REGISTRY.password, REGISTRY.password_file];

/// Where one user's go.
struct Places<'a> {
    username: &'a mut Option<String>,
    password: &'a mut Option<Secret>,
    password_file: &'a mut Option<PathBuf>,
}

/// Lays the variables over what the file gave.
pub(super) fn apply(file: &mut File, variables: &Variables, errors: &mut Errors) {
    let File { kafka, origins, .. } = file;
    let security = &mut kafka.security;
    let of_kafka = Places {
        username: &mut security.username,
        password: &mut security.password,
        password_file: &mut security.password_file,
    };
    let of_registry = Places {
        username: &mut kafka.registry_username,
        password: &mut kafka.registry_password,
        password_file: &mut kafka.registry_password_file,
    };
    for (names, places) in [(KAFKA, of_kafka), (REGISTRY, of_registry)] {
        let set = |key: &str, source: Source| origins.set(format!("{}{key}", names.prefix), source);
        apply_one(&names, places, variables, set, errors);
    }
}

fn apply_one(
    names: &Names,
    places: Places<'_>,
    variables: &Variables,
    mut set: impl FnMut(&str, Source),
    errors: &mut Errors,
) {
    if let Some((username, source)) = variables.get(names.username) {
        *places.username = Some(username);
        set("username", source);
    }
    match (variables.secret(names.password), variables.get(names.password_file)) {
        (Some(_), Some((path, source))) => {
            errors.at(&source, format!("it is set ({path:?}), but so is {}: keep one of them", names.password));
        }
        (Some((password, source)), None) => {
            *places.password = Some(password);
            *places.password_file = None;
            set("password", source);
        }
        (None, Some((path, source))) => {
            *places.password_file = Some(path.into());
            set("password_file", source);
        }
        (None, None) => {}
    }
}
