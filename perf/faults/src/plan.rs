//! What goes wrong, when and for how long: drawn from a seed before anything runs.

use std::time::Duration;

use fastrand::Rng;

/// The shortest fault that has a length.
const SHORTEST: Duration = Duration::from_millis(200);
/// The longest time for which the engine is left down: what runs it starts it again soon, and all that it missed has to come
/// from the exchange's history, a page in half a second.
const LONGEST_DOWN: Duration = Duration::from_secs(2);
/// Delays of the network, in milliseconds.
const DELAY_MS: std::ops::RangeInclusive<u64> = 5..=500;
/// What is left of the network's bandwidth, in bytes a second of one direction of a connection.
const BANDWIDTH: std::ops::RangeInclusive<u64> = 20_000..=500_000;

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub(crate) enum Kind {
    /// The broker is killed, and started again on its data.
    BrokerKilled,
    /// The broker stands still.
    BrokerStopped,
    /// All connections to the broker are cut.
    AllCut,
    /// One connection to the broker is cut.
    OneCut,
    /// What goes to the broker and comes from it is late.
    Delayed,
    /// Little goes to the broker, or comes from it, in a second.
    Throttled,
    /// Connections to the broker are taken, and nothing is forwarded.
    BlackHole,
    /// The registry is away.
    RegistryKilled,
    /// The exchange drops all connections.
    ExchangeCut,
    /// The disk with the engine's state takes no more.
    DiskFull,
    /// The engine is told to stop, and started again.
    EngineStopped,
    /// The engine is killed, and started again.
    EngineKilled,
}

impl Kind {
    /// All of them.
    pub(crate) const ALL: [Kind; 12] = [
        Kind::BrokerKilled,
        Kind::BrokerStopped,
        Kind::AllCut,
        Kind::OneCut,
        Kind::Delayed,
        Kind::Throttled,
        Kind::BlackHole,
        Kind::RegistryKilled,
        Kind::ExchangeCut,
        Kind::DiskFull,
        Kind::EngineStopped,
        Kind::EngineKilled,
    ];

    /// Between the engine and the broker: these follow one another, beside the others, which do so too.
    pub(crate) fn is_of_the_broker(self) -> bool {
        self <= Kind::BlackHole
    }

    /// As it is written in reports.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::BrokerKilled => "broker killed",
            Kind::BrokerStopped => "broker stopped",
            Kind::AllCut => "all cut",
            Kind::OneCut => "one cut",
            Kind::Delayed => "delayed",
            Kind::Throttled => "throttled",
            Kind::BlackHole => "black hole",
            Kind::RegistryKilled => "registry killed",
            Kind::ExchangeCut => "exchange cut",
            Kind::DiskFull => "disk full",
            Kind::EngineStopped => "engine stopped",
            Kind::EngineKilled => "engine killed",
        }
    }

    fn is_of_a_moment(self) -> bool {
        matches!(self, Kind::AllCut | Kind::OneCut | Kind::ExchangeCut)
    }

    /// What it takes beside its length until all is as before, about.
    fn recovery(self) -> Duration {
        match self {
            Kind::BrokerKilled => Duration::from_secs(3),
            Kind::RegistryKilled => Duration::from_secs(4),
            Kind::EngineStopped => Duration::from_secs(2),
            Kind::EngineKilled => Duration::from_secs(1),
            _ => Duration::ZERO,
        }
    }
}

/// One fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) kind: Kind,
    /// From the end of the one before.
    pub(crate) pause: Duration,
    /// Zero of one that is a moment.
    pub(crate) lasts: Duration,
    /// Milliseconds of a delay, bytes a second of a bandwidth.
    pub(crate) amount: u64,
}

/// The faults in two rows, which run side by side: the broker's, and the others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) rows: [Vec<Fault>; 2],
}

impl Plan {
    /// Draws `count` faults of these kinds, none longer than `longest`, and as many pauses, none longer than `pause`. Of each row, each kind comes before any comes again;
    /// both rows take about as long.
    pub(crate) fn draw(seed: u64, count: usize, (longest, pause): (Duration, Duration), kinds: &[Kind]) -> Self {
        let mut rng = Rng::with_seed(seed);
        let (broker, other): (Vec<Kind>, Vec<Kind>) = kinds.iter().partition(|kind| kind.is_of_the_broker());
        let mut decks = [(broker, Vec::new()), (other, Vec::new())];
        let mut plan = Plan::default();
        while plan.len() < count && !kinds.is_empty() {
            let shorter = usize::from(length(&plan.rows[1]) < length(&plan.rows[0]));
            let row = if decks[shorter].0.is_empty() { 1 - shorter } else { shorter };
            let (kinds, deck) = &mut decks[row];
            if deck.is_empty() {
                deck.extend_from_slice(kinds);
                rng.shuffle(deck);
            }
            plan.rows[row].extend(deck.pop().map(|kind| fault(kind, longest, pause, &mut rng)));
        }
        plan
    }

    /// How many faults there are.
    pub(crate) fn len(&self) -> usize {
        self.rows.iter().map(Vec::len).sum()
    }

    /// How long it takes, about.
    pub(crate) fn length(&self) -> Duration {
        self.rows.iter().map(|row| length(row)).max().unwrap_or_default()
    }
}

fn length(row: &[Fault]) -> Duration {
    row.iter().map(|fault| fault.pause + fault.lasts + fault.kind.recovery()).sum()
}

fn fault(kind: Kind, longest: Duration, pause: Duration, rng: &mut Rng) -> Fault {
    let pause = pause.mul_f64(rng.f64());
    let is_engine = matches!(kind, Kind::EngineStopped | Kind::EngineKilled);
    let longest = if is_engine { longest.min(LONGEST_DOWN) } else { longest };
    // As many between 1 and 2 s as between 10 and 20.
    let ratio = longest.as_secs_f64() / SHORTEST.as_secs_f64();
    let lasts = SHORTEST.mul_f64(ratio.max(1.0).powf(rng.f64()));
    let amount = if kind == Kind::Delayed { rng.u64(DELAY_MS) } else { rng.u64(BANDWIDTH) };
    Fault { kind, pause, lasts: if kind.is_of_a_moment() { Duration::ZERO } else { lasts }, amount }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONGEST: Duration = Duration::from_secs(30);
    const PAUSE: Duration = Duration::from_millis(1_500);
    const BOUNDS: (Duration, Duration) = (LONGEST, PAUSE);

    #[test]
    fn a_seed_draws_the_same_again_and_another_seed_does_not() {
        let plan = |seed| Plan::draw(seed, 100, BOUNDS, &Kind::ALL);
        assert_eq!(plan(3), plan(3));
        assert_ne!(plan(3), plan(4));
    }

    #[test]
    fn every_kind_comes_and_none_that_was_left_out() {
        let plan = Plan::draw(1, 50, BOUNDS, &Kind::ALL);
        assert_eq!(plan.len(), 50);
        for kind in Kind::ALL {
            let row = usize::from(!kind.is_of_the_broker());
            let count = plan.rows.each_ref().map(|faults| faults.iter().filter(|fault| fault.kind == kind).count());
            assert!(count[row] >= 2 && count[1 - row] == 0, "{kind:?}: {count:?}");
        }
        let plan = Plan::draw(1, 50, BOUNDS, &[Kind::DiskFull]);
        assert_eq!(plan.len(), 50);
        assert!(plan.rows[0].is_empty() && plan.rows[1].iter().all(|fault| fault.kind == Kind::DiskFull));
    }

    #[test]
    fn both_rows_take_as_long_but_for_one_fault() {
        let plan = Plan::draw(1, 200, BOUNDS, &Kind::ALL);
        let [broker, other] = plan.rows.each_ref().map(|row| length(row));
        assert!(broker.abs_diff(other) <= LONGEST + PAUSE + Kind::RegistryKilled.recovery());
        assert_eq!(plan.length(), broker.max(other));
    }

    #[test]
    fn lengths_keep_within_bounds() {
        for fault in Plan::draw(1, 1_000, BOUNDS, &Kind::ALL).rows.concat() {
            let bounds = if fault.kind.is_of_a_moment() { Duration::ZERO..=Duration::ZERO } else { SHORTEST..=LONGEST };
            assert!(bounds.contains(&fault.lasts) && fault.pause <= PAUSE, "{fault:?}");
            assert!(fault.kind != Kind::EngineKilled || fault.lasts <= LONGEST_DOWN, "{fault:?}");
        }
    }
}
