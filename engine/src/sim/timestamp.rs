//! How exchanges write times.

use std::time::{Duration, UNIX_EPOCH};

const NANOS: i64 = 1_000_000_000;
/// `2024-08-12T19:38:30`
const TO_THE_SECOND: usize = 19;

/// A way to write a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Notation {
    /// Milliseconds since 1970.
    Millis,
    /// Microseconds since 1970.
    Micros,
    /// Seconds since 1970 with six decimals.
    Seconds,
    /// RFC 3339 in UTC with six decimals.
    IsoMicros,
    /// RFC 3339 in UTC with nine decimals.
    IsoNanos,
}

/// Writes times. It remembers the date of the latest second.
#[derive(Debug, Default)]
pub(crate) struct Calendar {
    second: i64,
    text: String,
}

impl Calendar {
    /// Appends a time given in nanoseconds since 1970.
    #[inline]
    pub(crate) fn write(&mut self, notation: Notation, unix_ns: i64, out: &mut Vec<u8>) {
        match notation {
            Notation::Millis => write_integer(unix_ns / 1_000_000, out),
            Notation::Micros => write_integer(unix_ns / 1_000, out),
            Notation::Seconds => {
                let (second, rest) = apart(unix_ns);
                write_integer(second, out);
                write_fraction::<6>(rest / 1_000, out);
            }
            Notation::IsoMicros => {
                let (second, rest) = apart(unix_ns);
                out.extend_from_slice(self.date(second));
                write_fraction::<6>(rest / 1_000, out);
                out.push(b'Z');
            }
            Notation::IsoNanos => {
                let (second, rest) = apart(unix_ns);
                out.extend_from_slice(self.date(second));
                write_fraction::<9>(rest, out);
                out.push(b'Z');
            }
        }
    }

    fn date(&mut self, second: i64) -> &[u8] {
        if self.second != second || self.text.is_empty() {
            self.second = second;
            self.text = iso_micros(second * NANOS);
            self.text.truncate(TO_THE_SECOND);
        }
        self.text.as_bytes()
    }
}

/// Whole seconds and the nanoseconds after them.
fn apart(unix_ns: i64) -> (i64, i64) {
    (unix_ns.div_euclid(NANOS), unix_ns.rem_euclid(NANOS))
}

/// A time as `2024-08-12T19:38:30.575191Z`.
pub(crate) fn iso_micros(unix_ns: i64) -> String {
    humantime::format_rfc3339_micros(UNIX_EPOCH + since_1970(unix_ns)).to_string()
}

/// A time as `2024-08-12T19:38:30.575191123Z`.
pub(crate) fn iso_nanos(unix_ns: i64) -> String {
    humantime::format_rfc3339_nanos(UNIX_EPOCH + since_1970(unix_ns)).to_string()
}

/// Times before 1970 are none of an exchange's.
fn since_1970(unix_ns: i64) -> Duration {
    Duration::from_nanos(u64::try_from(unix_ns).unwrap_or(0))
}

fn write_integer(value: i64, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

fn write_fraction<const DIGITS: usize>(mut rest: i64, out: &mut Vec<u8>) {
    let mut digits = [b'0'; DIGITS];
    for digit in digits.iter_mut().rev() {
        *digit += (rest % 10) as u8;
        rest /= 10;
    }
    out.push(b'.');
    out.extend_from_slice(&digits);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_in_each_notation() {
        let mut calendar = Calendar::default();
        let mut text = |notation, unix_ns| {
            let mut out = Vec::new();
            calendar.write(notation, unix_ns, &mut out);
            String::from_utf8(out).unwrap()
        };
        const AT: i64 = 1_723_491_510_075_191_007;
        assert_eq!(text(Notation::Millis, AT), "1723491510075");
        assert_eq!(text(Notation::Micros, AT), "1723491510075191");
        assert_eq!(text(Notation::Seconds, AT), "1723491510.075191");
        assert_eq!(text(Notation::IsoMicros, AT), "2024-08-12T19:38:30.075191Z");
        assert_eq!(text(Notation::IsoNanos, AT), iso_nanos(AT));
        assert_eq!(text(Notation::IsoMicros, AT + 59 * NANOS), "2024-08-12T19:39:29.075191Z");
        assert_eq!(iso_micros(AT), "2024-08-12T19:38:30.075191Z");
        assert_eq!(iso_nanos(AT), "2024-08-12T19:38:30.075191007Z");
    }
}
