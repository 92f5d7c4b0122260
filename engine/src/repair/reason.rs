//! Why a gap stays one.

use serde::{Deserialize, Serialize};

/// Why the trades of a gap could not be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The exchange has no history that is open to everybody, or repair is off.
    NoHistory,
    /// The gap is larger than `repair.max_trades`.
    TooLarge,
    /// Too many gaps were open at a time.
    Busy,
    /// The exchange refused, also when it was asked again.
    Refused,
    /// There was no answer, or one of a server in trouble, also when it was asked again.
    Unreachable,
    /// The answer was not what the exchange documents.
    Unreadable,
    /// The exchange's history does not hold them, or not all of them.
    Absent,
    /// The exchange began to count anew, so that the numbers mean other trades.
    Restarted,
    /// The engine stopped before.
    Stopped,
}

impl Reason {
    /// All reasons, in the order of their numbers.
    pub const ALL: [Reason; 9] = [
        Reason::NoHistory,
        Reason::TooLarge,
        Reason::Busy,
        Reason::Refused,
        Reason::Unreachable,
        Reason::Unreadable,
        Reason::Absent,
        Reason::Restarted,
        Reason::Stopped,
    ];

    /// The name in reports and logs.
    pub fn name(self) -> &'static str {
        match self {
            Reason::NoHistory => "no_history",
            Reason::TooLarge => "too_large",
            Reason::Busy => "busy",
            Reason::Refused => "refused",
            Reason::Unreachable => "unreachable",
            Reason::Unreadable => "unreadable",
            Reason::Absent => "absent",
            Reason::Restarted => "restarted",
            Reason::Stopped => "stopped",
        }
    }
}

/// Why trades of a gap were not found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfilled {
    /// In general.
    pub reason: Reason,
    /// In particular.
    pub words: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_stand_at_their_numbers() {
        for (number, reason) in Reason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, number);
            assert_eq!(serde_json::to_value(reason).unwrap(), reason.name());
        }
    }
}
