//! The judge itself: what goes wrong is seen, and lands in its column.

use std::ops::RangeInclusive;
use std::time::Instant;

use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use super::*;
use crate::avro::{self, SymbolPrefix};
use crate::broker::{ANY_LOOPBACK_PORT, EmbeddedBroker};
use crate::config::Config;
use crate::decimal::Decimal;
use crate::sim::{Ledger, SentTrade};
use crate::trade::{Side, Trade, TradeId};

const SYMBOL: &str = "BTCUSDT";
const DUE_NS: i64 = 1_700_000_000_000_000_000;
const WAIT: Duration = Duration::from_secs(20);

/// Key and value.
type Record = (String, Vec<u8>);

/// What a faulty engine might write.
struct Written {
    raw: Vec<Record>,
    normalized: Vec<Record>,
}

/// Everything as it should be.
fn right(ids: RangeInclusive<u64>) -> Written {
    Written {
        raw: ids.clone().map(|id| (SYMBOL.into(), frame(id).into_bytes())).collect(),
        normalized: ids.map(|id| normalized(id, |_| {})).collect(),
    }
}

fn price(id: u64) -> String {
    format!("{id}.25000000")
}

fn frame(id: u64) -> String {
    format!(r#"{{"e":"trade","s":"{SYMBOL}","t":{id},"p":"{}","q":"0.50000000","m":true}}"#, price(id))
}

/// The record of a trade, altered.
fn normalized(id: u64, alter: impl FnOnce(&mut Trade<'_>)) -> Record {
    let price = price(id);
    let mut trade = Trade {
        symbol: SYMBOL,
        instrument: 0,
        id: TradeId::Number(id),
        price: Decimal::parse(&price).unwrap(),
        quantity: Decimal::parse("0.50000000").unwrap(),
        side: Side::Sell,
        exchange_time_ns: DUE_NS,
        sequence: Some(id as i64),
        is_buyer_maker: Some(true),
        buyer_order_id: None,
        seller_order_id: None,
    };
    alter(&mut trade);
    let prefix = SymbolPrefix::new(1, "binance", SYMBOL, "BTC/USDT");
    let context = avro::Context { prefix: &prefix, connection: "binance-0.1", received_ns: DUE_NS, normalized_ms: 0 };
    let mut bytes = vec![0; avro::max_len(&trade, &context)];
    let len = avro::write(&trade, &context, &mut bytes);
    bytes.truncate(len);
    (SYMBOL.into(), bytes)
}

/// What the exchange says that it has sent.
fn batch(ids: RangeInclusive<u64>) -> Batch {
    let mut batch = Batch::default();
    for id in ids {
        let start = batch.bytes.len();
        let (frame, price) = (frame(id), price(id));
        let range = |text: &str| {
            let at = start + frame.find(text).unwrap();
            at..at + text.len()
        };
        let (price, quantity) = (range(&price), range("0.50000000"));
        batch.bytes.extend_from_slice(frame.as_bytes());
        let frame = start..batch.bytes.len();
        batch.trades.push(SentTrade {
            symbol: 0,
            id,
            due_unix_ns: DUE_NS,
            frame,
            price,
            quantity,
            is_buyer_maker: true,
        });
    }
    batch
}

/// Lets the verifier read what was `written` of the trades 1 to 5, until it has found as many `faults` as are there to
/// be found at once. Returns seen, missing, duplicate, mismatched, out of order.
fn judge(mut written: Written, faults: u64) -> ([u64; 5], Vec<String>) {
    let broker = EmbeddedBroker::start(ANY_LOOPBACK_PORT).unwrap();
    let variables = [("K2_EXCHANGE", "binance"), ("K2_SYMBOLS", SYMBOL)];
    let config = Config::load(None, variables.map(|(name, value)| (name.to_string(), value.to_string()))).unwrap();
    let feed = &config.feeds[0];
    // The last record of each topic is a fault of its own: when it is found, all before it have been read.
    let end = ("NOBODY".to_string(), br#"{"s":"NOBODY","t":1}"#.to_vec());
    written.raw.push(end.clone());
    written.normalized.push(end);
    let producer: BaseProducer =
        ClientConfig::new().set("bootstrap.servers", broker.bootstrap_servers()).create().unwrap();
    for (topic, records) in [(&feed.topic_raw, &written.raw), (&feed.topic, &written.normalized)] {
        broker.create_topic(topic, 1).unwrap();
        for (key, value) in records {
            producer.send(BaseRecord::to(topic).key(key).payload(value)).map_err(|(error, _)| error).unwrap();
        }
    }
    producer.flush(WAIT).unwrap();
    let (ledger, reader) = Ledger::new(1, None);
    assert!(ledger.hand_over(batch(1..=5), WAIT).is_none());
    let symbols = [SYMBOL.to_string()];
    let verifier = Verifier::start(&broker.bootstrap_servers(), feed, 1, &symbols, reader, Duration::ZERO).unwrap();
    let deadline = Instant::now() + WAIT;
    while verifier.faults() < faults + 2 {
        assert!(Instant::now() < deadline, "{} faults found", verifier.faults());
        std::thread::sleep(Duration::from_millis(1));
    }
    let verdict = verifier.finish();
    assert_eq!(verdict.expected, 5);
    assert!(!verdict.is_clean());
    let Verdict { seen, missing, duplicate, mismatched, out_of_order, discrepancies, .. } = verdict;
    ([seen, missing, duplicate, mismatched - 2, out_of_order], discrepancies)
}

#[test]
fn what_is_right_has_no_fault() {
    assert_eq!(judge(right(1..=5), 0).0, [5, 0, 0, 0, 0]);
}

#[test]
fn what_is_missing_is_told_with_its_topic() {
    let mut written = right(1..=5);
    written.raw.remove(1);
    written.normalized.remove(3);
    let (columns, words) = judge(written, 0);
    assert_eq!(columns, [3, 2, 0, 0, 0]);
    assert!(words.contains(&"BTCUSDT trade 2: missing on the raw topic".to_string()), "{words:?}");
    assert!(words.contains(&"BTCUSDT trade 4: missing on the normalized topic".to_string()), "{words:?}");
    assert_eq!(judge(right(1..=3), 0).0, [3, 2, 0, 0, 0]);
}

#[test]
fn what_comes_twice_is_a_duplicate() {
    let mut written = right(1..=5);
    written.raw.insert(2, written.raw[1].clone());
    written.normalized.push(written.normalized[0].clone());
    let (columns, words) = judge(written, 2);
    assert_eq!(columns, [5, 0, 2, 0, 0], "{words:?}");
}

#[test]
fn what_comes_late_is_out_of_order() {
    let mut written = right(1..=5);
    written.normalized.swap(1, 2);
    let (columns, words) = judge(written, 1);
    assert_eq!(columns, [5, 0, 0, 0, 1]);
    assert!(words.contains(&"BTCUSDT trade 2: came after a later one".to_string()), "{words:?}");
}

#[test]
fn what_nobody_sent_is_mismatched() {
    let mut written = right(0..=6);
    // Neither is Avro, nor JSON; and a key that is not the symbol puts a trade on another's partition.
    written.normalized.push((SYMBOL.into(), b"\0\0\0\0\x01garbage".to_vec()));
    written.normalized.push((SYMBOL.into(), b"garbage".to_vec()));
    written.raw.push((SYMBOL.into(), b"garbage".to_vec()));
    written.raw.push(("ETHUSDT".into(), frame(3).into_bytes()));
    let (columns, words) = judge(written, 8);
    assert_eq!(columns, [5, 0, 0, 8, 0], "{words:?}");
}

#[test]
fn what_was_altered_is_mismatched() {
    let alterations: [fn(&mut Trade<'_>); 4] = [
        |trade| trade.price = Decimal::parse("2.2500000").unwrap(),
        |trade| trade.quantity = Decimal::parse("0.50000001").unwrap(),
        |trade| trade.side = Side::Buy,
        |trade| trade.exchange_time_ns += 1_000_000,
    ];
    let mut written = right(1..=5);
    for (id, alter) in (1..).zip(alterations) {
        written.normalized[id as usize - 1] = normalized(id, alter);
    }
    // Still the same trade to who reads JSON, and not the frame that was sent.
    written.raw[4].1.push(b' ');
    let (columns, words) = judge(written, 5);
    assert_eq!(columns, [0, 0, 0, 5, 0], "{words:?}");
    for field in ["price", "quantity", "side", "exchange_timestamp", "the raw frame"] {
        assert!(words.iter().any(|words| words.contains(field)), "{field}: {words:?}");
    }
}
