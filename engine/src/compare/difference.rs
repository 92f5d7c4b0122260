//! In which fields two records of a trade differ.

use std::str::FromStr;

use bigdecimal::BigDecimal;
use serde::Serialize;

use super::join::Facts;

/// The fields that are compared. What only one of the records says, such as a raw frame's volume, is not.
pub(super) const FIELDS: [&str; 7] = ["symbol", "canonical_symbol", "price", "quantity", "quote_volume", "side", TIME];
const NUMBERS: [&str; 3] = ["price", "quantity", "quote_volume"];
const TIME: &str = "exchange_timestamp";

/// The field of this name, as it is written on the command line.
pub(super) fn field(name: &str) -> Result<&'static str, String> {
    let found = FIELDS.into_iter().find(|field| *field == name);
    found.ok_or_else(|| format!("compared are {}", FIELDS.join(", ")))
}

/// One field that is not the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Difference {
    pub(super) field: &'static str,
    pub(super) old: String,
    pub(super) new: String,
    /// Whether both are the same number, written otherwise: `1.50` and `1.5`.
    pub(super) only_spelling: bool,
}

/// All fields that are not the same.
pub(super) fn differences(old: &Facts, new: &Facts) -> Vec<Difference> {
    let mut found = Vec::new();
    let mut look = |field, old: &str, new: &str| {
        if old != new && !old.is_empty() && !new.is_empty() {
            let number = |text: &str| BigDecimal::from_str(text).ok();
            let is_number = NUMBERS.contains(&field);
            let only_spelling = is_number && number(old).is_some_and(|old| Some(old) == number(new));
            found.push(Difference { field, old: old.into(), new: new.into(), only_spelling });
        }
    };
    for (field, (old, new)) in FIELDS.into_iter().zip(texts(old).into_iter().zip(texts(new))) {
        look(field, old, new);
    }
    // The last of the fields: nearly all are the same, and no text is made of them.
    if old.exchange_ms != new.exchange_ms {
        look(TIME, &old.exchange_ms.to_string(), &new.exchange_ms.to_string());
    }
    found
}

/// The fields that are texts, in the order of [`FIELDS`].
fn texts(facts: &Facts) -> [&str; 6] {
    let Facts { symbol, canonical_symbol, price, quantity, quote_volume, side, .. } = facts;
    [symbol, canonical_symbol, price, quantity, quote_volume, side.name()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::join::tests::facts;

    #[test]
    fn numbers_that_are_written_otherwise_are_told_from_others() {
        let (mut old, mut new) = (facts("1"), facts("1"));
        assert_eq!(differences(&old, &new), []);
        (old.price, new.price) = ("1.50".into(), "1.5".into());
        (old.quantity, new.quantity) = ("1E-3".into(), "0.002".into());
        new.quote_volume = String::new();
        let found = differences(&old, &new);
        let told: Vec<_> = found.iter().map(|one| (one.field, one.only_spelling)).collect();
        assert_eq!(told, [("price", true), ("quantity", false)]);
        assert_eq!(field("side"), Ok("side"));
        assert!(field("timestamp").unwrap_err().contains("exchange_timestamp"));
    }
}
