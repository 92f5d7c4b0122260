//! Times as exchanges write them, to nanoseconds since the Unix epoch.
//!
//! All of them are between 1970 and 2262, where the nanoseconds of an `i64` end.

use super::Reject;
use super::field::required;
use super::json::Value;
use crate::digits;

/// Nanoseconds of a second.
pub const NANOS_PER_SECOND: i64 = 1_000_000_000;
/// Nanoseconds of a millisecond.
pub const NANOS_PER_MILLI: i64 = 1_000_000;
/// Nanoseconds of a microsecond.
pub const NANOS_PER_MICRO: i64 = 1_000;

/// A whole number of units of `unit_ns` nanoseconds.
///
/// # Errors
/// That it is missing, no whole number, or out of range.
#[inline]
pub fn whole(field: &'static str, value: Option<Value<'_, '_>>, unit_ns: i64) -> Result<i64, Reject> {
    in_units(field, required(field, value, Value::signed, "a whole number")?, unit_ns)
}

/// So many units of `unit_ns` nanoseconds.
///
/// # Errors
/// That this is out of range.
#[inline]
pub fn in_units(field: &'static str, units: i64, unit_ns: i64) -> Result<i64, Reject> {
    in_range(units.checked_mul(unit_ns)).ok_or_else(|| out_of_range(field, &units.to_string()))
}

/// A whole number of milliseconds that is text.
///
/// # Errors
/// That it is missing, no such text, or out of range.
#[inline]
pub fn milliseconds_text(field: &'static str, value: Option<Value<'_, '_>>) -> Result<i64, Reject> {
    let text = required(field, value, Value::text, "text")?;
    let number = text.strip_prefix('-').unwrap_or(text);
    let units =
        digits::whole(number).ok_or_else(|| Reject::not_as_expected(field, text, "a number of milliseconds"))?;
    let units = i64::try_from(units).ok().filter(|_| number.len() == text.len());
    in_range(units.and_then(|units| units.checked_mul(NANOS_PER_MILLI))).ok_or_else(|| out_of_range(field, text))
}

/// Seconds with up to nine decimals that are text: `1618678142.557535`.
///
/// # Errors
/// That it is missing, no such text, or out of range.
#[inline]
pub fn seconds_text(field: &'static str, value: Option<Value<'_, '_>>) -> Result<i64, Reject> {
    seconds(field, required(field, value, Value::text, "text")?)
}

/// Seconds with up to nine decimals: `1618678142.557535`.
///
/// # Errors
/// That they are none, or out of range.
#[inline]
pub fn seconds(field: &'static str, text: &str) -> Result<i64, Reject> {
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let parsed = digits(seconds.as_bytes()).zip(nanos(fraction.as_bytes()));
    let (seconds, nanos) = parsed.ok_or_else(|| Reject::not_as_expected(field, text, "seconds with a fraction"))?;
    in_range(seconds.checked_mul(NANOS_PER_SECOND).and_then(|ns| ns.checked_add(nanos)))
        .ok_or_else(|| out_of_range(field, text))
}

/// A time of RFC 3339 in UTC with up to nine decimals: `2024-08-12T19:38:30.575191Z`.
///
/// # Errors
/// That it is missing, no such text, or out of range.
#[inline]
pub fn rfc3339(field: &'static str, value: Option<Value<'_, '_>>) -> Result<i64, Reject> {
    let text = required(field, value, Value::text, "text")?;
    parse_rfc3339(text.as_bytes())
        .ok_or_else(|| Reject::not_as_expected(field, text, "a time such as 2024-08-12T19:38:30.575191Z"))
        .and_then(|ns| in_range(Some(ns)).ok_or_else(|| out_of_range(field, text)))
}

fn parse_rfc3339(text: &[u8]) -> Option<i64> {
    let (head, tail) = text.split_first_chunk::<19>()?;
    let [y1, y2, y3, y4, b'-', mo1, mo2, b'-', d1, d2, b'T' | b't' | b' ', h1, h2, b':', m1, m2, b':', s1, s2] = *head
    else {
        return None;
    };
    let (year, month, day) = (digits(&[y1, y2, y3, y4])?, digits(&[mo1, mo2])?, digits(&[d1, d2])?);
    let (hour, minute, second) = (digits(&[h1, h2])?, digits(&[m1, m2])?, digits(&[s1, s2])?);
    // 60 is a leap second, which Unix time does not have: it is the next minute's first.
    let valid = (1..=12).contains(&month)
        && (1..=days_of_month(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second <= 60;
    let (fraction, zone) = match tail {
        [b'.', rest @ ..] => {
            let end = rest.iter().position(|byte| !byte.is_ascii_digit())?;
            (nanos(&rest[..end])?, &rest[end..])
        }
        zone => (0, zone),
    };
    let utc = matches!(zone, b"Z" | b"z" | b"+00:00");
    let seconds = ((days_since_1970(year, month, day) * 24 + hour) * 60 + minute) * 60 + second;
    (valid && utc).then_some(())?;
    // Years beyond 2262 are out of range, not malformed.
    Some(seconds.saturating_mul(NANOS_PER_SECOND).saturating_add(fraction))
}

fn days_of_month(year: i64, month: i64) -> i64 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1 January 1970 in the Gregorian calendar, from years that begin in March, so that the leap day is last.
/// Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `days_from_civil`; here years are not negative.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// The value of one to eighteen digits.
fn digits(text: &[u8]) -> Option<i64> {
    let (len, value) = digits::leading(text, 0);
    (len == text.len() && (1..=18).contains(&len)).then_some(value as i64)
}

/// Nanoseconds of one to nine digits behind the point.
fn nanos(fraction: &[u8]) -> Option<i64> {
    let missing = 9u32.checked_sub(u32::try_from(fraction.len()).ok()?)?;
    Some(digits(fraction)? * 10_i64.pow(missing))
}

fn in_range(ns: Option<i64>) -> Option<i64> {
    ns.filter(|ns| (0..i64::MAX).contains(ns))
}

#[cold]
fn out_of_range(field: &'static str, text: &str) -> Reject {
    Reject::new(field, format!("is {text}, which is no time between 1970 and 2262"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::venue::json::Json;
    use bumpalo::Bump;
    use std::time::{Duration, SystemTime};

    fn read(
        json: &str,
        read: impl Fn(&'static str, Option<Value<'_, '_>>) -> Result<i64, Reject>,
    ) -> Result<i64, String> {
        let (mut frame, arena) = (json.as_bytes().to_vec(), Bump::new());
        let outcome = Json::default().parse(&mut frame, &arena, |value| read("time", Some(value)));
        outcome.map_err(|reject| reject.to_string())
    }

    #[test]
    fn times_in_all_spellings() {
        for (json, expected) in [
            (r#""2024-08-12T19:38:30.575191Z""#, 1_723_491_510_575_191_000),
            (r#""2026-04-07T14:30:02.789012345Z""#, 1_775_572_202_789_012_345),
            (r#""1970-01-01T00:00:00Z""#, 0),
            (r#""2000-02-29T23:59:60Z""#, 951_868_800_000_000_000),
            (r#""2021-04-17T16:43:37.1+00:00""#, 1_618_677_817_100_000_000),
        ] {
            assert_eq!(read(json, rfc3339), Ok(expected), "{json}");
        }
        assert_eq!(read(r#""1618678142.557535""#, seconds_text), Ok(1_618_678_142_557_535_000));
        assert_eq!(read(r#""1618678142""#, seconds_text), Ok(1_618_678_142_000_000_000));
        assert_eq!(read(r#""1740394561685""#, milliseconds_text), Ok(1_740_394_561_685_000_000));
        assert_eq!(
            read("1740394561685", |field, value| whole(field, value, NANOS_PER_MILLI)),
            Ok(1_740_394_561_685_000_000)
        );
    }

    #[test]
    fn days_agree_with_a_library() {
        // humantime's calendar is not ours.
        for day in 0..106_000 {
            let moment = SystemTime::UNIX_EPOCH + Duration::from_hours(24 * day);
            let written = humantime::format_rfc3339(moment).to_string();
            assert_eq!(parse_rfc3339(written.as_bytes()), Some(day as i64 * 86_400 * NANOS_PER_SECOND), "{written}");
        }
    }

    #[test]
    fn what_is_no_time_says_so() {
        for json in [
            r#""""#,
            r#""2024-08-12""#,
            r#""2024-13-12T19:38:30Z""#,
            r#""2023-02-29T00:00:00Z""#,
            r#""2024-08-12T24:00:00Z""#,
            r#""2024-08-12T19:38:30""#,
            r#""2024-08-12T19:38:30.Z""#,
            r#""2024-08-12T19:38:30.0123456789Z""#,
            r#""2024-08-12T19:38:30+02:00""#,
            r#""2024-08-12T19:38:3éZ""#,
        ] {
            let expected = format!("time: is {json}, a time such as 2024-08-12T19:38:30.575191Z is expected");
            assert_eq!(read(json, rfc3339), Err(expected));
        }
        let beyond = |text: &str| Err(format!("time: is {text}, which is no time between 1970 and 2262"));
        assert_eq!(read(r#""9999-08-12T19:38:30Z""#, rfc3339), beyond("9999-08-12T19:38:30Z"));
        assert_eq!(read(r#""1969-12-31T23:59:59Z""#, rfc3339), beyond("1969-12-31T23:59:59Z"));
        // The year 50000.
        assert_eq!(read(r#""1515707424000""#, seconds_text), beyond("1515707424000"));
        assert_eq!(read(r#""1515707424000000""#, milliseconds_text), beyond("1515707424000000"));
        assert_eq!(read(r#""-5""#, milliseconds_text), beyond("-5"));
        for json in
            [r#""""#, r#"".5""#, r#""1.""#, r#""1e3""#, r#""-1.5""#, r#""1.0123456789""#, r#""99999999999999999999.5""#]
        {
            assert!(read(json, seconds_text).is_err(), "{json}");
        }
        assert_eq!(read("7", rfc3339), Err("time: is 7, text is expected".into()));
    }
}
