//! What is wrong with a configuration, each with the place where it is written.

use std::fmt;

use super::source::{Origins, Source};

/// All that is wrong with a configuration, each with its place, key, value and the way out.
#[derive(Debug, PartialEq, Eq)]
pub struct ConfigErrors(pub Vec<String>);

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

impl std::error::Error for ConfigErrors {}

/// What only the start of the engine finds wrong with a value.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub struct Misconfigured {
    /// The key with its table: `state.dir`.
    pub key: &'static str,
    /// Key, value, what is wrong, and the way out.
    pub what: String,
}

/// What has been found wrong so far.
#[derive(Debug, Default)]
pub(super) struct Errors(Vec<(Source, String)>);

impl Errors {
    /// Something is wrong with what stands at `source`.
    pub(super) fn at(&mut self, source: &Source, what: impl Into<String>) {
        self.0.push((source.clone(), what.into()));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// In the order of the file; then what comes from elsewhere.
    pub(super) fn into_shown(mut self) -> ConfigErrors {
        self.0.sort_by_key(|(source, _)| match source {
            Source::Line { line, .. } => (0, *line),
            Source::Instruments { .. } => (1, 0),
            Source::Variable(_) => (2, 0),
            Source::Default => (3, 0),
        });
        ConfigErrors(self.0.into_iter().map(|(source, what)| placed(&source, &what)).collect())
    }
}

/// The error as it is shown.
pub(super) fn placed(source: &Source, what: &str) -> String {
    match source {
        Source::Default => what.to_string(),
        place => format!("{place}: {what}"),
    }
}

/// A table of the file, for what is wrong with its values.
pub(super) struct Section<'a> {
    name: &'static str,
    origins: &'a Origins,
    errors: &'a mut Errors,
}

impl<'a> Section<'a> {
    pub(super) fn new(name: &'static str, origins: &'a Origins, errors: &'a mut Errors) -> Self {
        Section { name, origins, errors }
    }

    /// A table of the same file.
    pub(super) fn beside(&mut self, name: &'static str) -> Section<'_> {
        Section { name, origins: self.origins, errors: self.errors }
    }

    /// A key with its table: `kafka.linger_us`.
    pub(super) fn full(&self, key: &str) -> String {
        format!("{}.{key}", self.name)
    }

    /// Something is wrong with the value of a key.
    pub(super) fn wrong(&mut self, key: &str, value: impl fmt::Display, what: impl fmt::Display) {
        self.said(&[key], format!("{} = {value}: {what}", self.full(key)));
    }

    /// In words of its own. Blamed is the first of the `keys` that is given.
    pub(super) fn said(&mut self, keys: &[&str], what: impl Into<String>) {
        let mut sources = keys.iter().map(|key| self.origins.of(&self.full(key)));
        let given = sources.find(|source| **source != Source::Default);
        self.errors.at(given.unwrap_or(&Source::Default), what);
    }

    /// Checks that a value is within bounds.
    pub(super) fn within(&mut self, key: &str, value: u64, least: u64, most: u64, hint: &str) {
        if !(least..=most).contains(&value) {
            self.wrong(key, value, format!("it must be from {least} to {most}{hint}"));
        }
    }
}
