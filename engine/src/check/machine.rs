//! The machine: what it lets the engine do, and what stands in the way of even latency.

mod address;
mod cpus;
mod interrupts;
mod limits;
mod power;

use super::kernel::Kernel;
use super::point::Point;
use crate::config::Config;
use crate::cores::{CpuSet, Plan, Wait};
use crate::feed::io_uring;
use crate::machine::Machine;

const STATUS: &str = "/proc/self/status";
const LIMITS: &str = "/proc/self/limits";
const IO_URING_DISABLED: &str = "/proc/sys/kernel/io_uring_disabled";

/// Where the engine would run.
struct Seats {
    plan: Plan,
    wait: Wait,
    /// The CPUs that this process may use.
    available: CpuSet,
}

impl Seats {
    fn of(config: &Config) -> Result<Self, String> {
        let available = CpuSet::available()?;
        let plan = Plan::fit(&config.wish(), &available)?;
        Ok(Seats { plan, wait: config.cores.wait, available })
    }

    /// The CPUs of feed and producer cores that they share with nobody else of the engine.
    fn own(&self) -> Vec<usize> {
        let Plan { feed, producer, housekeeping, .. } = &self.plan;
        let pinned: Vec<_> = feed.iter().chain(producer).copied().collect();
        let is_own = |cpu: &usize| {
            pinned.iter().filter(|other| *other == cpu).count() == 1 && !housekeeping.cpus().contains(cpu)
        };
        let mut own: Vec<_> = pinned.iter().copied().filter(is_own).collect();
        own.sort_unstable();
        own
    }

    /// Whether each feed and producer core has a CPU to itself.
    fn are_own(&self) -> bool {
        self.own().len() == self.plan.feed.len() + self.plan.producer.len()
    }
}

/// `CPU 1`, or `CPUs 2,3`.
fn named(cpus: &CpuSet) -> String {
    format!("CPU{} {cpus}", if cpus.cpus().len() == 1 { "" } else { "s" })
}

/// Looks at all of it; at what depends on the plan of CPUs where there is a configuration.
pub(super) fn look(kernel: &Kernel, config: Option<&Config>) -> Vec<Point> {
    let virtual_machine = Machine::read().hypervisor;
    let mut points = process(kernel, config);
    points.extend(config.map(|config| address::look(&config.http)));
    match config.map(Seats::of) {
        Some(Ok(seats)) => {
            points.extend(cpus::look(kernel, &seats));
            points.push(interrupts::look(kernel, &seats.plan));
            points.extend(power::look(kernel, &seats, virtual_machine.is_some()));
        }
        Some(Err(error)) => points.push(Point::wrong("CPUs", error)),
        None => points.push(Point::not_told("CPUs", "a valid configuration is needed to say which CPUs run what")),
    }
    points.push(power::huge_pages(nix::sys::prctl::get_thp_disable().ok()));
    points.push(power::hypervisor(virtual_machine.as_deref(), kernel.line("/proc/stat").as_deref()));
    points
}

/// What the process may do.
fn process(kernel: &Kernel, config: Option<&Config>) -> Vec<Point> {
    let (status, table) = (kernel.text(STATUS), kernel.text(LIMITS));
    let locked = limits::limit(table.as_deref(), "Max locked memory");
    let io_uring = match locked {
        Some(bytes) if bytes < io_uring::MIN_LOCKED_MEMORY => None,
        _ => Some(io_uring::probe()),
    };
    let connections = config.map_or(0, Config::connections);
    vec![
        limits::kernel(kernel.line("/proc/sys/kernel/osrelease").as_deref()),
        limits::io_uring(io_uring.as_ref(), kernel.line(IO_URING_DISABLED).as_deref()),
        limits::seccomp(status.as_deref(), matches!(io_uring, Some(Err(_)))),
        limits::locked_memory(locked),
        limits::open_files(limits::limit(table.as_deref(), "Max open files"), connections as u64),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::kernel::Made;
    use crate::check::point::Verdict;

    #[test]
    fn cpus_of_their_own_are_shared_with_nobody() {
        let seats = |feed: &[usize], producer: &[usize], housekeeping: &[usize]| {
            let housekeeping = CpuSet::of(housekeeping.iter().copied());
            let plan = Plan { feed: feed.into(), producer: producer.into(), housekeeping, notes: Vec::new() };
            Seats { plan, wait: Wait::Park, available: CpuSet::of(0..8) }
        };
        let good = seats(&[3, 4], &[2], &[0, 1]);
        assert_eq!((good.own(), good.are_own()), (vec![2, 3, 4], true));
        let shared = seats(&[1], &[0], &[0]);
        assert_eq!((shared.own(), shared.are_own()), (vec![1], false));
        assert!(seats(&[0], &[0], &[0]).own().is_empty());
    }

    /// Nothing is guessed where the kernel shows nothing.
    #[test]
    fn a_machine_that_shows_nothing_is_not_judged() {
        let config = Config::parse("test", "[[feed]]\nexchange = \"binance\"\nsymbols = [\"BTCUSDT\"]\n").unwrap();
        let points = look(&Made::of(&[]).kernel, Some(&config));
        for name in ["kernel", "seccomp", "locked memory", "open files", "CPU quota", "isolation", "interrupts"] {
            let point = points.iter().find(|point| point.point == name).unwrap();
            assert_eq!(point.verdict, Verdict::NotTold, "{point:?}");
        }
        let points = look(&Made::of(&[]).kernel, None);
        assert!(points.iter().any(|point| point.point == "CPUs" && point.verdict == Verdict::NotTold));
    }
}
