//! What slows a CPU down for a moment: saving power, huge pages, and who else has the machine.

use super::{Seats, named};
use crate::check::kernel::Kernel;
use crate::check::point::Point;
use crate::cores::{CpuSet, Wait};

const CPUS: &str = "/sys/devices/system/cpu";
/// How long it may be until the CPU works again, in microseconds, as whoever has it open asks for; four bytes.
const LATENCY_WISH: &str = "/dev/cpu_dma_latency";
/// Longest time for a CPU to wake up that is not told of, in microseconds.
const MAX_WAKE_US: u64 = 10;
/// Of a virtual machine's time, so much may be others', in percent.
const MAX_STOLEN: f64 = 1.0;

const GOVERNOR: &str = "governor";
const C_STATES: &str = "C-states";
const HUGE_PAGES: &str = "huge pages";
const HYPERVISOR: &str = "hypervisor";

/// A state in which a CPU may sleep.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Sleep {
    name: String,
    /// How long it takes to wake from it, in microseconds.
    wake_us: u64,
}

/// Looks at the CPUs of feed and producer cores.
pub(super) fn look(kernel: &Kernel, seats: &Seats, is_virtual: bool) -> Vec<Point> {
    let mut cpus: Vec<_> = seats.plan.feed.iter().chain(&seats.plan.producer).copied().collect();
    cpus.sort_unstable();
    cpus.dedup();
    let governors: Vec<_> = cpus
        .iter()
        .filter_map(|cpu| Some((*cpu, kernel.line(&format!("{CPUS}/cpu{cpu}/cpufreq/scaling_governor"))?)))
        .collect();
    let wish = kernel.number(LATENCY_WISH);
    let deepest = cpus.iter().filter_map(|cpu| Some((*cpu, deepest(kernel, *cpu, wish)?))).collect::<Vec<_>>();
    let spins = seats.wait == Wait::Spin && seats.are_own();
    vec![governor(&governors, is_virtual), c_states(&deepest, spins, is_virtual)]
}

fn governor(found: &[(usize, String)], is_virtual: bool) -> Point {
    let slow: Vec<_> = found.iter().filter(|(_, governor)| governor != "performance").collect();
    match (found, slow.as_slice()) {
        ([], _) if is_virtual => Point::not_told(GOVERNOR, "not measurable here: the host decides"),
        ([], _) => Point::not_told_here(GOVERNOR, "/sys/devices/system/cpu/cpu*/cpufreq"),
        (_, []) => Point::fine(GOVERNOR, "performance"),
        (_, [(_, governor), ..]) => {
            let cpus = CpuSet::of(slow.iter().map(|(cpu, _)| *cpu));
            Point::doubtful(GOVERNOR, format!("{governor} on {}, slow for a while after each pause", named(&cpus)))
                .advising("cpupower frequency-set -g performance")
        }
    }
}

/// The state that takes longest to wake from, of those that are on and that nobody's wish forbids.
fn deepest(kernel: &Kernel, cpu: usize, wish_us: Option<u64>) -> Option<Sleep> {
    let folder = format!("{CPUS}/cpu{cpu}/cpuidle");
    let states = kernel.names(&folder).into_iter().filter_map(|state| {
        let file = |name: &str| kernel.line(&format!("{folder}/{state}/{name}"));
        let wake_us = file("latency")?.parse().ok()?;
        let is_on = file("disable").is_none_or(|disable| disable == "0");
        is_on.then(|| Sleep { name: file("name").unwrap_or_else(|| state.clone()), wake_us })
    });
    states.filter(|state| wish_us.is_none_or(|wish| state.wake_us <= wish)).max_by_key(|state| state.wake_us)
}

fn c_states(deepest: &[(usize, Sleep)], spins: bool, is_virtual: bool) -> Point {
    if spins {
        return Point::fine(C_STATES, "none is entered: the cores spin");
    }
    if is_virtual {
        return Point::not_told(C_STATES, "not measurable here: the host decides");
    }
    match deepest.iter().max_by_key(|(_, sleep)| sleep.wake_us) {
        None => Point::not_told_here(C_STATES, "/sys/devices/system/cpu/cpu*/cpuidle"),
        Some((_, Sleep { name, wake_us })) if *wake_us <= MAX_WAKE_US => {
            Point::fine(C_STATES, format!("none deeper than {name}, {wake_us} us to wake"))
        }
        Some((cpu, Sleep { name, wake_us })) => Point::doubtful(
            C_STATES,
            format!("CPU {cpu} sleeps as deep as {name}, {wake_us} us to wake"),
        )
        .advising(
            "boot with processor.max_cstate=1 intel_idle.max_cstate=1, or hold /dev/cpu_dma_latency at 0 (tuned-adm \
                 profile latency-performance)",
        ),
    }
}

/// `off` is whether the process has them turned off, if the kernel says so.
pub(super) fn huge_pages(off: Option<bool>) -> Point {
    match off {
        Some(true) => Point::fine(HUGE_PAGES, "turned off for the engine, whatever the system has"),
        Some(false) => {
            Point::doubtful(HUGE_PAGES, "the kernel does not let the engine turn them off: it takes more memory")
                .advising("echo madvise > /sys/kernel/mm/transparent_hugepage/enabled")
        }
        None => Point::not_told(HUGE_PAGES, "not told here: the kernel does not say"),
    }
}

/// `total` is the first line of `/proc/stat`.
pub(super) fn hypervisor(name: Option<&str>, total: Option<&str>) -> Point {
    let name = match name {
        None => return Point::fine(HYPERVISOR, "none"),
        Some("unknown") => "one without a name",
        Some(name) => name,
    };
    let stolen = total.and_then(stolen_percent);
    match stolen {
        Some(percent) if percent >= MAX_STOLEN => Point::doubtful(
            HYPERVISOR,
            format!("{name} gave {percent:.1} % of the CPUs' time to others since the start"),
        )
        .advising("take a machine, or CPUs, of your own"),
        _ => {
            let stolen =
                stolen.map(|percent| format!("; {percent:.1} % of the CPUs' time went to others")).unwrap_or_default();
            Point::not_told(HYPERVISOR, format!("{name}{stolen}; what a host does to latency is not measurable here"))
        }
    }
}

/// The eighth number is what was stolen (proc_stat(5)); the ninth and tenth are in the first and second already.
fn stolen_percent(total: &str) -> Option<f64> {
    let numbers: Vec<u64> =
        total.strip_prefix("cpu ")?.split_whitespace().take(8).map(str::parse).collect::<Result<_, _>>().ok()?;
    let (stolen, all) = (*numbers.get(7)?, numbers.iter().sum::<u64>());
    (all > 0).then(|| stolen as f64 * 100.0 / all as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::kernel::Made;
    use crate::check::point::Verdict::{Doubtful, Fine, NotTold};

    fn governors(all: &[&str]) -> Vec<(usize, String)> {
        all.iter().enumerate().map(|(cpu, governor)| (cpu, governor.to_string())).collect()
    }

    #[test]
    fn only_the_governor_performance_is_fine() {
        assert_eq!(governor(&governors(&["performance", "performance"]), false).verdict, Fine);
        let saving = governor(&governors(&["performance", "powersave"]), false);
        assert!(saving.verdict == Doubtful && saving.found.starts_with("powersave on CPU 1,"), "{saving:?}");
        assert!(governor(&[], true).found.starts_with("not measurable here"));
        assert!(governor(&[], false).found.starts_with("not told here"));
    }

    fn idle() -> Made {
        Made::of(&[
            ("/sys/devices/system/cpu/cpu3/cpuidle/state0/name", "POLL\n"),
            ("/sys/devices/system/cpu/cpu3/cpuidle/state0/latency", "0\n"),
            ("/sys/devices/system/cpu/cpu3/cpuidle/state1/name", "C1\n"),
            ("/sys/devices/system/cpu/cpu3/cpuidle/state1/latency", "2\n"),
            ("/sys/devices/system/cpu/cpu3/cpuidle/state2/name", "C6\n"),
            ("/sys/devices/system/cpu/cpu3/cpuidle/state2/latency", "133\n"),
            ("/sys/devices/system/cpu/cpu3/cpuidle/state2/disable", "0\n"),
        ])
    }

    #[test]
    fn states_that_are_off_or_not_wished_for_are_not_entered() {
        let made = idle();
        let name = |wish| deepest(&made.kernel, 3, wish).unwrap().name;
        assert_eq!((name(None), name(Some(100)), name(Some(0))), ("C6".into(), "C1".into(), "POLL".into()));
        assert_eq!(deepest(&made.kernel, 4, None), None);
        made.put(&[("/sys/devices/system/cpu/cpu3/cpuidle/state2/disable", "1\n")]);
        assert_eq!(name(None), "C1");
    }

    #[test]
    fn deep_states_are_doubtful_unless_cores_spin_or_nobody_can_know() {
        let deep = [(2, Sleep { name: "C1".into(), wake_us: 2 }), (3, Sleep { name: "C6".into(), wake_us: 133 })];
        let point = c_states(&deep, false, false);
        assert_eq!((point.verdict, point.found.as_str()), (Doubtful, "CPU 3 sleeps as deep as C6, 133 us to wake"));
        assert_eq!(c_states(&deep[..1], false, false).verdict, Fine);
        assert_eq!(c_states(&deep, true, false).verdict, Fine);
        assert_eq!(c_states(&deep, false, true).verdict, NotTold);
        assert_eq!(c_states(&[], false, false).verdict, NotTold);
    }

    #[test]
    fn stolen_time_is_doubtful_and_the_rest_of_a_virtual_machine_not_judged() {
        assert_eq!(hypervisor(None, None).verdict, Fine);
        let little = hypervisor(Some("Amazon EC2"), Some("cpu  500 0 200 200 60 0 30 5 0 0"));
        assert!(little.verdict == NotTold && little.found.starts_with("Amazon EC2; 0.5 % of"), "{little:?}");
        let much = hypervisor(Some("QEMU"), Some("cpu  50 0 20 20 0 0 0 10 5 0"));
        assert!(much.verdict == Doubtful && much.found.contains("10.0 %"), "{much:?}");
        assert_eq!(hypervisor(Some("QEMU"), None).verdict, NotTold);
        assert_eq!(huge_pages(Some(true)).verdict, Fine);
        assert_eq!((huge_pages(Some(false)).verdict, huge_pages(None).verdict), (Doubtful, NotTold));
    }
}
