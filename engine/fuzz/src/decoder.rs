//! Any text is decoded or refused with a reason, and what is decoded can be written and read.

use std::sync::LazyLock;

use apache_avro::schema::Schema;
use apache_avro::types::Value;
use apache_avro::{from_avro_datum, to_avro_datum};
use bumpalo::Bump;
use k2_feed::avro::{self, Context, NORMALIZED_TRADE, SymbolPrefix};
use k2_feed::trade::{Trade, TradeId};
use k2_feed::venue::json::Json;
use k2_feed::venue::{Control, Endpoint, Frame, Instrument, Protocol, Symbols, TimeUnit, Venue, Visit};

static SCHEMA: LazyLock<Schema> = LazyLock::new(|| Schema::parse_str(NORMALIZED_TRADE).expect("the schema"));

/// In the form of one exchange or other.
const SYMBOLS: [&str; 8] =
    ["BTCUSDT", "ETHUSDT", "币安人生USDT", "XBT/USD", "XMR/USD", "BTC-USD", "SKL-BTC", "BTC-USDT"];

/// Decodes `frame` as each protocol does, with a parser that was used before.
pub fn check(frame: &[u8]) {
    let mut json = Json::default();
    for protocol in Protocol::ALL {
        for time_unit in [TimeUnit::Millisecond, TimeUnit::Microsecond] {
            protocol.visit(Decode { frame, time_unit, json: &mut json });
        }
    }
}

struct Decode<'a> {
    frame: &'a [u8],
    time_unit: TimeUnit,
    json: &'a mut Json,
}

impl Visit for Decode<'_> {
    type Output = ();

    fn visit<V: Venue>(self) {
        let Decode { frame, time_unit, json } = self;
        let instruments: Vec<_> = SYMBOLS.iter().filter_map(|symbol| V::instrument(symbol, None).ok()).collect();
        let endpoint = Endpoint { url: V::FACTS.url.parse().expect("the address"), time_unit };
        let venue = V::new(&V::subscription(&endpoint, &instruments).expect("the subscription"));
        let known = Symbols::new(&instruments);
        let (arena, mut payload) = (Bump::new(), frame.to_vec());
        // Behind white space no frame has Binance's usual layout, so the JSON reader takes it.
        let (mut spaced, mut other) = ([b" ", frame].concat(), Json::default());
        let by_json = venue.decode(&mut spaced, &known, &mut other, &arena);
        let decoded = venue.decode(&mut payload, &known, json, &arena);
        assert!(decoded.is_ok() == by_json.is_ok() || frame == b"pong");
        match decoded {
            Ok(Frame::Trades(trades)) => {
                assert!(trades.len() <= 1 + frame.len() / V::MIN_TRADE_BYTES);
                trades.iter().for_each(|trade| check_trade(trade, V::FACTS.exchange, &instruments[trade.instrument]));
                assert_eq!(by_json, Ok(Frame::Trades(trades)));
            }
            Ok(Frame::Control(Control::Refused { words, .. })) => assert!(words.len() <= 2 + frame.len()),
            Ok(Frame::Control(_) | Frame::NoTrade { .. }) => {}
            Err(reject) => {
                let reason = reject.to_string();
                assert!(reason.contains(": ") && reason.len() < 1_000, "{reason}");
                assert!(!reject.is_not_utf8() || std::str::from_utf8(frame).is_err());
                return;
            }
        }
        assert!(std::str::from_utf8(frame).is_ok(), "what is not UTF-8 was decoded");
    }
}

fn check_trade(trade: &Trade<'_>, exchange: &str, instrument: &Instrument) {
    assert!(trade.exchange_time_ns >= 0 && trade.price.text().bytes().any(|byte| (b'1'..=b'9').contains(&byte)));
    let prefix = SymbolPrefix::new(7, exchange, &instrument.symbol, &instrument.canonical);
    let context = Context { prefix: &prefix, connection: "venue-0.1", received_ns: 1, normalized_ms: 2 };
    // Exactly the bytes that are asked for, and no more than the ring was asked for before.
    let mut record = vec![0; avro::max_len(trade, &context)];
    let id = if let TradeId::Text(id) = trade.id { id } else { "" };
    let of_frame = trade.price.text().len() + trade.quantity.text().len() + id.len();
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
    assert_eq!((text("symbol"), text("exchange")), (instrument.symbol.clone(), exchange.into()));
    assert_eq!(text("trade_id"), trade.id.to_string());
    assert_eq!((text("price").as_str(), text("quantity").as_str()), (trade.price.text(), trade.quantity.text()));
    assert!(text("quote_volume").bytes().all(|byte| byte.is_ascii_digit() || byte == b'.'));
    assert_eq!(to_avro_datum(&SCHEMA, value.clone()).expect("a record that writes"), record[5..len]);
}
