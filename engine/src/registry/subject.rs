//! Under which subject a topic's schema is registered.

use serde::{Deserialize, Serialize};

use crate::avro::RECORD_NAME;

/// Confluent's subject name strategies, for values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SubjectNameStrategy {
    /// `<topic>-value`.
    #[default]
    Topic,
    /// The record's full name, one schema for all topics.
    Record,
    /// `<topic>-` and the record's full name.
    TopicRecord,
}

impl SubjectNameStrategy {
    /// The subject of the normalized trades of `topic`.
    pub fn subject(self, topic: &str) -> String {
        match self {
            SubjectNameStrategy::Topic => value_subject(topic),
            SubjectNameStrategy::Record => RECORD_NAME.to_owned(),
            SubjectNameStrategy::TopicRecord => format!("{topic}-{RECORD_NAME}"),
        }
    }
}

/// The subject of a topic's values by Confluent's default strategy: `<topic>-value`.
pub fn value_subject(topic: &str) -> String {
    format!("{topic}-value")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_are_confluents() {
        let subject = |strategy: SubjectNameStrategy| strategy.subject("trades");
        assert_eq!(subject(SubjectNameStrategy::Topic), "trades-value");
        assert_eq!(subject(SubjectNameStrategy::Record), "com.k2.marketdata.crypto.NormalizedTrade");
        assert_eq!(subject(SubjectNameStrategy::TopicRecord), "trades-com.k2.marketdata.crypto.NormalizedTrade");
        let schema: serde_json::Value = serde_json::from_str(crate::avro::NORMALIZED_TRADE).unwrap();
        let text = |key: &str| schema[key].as_str().unwrap().to_owned();
        assert_eq!(format!("{}.{}", text("namespace"), text("name")), RECORD_NAME);
    }
}
