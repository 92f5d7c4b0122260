//! Which CPU runs what.
//!
//! Feed cores and producer cores each have a CPU to themselves where there are enough; everything else that works
//! steadily, librdkafka's threads included, runs on the housekeeping CPUs. With fewer CPUs the plan shrinks, and says so.

use std::fmt;

use clap::ValueEnum;
use nix::sched::{CpuSet as NixCpuSet, sched_setaffinity};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

/// What a core does while there is nothing to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Wait {
    /// Sleep until there is.
    #[default]
    Park,
    /// Look again at once: for pinned cores that do nothing else.
    Spin,
}

/// A set of CPUs by their numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct CpuSet(Vec<usize>);

impl CpuSet {
    /// The CPUs that this process may use.
    ///
    /// # Errors
    /// If the kernel does not say.
    pub fn available() -> Result<Self, String> {
        let cores = core_affinity::get_core_ids().filter(|cores| !cores.is_empty());
        let cores = cores.ok_or("the CPUs that this process may use cannot be listed")?;
        Ok(CpuSet(cores.into_iter().map(|core| core.id).collect()))
    }

    /// These CPUs.
    pub fn of(cpus: impl IntoIterator<Item = usize>) -> Self {
        CpuSet(cpus.into_iter().collect())
    }

    /// Reads a list as the kernel writes it: `0-3,8`, or nothing for none.
    pub fn parse(list: &str) -> Option<Self> {
        let range = |part: &str| {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            Some(first.trim().parse::<usize>().ok()?..=last.trim().parse::<usize>().ok()?)
        };
        let parts = list.trim().split(',').filter(|part| !part.is_empty());
        Some(CpuSet(parts.map(range).collect::<Option<Vec<_>>>()?.into_iter().flatten().collect()))
    }

    /// Their numbers.
    pub fn cpus(&self) -> &[usize] {
        &self.0
    }

    /// Lets the calling thread, and those that it starts, run on these CPUs only. CPUs that have gone meanwhile are
    /// no reason to stop: the thread then runs where it ran.
    pub fn apply(&self) {
        let mut set = NixCpuSet::new();
        let all_set = self.0.iter().all(|cpu| set.set(*cpu).is_ok());
        if !all_set || sched_setaffinity(Pid::from_raw(0), &set).is_err() {
            tracing::warn!(cpus = %self, "the thread cannot be bound to these CPUs");
        }
    }

    /// Runs `make` on a thread of these CPUs, which the threads that it starts inherit.
    pub fn run<T: Send>(&self, make: impl FnOnce() -> T + Send) -> T {
        let outcome = std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                self.apply();
                make()
            });
            thread.join()
        });
        outcome.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    fn len(&self) -> usize {
        self.0.len()
    }
}

impl fmt::Display for CpuSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let numbers: Vec<_> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&numbers.join(","))
    }
}

/// How many cores of a kind, or which.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Choice {
    /// So many; the plan picks the CPUs.
    Count(usize),
    /// These CPUs.
    Cpus(Vec<usize>),
}

impl Choice {
    /// Those that are named.
    pub(crate) fn cpus(&self) -> &[usize] {
        match self {
            Choice::Count(_) => &[],
            Choice::Cpus(cpus) => cpus,
        }
    }

    fn count(&self) -> usize {
        match self {
            Choice::Count(count) => *count,
            Choice::Cpus(cpus) => cpus.len(),
        }
    }
}

/// What is wished for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// Feed cores.
    pub feed: Choice,
    /// Producer cores.
    pub producer: Choice,
    /// The rest; what is left over if `None`.
    pub housekeeping: Option<Vec<usize>>,
}

/// Where everything runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// The CPU of each feed core.
    pub feed: Vec<usize>,
    /// The CPU of each producer core.
    pub producer: Vec<usize>,
    /// The CPUs of everything else.
    pub housekeeping: CpuSet,
    /// What could not be as wished, in words.
    pub notes: Vec<String>,
}

impl Plan {
    /// Fits `wish` to the `available` CPUs. The first CPU, where the kernel does most of its own work, keeps house;
    /// producer cores come next, feed cores last.
    ///
    /// # Errors
    /// A CPU that was asked for by number and is not there, or no CPU at all.
    pub fn fit(wish: &Wish, available: &CpuSet) -> Result<Self, String> {
        for (key, choice) in [("feed", &wish.feed), ("producer", &wish.producer)] {
            let Choice::Cpus(cpus) = choice else { continue };
            check(key, cpus, available)?;
        }
        if let Some(cpus) = &wish.housekeeping {
            check("housekeeping", cpus, available)?;
        }
        let mut taken: Vec<usize> = [wish.feed.cpus(), wish.producer.cpus()].concat();
        taken.extend(wish.housekeeping.iter().flatten());
        let mut free: Vec<usize> = available.0.iter().copied().filter(|cpu| !taken.contains(cpu)).collect();
        // One stays for housekeeping, as long as two are left for the pinned cores.
        let keeps_house = wish.housekeeping.is_none() && free.len() > 2;
        let first = if keeps_house { Some(free.remove(0)) } else { None };

        let mut pick = Pick { free, all: &available.0, notes: Vec::new() };
        // Feed cores come first in need: a producer core can share, a feed core should not.
        let feed = pick.cpus("feed", &wish.feed, usize::from(matches!(wish.producer, Choice::Count(_))));
        let producer = pick.cpus("producer", &wish.producer, 0);
        let Pick { free, mut notes, .. } = pick;
        let housekeeping = match &wish.housekeeping {
            Some(cpus) => CpuSet(cpus.clone()),
            None => CpuSet(first.into_iter().chain(free).collect()),
        };
        let housekeeping = if housekeeping.len() > 0 {
            housekeeping
        } else {
            let shared = producer.clone();
            notes.push(format!(
                "no CPU is left for housekeeping: it shares CPU {} with the producer core",
                CpuSet(shared.clone())
            ));
            CpuSet(shared)
        };
        Ok(Plan { feed, producer, housekeeping, notes })
    }
}

/// Whether all of these CPUs are there.
pub(crate) fn check(key: &str, cpus: &[usize], available: &CpuSet) -> Result<(), String> {
    if cpus.is_empty() {
        return Err(format!("cores.{key}: the list is empty, name at least one CPU"));
    }
    match cpus.iter().find(|cpu| !available.0.contains(cpu)) {
        Some(cpu) => Err(format!("cores.{key}: CPU {cpu} is not available here, the CPUs are {available}")),
        None => Ok(()),
    }
}

/// Picks CPUs from the end of those that are free.
struct Pick<'a> {
    free: Vec<usize>,
    all: &'a [usize],
    notes: Vec<String>,
}

impl Pick<'_> {
    /// CPUs for the cores of one kind, leaving `reserve` for others where possible.
    fn cpus(&mut self, kind: &str, choice: &Choice, reserve: usize) -> Vec<usize> {
        let Choice::Count(wanted) = choice else {
            let Choice::Cpus(cpus) = choice else { unreachable!("a choice is one or the other") };
            return cpus.clone();
        };
        let can = self.free.len().saturating_sub(reserve).min(*wanted);
        if can == 0 {
            // The last free one is this kind's; the next kind has to share.
            let own = self.free.pop();
            let cpu = own.unwrap_or(self.all[0]);
            if own.is_none() {
                self.notes.push(format!("too few CPUs ({}): the {kind} core shares CPU {cpu}", self.all.len()));
            }
            return vec![cpu];
        }
        if can < choice.count() {
            self.notes.push(format!("too few CPUs ({}): {can} {kind} core(s) instead of {wanted}", self.all.len()));
        }
        self.free.split_off(self.free.len() - can)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fit(cpus: usize, feed: usize, producer: usize) -> Plan {
        let wish = Wish { feed: Choice::Count(feed), producer: Choice::Count(producer), housekeeping: None };
        Plan::fit(&wish, &CpuSet::of(0..cpus)).unwrap()
    }

    #[test]
    fn lists_are_read_as_the_kernel_writes_them() {
        let parsed = |list| CpuSet::parse(list).map(|set| set.to_string());
        assert_eq!(parsed("0-3,8\n").as_deref(), Some("0,1,2,3,8"));
        assert_eq!(parsed("\n").as_deref(), Some(""));
        assert_eq!((parsed("0-x"), parsed("all")), (None, None));
    }

    #[test]
    fn one_cpu_is_shared_by_all() {
        let plan = fit(1, 1, 1);
        assert_eq!((plan.feed, plan.producer, plan.housekeeping), (vec![0], vec![0], CpuSet::of([0])));
        assert!(!plan.notes.is_empty());
    }

    #[test]
    fn two_cpus_give_the_feed_core_one_of_its_own() {
        let plan = fit(2, 1, 1);
        assert_eq!((plan.feed, plan.producer, plan.housekeeping), (vec![1], vec![0], CpuSet::of([0])));
        assert_eq!(plan.notes.len(), 1);
    }

    #[test]
    fn four_cpus_keep_one_for_the_house() {
        let plan = fit(4, 1, 1);
        assert_eq!((plan.feed, plan.producer, plan.housekeeping), (vec![3], vec![2], CpuSet::of([0, 1])));
        assert!(plan.notes.is_empty());
        let plan = fit(4, 4, 1);
        assert_eq!((plan.feed, plan.producer, plan.housekeeping), (vec![2, 3], vec![1], CpuSet::of([0])));
        assert_eq!(plan.notes, ["too few CPUs (4): 2 feed core(s) instead of 4"]);
    }

    #[test]
    fn sixteen_cpus_fit_the_wish() {
        let plan = fit(16, 8, 2);
        assert_eq!(plan.feed, (8..16).collect::<Vec<_>>());
        assert_eq!(plan.producer, [6, 7]);
        assert_eq!(plan.housekeeping, CpuSet::of(0..6));
        assert!(plan.notes.is_empty());
    }

    #[test]
    fn named_cpus_are_kept_and_must_be_there() {
        let wish =
            Wish { feed: Choice::Cpus(vec![2]), producer: Choice::Cpus(vec![3]), housekeeping: Some(vec![0, 1]) };
        let plan = Plan::fit(&wish, &CpuSet::of(0..4)).unwrap();
        assert_eq!((plan.feed, plan.producer, plan.housekeeping), (vec![2], vec![3], CpuSet::of([0, 1])));
        let error = Plan::fit(&wish, &CpuSet::of(0..2)).unwrap_err();
        assert_eq!(error, "cores.feed: CPU 2 is not available here, the CPUs are 0,1");
    }
}
