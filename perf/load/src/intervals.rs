//! The engine's latency log, `latency.hlog`.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, anyhow};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;
use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};

/// Its histograms by hop, those of intervals that began later than `warm_up`, and how much time those took.
pub(crate) fn read(path: &Path, warm_up: Duration) -> anyhow::Result<(BTreeMap<String, Histogram<u64>>, Duration)> {
    let bytes = std::fs::read(path).with_context(|| path.display().to_string())?;
    let mut hops: BTreeMap<String, Histogram<u64>> = BTreeMap::new();
    let mut took: BTreeMap<String, Duration> = BTreeMap::new();
    let mut deserializer = Deserializer::new();
    for entry in IntervalLogIterator::new(&bytes) {
        let entry = entry.map_err(|error| anyhow!("{}: {error:?}", path.display()))?;
        let LogEntry::Interval(interval) = entry else { continue };
        if interval.start_timestamp() < warm_up {
            continue;
        }
        let tag = interval.tag().context("an interval without a tag")?.as_str().to_string();
        let encoded = BASE64_STANDARD.decode(interval.encoded_histogram())?;
        let histogram: Histogram<u64> = deserializer.deserialize(&mut Cursor::new(encoded))?;
        *took.entry(tag.clone()).or_default() += interval.duration();
        match hops.get_mut(&tag) {
            Some(total) => total.add(&histogram)?,
            None => drop(hops.insert(tag, histogram)),
        }
    }
    Ok((hops, took.into_values().max().unwrap_or_default()))
}
