//! Moments as people name them on the command line.

use std::str::FromStr;
use std::time::Duration;

use jiff::Timestamp;

use crate::clock::unix_now_ns;
use crate::outcome;

/// A moment: `-24h` (so long ago), `now`, or `2026-11-22T10:00:00Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// So long before now.
    Ago(Duration),
    /// At this time, in milliseconds since the Unix epoch.
    At(i64),
}

impl Moment {
    /// In milliseconds since the Unix epoch.
    pub fn at(self, now_ms: i64) -> i64 {
        match self {
            Moment::Ago(ago) => now_ms.saturating_sub(millis(ago)),
            Moment::At(at_ms) => at_ms,
        }
    }
}

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "now" {
            return Ok(Moment::Ago(Duration::ZERO));
        }
        if let Some(ago) = text.strip_prefix('-') {
            return outcome::duration(ago).map(Moment::Ago);
        }
        let parsed: Result<Timestamp, _> = text.parse();
        parsed.map(|time| Moment::At(time.as_millisecond())).map_err(|_| {
            "write how long ago, such as -24h, or a time with its zone, such as 2026-11-22T10:00:00Z".to_string()
        })
    }
}

/// A duration in milliseconds.
pub fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// Now, in milliseconds since the Unix epoch.
pub fn now_ms() -> i64 {
    unix_now_ns() / 1_000_000
}

/// A time as people read it, in UTC: `2026-11-22T10:00:00.123Z`.
pub fn shown(time_ms: i64) -> String {
    match Timestamp::from_millisecond(time_ms) {
        Ok(time) => format!("{time:.3}"),
        // Beyond the year 9999.
        Err(_) => format!("{time_ms} ms"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_ago_or_at() {
        let moment = |text: &str| text.parse::<Moment>();
        assert_eq!(moment("-90s").unwrap().at(100_000), 10_000);
        assert_eq!(moment("now").unwrap().at(100_000), 100_000);
        assert_eq!(moment("1970-01-01T00:00:01.5Z").unwrap().at(7), 1_500);
        assert_eq!(moment("1970-01-01T01:00:01+01:00").unwrap().at(7), 1_000);
        for wrong in ["", "24h", "yesterday", "-x", "2026-11-22"] {
            assert!(moment(wrong).is_err(), "{wrong}");
        }
        assert_eq!(shown(1_500), "1970-01-01T00:00:01.500Z");
    }
}
