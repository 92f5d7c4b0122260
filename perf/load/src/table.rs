//! The medians of all combinations, as a table for people and for the README.

use crate::Point;
use crate::point::{Measured, Quantiles};

/// Prints it.
pub(crate) fn print(points: &[Point]) {
    println!("\nmedians of {} runs each\n", points.first().map_or(0, |point| point.runs.len()));
    for point in points {
        println!("{}  {}", point.setting, median(&point.runs));
    }
}

/// Each figure's median by itself.
fn median(runs: &[Measured]) -> Measured {
    let whole = |of: &dyn Fn(&Measured) -> u64| {
        let mut all: Vec<_> = runs.iter().map(of).collect();
        all.sort_unstable();
        all.get(all.len() / 2).copied().unwrap_or(0)
    };
    let quantiles = |of: fn(&Measured) -> Quantiles| Quantiles {
        p50: whole(&|run| of(run).p50),
        p99: whole(&|run| of(run).p99),
        p99_9: whole(&|run| of(run).p99_9),
    };
    Measured {
        trades_per_s: whole(&|run| run.trades_per_s as u64) as f64,
        ack: quantiles(|run| run.ack),
        total: quantiles(|run| run.total),
        cpu_ns_a_trade: whole(&|run| run.cpu_ns_a_trade as u64) as f64,
        not_delivered: whole(&|run| run.not_delivered),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_figure_is_the_middle_one_of_its_own() {
        let run = |rate: f64, p99, cpu_ns_a_trade| Measured {
            trades_per_s: rate,
            ack: Quantiles { p99, ..Quantiles::default() },
            total: Quantiles::default(),
            cpu_ns_a_trade,
            not_delivered: 0,
        };
        let middle = median(&[run(1.0, 30, 200.0), run(3.0, 10, 100.0), run(2.0, 20, 300.0)]);
        assert_eq!((middle.trades_per_s, middle.ack.p99, middle.cpu_ns_a_trade), (2.0, 20, 200.0));
    }
}
