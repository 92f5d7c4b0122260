//! Digits: price, quantity and their product against an arbitrary-precision library, in all spellings that occur.
//!
//! The library multiplies integers here. Its own product of decimals drops the scale where a factor is one.

use std::str::FromStr;

use apache_avro::types::Value;
use apache_avro::{Schema, from_avro_datum};
use bigdecimal::BigDecimal;
use bumpalo::Bump;
use fastrand::Rng;
use k2_feed::avro::{self, Context, NORMALIZED_TRADE, SymbolPrefix};
use k2_feed::decimal::{Decimal, MAX_PRODUCT_LEN, product, product_len};
use k2_feed::venue::json::Json;
use k2_feed::venue::{Endpoint, Frame, Protocol, Symbols, TimeUnit, Venue, Visit};

use crate::frames::{self, Varying};

const PRODUCTS: usize = 3_000_000;
const FRAMES_EACH: usize = 20_000;
/// Most digits of a number here, and the largest power of ten in an exponent.
const MOST_DIGITS: usize = 38;
const MOST_EXPONENT: u32 = 24;

/// Another seed each time, printed: with `K2_SEED` a failure is had again.
fn seeded() -> Rng {
    let given = std::env::var("K2_SEED").ok().map(|seed| seed.parse().expect("a number"));
    let seed = given.unwrap_or_else(|| fastrand::u64(..));
    println!("K2_SEED={seed}");
    Rng::with_seed(seed)
}

fn digits(random: &mut Rng, count: usize, text: &mut String) {
    text.extend((0..count).map(|_| random.digit(10)));
}

/// Any spelling of a number that stands in a text, or, as `is_json`, of one that stands by itself.
fn spell(random: &mut Rng, is_json: bool, text: &mut String) {
    text.clear();
    let is_long = random.u8(..8) == 0;
    let most = if is_long { MOST_DIGITS } else { 15 };
    let (whole, fraction) = (random.usize(1..=most / 2), random.usize(0..=most / 2));
    match random.u8(..4) {
        0 => text.push('0'),
        // Leading zeros are no JSON.
        1 if !is_json => text.push_str(["0", "00", "000"][random.usize(..3)]),
        _ => text.push(random.char('1'..='9')),
    }
    if text != "0" || !is_json {
        digits(random, whole - 1, text);
    }
    if fraction > 0 {
        text.push('.');
        let zeros = if random.u8(..3) == 0 { random.usize(0..=fraction) } else { 0 };
        digits(random, fraction - zeros, text);
        text.extend((0..zeros).map(|_| '0'));
    }
    if random.u8(..4) == 0 {
        text.push(random.choice(['e', 'E']).unwrap());
        text.push_str(random.choice(["", "+", "-", "-", "-0"]).unwrap());
        text.push_str(&random.u32(..=MOST_EXPONENT).to_string());
    }
}

/// The exact product in plain notation, its scale the sum of the scales.
fn judged(a: &str, b: &str) -> String {
    let (a, a_scale) = BigDecimal::from_str(a).unwrap().into_bigint_and_exponent();
    let (b, b_scale) = BigDecimal::from_str(b).unwrap().into_bigint_and_exponent();
    let (mut text, scale) = ((a * b).to_string(), a_scale + b_scale);
    match usize::try_from(scale) {
        Ok(0) => {}
        Ok(scale) => {
            let zeros = (scale + 1).saturating_sub(text.len());
            text.insert_str(0, &"0".repeat(zeros));
            text.insert(text.len() - scale, '.');
        }
        Err(_) if text == "0" => {}
        Err(_) => text.push_str(&"0".repeat(scale.unsigned_abs() as usize)),
    }
    text
}

#[test]
fn products() {
    let (mut random, mut a, mut b) = (seeded(), String::new(), String::new());
    let (mut beyond_64_bits, mut exponents) = (0, 0);
    for _ in 0..PRODUCTS {
        spell(&mut random, false, &mut a);
        spell(&mut random, false, &mut b);
        let (x, y) = (Decimal::parse(&a).unwrap(), Decimal::parse(&b).unwrap());
        assert_eq!((x.text(), y.text()), (a.as_str(), b.as_str()));
        let mut out = [0; MAX_PRODUCT_LEN];
        let len = product(&x, &y, &mut out);
        let found = std::str::from_utf8(&out[..len]).unwrap();
        assert_eq!(found, judged(&a, &b), "{a} x {b}");
        assert!(len <= product_len(&x, &y), "{a} x {b}");
        assert_eq!(x.is_zero(), a.split(['e', 'E']).next().unwrap().bytes().all(|byte| matches!(byte, b'0' | b'.')));
        beyond_64_bits += usize::from(a.len() > 21);
        exponents += usize::from(a.contains(['e', 'E']));
    }
    assert!(beyond_64_bits > PRODUCTS / 100 && exponents > PRODUCTS / 10, "{beyond_64_bits} {exponents}");
}

/// From a frame's text to the record's.
struct Through<'a>(Protocol, &'a mut Rng, &'a Schema);

impl Visit for Through<'_> {
    type Output = ();

    fn visit<V: Venue>(self) {
        let Through(protocol, random, schema) = self;
        let instrument = V::instrument(&frames::symbol(protocol, 1), None).unwrap();
        let endpoint = Endpoint { url: V::FACTS.url.parse().unwrap(), time_unit: TimeUnit::Millisecond };
        let instruments = std::slice::from_ref(&instrument);
        let venue = V::new(&V::subscription(&endpoint, instruments).unwrap());
        let (symbols, mut json, mut arena) = (Symbols::new(instruments), Json::default(), Bump::new());
        let prefix = SymbolPrefix::new(7, V::FACTS.exchange, &instrument.symbol, &instrument.canonical);
        let context = Context { prefix: &prefix, connection: "venue-0.1", received_ns: 1, normalized_ms: 2 };
        let is_json = protocol == Protocol::KrakenV2;
        let mut id = 1_000_000_000;
        for number in 0..FRAMES_EACH {
            let numbers = |_| numbers(random, is_json);
            let numbers: Vec<_> = (0..=number % frames::most_trades(protocol)).map(numbers).collect();
            let mut varying = Vec::new();
            for (price, quantity) in &numbers {
                varying.push(Varying { symbol: &instrument.framed, id, price, quantity, taker_buys: id % 3 == 0 });
                id += 1;
            }
            let text = frames::frame(protocol, &varying);
            arena.reset();
            let mut bytes = text.clone().into_bytes();
            let trades = match venue.decode(&mut bytes, &symbols, &mut json, &arena) {
                Ok(Frame::Trades(trades)) => trades,
                other => panic!("{other:?} of {text}"),
            };
            assert_eq!(trades.len(), varying.len(), "{text}");
            for (trade, Varying { price, quantity, taker_buys, .. }) in trades.iter().zip(varying) {
                let mut record = vec![0; avro::max_len(trade, &context)];
                let len = avro::write(trade, &context, &mut record);
                let record = from_avro_datum(schema, &mut &record[5..len], None).unwrap();
                let volume = judged(price, quantity);
                let found = texts(&record, ["price", "quantity", "quote_volume"]);
                assert_eq!(found, [price, quantity, volume.as_str()], "{text}");
                let side = if taker_buys { Value::Enum(0, "BUY".into()) } else { Value::Enum(1, "SELL".into()) };
                assert_eq!(field(&record, "side"), &side, "{text}");
            }
        }
    }
}

/// A price, which is never zero, and a quantity.
fn numbers(random: &mut Rng, is_json: bool) -> (String, String) {
    let (mut price, mut quantity) = (String::new(), String::new());
    while !price.split(['e', 'E']).next().is_some_and(|digits| digits.contains(|c| matches!(c, '1'..='9'))) {
        spell(random, is_json, &mut price);
    }
    spell(random, is_json, &mut quantity);
    (price, quantity)
}

fn field<'a>(record: &'a Value, name: &str) -> &'a Value {
    let Value::Record(fields) = record else { panic!("{record:?}") };
    &fields.iter().find(|(field, _)| field == name).unwrap().1
}

fn texts<'a, const N: usize>(record: &'a Value, names: [&str; N]) -> [&'a str; N] {
    names.map(|name| match field(record, name) {
        Value::String(text) => text.as_str(),
        other => panic!("{other:?}"),
    })
}

#[test]
fn from_the_frame_to_the_record() {
    let (mut random, schema) = (seeded(), Schema::parse_str(NORMALIZED_TRADE).unwrap());
    for protocol in Protocol::ALL {
        protocol.visit(Through(*protocol, &mut random, &schema));
    }
}
