//! Runs that were never run, for tests.

use serde_json::{Map, json};

use super::figures::Times;
use super::form::Form;
use super::read::{Interval, Run};
use crate::latency::{Hop, histogram};
use crate::report::Counts;

/// A run with an interval of a second for each number, which is how many trades were acknowledged in it. A hop's times
/// are 1, 2, 3 … us times its place in the flow.
pub(super) fn run(trades: &[u64]) -> Run {
    let mut totals: Vec<_> = Hop::ALL.map(|_| histogram()).into();
    let intervals: Vec<Interval> = trades
        .iter()
        .enumerate()
        .map(|(at, trades)| {
            let counts = Counts { end_s: (at + 1) as f64, trades: *trades, acked_trades: *trades, ..Counts::default() };
            let hops = Hop::ALL.map(|hop| {
                let mut times = histogram();
                (1..=*trades).for_each(|value| times.record(value * 1_000 * (hop as u64 + 1)).unwrap());
                totals[hop as usize].add(&times).unwrap();
                Times::of(&times)
            });
            Interval { start_s: at as f64, counts, hops }
        })
        .collect();
    Run { folder: "a/folder".into(), form: form(trades.iter().sum(), trades.len()), started: None, intervals, totals }
}

fn form(trades: u64, seconds: usize) -> Form {
    let records = json!({"committed": trades, "recovered": 0, "acked": trades, "failed": 0, "dropped": 0, "spilled": 0, "in_flight": 0});
    let mut topic = records.clone();
    topic["kind"] = "normalized".into();
    let counted: Map<_, _> = Hop::ALL.iter().map(|hop| (hop.name().to_string(), json!({"count": trades}))).collect();
    let form = json!({
        "command": "run",
        "arguments": ["run"],
        "k2_feed": "0.1.0",
        "seconds": seconds,
        "machine": {"cpu": "a processor", "cpus": 2, "kernel": "6.1", "hypervisor": null, "governor": null,
                    "isolated_cpus": null, "clock_source": "tsc", "memory_bytes": 8_u64 << 30},
        "config": {"kafka": {"linger_us": 1_000}},
        "plan": {},
        "accounting": {
            "frames": {"received": trades, "decoded": trades, "control": 0, "rejected": 0},
            "trades": trades,
            "records": {"normalized": records},
            "topics": {"trades": topic},
            "gaps": 0, "missing": 0, "late": 0, "duplicates": 0, "reconnects": 0, "ring_full": 0, "broken": 0,
            "repairs": {"gaps": 0, "trades": 0, "filled": 0, "given_up": {}},
            "sessions": {"failed": 0, "breakers_opened": 0, "replaced": 0, "resubscribed": 0},
            "delivery": {"queue_full": 0, "spills": 0, "returned": 0, "possible_duplicates": 0, "clients": 0, "damaged": 0},
        },
        "twins": [],
        "latency_ns": counted,
    });
    serde_json::from_value(form).unwrap()
}
