//! How a command ends, and what of its arguments all commands share.

use std::process::ExitCode;
use std::time::Duration;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Done, and nothing lost.
    Complete,
    /// Something was lost, or failed its check.
    Lost,
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Complete => ExitCode::SUCCESS,
            Outcome::Lost => ExitCode::FAILURE,
        }
    }
}

/// The exit code of wrong usage or configuration.
pub const EXIT_USAGE: u8 = 2;

/// A duration as people write it: `500ms`, `30s`, `5m`.
///
/// # Errors
/// What is wrong with it.
pub fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text)
        .map_err(|error| format!("{error}: write a number and a unit, such as 500ms, 30s or 5m"))
}
