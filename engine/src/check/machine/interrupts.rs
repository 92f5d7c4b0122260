//! Interrupts of network cards: each one on a feed core's CPU is a pause of that core.

use crate::check::kernel::Kernel;
use crate::check::point::Point;
use crate::cores::{CpuSet, Plan};

const NAME: &str = "interrupts";
const TABLE: &str = "/proc/interrupts";
const CARDS: &str = "/sys/class/net";

/// An interrupt of the table.
#[derive(Debug, PartialEq, Eq)]
struct Interrupt {
    number: u32,
    /// How often it came, on all CPUs.
    count: u64,
    /// The driver's name for it.
    name: String,
}

/// Looks at the interrupts of all network cards.
pub(super) fn look(kernel: &Kernel, plan: &Plan) -> Point {
    let Some(table) = kernel.text(TABLE) else { return Point::not_told_here(NAME, TABLE) };
    let all = interrupts(&table);
    let mut found = Vec::new();
    let mut cards = Vec::new();
    for card in kernel.names(CARDS) {
        let Some(device) = kernel.link(&format!("{CARDS}/{card}/device")) else { continue };
        let by_number = kernel.names(&format!("{CARDS}/{card}/device/msi_irqs"));
        let its = all.iter().filter(|interrupt| is_of(interrupt, &card, &device, &by_number));
        for interrupt in its.filter(|interrupt| interrupt.count > 0) {
            let file = |name: &str| kernel.line(&format!("/proc/irq/{}/{name}", interrupt.number));
            let cpus = file("effective_affinity_list").or_else(|| file("smp_affinity_list"));
            found.extend(cpus.and_then(|cpus| CpuSet::parse(&cpus)).map(|cpus| (interrupt, card.clone(), cpus)));
        }
        cards.push(card);
    }
    judge(plan, &cards, &found)
}

fn judge(plan: &Plan, cards: &[String], found: &[(&Interrupt, String, CpuSet)]) -> Point {
    if cards.is_empty() {
        return Point::not_told(
            NAME,
            "not told here: no network card is shown (a container sees its own network only)",
        );
    }
    let cards = cards.join(", ");
    if found.is_empty() {
        return Point::not_told(NAME, format!("not told here: which interrupts are those of {cards} is not shown"));
    }
    let on_feed = |cpus: &CpuSet| cpus.cpus().iter().any(|cpu| plan.feed.contains(cpu));
    let there: Vec<_> = found.iter().filter(|(.., cpus)| on_feed(cpus)).collect();
    let feed = CpuSet::of(plan.feed.iter().copied());
    if there.is_empty() {
        return Point::fine(NAME, format!("{} of {cards}, none on the feed cores' CPUs ({feed})", found.len()));
    }
    let named: Vec<_> =
        there.iter().map(|(interrupt, card, _)| format!("{} ({card} {})", interrupt.number, interrupt.name)).collect();
    let elsewhere = plan.housekeeping.cpus().iter().find(|cpu| !plan.feed.contains(cpu)).unwrap_or(&0);
    Point::doubtful(NAME, format!("these may come to the feed cores' CPUs ({feed}): {}", named.join(", "))).advising(
        format!(
            "write {elsewhere} to /proc/irq/{}/smp_affinity_list, of each, and keep irqbalance off \
             (IRQBALANCE_BANNED_CPULIST={feed})",
            there[0].0.number
        ),
    )
}

/// The numbered lines of the table, in which a column of counts for each CPU comes before the controller's and the
/// driver's names.
fn interrupts(table: &str) -> Vec<Interrupt> {
    let mut lines = table.lines();
    let cpus = lines.next().map_or(0, |head| head.split_whitespace().count());
    let one = |line: &str| {
        let (number, rest) = line.split_once(':')?;
        let mut words = rest.split_whitespace();
        let count = words.by_ref().take(cpus).filter_map(|count| count.parse::<u64>().ok()).sum();
        Some(Interrupt { number: number.trim().parse().ok()?, count, name: words.next_back()?.to_string() })
    };
    lines.filter_map(one).collect()
}

/// Whether an interrupt is that of a card: by its number, or by a name as drivers give them: `eth0`, `eth0-TxRx-0`,
/// `virtio2-input.0`, `mlx5_comp0@pci:0000:01:00.0`.
fn is_of(interrupt: &Interrupt, card: &str, device: &str, by_number: &[String]) -> bool {
    let name = interrupt.name.as_str();
    let begins = |with: &str| name.strip_prefix(with).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'));
    by_number.contains(&interrupt.number.to_string())
        || begins(card)
        || begins(device)
        || name.split_once("@pci:").is_some_and(|(_, address)| address == device)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::kernel::Made;
    use crate::check::point::Verdict::{Doubtful, Fine, NotTold};

    /// Of a virtual machine with two CPUs.
    const VIRTIO: &str = "           CPU0       CPU1       
 26:          0         14  IO-APIC   4-edge      ttyS0
 37:          0          0 PCI-MSIX-0000:00:03.0   0-edge      virtio2-config
 38:          0      52502 PCI-MSIX-0000:00:03.0   1-edge      virtio2-input.0
 39:      42916          0 PCI-MSIX-0000:00:03.0   2-edge      virtio2-output.0
LOC:   66822394   86802278   Local timer interrupts
ERR:          0
";

    fn plan(feed: usize) -> Plan {
        Plan { feed: vec![feed], producer: vec![2], housekeeping: CpuSet::of([0]), notes: Vec::new() }
    }

    fn virtual_machine() -> Made {
        let made = Made::of(&[(TABLE, VIRTIO), ("/sys/class/net/lo/type", "772\n")]);
        made.link("/sys/class/net/eth0/device", "../../../virtio2");
        made.put(&[
            ("/proc/irq/37/smp_affinity_list", "0-1\n"),
            ("/proc/irq/38/smp_affinity_list", "0-1\n"),
            ("/proc/irq/38/effective_affinity_list", "1\n"),
            ("/proc/irq/39/smp_affinity_list", "0\n"),
        ]);
        made
    }

    #[test]
    fn those_on_a_feed_cores_cpu_are_named() {
        let made = virtual_machine();
        let point = look(&made.kernel, &plan(1));
        assert_eq!(point.verdict, Doubtful);
        assert_eq!(point.found, "these may come to the feed cores' CPUs (1): 38 (eth0 virtio2-input.0)");
        assert!(point.advice.unwrap().starts_with("write 0 to /proc/irq/38/smp_affinity_list"));
        let point = look(&made.kernel, &plan(3));
        assert_eq!((point.verdict, point.found.as_str()), (Fine, "2 of eth0, none on the feed cores' CPUs (3)"));
    }

    #[test]
    fn what_is_not_shown_is_not_judged() {
        assert_eq!(look(&Made::of(&[]).kernel, &plan(1)).verdict, NotTold);
        let made = Made::of(&[(TABLE, VIRTIO)]);
        assert!(look(&made.kernel, &plan(1)).found.contains("no network card"));
        made.link("/sys/class/net/eth0/device", "../../../0000:01:00.0");
        let point = look(&made.kernel, &plan(1));
        assert!(point.verdict == NotTold && point.found.contains("eth0"), "{point:?}");
    }

    #[test]
    fn interrupts_are_told_by_number_or_name() {
        let named = |name: &str| Interrupt { number: 7, count: 1, name: name.into() };
        for (name, is_its) in [
            ("eth0", true),
            ("eth0-TxRx-3", true),
            ("eth01", false),
            ("mlx5_comp0@pci:0000:01:00.0", true),
            ("mlx5_comp0@pci:0000:02:00.0", false),
            ("virtio2-input.0", false),
        ] {
            assert_eq!(is_of(&named(name), "eth0", "0000:01:00.0", &[]), is_its, "{name}");
        }
        assert!(is_of(&named("xhci"), "eth0", "0000:01:00.0", &["7".into()]));
        assert_eq!(interrupts(VIRTIO).len(), 4);
    }
}
