//! In which fields two records of a trade differ.

use std::str::FromStr;

use bigdecimal::BigDecimal;
use serde::Serialize;

use super::join::Facts;

/// The fields that are compared. What only one of the records says, such as a raw frame's volume, is not.
pub(super) const FIELDS: [&str; 7] =
    ["symbol", "canonical_symbol", "price", "quantity", "quote_volume", "side", "exchange_timestamp"];

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
    let texts = |facts: &'_ Facts| {
        let Facts { symbol, canonical_symbol, price, quantity, quote_volume, .. } = facts;
        [symbol, canonical_symbol, price, quantity, quote_volume].map(String::clone)
    };
    // Nearly all are the same: nothing is made for them.
    let same = |of: fn(&Facts) -> &str| of(old) == of(new);
    if old.exchange_ms == new.exchange_ms
        && old.side == new.side
        && same(|facts| &facts.symbol)
        && same(|facts| &facts.canonical_symbol)
        && same(|facts| &facts.price)
        && same(|facts| &facts.quantity)
        && same(|facts| &facts.quote_volume)
    {
        return Vec::new();
    }
    let times = |facts: &Facts| [facts.side.name().to_string(), facts.exchange_ms.to_string()];
    let both = texts(old).into_iter().chain(times(old)).zip(texts(new).into_iter().chain(times(new)));
    let all = FIELDS.into_iter().zip(both).filter(|(_, (old, new))| old != new && !old.is_empty() && !new.is_empty());
    all.map(|(field, (old, new))| {
        let is_number = ["price", "quantity", "quote_volume"].contains(&field);
        let number = |text: &str| BigDecimal::from_str(text).ok();
        let only_spelling = is_number && number(&old).is_some_and(|old| Some(old) == number(&new));
        Difference { field, old, new, only_spelling }
    })
    .collect()
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
