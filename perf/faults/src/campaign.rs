//! The course of a campaign: faults come and go while trades come, then all is quiet and everything has to arrive.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use anyhow::bail;
use k2_feed::signals::Signals;

use crate::plan::{Fault, Kind, Plan};
use crate::samples::Sampler;
use crate::world::World;

/// Between looks at everything.
const TICK: Duration = Duration::from_millis(20);
/// How often it is said how far it is.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(5);
/// Longest wait for anything to come back by itself.
const PATIENCE: Duration = Duration::from_secs(90);
/// Longest wait for all to arrive: the exchange's history gives a page in half a second.
const REPAIR_PATIENCE: Duration = Duration::from_secs(900);
/// How long trades go on behind the last fault, so that what was missed is noticed.
const QUIET: Duration = Duration::from_secs(4);
/// All has arrived when nothing more has for so long: longer than the engine's wait between attempts grows here.
const SETTLED: Duration = Duration::from_secs(4);
/// Most that the journals' folder has while no record waits there.
const EMPTY_BYTES: u64 = 4 << 10;
/// Runs that may be needed until nothing is left on the disk.
const LAST_RUNS: usize = 5;

/// A fault that has come and gone; times are seconds since the beginning.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Struck {
    pub(crate) kind: Kind,
    pub(crate) from_s: f64,
    pub(crate) to_s: f64,
    /// Whether records were on the engine's disk when it began.
    pub(crate) is_spilled: bool,
}

/// A row of faults, one after the other.
struct Row {
    left: VecDeque<Fault>,
    stage: Stage,
}

enum Stage {
    Pause { until: Instant },
    Struck(Present),
    Recovers(Present),
    Over,
}

/// A fault that has come.
#[derive(Clone, Copy)]
struct Present {
    fault: Fault,
    since: Instant,
    is_spilled: bool,
}

impl Row {
    fn new(faults: Vec<Fault>, now: Instant) -> Self {
        let mut row = Row { left: faults.into(), stage: Stage::Over };
        row.pause(now);
        row
    }

    fn pause(&mut self, now: Instant) {
        self.stage = self.left.front().map_or(Stage::Over, |fault| Stage::Pause { until: now + fault.pause });
    }

    fn present(&self) -> Option<Kind> {
        match &self.stage {
            Stage::Struck(present) | Stage::Recovers(present) => Some(present.fault.kind),
            _ => None,
        }
    }

    /// Goes on if it is time. Returns a fault that is over.
    fn look(&mut self, world: &mut World, sampler: &Sampler, begun: Instant) -> anyhow::Result<Option<Struck>> {
        let now = Instant::now();
        match self.stage {
            Stage::Pause { until } if now >= until => {
                if let Some(fault) = self.left.pop_front() {
                    let is_spilled = sampler.last().spilled_bytes > EMPTY_BYTES;
                    world.begin(&fault)?;
                    self.stage = Stage::Struck(Present { fault, since: now, is_spilled });
                }
            }
            Stage::Struck(present) if now >= present.since + present.fault.lasts => {
                world.end(&present.fault)?;
                self.stage = Stage::Recovers(present);
            }
            Stage::Recovers(Present { fault, since, is_spilled }) if world.is_over(&fault)? => {
                self.pause(now);
                let at_s = |at: Instant| at.duration_since(begun).as_secs_f64();
                return Ok(Some(Struck { kind: fault.kind, from_s: at_s(since), to_s: at_s(now), is_spilled }));
            }
            Stage::Recovers(Present { fault, since, .. }) if now > since + fault.lasts + PATIENCE => {
                println!("the engine's threads:\n{}", world.engine.threads());
                bail!("{}: not over after {PATIENCE:?}", fault.kind.name());
            }
            _ => {}
        }
        Ok(None)
    }
}

/// A campaign as it goes.
pub(crate) struct Campaign<'a> {
    world: &'a mut World,
    sampler: &'a Sampler,
    signals: &'a Signals,
    begun: Instant,
    said: Instant,
    pub(crate) struck: Vec<Struck>,
}

impl<'a> Campaign<'a> {
    /// Starts the engine, and waits until it hears the market.
    pub(crate) fn open(
        world: &'a mut World,
        sampler: &'a Sampler,
        signals: &'a Signals,
        begun: Instant,
    ) -> anyhow::Result<Self> {
        world.engine.want();
        let mut campaign = Campaign { world, sampler, signals, begun, said: Instant::now(), struck: Vec::new() };
        campaign.until("the engine hears the market", |campaign| Ok(campaign.world.engine.is_subscribed()))?;
        Ok(campaign)
    }

    /// Strikes with all faults, until so many trades were made, too.
    pub(crate) fn strike(&mut self, plan: &Plan, trades: u64) -> anyhow::Result<()> {
        let now = Instant::now();
        let mut rows = plan.rows.clone().map(|faults| Row::new(faults, now));
        while rows.iter().any(|row| !matches!(row.stage, Stage::Over)) || self.world.book.trades() < trades {
            for row in &mut rows {
                let over = row.look(self.world, self.sampler, self.begun)?;
                self.struck.extend(over);
            }
            let present: Vec<_> = rows.iter().filter_map(Row::present).map(Kind::name).collect();
            self.tick(plan.len(), &present.join(", "))?;
        }
        Ok(())
    }

    /// Lets trades go on for a while, ends the market, waits until no more arrives, and stops the engine. What is still on
    /// disk then is for the next run.
    pub(crate) fn close(&mut self) -> anyhow::Result<()> {
        let reader = self.world.reader()?;
        self.until("the engine hears the market", |campaign| Ok(campaign.world.engine.is_subscribed()))?;
        let quiet = Instant::now() + QUIET;
        self.until("trades go on", |_| Ok(Instant::now() >= quiet))?;
        self.world.exchange.end_market();
        for _ in 0..LAST_RUNS {
            let mut last = (reader.count()?, Instant::now());
            self.until_within(REPAIR_PATIENCE, "all arrives", |_| {
                let count = reader.count()?;
                if count != last.0 {
                    last = (count, Instant::now());
                }
                Ok(last.1.elapsed() >= SETTLED)
            })?;
            self.world.engine.stop()?;
            self.until("the engine ends", |campaign| Ok(campaign.world.engine.pid().is_none()))?;
            let run = self.world.engine.runs.last();
            if run.and_then(|run| run.ended).is_some_and(|status| status.success()) {
                return Ok(());
            }
            self.world.engine.want();
            self.until("the engine runs again", |campaign| Ok(campaign.world.engine.is_subscribed()))?;
        }
        bail!("after {LAST_RUNS} runs at the end something is still left: see the engine's reports")
    }

    fn until(&mut self, what: &str, is_so: impl FnMut(&mut Self) -> anyhow::Result<bool>) -> anyhow::Result<()> {
        self.until_within(PATIENCE, what, is_so)
    }

    fn until_within(
        &mut self,
        patience: Duration,
        what: &str,
        mut is_so: impl FnMut(&mut Self) -> anyhow::Result<bool>,
    ) -> anyhow::Result<()> {
        let deadline = Instant::now() + patience;
        while !is_so(self)? {
            if Instant::now() > deadline {
                println!("the engine's threads:\n{}", self.world.engine.threads());
                bail!("{what}: not after {patience:?}");
            }
            self.tick(self.struck.len(), what)?;
        }
        Ok(())
    }

    /// Has the engine run, and says now and then how far it is.
    fn tick(&mut self, of: usize, now: &str) -> anyhow::Result<()> {
        self.world.engine.look()?;
        self.sampler.watch(self.world.engine.pid());
        if self.said.elapsed() >= PROGRESS_INTERVAL {
            self.said = Instant::now();
            let sample = self.sampler.last();
            println!(
                "{:7.1} s  {:5}/{of} faults  {:9} trades  {:3} MiB resident  {:7.1} MiB on disk  {} runs  {now}",
                self.begun.elapsed().as_secs_f64(),
                self.struck.len(),
                self.world.book.trades(),
                sample.resident_bytes >> 20,
                sample.spilled_bytes as f64 / f64::from(1 << 20),
                self.world.engine.runs.len(),
            );
        }
        match self.signals.wait(TICK) {
            Some(_) => bail!("stopped by a signal"),
            None => Ok(()),
        }
    }
}

/// How often each kind has struck.
pub(crate) fn counts(struck: &[Struck]) -> BTreeMap<&'static str, usize> {
    let mut counts = BTreeMap::new();
    struck.iter().for_each(|one| *counts.entry(one.kind.name()).or_default() += 1);
    counts
}
