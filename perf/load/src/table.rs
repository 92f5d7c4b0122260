//! The medians of all combinations, and how the subjects stand to each other, for people and for the README.

use crate::Point;
use crate::own::Own;
use crate::point::{Measured, Quantiles};

/// Prints both.
pub(crate) fn print(points: &[Point]) {
    println!("\nmedians of {} runs each\n", points.first().map_or(0, |point| point.runs.len()));
    for point in points {
        println!("{}  {}", point.setting, median(&point.runs));
    }
    let compared: Vec<_> = points.iter().flat_map(|point| compare(point, points)).collect();
    if !compared.is_empty() {
        println!(
            "\nratios to others under the same load: median, least and most of the runs paired as they were made\n"
        );
        compared.iter().for_each(|line| println!("{line}"));
    }
}

/// A point's figures as ratios to those of the later ones that differ in their subject only.
fn compare<'a>(point: &'a Point, points: &'a [Point]) -> impl Iterator<Item = String> + 'a {
    let is_later = move |other: &&Point| {
        let setting = crate::Setting { subject: other.setting.subject.clone(), ..point.setting.clone() };
        setting == other.setting && point.setting.subject != other.setting.subject
    };
    let at = points.iter().position(|other| std::ptr::eq(other, point)).map_or(points.len(), |at| at + 1);
    points[at..].iter().filter(is_later).map(move |other| {
        let of = |name: &str, figure: &dyn Fn(&Measured) -> Option<f64>| {
            let pairs = point.runs.iter().zip(&other.runs);
            let mut ratios: Vec<_> = pairs.filter_map(|(one, other)| Some(figure(one)? / figure(other)?)).collect();
            ratios.sort_by(f64::total_cmp);
            let middle = ratios.get(ratios.len() / 2)?;
            Some(format!("  {name} {middle:.2} ({:.2} to {:.2})", ratios.first()?, ratios.last()?))
        };
        let figures = [
            of("rate", &|run| Some(run.trades_per_s)),
            of("rate a CPU second", &|run| Some(1.0 / run.cpu_ns_a_trade)),
            of("p99", &|run| Some(run.send_to_record?.p99 as f64)),
            of("p99.9", &|run| Some(run.send_to_record?.p99_9 as f64)),
            of("memory", &|run| Some(run.resident_bytes as f64)),
        ];
        format!("{}  /  {}{}", point.setting, other.setting.subject, figures.into_iter().flatten().collect::<String>())
    })
}

/// Each figure's median by itself; what one run did not hold is not held.
fn median(runs: &[Measured]) -> Measured {
    let whole = |of: &dyn Fn(&Measured) -> u64| {
        let mut all: Vec<_> = runs.iter().map(of).collect();
        all.sort_unstable();
        all.get(all.len() / 2).copied().unwrap_or(0)
    };
    let real = |of: &dyn Fn(&Measured) -> f64| {
        let mut all: Vec<_> = runs.iter().map(of).collect();
        all.sort_by(f64::total_cmp);
        all.get(all.len() / 2).copied().unwrap_or(0.0)
    };
    let quantiles = |of: &dyn Fn(&Measured) -> Option<Quantiles>| {
        runs.iter().all(|run| of(run).is_some()).then(|| Quantiles {
            p50: whole(&|run| of(run).map_or(0, |of| of.p50)),
            p99: whole(&|run| of(run).map_or(0, |of| of.p99)),
            p99_9: whole(&|run| of(run).map_or(0, |of| of.p99_9)),
            max: whole(&|run| of(run).map_or(0, |of| of.max)),
        })
    };
    let own =
        |(ack, total)| Own { ack, total, not_delivered: whole(&|run| run.own.map_or(0, |own| own.not_delivered)) };
    let hops = quantiles(&|run| Some(run.own?.ack)).zip(quantiles(&|run| Some(run.own?.total)));
    let mut middle = Measured {
        trades_per_s: real(&|run| run.trades_per_s),
        is_held: runs.iter().all(|run| run.is_held),
        send_to_record: quantiles(&|run| run.send_to_record),
        own: hops.map(own),
        cpu_ns_a_trade: real(&|run| run.cpu_ns_a_trade),
        cpu_share: real(&|run| run.cpu_share),
        resident_bytes: whole(&|run| run.resident_bytes),
        most_resident_bytes: whole(&|run| run.most_resident_bytes),
        start_ns: whole(&|run| run.start_ns),
        ..runs.first().cloned().unwrap_or_default()
    };
    middle.lateness.p99 = whole(&|run| run.lateness.p99);
    middle
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::setting::{Setting, Subject};

    fn run(trades_per_s: f64, p99: u64, cpu_ns_a_trade: f64) -> Measured {
        let send_to_record = Some(Quantiles { p99, ..Quantiles::default() });
        Measured { trades_per_s, send_to_record, cpu_ns_a_trade, is_held: true, ..Measured::default() }
    }

    #[test]
    fn each_figure_is_the_middle_one_of_its_own() {
        let middle = median(&[run(1.0, 30, 200.0), run(3.0, 10, 100.0), run(2.0, 20, 300.0)]);
        let p99 = middle.send_to_record.map(|took| took.p99);
        assert_eq!((middle.trades_per_s, p99, middle.cpu_ns_a_trade), (2.0, Some(20), 200.0));
        assert!(middle.is_held && middle.own.is_none());
        let once = Measured { is_held: false, send_to_record: None, ..run(2.0, 0, 1.0) };
        let middle = median(&[run(1.0, 30, 200.0), once]);
        assert!(!middle.is_held && middle.send_to_record.is_none());
    }

    #[test]
    fn subjects_are_compared_run_by_run() {
        let point = |subject, runs| Point { setting: Setting { subject, ..Setting::default() }, runs };
        let engine = point(Subject::Engine, vec![run(8.0, 10, 100.0), run(20.0, 30, 200.0), run(9.0, 10, 100.0)]);
        let other = point(Subject::Floor, vec![run(4.0, 20, 200.0), run(5.0, 30, 800.0), run(3.0, 5, 200.0)]);
        let points = [engine, other];
        let lines: Vec<_> = points.iter().flat_map(|point| compare(point, &points)).collect();
        assert_eq!(lines.len(), 1);
        assert!(lines[0].contains("rate 3.00 (2.00 to 4.00)"), "{lines:?}");
        assert!(lines[0].contains("rate a CPU second 2.00 (2.00 to 4.00)"), "{lines:?}");
        assert!(lines[0].contains("p99 1.00 (0.50 to 2.00)"), "{lines:?}");
    }
}
