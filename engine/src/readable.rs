//! Figures as a person reads them. Times of hops have [`crate::latency::readable`].

/// A number with commas: `1,234,567`.
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let place = |at: usize| (at > 0 && (digits.len() - at).is_multiple_of(3)).then_some(',');
    digits.chars().enumerate().flat_map(|(at, digit)| place(at).into_iter().chain([digit])).collect()
}

/// Bytes in three digits and a unit: `12.3 MiB`.
pub fn bytes(bytes: u64) -> String {
    let units = ["KiB", "MiB", "GiB", "TiB"];
    let mut value = bytes as f64;
    let mut unit = None;
    for larger in units {
        // What would be rounded to 1024 of one unit is 1 of the next.
        if value < 1_023.5 {
            break;
        }
        value /= 1_024.0;
        unit = Some(larger);
    }
    let Some(unit) = unit else { return format!("{bytes} B") };
    let decimals = if value < 9.995 { 2 } else { usize::from(value < 99.95) };
    format!("{value:.decimals$} {unit}")
}

/// Whole seconds in the two largest units: `12 s`, `5 min 3 s`, `2 h 1 min`, `3 d 4 h`.
pub fn seconds(seconds: u64) -> String {
    let units = [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")];
    let Some(first) = units.iter().position(|(unit, _)| seconds >= *unit) else { return "0 s".into() };
    let (unit, name) = units[first];
    let next = units.get(first + 1).map(|(next, name)| (seconds % unit / next, name)).filter(|(count, _)| *count > 0);
    let next = next.map(|(count, name)| format!(" {count} {name}")).unwrap_or_default();
    format!("{} {name}{next}", seconds / unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_have_commas() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(thousands), ["0", "999", "1,000", "1,234,567"]);
    }

    #[test]
    fn bytes_have_three_digits() {
        let shown = [0, 1_023, 1_024, 1_536, 10_240, 102_400, 1_048_570, 1 << 20, 12_900_000, 5 << 30, 1 << 60];
        let shown = shown.map(bytes);
        let expected = [
            "0 B",
            "1023 B",
            "1.00 KiB",
            "1.50 KiB",
            "10.0 KiB",
            "100 KiB",
            "1.00 MiB",
            "1.00 MiB",
            "12.3 MiB",
            "5.00 GiB",
            "1048576 TiB",
        ];
        assert_eq!(shown, expected);
    }

    #[test]
    fn seconds_have_two_units() {
        let shown = [0, 59, 60, 63, 3_600, 7_265, 86_399, 86_400, 90_000, 10_000_000].map(seconds);
        let expected =
            ["0 s", "59 s", "1 min", "1 min 3 s", "1 h", "2 h 1 min", "23 h 59 min", "1 d", "1 d 1 h", "115 d 17 h"];
        assert_eq!(shown, expected);
    }
}
