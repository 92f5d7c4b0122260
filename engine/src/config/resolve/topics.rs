//! What feeds put on topics: each topic has one kind of records, and no trade twice.

use std::collections::HashMap;

use crate::config::{Feed, Raw};
use crate::record::Kind;
use crate::venue::Instrument;

/// A feed, and what errors call it.
pub(super) type Named = (String, Feed);

/// What Kafka takes as a topic's name (`org.apache.kafka.common.internals.Topic`).
pub(super) fn check_name(topic: &str) -> Result<(), String> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if topic.is_empty() || topic.len() > 249 || topic == "." || topic == ".." || !topic.chars().all(legal) {
        return Err(format!("topic {topic:?} is no name that Kafka takes: 1 to 249 letters, digits, '.', '_' and '-'"));
    }
    Ok(())
}

/// No instrument comes to a topic by two feeds.
pub(super) fn check_instruments(feeds: &[Named], errors: &mut Vec<String>) {
    // By the configured name, which is what consumers see, and by that of the protocol's frames.
    let (mut by_symbol, mut by_frame) = (HashMap::new(), HashMap::new());
    for (index, (name, feed)) in feeds.iter().enumerate() {
        let kinds = [Kind::Normalized, Kind::Raw].into_iter();
        let kinds = kinds.filter(|kind| *kind != Kind::Raw || feed.raw == Raw::Frame);
        for Instrument { symbol, framed, .. } in feed.instruments() {
            let found = kinds.clone().find_map(|kind| {
                let topic = feed.topic(kind);
                let exchange = feed.protocol.exchange();
                let same_symbol = *by_symbol.entry((topic, exchange, symbol)).or_insert((index, symbol));
                let same_frame = *by_frame.entry((topic, feed.protocol, framed)).or_insert((index, symbol));
                let (first, other) = [same_symbol, same_frame].into_iter().find(|(first, _)| *first != index)?;
                Some((topic, &feeds[first].0, other))
            });
            let Some((topic, first, other)) = found else { continue };
            let what = if other == symbol {
                format!("symbol {symbol:?} is")
            } else {
                format!("symbols {other:?} and {symbol:?} are the same to the exchange, and")
            };
            errors.push(format!("{name}: {what} in topic {topic:?} by {first} too: keep one, or give another topic"));
        }
    }
}

/// A topic holds raw frames, trades or refused frames: readers of one cannot make sense of another.
pub(super) fn check_kinds(feeds: &[Named], errors: &mut Vec<String>) {
    let mut seen: HashMap<&str, (Kind, &str)> = HashMap::new();
    for (name, feed) in feeds {
        for kind in feed.kinds() {
            let topic = feed.topic(kind);
            let (first, other) = *seen.entry(topic).or_insert((kind, name));
            if first != kind {
                errors.push(format!(
                    "{name}: {} = {topic:?} is {} of {other}: give them different topics",
                    key(kind),
                    key(first)
                ));
            }
        }
    }
}

fn key(kind: Kind) -> &'static str {
    match kind {
        Kind::Raw => "topic_raw",
        Kind::Normalized => "topic",
        Kind::Dlq => "topic_dlq",
    }
}
