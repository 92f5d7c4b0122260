//! `perf/budget.toml`.

use anyhow::Context;
use serde::Deserialize;

use crate::check::{Check, Verdict};
use crate::count::What;

const TEXT: &str = include_str!("../../budget.toml");
/// Below this share of its budget a figure has room.
const ROOM: f64 = 0.95;

/// What the engine may cost.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Budget {
    pub(crate) instructions: Instructions,
    pub(crate) system_calls: SystemCalls,
    pub(crate) binary: Binary,
}

/// A trade.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Instructions {
    deframe: f64,
    decode_encode: f64,
    feed: f64,
    produce: f64,
}

/// A trade.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SystemCalls {
    pub(crate) trade: f64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Binary {
    pub(crate) bytes: f64,
}

impl Budget {
    pub(crate) fn read() -> anyhow::Result<Self> {
        toml::from_str(TEXT).context("perf/budget.toml")
    }
}

impl Instructions {
    pub(crate) fn of(&self, what: What) -> f64 {
        match what {
            What::Deframe => self.deframe,
            What::DecodeEncode => self.decode_encode,
            What::Feed => self.feed,
            What::Produce => self.produce,
        }
    }
}

/// Holds a figure against its budget.
pub(crate) fn check(name: String, measured: f64, allowed: f64, decimals: usize) -> Check {
    let verdict = match measured {
        _ if measured > allowed => Verdict::Refused,
        _ if measured < ROOM * allowed => Verdict::HasRoom,
        _ => Verdict::Holds,
    };
    let number = |number: f64| format!("{number:.decimals$}");
    Check { name, measured: number(measured), allowed: number(allowed), verdict }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_budget_is_read_and_nothing_is_free() {
        let budget = Budget::read().unwrap();
        assert!(What::ALL.into_iter().all(|what| budget.instructions.of(what) > 0.0));
        assert!(budget.system_calls.trade > 0.0 && budget.binary.bytes > 0.0);
    }

    #[test]
    fn what_costs_more_is_refused() {
        let verdict = |measured| check("it".into(), measured, 100.0, 0).verdict;
        assert_eq!(verdict(100.5), Verdict::Refused);
        assert_eq!((verdict(100.0), verdict(95.0), verdict(94.0)), (Verdict::Holds, Verdict::Holds, Verdict::HasRoom));
    }
}
