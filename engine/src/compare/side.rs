//! One handler's records as trades.

use serde::Serialize;

use super::raw::Frames;
use crate::consume::Record;
use crate::consume::decode::Decoder;
use crate::consume::source::exchange_of;
use crate::consume::trade::Trade;
use crate::kafka::topics::RAW;

/// Whose record it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Side {
    /// The handler's before.
    Old = 0,
    /// The handler's after.
    New = 1,
}

impl Side {
    pub(super) fn name(self) -> &'static str {
        match self {
            Side::Old => "old",
            Side::New => "new",
        }
    }
}

/// Reads the records of one side.
pub(super) struct Reader {
    decoder: Decoder,
    /// Those of raw topics.
    frames: Vec<(String, Frames)>,
    /// The place behind the side's partitions among all that are read.
    pub(super) partitions_to: usize,
}

impl Reader {
    /// Of these topics; those that end in `.raw` have frames, and are the named exchange's unless their name says whose.
    pub(super) fn new(
        decoder: Decoder,
        topics: &[String],
        exchange: Option<&str>,
        partitions_to: usize,
    ) -> anyhow::Result<Self> {
        let mut frames = Vec::new();
        for topic in topics.iter().filter(|topic| topic.ends_with(RAW)) {
            let Some(exchange) = exchange_of(topic).or(exchange) else {
                anyhow::bail!("topic {topic} does not say of which exchange its frames are: say it by --exchange");
            };
            frames.push((topic.clone(), Frames::of(exchange)?));
        }
        Ok(Reader { decoder, frames, partitions_to })
    }

    /// Gives each trade of a record, or why it has none.
    ///
    /// # Errors
    /// The registry's, if it does not answer.
    pub(super) fn trades(
        &mut self,
        topic: &str,
        record: &Record,
        mut give: impl FnMut(Result<Trade<'_>, String>),
    ) -> anyhow::Result<()> {
        match self.frames.iter_mut().find(|(raw, _)| raw == topic) {
            Some((_, frames)) => frames.trades(record, give),
            None => give(self.decoder.trade(&record.value)?.map_err(|why| why.to_string())),
        }
        Ok(())
    }
}
