//! A field's value, checked: what is wrong with it names the field.

use bumpalo::Bump;
use bumpalo::collections::Vec;

use super::json::{Elements, Fields, Value};
use super::{Frame, Reject};
use crate::decimal::Decimal;
use crate::digits;
use crate::trade::{Side, Trade};

/// Declares the fields of an object that matter: `fields!(Name { field: "key", … })` makes a struct with an optional value
/// for each, and a function `read` that walks over the object once and passes over the rest.
macro_rules! fields {
    ($name:ident { $($field:ident: $key:literal),* $(,)? }) => {
        #[derive(Default)]
        pub(in crate::venue) struct $name<'tape, 'frame> {
            $(pub(in crate::venue) $field: Option<$crate::venue::json::Value<'tape, 'frame>>,)*
        }

        impl<'tape, 'frame> $name<'tape, 'frame> {
            /// Reads the object that stands in the field `name`.
            #[inline]
            pub(in crate::venue) fn read(
                name: &'static str,
                value: $crate::venue::json::Value<'tape, 'frame>,
            ) -> Result<Self, $crate::venue::Reject> {
                let mut found = Self::default();
                for (key, value) in $crate::venue::field::object(name, value)? {
                    match key {
                        $($key => found.$field = Some(value),)*
                        _ => {}
                    }
                }
                Ok(found)
            }
        }
    };
}
pub(in crate::venue) use fields;

/// A field that must be there, read as `read` does.
///
/// # Errors
/// That it is missing, or is no `expected`.
#[inline]
pub fn required<'tape, 'frame, T>(
    field: &'static str,
    value: Option<Value<'tape, 'frame>>,
    read: impl Fn(Value<'tape, 'frame>) -> Option<T>,
    expected: &str,
) -> Result<T, Reject> {
    let value = value.ok_or_else(|| Reject::missing(field))?;
    read(value).ok_or_else(|| Reject::mistyped(field, value, expected))
}

/// The fields of a value that must be an object.
///
/// # Errors
/// That it is none.
#[inline]
pub fn object<'tape, 'frame>(
    field: &'static str,
    value: Value<'tape, 'frame>,
) -> Result<Fields<'tape, 'frame>, Reject> {
    value.object().ok_or_else(|| Reject::mistyped(field, value, "an object"))
}

/// The elements of an array that must be there.
///
/// # Errors
/// That it is missing, or none.
#[inline]
pub fn array<'tape, 'frame>(
    field: &'static str,
    value: Option<Value<'tape, 'frame>>,
) -> Result<Elements<'tape, 'frame>, Reject> {
    required(field, value, Value::array, "an array")
}

/// The trades of a list that must be there, each read by `read`.
///
/// # Errors
/// That it is missing, or no list, or what `read` finds wrong.
#[inline]
pub fn trades<'frame>(
    field: &'static str,
    list: Option<Value<'_, 'frame>>,
    arena: &'frame Bump,
    mut read: impl FnMut(Value<'_, 'frame>) -> Result<Trade<'frame>, Reject>,
) -> Result<Frame<'frame>, Reject> {
    let elements = array(field, list)?;
    let mut trades = Vec::with_capacity_in(elements.len(), arena);
    for element in elements {
        trades.push(read(element)?);
    }
    Ok(Frame::Trades(trades.into_bump_slice()))
}

/// A text that must be there.
///
/// # Errors
/// That it is missing, or none.
#[inline]
pub fn text<'frame>(field: &'static str, value: Option<Value<'_, 'frame>>) -> Result<&'frame str, Reject> {
    required(field, value, Value::text, "text")
}

/// The text of a field that need not be there, empty if there is none.
#[inline]
pub fn words<'frame>(value: Option<Value<'_, 'frame>>) -> &'frame str {
    value.and_then(Value::text).unwrap_or("")
}

/// A whole number that may be missing.
///
/// # Errors
/// That it is something else.
#[inline]
pub fn optional_whole(field: &'static str, value: Option<Value<'_, '_>>) -> Result<Option<i64>, Reject> {
    value.map(|value| value.signed().ok_or_else(|| Reject::mistyped(field, value, "a whole number"))).transpose()
}

/// A decimal number that is text.
///
/// # Errors
/// That it is missing, no text, or no decimal.
#[inline]
pub fn decimal<'frame>(field: &'static str, value: Option<Value<'_, 'frame>>) -> Result<Decimal<'frame>, Reject> {
    parse_decimal(field, text(field, value)?)
}

/// A price that is text.
///
/// # Errors
/// As [`decimal`], and that it is zero, for which nothing is traded.
#[inline]
pub fn price<'frame>(field: &'static str, value: Option<Value<'_, 'frame>>) -> Result<Decimal<'frame>, Reject> {
    parse_price(field, text(field, value)?)
}

/// A decimal number that is a JSON number, digit for digit.
///
/// # Errors
/// That it is missing, no number, or no decimal.
#[inline]
pub fn decimal_number<'frame>(
    field: &'static str,
    value: Option<Value<'_, 'frame>>,
) -> Result<Decimal<'frame>, Reject> {
    parse_decimal(field, required(field, value, Value::number, "a number")?)
}

/// A price that is a JSON number, digit for digit.
///
/// # Errors
/// As [`decimal_number`], and that it is zero, for which nothing is traded.
#[inline]
pub fn price_number<'frame>(field: &'static str, value: Option<Value<'_, 'frame>>) -> Result<Decimal<'frame>, Reject> {
    parse_price(field, required(field, value, Value::number, "a number")?)
}

/// A decimal number.
///
/// # Errors
/// That it is none.
#[inline]
pub fn parse_decimal<'frame>(field: &'static str, text: &'frame str) -> Result<Decimal<'frame>, Reject> {
    Decimal::parse(text).map_err(|problem| Reject::not_decimal(field, text, problem))
}

/// A price.
///
/// # Errors
/// That it is no decimal number, or zero, for which nothing is traded.
#[inline]
pub fn parse_price<'frame>(field: &'static str, text: &'frame str) -> Result<Decimal<'frame>, Reject> {
    let price = parse_decimal(field, text)?;
    if price.is_zero() {
        return Err(Reject::new(field, format!("is {text}, no trade has a price of zero")));
    }
    Ok(price)
}

/// A side that is one of two texts.
///
/// # Errors
/// That it is missing, or another one.
#[inline]
pub fn side(field: &'static str, value: Option<Value<'_, '_>>, buy: &str, sell: &str) -> Result<Side, Reject> {
    match text(field, value)? {
        text if text == buy => Ok(Side::Buy),
        text if text == sell => Ok(Side::Sell),
        other => Err(Reject::not_as_expected(field, other, &format!("{buy:?} or {sell:?}"))),
    }
}

/// A JSON number by which an exchange counts trades.
///
/// # Errors
/// That it is missing, no such number, or does not fit the record's `long`.
#[inline]
pub fn sequence_number(field: &'static str, value: Option<Value<'_, '_>>) -> Result<(u64, i64), Reject> {
    let id = required(field, value, Value::unsigned, "a number from 0 to 18446744073709551615")?;
    Ok((id, sequence(field, id)?))
}

/// A text that is the number by which an exchange counts trades.
///
/// # Errors
/// That it is missing, no text, no whole number, or does not fit the record's `long`.
#[inline]
pub fn sequence_text<'frame>(
    field: &'static str,
    value: Option<Value<'_, 'frame>>,
) -> Result<(&'frame str, i64), Reject> {
    let id = text(field, value)?;
    let number = digits::whole(id).ok_or_else(|| Reject::not_as_expected(field, id, "a whole number"))?;
    Ok((id, sequence(field, number)?))
}

/// The number by which an exchange counts trades, which must fit the record's `long`.
///
/// # Errors
/// That it does not.
#[inline]
fn sequence(field: &'static str, id: u64) -> Result<i64, Reject> {
    i64::try_from(id).map_err(|_| Reject::new(field, format!("is {id}, the largest sequence is {}", i64::MAX)))
}
