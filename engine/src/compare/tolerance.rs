//! What is allowed, and whether it was kept.

use std::str::FromStr;
use std::time::Duration;

use clap::Args;
use serde::Serialize;

use super::side::Side;
use super::tally::Tally;
use crate::consume::moment::millis;
use crate::outcome::duration;

/// How many trades: a number, or a part of all that either side has.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Most {
    /// So many.
    Count(u64),
    /// So many of a hundred.
    Percent(f64),
    /// Any number.
    Any,
}

impl Most {
    fn of(self, trades: u64) -> Option<u64> {
        match self {
            Most::Count(count) => Some(count),
            Most::Percent(percent) => Some((trades as f64 * percent / 100.0).floor() as u64),
            Most::Any => None,
        }
    }
}

impl FromStr for Most {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "write a number, a part such as 0.01%, or any".to_string();
        match text.strip_suffix('%') {
            _ if text == "any" => Ok(Most::Any),
            Some(percent) => {
                let percent: f64 = percent.parse().map_err(|_| wrong())?;
                if (0.0..=100.0).contains(&percent) { Ok(Most::Percent(percent)) } else { Err(wrong()) }
            }
            None => text.parse().map(Most::Count).map_err(|_| wrong()),
        }
    }
}

/// What is allowed: numbers, parts of all trades such as 0.01%, or `any`.
#[derive(Debug, Args)]
pub struct Tolerances {
    /// Trades that only the old topics have: what a switch would lose.
    #[arg(long, default_value = "0", value_name = "MOST")]
    pub max_only_old: Most,
    /// Trades that only the new topics have.
    #[arg(long, default_value = "any", value_name = "MOST")]
    pub max_only_new: Most,
    /// Trades that differ in a field; the same number written otherwise is no difference.
    #[arg(long, default_value = "0", value_name = "MOST")]
    pub max_differing: Most,
    /// Records of the new topics that come again.
    #[arg(long, default_value = "0", value_name = "MOST")]
    pub max_again: Most,
    /// By how much the new record of a trade may be later than the old, for 99 of 100 trades [default: any].
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub max_later_p99: Option<Duration>,
}

/// One thing that is allowed, and what was found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Tolerance {
    pub(super) what: &'static str,
    pub(super) found: u64,
    /// None: any number.
    pub(super) most: Option<u64>,
    /// Whether it is the least that is asked for, not the most.
    pub(super) at_least: bool,
}

impl Tolerance {
    pub(super) fn holds(&self) -> bool {
        match self.at_least {
            true => self.most.is_none_or(|least| self.found >= least),
            false => self.most.is_none_or(|most| self.found <= most),
        }
    }
}

impl Tolerances {
    /// Each of them.
    pub(super) fn judge(&self, tally: &Tally) -> Vec<Tolerance> {
        let trades = tally.all.trades();
        let most = |what, found, most: Option<u64>| Tolerance { what, found, most, at_least: false };
        let later_ms = tally.leads.quantile(0.01).map_or(0, |lead| (-lead).max(0) as u64);
        vec![
            Tolerance { what: "trades on both", found: tally.all.both, most: Some(1), at_least: true },
            most("trades only on the old", tally.all.only_old, self.max_only_old.of(trades)),
            most("trades only on the new", tally.all.only_new, self.max_only_new.of(trades)),
            most("trades that differ", tally.all.differing, self.max_differing.of(trades)),
            most("new records that came again", tally.again[Side::New as usize], self.max_again.of(trades)),
            most("new records that are no trades", tally.undecodable[Side::New as usize].0, Some(0)),
            most("trades settled before their time", tally.settled_early, Some(0)),
            most("ms by which the new is later, p99", later_ms, self.max_later_p99.map(|most| millis(most) as u64)),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_allowed_is_a_number_a_part_or_any() {
        let most = |text: &str| text.parse::<Most>().map(|most| most.of(20_000));
        assert_eq!([most("7"), most("0.01%"), most("any")], [Ok(Some(7)), Ok(Some(2)), Ok(None)]);
        assert!(["", "-1", "101%", "x%", "NaN%"].iter().all(|text| most(text).is_err()));
    }
}
