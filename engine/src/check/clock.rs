//! The clock: each hop is measured by it, and each record carries it.

mod chrony;

use std::time::Instant;

use super::kernel::Kernel;
use super::point::Point;
use crate::clock::Nanos;
use crate::latency::readable;
use crate::machine::CLOCK_SOURCE;
use chrony::Tracking;

const SOURCE: &str = "clock source";
const SYNCHRONISED: &str = "synchronised";
/// systemd-timesyncd leaves this file once it has set the clock.
const BY_SYSTEMD: &str = "/run/systemd/timesync/synchronized";
/// Readings whose cost is measured; a frame takes three.
const READINGS: u32 = 10_000;
/// A reading takes 11 ns from the processor's counter, and 20 to 40 from the kernel without a system call.
const MAX_READING_NS: u64 = 150;

/// A clock that may be further off, in seconds, is told of: `recv` and trades' ages are measured in microseconds.
const MAX_ERROR_S: f64 = 0.01;

/// Who keeps the clock right, as the kernel calls the process (15 characters at most), and how to ask it.
const KEEPERS: [(&str, &str); 5] = [
    ("chronyd", "chronyc tracking"),
    ("ntpd", "ntpq -p"),
    ("ntpd-rs", "ntp-ctl status"),
    ("ptp4l", "its log"),
    ("systemd-timesyn", "timedatectl timesync-status"),
];

/// Looks at where time comes from, and who keeps it right.
pub(super) fn look(kernel: &Kernel) -> Vec<Point> {
    let keeper = keeper(kernel);
    vec![
        source(kernel.line(CLOCK_SOURCE).as_deref(), reading_ns()),
        chrony::ask(chrony::PORT).map_or_else(|| synchronised(kernel.has(BY_SYSTEMD), keeper.as_deref()), tracked),
    ]
}

fn source(name: Option<&str>, reading_ns: u64) -> Point {
    let found = format!("{}, {} a reading", name.unwrap_or("of a name that is not told here"), readable(reading_ns));
    match name {
        _ if reading_ns > MAX_READING_NS => Point::doubtful(SOURCE, format!("{found}: each may be a system call"))
            .advising("use tsc where the machine has one that can be relied on (clocksource=tsc, tsc=reliable)"),
        Some("hpet" | "acpi_pm" | "jiffies" | "refined-jiffies") => Point::doubtful(SOURCE, found)
            .advising("find out why the kernel gave up tsc (dmesg), or boot with clocksource=tsc"),
        Some(_) => Point::fine(SOURCE, found),
        None => Point::not_told(SOURCE, found),
    }
}

/// What a reading costs: of some rounds the quickest, which nobody has interrupted.
fn reading_ns() -> u64 {
    let round = || {
        let began = Instant::now();
        for _ in 1..READINGS {
            std::hint::black_box(Nanos::now());
        }
        began.elapsed().as_nanos() as u64 / u64::from(READINGS)
    };
    (0..5).map(|_| round()).min().unwrap_or(0)
}

/// The process that keeps the clock right, as far as it can be seen from here.
fn keeper(kernel: &Kernel) -> Option<String> {
    let processes = kernel.names("/proc").into_iter().filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()));
    let mut names = processes.filter_map(|process| kernel.line(&format!("/proc/{process}/comm")));
    names.find(|name| KEEPERS.iter().any(|(keeper, _)| keeper == name))
}

/// By chronyd's own words.
fn tracked(Tracking { is_synchronised, error_s }: Tracking) -> Point {
    let within = readable((error_s * 1e9) as u64);
    match is_synchronised {
        false => Point::doubtful(SYNCHRONISED, "chronyd runs, and has not synchronised the clock")
            .advising("see chronyc tracking and chronyc sources"),
        true if error_s > MAX_ERROR_S => Point::doubtful(SYNCHRONISED, format!("by chronyd, to within {within} only"))
            .advising("give it nearer sources (chronyc sources): records carry this clock's time"),
        true => Point::fine(SYNCHRONISED, format!("by chronyd, to within {within}")),
    }
}

/// The kernel's own word for it, `adjtimex`, has no safe wrapper that is kept up; so it is told by who keeps the clock.
fn synchronised(by_systemd: bool, keeper: Option<&str>) -> Point {
    let ask = KEEPERS.iter().find(|(name, _)| Some(*name) == keeper);
    match (by_systemd, ask) {
        (true, _) => Point::fine(SYNCHRONISED, "by systemd-timesyncd"),
        (false, Some(("systemd-timesyn", ask))) => {
            Point::doubtful(SYNCHRONISED, "systemd-timesyncd runs, but has not set the clock yet")
                .advising(format!("see {ask}"))
        }
        (false, Some((name, ask))) => {
            Point::not_told(SYNCHRONISED, format!("{name} runs; how far off the clock is, it tells itself"))
                .advising(format!("see {ask}"))
        }
        (false, None) => Point::not_told(SYNCHRONISED, "not told here: nobody is seen who keeps the clock right")
            .advising("see that this machine, or the host of this container, runs chrony, ntpd or systemd-timesyncd"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::kernel::Made;
    use crate::check::point::Verdict::{Doubtful, Fine, NotTold};

    #[test]
    fn slow_sources_are_doubtful() {
        for (name, reading, verdict) in [
            (Some("tsc"), 21, Fine),
            (Some("kvm-clock"), 40, Fine),
            (Some("arch_sys_counter"), 30, Fine),
            (Some("xen"), 400, Doubtful),
            (Some("hpet"), 100, Doubtful),
            (None, 30, NotTold),
            (None, 900, Doubtful),
        ] {
            assert_eq!(source(name, reading).verdict, verdict, "{name:?}, {reading} ns");
        }
        assert_eq!(source(Some("tsc"), 21).found, "tsc, 21 ns a reading");
        assert!(reading_ns() > 0);
    }

    #[test]
    fn chronyds_own_words_are_judged() {
        let judged = |is_synchronised, error_s| tracked(Tracking { is_synchronised, error_s });
        assert_eq!(judged(true, 0.000_25).found, "by chronyd, to within 250 us");
        assert_eq!((judged(true, 0.05).verdict, judged(false, 0.0).verdict), (Doubtful, Doubtful));
    }

    #[test]
    fn who_keeps_the_clock_is_told_and_not_what_nobody_knows() {
        let made = Made::of(&[("/proc/1/comm", "systemd\n"), ("/proc/self/comm", "chronyd\n")]);
        let judged = |made: &Made| synchronised(made.kernel.has(BY_SYSTEMD), keeper(&made.kernel).as_deref());
        assert!(judged(&made).found.starts_with("not told here"));
        made.put(&[("/proc/77/comm", "chronyd\n")]);
        let point = judged(&made);
        assert!(point.verdict == NotTold && point.advice.unwrap().contains("chronyc tracking"));
        made.put(&[("/proc/77/comm", "systemd-timesyn\n")]);
        assert_eq!(judged(&made).verdict, Doubtful);
        made.put(&[(BY_SYSTEMD, "")]);
        assert_eq!(judged(&made).verdict, Fine);
    }
}
