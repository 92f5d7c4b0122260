//! Runs of decimal digits, eight bytes at a time: prices, ids and times are most of what a frame has. Digit by digit,
//! each would wait for the multiplication of the one before.

/// A byte of one in each place.
pub const ONES: u64 = 0x0101_0101_0101_0101;
/// The high bit of each byte.
pub const HIGHS: u64 = 0x8080_8080_8080_8080;

const CHUNK: usize = 8;
/// Any number of so many digits fits a `u64`.
const DIGITS_THAT_FIT: usize = 19;
const POWERS: [u64; CHUNK + 1] = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000];

/// How many digits `text` begins with.
#[inline]
pub fn count(text: &[u8]) -> usize {
    let mut at = 0;
    while let Some(chunk) = text.get(at..).and_then(<[u8]>::first_chunk) {
        let found = count_in(digits_of(chunk));
        at += found;
        if found < CHUNK {
            return at;
        }
    }
    at + text[at..].iter().take_while(|byte| byte.is_ascii_digit()).count()
}

/// How many digits `text` begins with, and their value behind that of the digits `before`. The value is right as long
/// as it fits.
#[inline]
pub fn leading(text: &[u8], before: u64) -> (usize, u64) {
    let (mut at, mut value) = (0, before);
    while let Some(chunk) = text.get(at..).and_then(<[u8]>::first_chunk) {
        let digits = digits_of(chunk);
        let found = count_in(digits);
        value = value.wrapping_mul(POWERS[found]).wrapping_add(value_of(digits, found));
        at += found;
        if found < CHUNK {
            return (at, value);
        }
    }
    for byte in &text[at..] {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            break;
        }
        value = value.wrapping_mul(10).wrapping_add(digit.into());
        at += 1;
    }
    (at, value)
}

/// The value of a text that is nothing but digits, one at least; none if it is not, or does not fit.
#[inline]
pub fn whole(text: &str) -> Option<u64> {
    let (len, value) = leading(text.as_bytes(), 0);
    if len != text.len() || len == 0 {
        return None;
    }
    if len <= DIGITS_THAT_FIT { Some(value) } else { text.parse().ok() }
}

/// Each byte less `'0'`, the first one lowest; what is no digit is more than nine.
#[inline]
fn digits_of(chunk: &[u8; CHUNK]) -> u64 {
    u64::from_le_bytes(*chunk) ^ (ONES * u64::from(b'0'))
}

/// How many of them, from the first, are digits.
#[inline]
fn count_in(digits: u64) -> usize {
    // Sets the high bit of each byte that is more than 9; no byte carries into the next.
    let others = (((digits & !HIGHS) + ONES * (0x7F - 9)) | digits) & HIGHS;
    others.trailing_zeros() as usize / 8
}

/// The value of the first `count` of them: neighbours are joined to numbers of two, four and eight digits.
/// Source: Wojciech Muła, "SIMD-ized parsing of unsigned numbers", in its form for one register.
#[inline]
fn value_of(digits: u64, count: usize) -> u64 {
    const PAIRS: u64 = 0x0000_00FF_0000_00FF;
    // Moved up, so that zeros stand where digits are missing in front.
    let digits = digits.unbounded_shl(8 * (CHUNK - count) as u32);
    let twos = digits.wrapping_mul(10).wrapping_add(digits >> 8);
    let low = (twos & PAIRS).wrapping_mul(100 + (1_000_000 << 32));
    let high = ((twos >> 16) & PAIRS).wrapping_mul(1 + (10_000 << 32));
    low.wrapping_add(high) >> 32
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn any_byte_but_a_digit_ends_them() {
        for len in 0..30 {
            for other in (0..=255u8).filter(|byte| !byte.is_ascii_digit()) {
                for behind in 0..9 {
                    let mut text = b"9876543210987654321098765432109876543210"[..len].to_vec();
                    text.push(other);
                    text.extend(&b"77777777"[..behind]);
                    assert_eq!(count(&text), len, "{text:?}");
                    assert_eq!(leading(&text, 0).0, len, "{text:?}");
                }
            }
        }
    }

    #[test]
    fn a_whole_number_is_all_of_its_text() {
        for (text, expected) in [
            ("0", Some(0)),
            ("007", Some(7)),
            ("9999999999999999999", Some(9_999_999_999_999_999_999)),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            ("000000000000000000000005", Some(5)),
            ("", None),
            ("+5", None),
            ("-5", None),
            ("5.0", None),
            ("5 ", None),
            ("12345678x", None),
        ] {
            assert_eq!(whole(text), expected, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn their_value_is_the_standard_librarys(first in "[0-9]{0,9}", second in "[0-9]{1,9}", rest in "([a-z.][0-9]{0,10})?") {
            let expected = format!("{first}{second}").parse::<u64>().unwrap();
            let (len, before) = leading(first.as_bytes(), 0);
            prop_assert_eq!(len, first.len());
            prop_assert_eq!(leading(format!("{second}{rest}").as_bytes(), before), (second.len(), expected));
        }
    }
}
