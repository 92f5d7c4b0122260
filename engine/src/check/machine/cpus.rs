//! The CPUs: which run what, whether the engine may use them all the time, and who else does.

use super::{Seats, named};
use crate::check::kernel::Kernel;
use crate::check::point::Point;
use crate::cores::{CpuSet, Plan, Wait};

const ONLINE: &str = "/sys/devices/system/cpu/online";
const ISOLATED: &str = "/sys/devices/system/cpu/isolated";
const NOHZ_FULL: &str = "/sys/devices/system/cpu/nohz_full";
const CGROUP: &str = "/proc/self/cgroup";
const CGROUPS: &str = "/sys/fs/cgroup";

/// Looks at plan, waiting, quota and isolation.
pub(super) fn look(kernel: &Kernel, seats: &Seats) -> Vec<Point> {
    let (isolated, nohz_full) = (kernel.text(ISOLATED), kernel.text(NOHZ_FULL));
    vec![
        plan(seats, kernel.text(ONLINE).and_then(|text| CpuSet::parse(&text))),
        wait(seats),
        kernel
            .text(CGROUP)
            .map_or_else(|| Point::not_told_here(QUOTA, CGROUP), |cgroup| quota(least_quota(kernel, &cgroup), seats)),
        isolation(seats, isolated.as_deref(), nohz_full.as_deref()),
    ]
}

/// `online` are the machine's CPUs, of which the process may be allowed fewer.
fn plan(seats: &Seats, online: Option<CpuSet>) -> Point {
    const NAME: &str = "CPUs";
    let Plan { feed, producer, housekeeping, notes } = &seats.plan;
    let (feed, producer) = (CpuSet::of(feed.iter().copied()), CpuSet::of(producer.iter().copied()));
    let all = online.map_or(0, |online| online.cpus().len());
    let allowed = &seats.available;
    let of = match all > allowed.cpus().len() {
        true => format!("{allowed}, which are allowed of the {all} online"),
        false => allowed.to_string(),
    };
    let found = format!("feed {feed}; producer {producer}; housekeeping {housekeeping}; of {of}");
    if notes.is_empty() && seats.are_own() {
        return Point::fine(NAME, found);
    }
    let notes = match notes.is_empty() {
        true => "feed and producer cores share CPUs".to_string(),
        false => notes.join("; "),
    };
    Point::doubtful(NAME, format!("{found}: {notes}")).advising(
        "each feed core, each producer core and the rest should have a CPU (taskset, CPUAffinity=, --cpuset-cpus)",
    )
}

fn wait(seats: &Seats) -> Point {
    const NAME: &str = "cores.wait";
    match seats.wait {
        Wait::Park => Point::fine(NAME, "park"),
        Wait::Spin if seats.are_own() => Point::fine(NAME, "spin, on CPUs of their own"),
        Wait::Spin => Point::doubtful(NAME, "spin, on CPUs that others of the engine need: they wait for each other")
            .advising("set cores.wait = \"park\", or give it more CPUs"),
    }
}

const QUOTA: &str = "CPU quota";

/// `found` is how many CPUs' time the process may use, if that is bounded.
fn quota(found: Option<f64>, seats: &Seats) -> Point {
    let Some(cpus) = found.filter(|cpus| *cpus < seats.available.cpus().len() as f64) else {
        return Point::fine(QUOTA, "none");
    };
    let spinning = match seats.wait {
        Wait::Spin => seats.plan.feed.len() + seats.plan.producer.len(),
        Wait::Park => 0,
    };
    let advice = "take the quota away (cpu.max = max; no limits.cpu, --cpus) and give it CPUs by cpuset instead";
    let found = format!("{cpus:.2} CPUs");
    match cpus < spinning as f64 {
        true => Point::wrong(QUOTA, format!("{found}, and {spinning} cores spin: they are stopped all the time")),
        false => Point::doubtful(
            QUOTA,
            format!("{found}: when they are used up, the engine stands still for the rest of a period"),
        ),
    }
    .advising(advice)
}

/// The least quota of the process's control groups, in CPUs: version 2, and version 1 where that has the CPUs.
fn least_quota(kernel: &Kernel, cgroup: &str) -> Option<f64> {
    let mut least: Option<f64> = None;
    for line in cgroup.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { continue };
        let folders: &[&str] = match controllers {
            "" => &["", "/unified"],
            _ if controllers.split(',').any(|controller| controller == "cpu") => &["/cpu", "/cpu,cpuacct"],
            _ => continue,
        };
        for group in groups(path) {
            for folder in folders {
                let file = |name: &str| kernel.line(&format!("{CGROUPS}{folder}{group}/{name}"));
                let found = match controllers {
                    "" => file("cpu.max").and_then(|text| cpus_of(&text)),
                    _ => file("cpu.cfs_quota_us")
                        .and_then(|quota| cpus_of(&format!("{quota} {}", file("cpu.cfs_period_us")?))),
                };
                least = least.into_iter().chain(found).reduce(f64::min);
            }
        }
    }
    least
}

/// A control group and all above it; the topmost is "".
fn groups(path: &str) -> impl Iterator<Item = &str> {
    let path = path.trim_end_matches('/');
    std::iter::successors(Some(path), |path| path.rfind('/').map(|at| &path[..at]))
}

/// `200000 100000` is 2 CPUs; `max 100000` and `-1 100000` are no bound.
fn cpus_of(quota: &str) -> Option<f64> {
    let (quota, period) = quota.split_once(' ')?;
    let (quota, period) = (quota.parse::<f64>().ok()?, period.trim().parse::<f64>().ok()?);
    (quota > 0.0 && period > 0.0).then(|| quota / period)
}

fn isolation(seats: &Seats, isolated: Option<&str>, nohz_full: Option<&str>) -> Point {
    const NAME: &str = "isolation";
    let Some(isolated) = isolated.map(|text| CpuSet::parse(text).unwrap_or_else(|| CpuSet::of([]))) else {
        return Point::not_told_here(NAME, ISOLATED);
    };
    let tickless = nohz_full.and_then(CpuSet::parse).unwrap_or_else(|| CpuSet::of([]));
    let without =
        |cpus: &[usize], others: &CpuSet| CpuSet::of(cpus.iter().copied().filter(|cpu| !others.cpus().contains(cpu)));
    let own = seats.own();
    if own.is_empty() {
        return Point::doubtful(NAME, "no CPU is a feed or producer core's own, so none can be isolated")
            .advising("more CPUs");
    }
    let unused = without(isolated.cpus(), &seats.available);
    if !unused.cpus().is_empty() {
        return Point::doubtful(NAME, format!("isolated, but not allowed to this process: {}", named(&unused)))
            .advising(format!(
                "start it with them (taskset -c {},{unused}; CPUAffinity= in systemd)",
                seats.available
            ));
    }
    let all = CpuSet::of(own.iter().copied());
    let shared = without(&own, &isolated);
    if !shared.cpus().is_empty() {
        return Point::doubtful(NAME, format!("other processes may run on {}", named(&shared))).advising(format!(
            "boot with isolcpus={all} nohz_full={all}, start the engine with all CPUs (taskset -c, CPUAffinity=), and name \
             them in cores.feed and cores.producer"
        ));
    }
    let ticking = without(&own, &tickless);
    match ticking.cpus().is_empty() {
        true => Point::fine(NAME, format!("{} isolated, and without ticks", named(&all))),
        false => Point::doubtful(NAME, format!("{} isolated, but the kernel's tick interrupts {ticking}", named(&all)))
            .advising(format!("boot with nohz_full={all}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::kernel::Made;
    use crate::check::point::Verdict::{Doubtful, Fine, NotTold, Wrong};
    use crate::cores::{Choice, Wish};

    fn seats(cpus: usize, wait: Wait) -> Seats {
        let wish = Wish { feed: Choice::Count(1), producer: Choice::Count(1), housekeeping: None };
        let available = CpuSet::of(0..cpus);
        Seats { plan: Plan::fit(&wish, &available).unwrap(), wait, available }
    }

    #[test]
    fn cores_that_share_are_doubtful() {
        let four = plan(&seats(4, Wait::Park), Some(CpuSet::of(0..4)));
        assert_eq!((four.verdict, four.found.as_str()), (Fine, "feed 3; producer 2; housekeeping 0,1; of 0,1,2,3"));
        let fewer = plan(&seats(4, Wait::Park), Some(CpuSet::of(0..16)));
        assert!(fewer.found.ends_with("of 0,1,2,3, which are allowed of the 16 online"), "{fewer:?}");
        let two = plan(&seats(2, Wait::Park), None);
        assert!(two.verdict == Doubtful && two.found.contains("it shares CPU 0 with the producer core"), "{two:?}");
        assert_eq!(wait(&seats(2, Wait::Park)).verdict, Fine);
        assert_eq!(wait(&seats(4, Wait::Spin)).verdict, Fine);
        assert_eq!(wait(&seats(2, Wait::Spin)).verdict, Doubtful);
    }

    #[test]
    fn the_least_quota_of_all_groups_above_holds() {
        let made = Made::of(&[
            ("/sys/fs/cgroup/a/cpu.max", "150000 100000\n"),
            ("/sys/fs/cgroup/a/b/cpu.max", "max 100000\n"),
            ("/sys/fs/cgroup/cpu/c/cpu.cfs_quota_us", "-1\n"),
            ("/sys/fs/cgroup/cpu/c/cpu.cfs_period_us", "100000\n"),
            ("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "50000\n"),
            ("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n"),
        ]);
        assert_eq!(least_quota(&made.kernel, "0::/a/b\n"), Some(1.5));
        assert_eq!(least_quota(&made.kernel, "0::/\n"), None);
        assert_eq!(least_quota(&made.kernel, "4:memory:/a\n2:cpu:/c\n0::/\n"), Some(0.5));
        assert_eq!(groups("/a/b").collect::<Vec<_>>(), ["/a/b", "/a", ""]);
        assert_eq!(groups("/").collect::<Vec<_>>(), [""]);
    }

    #[test]
    fn a_quota_stops_cores_and_those_that_spin_always() {
        assert_eq!(quota(None, &seats(4, Wait::Spin)).verdict, Fine);
        assert_eq!(quota(Some(4.0), &seats(4, Wait::Spin)).verdict, Fine, "it cannot be used up");
        let less = quota(Some(1.5), &seats(4, Wait::Park));
        assert!(less.verdict == Doubtful && less.found.starts_with("1.50 CPUs"), "{less:?}");
        assert_eq!(quota(Some(1.5), &seats(4, Wait::Spin)).verdict, Wrong);
        assert_eq!(quota(Some(3.0), &seats(4, Wait::Spin)).verdict, Doubtful);
    }

    #[test]
    fn isolated_cpus_are_those_of_feed_and_producer_cores_and_usable() {
        let four = |isolated, nohz_full| isolation(&seats(4, Wait::Park), isolated, nohz_full);
        assert_eq!(four(None, None).verdict, NotTold);
        let none = four(Some("\n"), None);
        assert!(none.verdict == Doubtful && none.advice.unwrap().contains("isolcpus=2,3 nohz_full=2,3"));
        assert_eq!(four(Some("2-3\n"), Some("2-3\n")).verdict, Fine);
        let ticking = four(Some("2-3\n"), Some("3\n"));
        assert!(ticking.verdict == Doubtful && ticking.found.contains("tick interrupts 2"), "{ticking:?}");
        let unused = four(Some("4-5\n"), Some("4-5\n"));
        assert!(unused.found.contains("not allowed to this process: CPUs 4,5"), "{unused:?}");
        assert!(unused.advice.unwrap().contains("taskset -c 0,1,2,3,4,5"));
        assert_eq!(isolation(&seats(1, Wait::Park), Some("\n"), None).verdict, Doubtful);
    }
}
