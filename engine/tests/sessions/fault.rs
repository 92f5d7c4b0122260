//! What goes wrong, and when.

/// Something that goes wrong.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Fault {
    /// Connections break: what was not received is lost. All of them, or one.
    Cut { all: bool },
    /// The exchange closes all connections with this code.
    Close(u16),
    /// A byte of what is under way is changed so that it can be noticed.
    Corrupt,
    /// A frame is sent twice.
    Duplicate,
    /// Nothing arrives for so long, then all at once. On all connections, or on one.
    Stall { all: bool, ms: u64 },
    /// Nothing arrives any more on a connection, and nobody says so.
    Dead,
    /// Bytes arrive in pieces of at most so many, for so long.
    Drip { bytes: usize, ms: u64 },
    /// What is sent takes so much longer to arrive, for so long.
    Delay { by_ms: u64, ms: u64 },
    /// Connections are refused, each in this way, for so long.
    Refuse { how: Refusal, ms: u64 },
    /// Connections are accepted, subscriptions acknowledged, but no trades are sent, for so long.
    AckThenSilence { ms: u64 },
    /// Requests are not answered for so long, nor followed.
    NoAnswer { ms: u64 },
    /// Requests are acknowledged as a whole, but their last symbol is not sent, for so long.
    PartlyFollowed { ms: u64 },
    /// A request is refused as a whole, for so long, if it names the first symbol.
    RefuseFirst { ms: u64 },
    /// The exchange leaves trades out: they are counted but never sent.
    Drop { trades: u64 },
    /// The exchange announces that it will close.
    Announce,
    /// The process does not run for so long.
    Jump { ms: u64 },
}

impl Fault {
    /// Whether a client knows at once that a connection is gone or refused, and everybody answers.
    pub(crate) fn is_noticed_at_once(self) -> bool {
        match self {
            Fault::Cut { .. } | Fault::Close(_) | Fault::Corrupt | Fault::Duplicate | Fault::Drop { .. } => true,
            Fault::Refuse { how, .. } => how != Refusal::Timeout,
            _ => false,
        }
    }
}

/// How a connection is refused.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Refusal {
    Name,
    Tcp,
    Tls,
    Status(u16),
    Timeout,
}

/// How long faults begin in each run, milliseconds.
pub(crate) const DRILL_MS: u64 = 60_000;

/// The faults of a run, by the time at which each begins, in milliseconds.
pub(crate) fn draw(random: &mut fastrand::Rng) -> Vec<(u64, Fault)> {
    let count = random.usize(0..=6);
    let mut faults: Vec<_> = (0..count).map(|_| (random.u64(2_000..DRILL_MS), one(random))).collect();
    // Who has seen little of a symbol cannot know that it is silent.
    for (at, fault) in &mut faults {
        if matches!(fault, Fault::AckThenSilence { .. } | Fault::PartlyFollowed { .. }) {
            *at = (*at).max(DRILL_MS - 5_000);
        }
    }

    faults.sort_by_key(|(at, _)| *at);
    faults
}

fn one(random: &mut fastrand::Rng) -> Fault {
    let ms = random.u64(100..8_000);
    match random.u32(0..17) {
        0 | 1 => Fault::Cut { all: random.bool() },
        2 => Fault::Close([1000, 1001, 1006, 1008, 1011, 1012, 1013, 4000][random.usize(0..8)]),
        3 => Fault::Corrupt,
        4 => Fault::Duplicate,
        5 => Fault::Stall { all: random.bool(), ms },
        6 => Fault::Dead,
        7 => Fault::Drip { bytes: random.usize(1..100), ms },
        8 => Fault::Delay { by_ms: random.u64(10..1_900), ms },
        9 => {
            let how = [
                Refusal::Name,
                Refusal::Tcp,
                Refusal::Tls,
                Refusal::Status(503),
                Refusal::Status(429),
                Refusal::Timeout,
            ];
            Fault::Refuse { how: how[random.usize(0..how.len())], ms }
        }
        10 => Fault::AckThenSilence { ms },
        11 => Fault::NoAnswer { ms },
        12 => Fault::RefuseFirst { ms },
        13 => Fault::Drop { trades: random.u64(1..5) },
        14 => Fault::Announce,
        15 => Fault::PartlyFollowed { ms },
        _ => Fault::Jump { ms: random.u64(100..40_000) },
    }
}
