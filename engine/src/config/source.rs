//! Where a value comes from.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use toml::de::{DeTable, DeValue};

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Source {
    /// It was not given.
    Default,
    /// A line of a file, counted from 1.
    Line {
        /// The file's name.
        file: String,
        /// The line.
        line: usize,
    },
    /// A variable of the environment.
    Variable(String),
    /// An instruments file.
    Instruments {
        /// The file's name.
        file: String,
        /// What names the file.
        named: Box<Source>,
    },
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Default => f.write_str("default"),
            Source::Line { file, line } => write!(f, "{file}:{line}"),
            Source::Variable(name) => f.write_str(name),
            Source::Instruments { file, named } => write!(f, "{file}, named by {named}"),
        }
    }
}

/// The key under which a table itself is listed.
pub(super) const WHOLE: &str = "";

/// Where the values of a table come from, by their keys: `kafka.linger_us`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Origins(BTreeMap<String, Source>);

impl Origins {
    /// Where the value of `key` comes from.
    pub(super) fn of(&self, key: &str) -> &Source {
        self.0.get(key).unwrap_or(&Source::Default)
    }

    /// Notes where the value of `key` comes from now.
    pub(super) fn set(&mut self, key: impl Into<String>, source: Source) {
        self.0.insert(key.into(), source);
    }
}

/// The line of the byte at `place`, counted from 1.
pub(super) fn line_at(text: &str, place: usize) -> usize {
    text.bytes().take(place).filter(|byte| *byte == b'\n').count() + 1
}

/// A key whose value something lies in.
#[derive(Debug)]
pub(super) struct Enclosing {
    /// The keys and places that lead to it.
    pub(super) path: Vec<String>,
    /// From the key to the end of its value, in bytes.
    pub(super) span: Range<usize>,
}

/// The keys of a TOML text in whose values `place` lies, the outermost first; none if it is no TOML.
pub(super) fn enclosing(text: &str, place: &Range<usize>) -> Vec<Enclosing> {
    let mut found = Vec::new();
    if let Ok(table) = DeTable::parse(text) {
        enclose(table.get_ref(), &mut Vec::new(), place, &mut found);
    }
    found
}

fn enclose(table: &DeTable<'_>, path: &mut Vec<String>, place: &Range<usize>, found: &mut Vec<Enclosing>) {
    for (key, value) in table {
        path.push(key.get_ref().to_string());
        let span = value.span();
        if span.start <= place.start && place.end <= span.end {
            found.push(Enclosing { path: path.clone(), span: key.span().start..span.end });
        }
        // What follows a table's head is not within its span.
        match value.get_ref() {
            DeValue::Table(table) => enclose(table, path, place, found),
            DeValue::Array(values) => {
                let tables = values.iter().filter_map(|value| value.get_ref().as_table());
                tables.for_each(|table| enclose(table, path, place, found));
            }
            _ => {}
        }
        path.pop();
    }
}

/// The line of every key of a TOML text, and of every table of an array, by the keys and places that lead to it.
#[derive(Debug, Default)]
pub(super) struct Lines(BTreeMap<Vec<String>, usize>);

impl Lines {
    /// Those of `text`; none if it is no TOML.
    pub(super) fn of(text: &str) -> Self {
        let mut lines = Lines::default();
        if let Ok(table) = DeTable::parse(text) {
            lines.add_table(text, &mut Vec::new(), table.get_ref());
        }
        lines
    }

    fn add_table(&mut self, text: &str, path: &mut Vec<String>, table: &DeTable<'_>) {
        for (key, value) in table {
            path.push(key.get_ref().to_string());
            self.add(text, path, key.span().start);
            match value.get_ref() {
                DeValue::Table(table) => self.add_table(text, path, table),
                DeValue::Array(values) => {
                    for (index, value) in values.iter().enumerate() {
                        let DeValue::Table(table) = value.get_ref() else { continue };
                        path.push(index.to_string());
                        self.add(text, path, value.span().start);
                        self.add_table(text, path, table);
                        path.pop();
                    }
                }
                _ => {}
            }
            path.pop();
        }
    }

    fn add(&mut self, text: &str, path: &[String], start: usize) {
        self.0.insert(path.to_vec(), line_at(text, start));
    }

    /// The line, counted from 1.
    pub(super) fn get(&self, path: &[String]) -> Option<usize> {
        self.0.get(path).copied()
    }

    /// Where the values below `path` come from, in a file of that name.
    pub(super) fn origins(&self, file: &str, path: &[String]) -> Origins {
        let below = self.0.iter().filter_map(|(key, line)| Some((key.strip_prefix(path)?.join("."), *line)));
        Origins(below.map(|(key, line)| (key, Source::Line { file: file.into(), line })).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_write_a_key_has_its_line() {
        let text = "# first\n[kafka]\nlinger_us = 5 # linger_us = 7\nlibrdkafka.\"a.b\" = 1\n\n[[feed]]\nsymbols = [\n  \"A\",\n]\n\
                    [feed.canonical]\n\"A\" = \"A/B\"\n\n  [[feed]]\ncanonical = { \"X/Y\" = \"X/Y\" }\n";
        let lines = Lines::of(text);
        for (path, line) in [
            ("kafka linger_us", 3),
            ("kafka librdkafka a.b", 4),
            ("feed 0", 6),
            ("feed 0 symbols", 7),
            ("feed 0 canonical A", 11),
            ("feed 1", 13),
            ("feed 1 canonical X/Y", 14),
        ] {
            let path: Vec<_> = path.split(' ').map(String::from).collect();
            assert_eq!(lines.get(&path), Some(line), "{path:?}");
        }
        let feed = lines.origins("feed.toml", &["feed".into(), "1".into()]);
        assert_eq!(feed.of("canonical.X/Y").to_string(), "feed.toml:14");
        assert_eq!(feed.of(WHOLE).to_string(), "feed.toml:13");
        assert_eq!(feed.of("topic"), &Source::Default);
    }
}
