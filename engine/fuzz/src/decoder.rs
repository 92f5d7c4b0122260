//! Any text is decoded or refused with a reason, and what is decoded can be written and read.

use std::sync::LazyLock;

use apache_avro::schema::Schema;
use apache_avro::types::Value;
use apache_avro::{from_avro_datum, to_avro_datum};
use bumpalo::Bump;
use k2_feed::avro::{self, Context, NORMALIZED_TRADE, SymbolPrefix};
use k2_feed::trade::Trade;
use k2_feed::venue::binance::{Binance, DEFAULT_URL};
use k2_feed::venue::json::Json;
use k2_feed::venue::{Control, Frame, Subscription, Symbols, TimeUnit, Venue};

static SCHEMA: LazyLock<Schema> = LazyLock::new(|| Schema::parse_str(NORMALIZED_TRADE).expect("the schema"));

const SYMBOLS: [&str; 3] = ["BTCUSDT", "ETHUSDT", "币安人生USDT"];

/// Decodes `frame` in both units of time, with a parser that was used before.
pub fn check(frame: &[u8]) {
    let symbols = SYMBOLS.map(String::from);
    let known = Symbols::new(&symbols);
    let mut json = Json::default();
    for time_unit in [TimeUnit::Millisecond, TimeUnit::Microsecond] {
        let url = DEFAULT_URL.parse().expect("the address");
        let binance = Binance::new(&Subscription { url, time_unit, symbols: symbols.to_vec(), requests: Vec::new() });
        let (arena, mut payload) = (Bump::new(), frame.to_vec());
        // Behind white space no frame has Binance's usual layout, so the JSON reader takes it.
        let (mut spaced, mut other) = ([b" ", frame].concat(), Json::default());
        let by_json = binance.decode(&mut spaced, &known, &mut other, &arena);
        let decoded = binance.decode(&mut payload, &known, &mut json, &arena);
        assert_eq!(decoded.is_ok(), by_json.is_ok());
        match decoded {
            Ok(Frame::Trades(trades)) => {
                assert!(!trades.is_empty() && trades.len() <= 1 + frame.len() / Binance::MIN_TRADE_BYTES);
                trades.iter().for_each(check_trade);
                assert_eq!(by_json, Ok(Frame::Trades(trades)));
            }
            Ok(Frame::Control(Control::Refused { words, .. })) => assert!(words.len() <= frame.len()),
            Ok(Frame::Control(_)) => {}
            Err(reject) => {
                let reason = reject.to_string();
                assert!(reason.contains(": ") && reason.len() < 1_000, "{reason}");
                assert!(!reject.is_not_utf8() || std::str::from_utf8(frame).is_err());
                continue;
            }
        }
        assert!(std::str::from_utf8(frame).is_ok(), "what is not UTF-8 was decoded");
    }
}

fn check_trade(trade: &Trade<'_>) {
    assert_eq!(trade.symbol, SYMBOLS[trade.instrument]);
    assert!(trade.exchange_time_ns >= 0 && trade.sequence.is_some_and(|number| number >= 0));
    let prefix = SymbolPrefix::new(7, "binance", trade.symbol, "BASE/QUOTE");
    let context = Context { prefix: &prefix, connection: "binance-0.1", received_ns: 1, normalized_ms: 2 };
    // Exactly the bytes that are asked for, and no more than the ring was asked for before.
    let mut record = vec![0; avro::max_len(trade, &context)];
    let of_frame = trade.price.text().len() + trade.quantity.text().len();
    assert!(record.len() <= of_frame + avro::max_overhead(&prefix, context.connection));
    let len = avro::write(trade, &context, &mut record);
    let mut datum = &record[5..len];
    let value = from_avro_datum(&SCHEMA, &mut datum, None).expect("a record that reads");
    assert!(datum.is_empty(), "{} bytes are left over", datum.len());
    let Value::Record(fields) = &value else { panic!("{value:?}") };
    let text = |name: &str| match fields.iter().find(|(field, _)| field == name) {
        Some((_, Value::String(text))) => text.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(text("symbol"), trade.symbol);
    assert_eq!(text("trade_id"), trade.id.to_string());
    assert_eq!((text("price").as_str(), text("quantity").as_str()), (trade.price.text(), trade.quantity.text()));
    assert!(text("quote_volume").bytes().all(|byte| byte.is_ascii_digit() || byte == b'.'));
    assert_eq!(to_avro_datum(&SCHEMA, value.clone()).expect("a record that writes"), record[5..len]);
}
