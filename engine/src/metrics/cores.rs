//! The pinned cores: whether they run, what CPU they take, how long their hops take.

use super::families::Families;
use super::named;
use crate::clock::Nanos;
use crate::engine::view::{Signs, Tally, View};
use crate::pulse::Pulse;

/// What the cores show at any time.
pub(super) fn shown(families: &mut Families, signs: &Signs) {
    let numbered: Vec<_> = signs.cores.iter().map(|(core, cpu, pulse)| (core, cpu.to_string(), pulse)).collect();
    let times = numbered.iter().filter_map(|(core, cpu, pulse)| {
        Some((vec![("core", core.as_str()), ("cpu", cpu.as_str())], pulse.cpu_time()?.as_secs_f64()))
    });
    let help = "Time that a pinned core has had a CPU. One that spins takes all of it, whatever there is to do.";
    families.sum("k2_feed_core_cpu_seconds_total", help, times);
    let is_stuck = |pulse: &Pulse| pulse.stuck(Nanos::now()).is_some();
    let stuck = signs.cores.iter().map(|(core, _, pulse)| (vec![("core", core.as_str())], is_stuck(pulse)));
    families.flag("k2_feed_core_stuck", "Whether a core has shown no sign of life for 3 seconds.", stuck);
}

/// What was collected of them.
pub(super) fn collected(families: &mut Families, signs: &Signs, view: &View) {
    let busy = named(signs, &view.cores).map(|(name, core)| (vec![("core", name)], core.tally.busy_ns() as f64 / 1e9));
    let help = "Time in which a core had something to do, whether it spins or sleeps otherwise: a feed core from bytes in a \
                receive buffer to the last record of them, a producer core in laps that took records or reports.";
    families.sum("k2_feed_core_busy_seconds_total", help, busy);
    let hops = named(signs, &view.cores).flat_map(|(name, core)| {
        core.hops.iter().map(move |(hop, buckets)| (vec![("core", name), ("hop", hop.name())], buckets))
    });
    let help = "How long each hop took, from the bytes in the kernel (recv) to the broker's acknowledgement (ack); total \
                is from the bytes in the buffer to the acknowledgement.";
    families.histogram("k2_feed_hop_seconds", help, hops);
    let ring_full = named(signs, &view.cores).filter_map(|(name, core)| match &core.tally {
        Tally::Feed(tally) => Some((vec![("core", name)], tally.ring_full)),
        Tally::Producer(..) => None,
    });
    let help = "Times that a connection was not read because the ring had no room, where it is not to drop.";
    families.counter("k2_feed_ring_full_total", help, ring_full);
}
