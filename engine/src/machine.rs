//! The machine that figures were measured on.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// The file that names what the kernel takes its time from.
pub(crate) const CLOCK_SOURCE: &str = "/sys/devices/system/clocksource/clocksource0/current_clocksource";

/// What of a machine decides about its figures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// The processor's name.
    pub cpu: String,
    /// CPUs that the process may use.
    pub cpus: usize,
    /// The kernel's version.
    pub kernel: String,
    /// Who runs the machine, if it is a virtual one.
    pub hypervisor: Option<String>,
    /// The frequency governor, where there is one.
    pub governor: Option<String>,
    /// CPUs kept free of the scheduler, where there are some.
    pub isolated_cpus: Option<String>,
    /// What the kernel takes its time from.
    pub clock_source: Option<String>,
    /// Memory in bytes.
    pub memory_bytes: u64,
}

impl Machine {
    /// Reads it from the kernel. What is not known is left out.
    pub fn read() -> Self {
        let cpu_info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let field = |name: &str| {
            let line = cpu_info.lines().find(|line| line.starts_with(name))?;
            Some(line.split_once(':')?.1.trim().to_string())
        };
        let virtual_machine = field("flags").is_some_and(|flags| flags.split(' ').any(|flag| flag == "hypervisor"));
        let vendor = first_line("/sys/class/dmi/id/sys_vendor");
        Machine {
            cpu: field("model name").unwrap_or_else(|| "unknown".into()),
            cpus: std::thread::available_parallelism().map_or(1, usize::from),
            kernel: first_line("/proc/sys/kernel/osrelease").unwrap_or_else(|| "unknown".into()),
            hypervisor: virtual_machine.then(|| vendor.unwrap_or_else(|| "unknown".into())),
            governor: first_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
            isolated_cpus: first_line("/sys/devices/system/cpu/isolated"),
            clock_source: clock_source(),
            memory_bytes: memory_bytes().unwrap_or(0),
        }
    }
}

/// What the kernel takes its time from, if it tells.
pub(crate) fn clock_source() -> Option<String> {
    first_line(CLOCK_SOURCE)
}

/// The first line of a file, if it has one.
pub(crate) fn first_line(path: impl AsRef<Path>) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    text.lines().next().map(str::trim).filter(|line| !line.is_empty()).map(Into::into)
}

fn memory_bytes() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let kib = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?.trim().strip_suffix("kB")?;
    kib.trim().parse::<u64>().ok().map(|kib| kib * 1024)
}

/// Memory of this process that is resident, in bytes; 0 if the kernel does not say.
pub fn resident_bytes() -> u64 {
    let text = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix("kB")).and_then(|kib| kib.trim().parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}
