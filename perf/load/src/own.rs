//! What the engine says of itself: `report.json` and `latency.hlog`.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::path::Path;

use anyhow::{Context, anyhow};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;
use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};
use serde::Serialize;

use crate::point::{Quantiles, WARM_UP};

/// Its own figures, those of the warm-up left out.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(crate) struct Own {
    /// From hand-over to librdkafka to acknowledgement.
    pub(crate) ack: Quantiles,
    /// From the kernel's receipt of the frame to acknowledgement.
    pub(crate) total: Quantiles,
    /// What was lost or left: nothing, unless the exchange is faster than the engine.
    pub(crate) not_delivered: u64,
}

/// Those of a `--report` folder.
pub(crate) fn read(report: &Path) -> anyhow::Result<Own> {
    let path = report.join("report.json");
    let text = std::fs::read(&path).with_context(|| path.display().to_string())?;
    let json: serde_json::Value = serde_json::from_slice(&text).with_context(|| path.display().to_string())?;
    let lost = ["failed", "dropped", "spilled", "in_flight"];
    let count = |column: &&str| json.pointer(&format!("/accounting/records/normalized/{column}"))?.as_u64();
    let hops = histograms(&report.join("latency.hlog"))?;
    let quantiles = |hop: &str| hops.get(hop).map(Quantiles::of).unwrap_or_default();
    Ok(Own { ack: quantiles("ack"), total: quantiles("total"), not_delivered: lost.iter().filter_map(count).sum() })
}

/// By hop, of intervals that began later than the warm-up.
fn histograms(path: &Path) -> anyhow::Result<BTreeMap<String, Histogram<u64>>> {
    let bytes = std::fs::read(path).with_context(|| path.display().to_string())?;
    let mut hops: BTreeMap<String, Histogram<u64>> = BTreeMap::new();
    let mut deserializer = Deserializer::new();
    for entry in IntervalLogIterator::new(&bytes) {
        let entry = entry.map_err(|error| anyhow!("{}: {error:?}", path.display()))?;
        let LogEntry::Interval(interval) = entry else { continue };
        if interval.start_timestamp() < WARM_UP {
            continue;
        }
        let tag = interval.tag().context("an interval without a tag")?.as_str().to_string();
        let encoded = BASE64_STANDARD.decode(interval.encoded_histogram())?;
        let histogram: Histogram<u64> = deserializer.deserialize(&mut Cursor::new(encoded))?;
        match hops.get_mut(&tag) {
            Some(total) => total.add(&histogram)?,
            None => drop(hops.insert(tag, histogram)),
        }
    }
    Ok(hops)
}
