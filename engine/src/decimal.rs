//! Exact decimals: a whole number and a scale, never a float.
//!
//! The engine keeps the exchange's spelling of price and quantity and needs arithmetic for one thing only,
//! `quote_volume`, the exact product. Products that fit 128 bits (all that have been seen) take one
//! multiplication; longer ones go digit by digit on the stack.

use std::fmt;

use crate::digits;

/// Most significant digits a price or quantity may have. The longest that has been recorded has 37 (HTX).
pub const MAX_DIGITS: usize = 64;
/// Largest power of ten, up or down, that an exponent may name.
pub const MAX_EXPONENT: u32 = 64;
/// Longest text of a product: both coefficients, both fractions and exponents, the point and a zero before it.
pub const MAX_PRODUCT_LEN: usize = 2 * (MAX_DIGITS + MAX_EXPONENT as usize) + 2;
/// Digits of a coefficient that certainly fits `u64`.
const U64_DIGITS: usize = 19;

/// An unsigned decimal number as it was sent, and what it is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decimal<'text> {
    text: &'text str,
    /// Digits before the point, at most [`MAX_DIGITS`].
    whole: u8,
    /// Digits after the point, at most [`MAX_DIGITS`].
    fraction: u8,
    /// All digits as one number, if they are at most [`U64_DIGITS`].
    coefficient: u64,
    /// Digits after the point once the exponent is applied; below zero for `1E3`.
    scale: i32,
}

/// Why a text is not a decimal that the engine carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotDecimal {
    /// The text is empty.
    Empty,
    /// A character that has no place in an unsigned decimal, at this byte.
    Unexpected(usize),
    /// More than [`MAX_DIGITS`] digits.
    TooLong(usize),
    /// An exponent beyond [`MAX_EXPONENT`].
    Exponent,
}

impl fmt::Display for NotDecimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotDecimal::Empty => f.write_str("is empty, a decimal number is expected"),
            NotDecimal::Unexpected(at) => {
                write!(f, "is not an unsigned decimal number (byte {at})")
            }
            NotDecimal::TooLong(digits) => {
                write!(f, "has {digits} digits, at most {MAX_DIGITS} are carried")
            }
            NotDecimal::Exponent => write!(f, "has an exponent beyond {MAX_EXPONENT}"),
        }
    }
}

impl<'text> Decimal<'text> {
    /// Splits `spelling`, which must be `digits[.digits][e[+-]digits]` with at least one digit before the point.
    #[inline]
    pub fn parse(spelling: &'text str) -> Result<Self, NotDecimal> {
        let text = spelling.as_bytes();
        let (whole, mut coefficient) = digits::leading(text, 0);
        if whole == 0 {
            return Err(match text.first() {
                None => NotDecimal::Empty,
                Some(_) => NotDecimal::Unexpected(0),
            });
        }
        let mut rest = &text[whole..];
        let mut fraction = 0;
        if let [b'.', tail @ ..] = rest {
            (fraction, coefficient) = digits::leading(tail, coefficient);
            rest = &tail[fraction..];
            if fraction == 0 {
                return Err(NotDecimal::Unexpected(text.len() - rest.len()));
            }
        }
        if whole + fraction > MAX_DIGITS {
            return Err(NotDecimal::TooLong(whole + fraction));
        }
        let mut scale = fraction as i32;
        if !rest.is_empty() {
            scale -= exponent(rest).map_err(|error| match error {
                NotDecimal::Unexpected(at) => NotDecimal::Unexpected(text.len() - rest.len() + at),
                other => other,
            })?;
        }
        Ok(Decimal { text: spelling, whole: whole as u8, fraction: fraction as u8, coefficient, scale })
    }

    /// The number as it was sent.
    #[inline]
    pub fn text(&self) -> &'text str {
        self.text
    }

    /// Whether it is nothing.
    #[inline]
    pub fn is_zero(&self) -> bool {
        match self.as_u64() {
            Some(coefficient) => coefficient == 0,
            None => self.digits().all(|digit| digit == 0),
        }
    }

    /// The digits without the point.
    fn digits(&self) -> impl DoubleEndedIterator<Item = u8> + Clone + '_ {
        let end = self.len() + usize::from(self.fraction > 0);
        self.text.as_bytes()[..end].iter().filter(|byte| **byte != b'.').map(|digit| digit - b'0')
    }

    /// How many digits there are, leading zeros counted.
    fn len(&self) -> usize {
        usize::from(self.whole) + usize::from(self.fraction)
    }

    #[inline]
    fn as_u64(&self) -> Option<u64> {
        (self.len() <= U64_DIGITS).then_some(self.coefficient)
    }
}

/// The value of `e-7`, `E+3`, `e5`.
fn exponent(text: &[u8]) -> Result<i32, NotDecimal> {
    let [b'e' | b'E', tail @ ..] = text else {
        return Err(NotDecimal::Unexpected(0));
    };
    let (negative, number) = match tail {
        [b'-', number @ ..] => (true, number),
        [b'+', number @ ..] => (false, number),
        number => (false, number),
    };
    if number.is_empty() || digits::count(number) != number.len() {
        return Err(NotDecimal::Unexpected(text.len() - number.len()));
    }
    let value = std::str::from_utf8(number)
        .ok()
        .and_then(|number| number.parse::<u32>().ok())
        .filter(|value| *value <= MAX_EXPONENT)
        .ok_or(NotDecimal::Exponent)? as i32;
    Ok(if negative { -value } else { value })
}

/// Writes the exact product of `a` and `b` to `out` in plain notation and returns its length. The scale of the
/// product is the sum of the scales: trailing zeros stay.
///
/// # Panics
/// If `out` is shorter than [`product_len`] of the two.
#[inline]
pub fn product(a: &Decimal<'_>, b: &Decimal<'_>, out: &mut [u8]) -> usize {
    let scale = a.scale + b.scale;
    match (a.as_u64(), b.as_u64()) {
        (Some(a), Some(b)) => {
            let mut digits = itoa::Buffer::new();
            place_point(digits.format(u128::from(a) * u128::from(b)).as_bytes(), scale, out)
        }
        _ => long_product(a, b, scale, out),
    }
}

/// An upper bound of the text of `a` times `b`, in bytes; at most [`MAX_PRODUCT_LEN`].
#[inline]
pub fn product_len(a: &Decimal<'_>, b: &Decimal<'_>) -> usize {
    let (digits, scale) = (a.len() + b.len(), a.scale + b.scale);
    let places = scale.unsigned_abs() as usize;
    if scale > 0 { digits.max(places) + 2 } else { digits + places }
}

/// Schoolbook multiplication, for coefficients beyond 64 bits.
fn long_product(a: &Decimal<'_>, b: &Decimal<'_>, scale: i32, out: &mut [u8]) -> usize {
    let mut sum = [0u32; 2 * MAX_DIGITS];
    let len = a.len() + b.len();
    for (i, x) in a.digits().rev().enumerate() {
        for (j, y) in b.digits().rev().enumerate() {
            sum[i + j] += u32::from(x) * u32::from(y);
        }
    }
    let mut text = [b'0'; 2 * MAX_DIGITS];
    let mut carry = 0;
    for (place, digit) in text[..len].iter_mut().rev().zip(&sum) {
        let value = digit + carry;
        *place = b'0' + (value % 10) as u8;
        carry = value / 10;
    }
    let zeros = text[..len - 1].iter().take_while(|digit| **digit == b'0').count();
    place_point(&text[zeros..len], scale, out)
}

/// Writes `digits` / 10^`scale` in plain notation.
#[inline]
fn place_point(digits: &[u8], scale: i32, out: &mut [u8]) -> usize {
    if scale <= 0 {
        let zeros = if digits == b"0" { 0 } else { scale.unsigned_abs() as usize };
        out[..digits.len()].copy_from_slice(digits);
        out[digits.len()..digits.len() + zeros].fill(b'0');
        return digits.len() + zeros;
    }
    let scale = scale as usize;
    if digits.len() > scale {
        let whole = digits.len() - scale;
        out[..whole].copy_from_slice(&digits[..whole]);
        out[whole] = b'.';
        out[whole + 1..=digits.len()].copy_from_slice(&digits[whole..]);
        return digits.len() + 1;
    }
    let zeros = scale - digits.len();
    out[..2].copy_from_slice(b"0.");
    out[2..2 + zeros].fill(b'0');
    out[2 + zeros..2 + scale].copy_from_slice(digits);
    2 + scale
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn multiply(a: &str, b: &str) -> String {
        let (a, b) = (Decimal::parse(a).unwrap(), Decimal::parse(b).unwrap());
        let mut out = [0; MAX_PRODUCT_LEN];
        let len = product(&a, &b, &mut out);
        assert!(len <= product_len(&a, &b));
        String::from_utf8(out[..len].to_vec()).unwrap()
    }

    #[test]
    fn products_are_exact_and_keep_their_scale() {
        for (a, b, expected) in [
            ("61837.63000000", "0.02000000", "1236.7526000000000000"),
            ("0.00000001", "0.00000001", "0.0000000000000001"),
            ("1", "1", "1"),
            ("9.2E-7", "20995.88", "0.0193162096"),
            ("1E3", "2", "2000"),
            ("0", "1E3", "0"),
            ("0.00", "5.0", "0.000"),
            ("99999999999999999999", "99999999999999999999", "9999999999999999999800000000000000000001"),
        ] {
            assert_eq!(multiply(a, b), expected, "{a} x {b}");
        }
    }

    #[test]
    fn what_is_not_a_decimal_says_why() {
        let sixty_five = "1".repeat(65);
        for (text, expected) in [
            ("", NotDecimal::Empty),
            ("NaN", NotDecimal::Unexpected(0)),
            ("-1", NotDecimal::Unexpected(0)),
            (".5", NotDecimal::Unexpected(0)),
            ("1.", NotDecimal::Unexpected(2)),
            ("1.2.3", NotDecimal::Unexpected(3)),
            ("1,5", NotDecimal::Unexpected(1)),
            ("1e", NotDecimal::Unexpected(2)),
            ("1e+-3", NotDecimal::Unexpected(3)),
            ("1e65", NotDecimal::Exponent),
            ("1e99999999999", NotDecimal::Exponent),
            (&sixty_five, NotDecimal::TooLong(65)),
        ] {
            assert_eq!(Decimal::parse(text).err(), Some(expected), "{text:?}");
        }
        assert!(Decimal::parse(&"1".repeat(64)).is_ok());
    }

    proptest! {
        #[test]
        fn short_and_long_multiplication_agree(a in "[0-9]{1,12}(\\.[0-9]{1,7})?(e-?[0-9])?", b in "[0-9]{1,12}(\\.[0-9]{1,7})?") {
            let (x, y) = (Decimal::parse(&a).unwrap(), Decimal::parse(&b).unwrap());
            let (mut short, mut long) = ([0; MAX_PRODUCT_LEN], [0; MAX_PRODUCT_LEN]);
            let short_len = product(&x, &y, &mut short);
            let long_len = long_product(&x, &y, x.scale + y.scale, &mut long);
            prop_assert_eq!(&short[..short_len], &long[..long_len]);
        }

        #[test]
        fn parsing_never_panics(text in "\\PC{0,80}") {
            let _ = Decimal::parse(&text);
        }
    }
}
