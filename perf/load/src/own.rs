//! What the engine says of itself, in the folder that it reports to.

use std::path::Path;

use k2_feed::latency::Hop;
use k2_feed::page::figures::Times;
use k2_feed::page::read::Run;
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
    let Run { form, intervals, .. } = Run::read(report)?;
    let normalized = form.accounting.records.get("normalized").copied().unwrap_or_default();
    let quantiles = |hop: Hop| {
        let measured = intervals.iter().filter(|interval| interval.start_s >= WARM_UP.as_secs_f64());
        Quantiles::of_times(&Times::together(measured.map(|interval| &interval.hops[hop as usize])))
    };
    let not_delivered = normalized.undelivered();
    Ok(Own { ack: quantiles(Hop::Ack), total: quantiles(Hop::Total), not_delivered })
}
