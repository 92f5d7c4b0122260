//! What feeds put on topics: each topic has one kind of records, and no trade twice.

use std::collections::HashMap;

use crate::config::error::Errors;
use crate::config::{Feed, Raw, file};
use crate::record::Kind;
use crate::venue::Instrument;

/// A feed as it is written, and what it comes to.
pub(super) type Resolved<'a> = (&'a file::Feed, Feed);

/// What Kafka takes as a topic's name (`org.apache.kafka.common.internals.Topic`).
pub(super) fn check_name(topic: &str) -> Result<(), String> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if topic.is_empty() || topic.len() > 249 || topic == "." || topic == ".." || !topic.chars().all(legal) {
        return Err(format!("{topic:?} is no name that Kafka takes: write 1 to 249 letters, digits, '.', '_' and '-'"));
    }
    Ok(())
}

/// No instrument comes to a topic by two feeds.
pub(super) fn check_instruments(feeds: &[Resolved<'_>], errors: &mut Errors) {
    // By the configured name, which is what consumers see, and by that of the protocol's frames.
    let (mut by_symbol, mut by_frame) = (HashMap::new(), HashMap::new());
    for (index, (given, feed)) in feeds.iter().enumerate() {
        let kinds = [Kind::Normalized, Kind::Raw].into_iter();
        let kinds = kinds.filter(|kind| *kind != Kind::Raw || feed.raw == Raw::Frame);
        for Instrument { symbol, framed, .. } in feed.instruments() {
            let found = kinds.clone().find_map(|kind| {
                let topic = feed.topic(kind);
                let exchange = feed.protocol.exchange();
                let same_symbol = *by_symbol.entry((topic, exchange, symbol)).or_insert((index, symbol));
                let same_frame = *by_frame.entry((topic, feed.protocol, framed)).or_insert((index, symbol));
                let (first, other) = [same_symbol, same_frame].into_iter().find(|(first, _)| *first != index)?;
                Some((topic, feeds[first].0.name(), other))
            });
            let Some((topic, first, other)) = found else { continue };
            let what = if other == symbol {
                format!("symbol {symbol:?} is")
            } else {
                format!("symbols {other:?} and {symbol:?} are the same to the exchange, and")
            };
            let what = format!("{what} in topic {topic:?} by {first} too: keep one, or give another topic");
            given.wrong("symbols", what, errors);
        }
    }
}

/// A topic holds raw frames, trades or refused frames: readers of one cannot make sense of another.
pub(super) fn check_kinds(feeds: &[Resolved<'_>], errors: &mut Errors) {
    let mut seen: HashMap<&str, (Kind, &file::Feed)> = HashMap::new();
    for (given, feed) in feeds {
        for kind in feed.kinds() {
            let topic = feed.topic(kind);
            let (first, other) = *seen.entry(topic).or_insert((kind, given));
            if first != kind {
                let (own, others, other) = (key(kind), key(first), other.name());
                let what = format!("{own} = {topic:?} is {others} of {other}: give them different topics");
                given.wrong(own, what, errors);
            }
        }
    }
}

pub(super) fn key(kind: Kind) -> &'static str {
    match kind {
        Kind::Raw => "topic_raw",
        Kind::Normalized => "topic",
        Kind::Dlq => "topic_dlq",
    }
}
