//! How exchanges spell prices and quantities.

/// Units of one.
pub(crate) const ONE: u64 = 100_000_000;

/// Below this a [`Spelling::Json`] number is written with an exponent (assumed; in units of 1e-8).
const TINY: u64 = ONE / 10_000;

/// A way to write a number of units of 1e-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spelling {
    /// With so many decimals, at most 8; further digits are cut: `61837.63000000`.
    Fixed(u8),
    /// Without zeros at the end: `0.04`, `985`.
    Trimmed,
    /// As some JSON writers have it: without zeros at the end but for one now and then (`59121.80`), and tiny ones with
    /// an exponent (`9.2E-7`).
    Json,
}

impl Spelling {
    /// Appends `units` of 1e-8. `dice` decides where a spelling has a choice.
    pub(crate) fn write(self, units: u64, dice: u64, out: &mut Vec<u8>) {
        match self {
            // A length that the compiler knows makes the commonest spelling a third faster.
            Spelling::Fixed(8) => write_fixed(units, 8, out),
            Spelling::Fixed(decimals) => write_fixed(units, decimals, out),
            Spelling::Trimmed => write_trimmed(units, out),
            Spelling::Json if units > 0 && units < TINY => write_exponent(units, out),
            Spelling::Json => {
                let start = out.len();
                write_trimmed(units, out);
                if dice.is_multiple_of(4) {
                    let has_point = out[start..].contains(&b'.');
                    out.extend_from_slice(if has_point { b"0" } else { b".0" });
                }
            }
        }
    }
}

/// How many decimals multiples of `step` need, `step` in units of 1e-8.
pub(crate) fn decimals(step: u64) -> u8 {
    8_u32.saturating_sub(step.max(1).ilog10()) as u8
}

#[inline(always)]
fn write_fixed(units: u64, decimals: u8, out: &mut Vec<u8>) {
    let mut integer = itoa::Buffer::new();
    out.extend_from_slice(integer.format(units / ONE).as_bytes());
    if decimals == 0 {
        return;
    }
    let mut fraction = *b".00000000";
    let mut rest = units % ONE;
    for digit in fraction[1..].iter_mut().rev() {
        *digit += (rest % 10) as u8;
        rest /= 10;
    }
    out.extend_from_slice(&fraction[..=usize::from(decimals.min(8))]);
}

fn write_trimmed(units: u64, out: &mut Vec<u8>) {
    write_fixed(units, 8, out);
    while out.last() == Some(&b'0') {
        out.pop();
    }
    if out.last() == Some(&b'.') {
        out.pop();
    }
}

fn write_exponent(units: u64, out: &mut Vec<u8>) {
    let mut integer = itoa::Buffer::new();
    let digits = integer.format(units).as_bytes();
    // The first digit stands for 1e-8 times ten to the number of digits after it.
    let exponent = 8 - (digits.len() - 1);
    let significant = digits.len() - digits.iter().rev().take_while(|digit| **digit == b'0').count();
    out.push(digits[0]);
    if significant > 1 {
        out.push(b'.');
        out.extend_from_slice(&digits[1..significant]);
    }
    out.extend_from_slice(b"E-");
    out.push(b'0' + exponent as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(spelling: Spelling, units: u64, dice: u64) -> String {
        let mut out = b"before".to_vec();
        spelling.write(units, dice, &mut out);
        String::from_utf8(out.split_off(6)).unwrap()
    }

    #[test]
    fn fixed_numbers_have_their_decimals() {
        let fixed = |units, decimals| text(Spelling::Fixed(decimals), units, 0);
        assert_eq!(fixed(6_183_763_000_000, 8), "61837.63000000");
        assert_eq!(fixed(123, 8), "0.00000123");
        assert_eq!(fixed(0, 8), "0.00000000");
        assert_eq!(fixed(u64::MAX, 8), "184467440737.09551615");
        assert_eq!(fixed(6_183_763_000_000, 1), "61837.6");
        assert_eq!(fixed(6_183_763_000_000, 0), "61837");
    }

    #[test]
    fn trimmed_numbers_end_in_no_zero() {
        let trimmed = |units| text(Spelling::Trimmed, units, 0);
        assert_eq!(trimmed(4_000_000), "0.04");
        assert_eq!(trimmed(98_500_000_000), "985");
        assert_eq!(trimmed(7_000_000_000), "70");
    }

    #[test]
    fn json_numbers_have_exponents_and_spare_zeros() {
        assert_eq!(text(Spelling::Json, 5_912_180_000_000, 1), "59121.8");
        assert_eq!(text(Spelling::Json, 5_912_180_000_000, 4), "59121.80");
        assert_eq!(text(Spelling::Json, 5_912_100_000_000, 1), "59121");
        assert_eq!(text(Spelling::Json, 5_912_100_000_000, 4), "59121.0");
        assert_eq!(text(Spelling::Json, 92, 1), "9.2E-7");
        assert_eq!(text(Spelling::Json, 1, 1), "1E-8");
        assert_eq!(text(Spelling::Json, 9_000, 1), "9E-5");
        assert_eq!(text(Spelling::Json, 10_000, 1), "0.0001");
    }

    #[test]
    fn steps_have_decimals() {
        assert_eq!([1, 10, 1_000_000, ONE, 10 * ONE].map(decimals), [8, 7, 2, 0, 0]);
    }
}
