//! What kernel and limits let the process do.

use crate::check::kernel::field;
use crate::check::point::Point;
use crate::feed::io_uring::{MIN_LOCKED_MEMORY, MORE_MEMORY};

/// The oldest kernel, major and minor version.
const OLDEST: (u32, u32) = (5, 8);
/// Files that the engine has open besides its connections: logs, journals, brokers, io_uring, clocks.
const FILES_BESIDES: u64 = 256;

/// The kernel's version.
pub(super) fn kernel(release: Option<&str>) -> Point {
    const NAME: &str = "kernel";
    let Some(release) = release else { return Point::not_told_here(NAME, "/proc/sys/kernel/osrelease") };
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(str::parse::<u32>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) if (major, minor) >= OLDEST => Point::fine(NAME, format!("Linux {release}")),
        (Some(Ok(_)), Some(Ok(_))) => Point::wrong(NAME, format!("Linux {release} has not all of io_uring"))
            .advising(format!("use Linux {}.{} or newer", OLDEST.0, OLDEST.1)),
        _ => Point::not_told(NAME, format!("its version {release:?} is none that is known")),
    }
}

/// Whether io_uring is to be had: what came of trying, unless the limit of locked memory kept it from being tried, and
/// `kernel.io_uring_disabled`.
pub(super) fn io_uring(tried: Option<&Result<(), String>>, disabled: Option<&str>) -> Point {
    const NAME: &str = "io_uring";
    match (tried, disabled) {
        (None, _) => Point::not_told(NAME, "not tried: the limit of locked memory is in its way"),
        (Some(Ok(())), Some("1")) => {
            Point::fine(NAME, "allowed to this user, not to all (kernel.io_uring_disabled = 1)")
        }
        (Some(Ok(())), _) => Point::fine(NAME, "allowed"),
        (Some(Err(error)), Some(level @ ("1" | "2"))) => {
            Point::wrong(NAME, format!("kernel.io_uring_disabled = {level}: {error}"))
        }
        (Some(Err(error)), _) => Point::wrong(NAME, error),
    }
}

/// Whether a filter of system calls is on, and whether it may be what blocks io_uring.
pub(super) fn seccomp(status: Option<&str>, io_uring_is_blocked: bool) -> Point {
    const NAME: &str = "seccomp";
    match status.and_then(|status| field(status, "Seccomp")) {
        None => Point::not_told(NAME, "not told here: /proc/self/status has no line Seccomp"),
        Some("0") => Point::fine(NAME, "no filter"),
        Some(_) if io_uring_is_blocked => Point::wrong(NAME, "a filter is on, and io_uring is blocked").advising(
            "a container's profile must allow io_uring_setup, io_uring_enter and io_uring_register (Docker: \
             --security-opt seccomp=FILE)",
        ),
        Some(_) => Point::fine(NAME, "a filter is on, and lets io_uring through"),
    }
}

/// The limit of locked memory, in bytes.
pub(super) fn locked_memory(limit: Option<u64>) -> Point {
    const NAME: &str = "locked memory";
    match limit {
        None => Point::not_told_here(NAME, super::LIMITS),
        Some(u64::MAX) => Point::fine(NAME, "unlimited"),
        Some(bytes) if bytes >= MIN_LOCKED_MEMORY => Point::fine(NAME, format!("{} KiB", bytes / 1024)),
        Some(bytes) => {
            let (has, least) = (bytes / 1024, MIN_LOCKED_MEMORY / 1024);
            Point::wrong(NAME, format!("{has} KiB, at least {least} are needed")).advising(MORE_MEMORY)
        }
    }
}

/// The limit of open files, with so many connections to exchanges, each of which may be there twice while it is replaced.
pub(super) fn open_files(limit: Option<u64>, connections: u64) -> Point {
    const NAME: &str = "open files";
    let needed = FILES_BESIDES + 2 * connections;
    match limit {
        None => Point::not_told_here(NAME, super::LIMITS),
        Some(u64::MAX) => Point::fine(NAME, "unlimited"),
        Some(limit) if limit >= needed => Point::fine(NAME, format!("{limit}, about {needed} are used at most")),
        Some(limit) => Point::wrong(NAME, format!("{limit}, up to {needed} are used"))
            .advising("raise the limit (ulimit -n; LimitNOFILE= in systemd; ulimits.nofile in Compose)"),
    }
}

/// The limit that holds, from `/proc/self/limits`; the largest number if there is none.
pub(super) fn limit(table: Option<&str>, name: &str) -> Option<u64> {
    let line = table?.lines().find_map(|line| line.strip_prefix(name))?;
    match line.split_whitespace().next()? {
        "unlimited" => Some(u64::MAX),
        number => number.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::point::Verdict::{Fine, NotTold, Wrong};

    const TABLE: &str = "Limit                     Soft Limit           Hard Limit           Units     \n\
        Max open files            1024                 524288               files     \n\
        Max locked memory         65536                unlimited            bytes     \n\
        Max nice priority         0                    0                    \n";

    #[test]
    fn kernels_before_io_uring_are_told() {
        for (release, verdict) in [
            (Some("6.18.5"), Fine),
            (Some("5.8.0-63-generic"), Fine),
            (Some("5.4.0"), Wrong),
            (Some("4.18.0-553.el8"), Wrong),
            (Some("next"), NotTold),
            (None, NotTold),
        ] {
            assert_eq!(kernel(release).verdict, verdict, "{release:?}");
        }
    }

    #[test]
    fn io_uring_is_judged_by_what_came_of_trying() {
        assert_eq!(io_uring(Some(&Ok(())), Some("0")).found, "allowed");
        assert!(io_uring(Some(&Ok(())), Some("1")).found.contains("io_uring_disabled = 1"));
        let blocked = Err("io_uring is blocked".to_string());
        assert_eq!(io_uring(Some(&blocked), Some("2")).found, "kernel.io_uring_disabled = 2: io_uring is blocked");
        assert_eq!(io_uring(Some(&blocked), None).verdict, Wrong);
        assert_eq!(io_uring(None, None).verdict, NotTold);
    }

    #[test]
    fn a_filter_is_blamed_only_where_io_uring_is_blocked() {
        let filter = "Name:\tk2\nNoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t1\n";
        assert_eq!(seccomp(Some(filter), false).verdict, Fine);
        let blamed = seccomp(Some(filter), true);
        assert!(blamed.verdict == Wrong && blamed.advice.unwrap().contains("io_uring_register"));
        assert_eq!(seccomp(Some("Seccomp:\t0\n"), true).found, "no filter");
        assert_eq!(seccomp(Some("Name:\tk2\n"), true).verdict, NotTold);
    }

    #[test]
    fn limits_are_the_soft_ones() {
        assert_eq!(limit(Some(TABLE), "Max open files"), Some(1024));
        assert_eq!(limit(Some(&TABLE.replace("65536", "unlimited")), "Max locked memory"), Some(u64::MAX));
        assert_eq!((limit(Some(TABLE), "Max threads"), limit(None, "Max open files")), (None, None));
    }

    #[test]
    fn limits_that_are_too_low_are_told_with_the_way_out() {
        let little = locked_memory(limit(Some(TABLE), "Max locked memory"));
        assert_eq!((little.verdict, little.found.as_str()), (Wrong, "64 KiB, at least 512 are needed"));
        assert!(little.advice.unwrap().contains("LimitMEMLOCK"));
        assert_eq!(locked_memory(Some(512 * 1024)).verdict, Fine);
        assert_eq!(locked_memory(Some(u64::MAX)).found, "unlimited");
        assert_eq!(open_files(Some(1024), 10).verdict, Fine);
        let few = open_files(Some(1024), 400);
        assert_eq!((few.verdict, few.found.as_str()), (Wrong, "1024, up to 1056 are used"));
    }
}
