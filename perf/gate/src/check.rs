//! What a figure came to.

/// A line of the table.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Check {
    pub(crate) name: String,
    /// What was measured, for people.
    pub(crate) measured: String,
    /// What it may come to.
    pub(crate) allowed: String,
    pub(crate) verdict: Verdict,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Holds,
    /// It is so far below that the budget can be lowered.
    HasRoom,
    /// There are too few values to say.
    Unknown,
    Refused,
}

impl Check {
    pub(crate) fn is_well(&self) -> bool {
        self.verdict != Verdict::Refused
    }
}

/// Prints the table, and what it comes to.
pub(crate) fn print(checks: &[Check]) {
    let width = |of: fn(&Check) -> &str| checks.iter().map(|check| of(check).len()).max().unwrap_or(0);
    let (name, measured, allowed) = (width(|one| &one.name), width(|one| &one.measured), width(|one| &one.allowed));
    for check in checks {
        let verdict = match check.verdict {
            Verdict::Holds => "holds",
            Verdict::HasRoom => "holds; the budget can be lowered",
            Verdict::Unknown => "too few to say",
            Verdict::Refused => "REFUSED",
        };
        println!("{:name$}  {:>measured$}  at most {:>allowed$}  {verdict}", check.name, check.measured, check.allowed);
    }
    match checks.iter().filter(|check| !check.is_well()).count() {
        0 => println!("nothing costs more than it may"),
        count => println!("{count} of {} cost more than they may", checks.len()),
    }
}
