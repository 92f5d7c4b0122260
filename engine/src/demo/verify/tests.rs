//! The judge itself: what goes wrong is seen, and lands in its column.

use std::ops::RangeInclusive;
use std::time::Instant;

use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use super::*;
use crate::avro::{self, SymbolPrefix};
use crate::broker::{ANY_LOOPBACK_PORT, EmbeddedBroker};
use crate::decimal::Decimal;
use crate::sim::{Batch, Ledger, SentFrame, SentTrade};
use crate::trade::{Side, Trade, TradeId};

mod twins;

const SYMBOL: &str = "BTCUSDT";
const DUE_NS: i64 = 1_700_000_000_000_000_000;
const MILLI: i64 = 1_000_000;
const WAIT: Duration = Duration::from_secs(20);
/// The ids of each frame's trades: one frame has two, one none.
const FRAMES: [RangeInclusive<u64>; 5] = [1..=1, 2..=3, 4..=4, EMPTY, 5..=5];
#[allow(clippy::reversed_empty_ranges)] // What a frame without trades holds.
const EMPTY: RangeInclusive<u64> = 1..=0;
/// Whether the exchange gives ids.
const IDS: bool = true;
const NO_IDS: bool = false;

/// Key and value.
type Record = (String, Vec<u8>);

/// What a faulty engine might write.
struct Written {
    raw: Vec<Record>,
    normalized: Vec<Record>,
}

/// Everything as it should be.
fn right() -> Written {
    Written {
        raw: FRAMES.map(|ids| raw(frame(ids))).into(),
        normalized: FRAMES.into_iter().flatten().map(|id| normalized(id, |_| {})).collect(),
    }
}

fn raw(frame: String) -> Record {
    (SYMBOL.into(), frame.into_bytes())
}

fn price(id: u64) -> String {
    format!("{id}.25000000")
}

fn time_ns(id: u64) -> i64 {
    DUE_NS + id as i64 * MILLI
}

fn frame(ids: RangeInclusive<u64>) -> String {
    let trades: Vec<String> = ids.map(|id| format!(r#"{{"t":{id},"p":"{}","q":"0.50000000"}}"#, price(id))).collect();
    format!(r#"{{"s":"{SYMBOL}","data":[{}]}}"#, trades.join(","))
}

/// The record of a trade, altered.
fn normalized(id: u64, alter: impl FnOnce(&mut Trade<'_>)) -> Record {
    let price = price(id);
    let mut trade = Trade {
        instrument: 0,
        id: TradeId::Number(id),
        price: Decimal::parse(&price).unwrap(),
        quantity: Decimal::parse("0.50000000").unwrap(),
        side: Side::Sell,
        exchange_time_ns: time_ns(id),
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
fn batch(has_ids: bool) -> Batch {
    let mut batch = Batch::default();
    for ids in FRAMES {
        let (start, first, frame) = (batch.bytes.len(), batch.trades.len(), frame(ids.clone()));
        for id in ids {
            let trade = start + frame.find(&format!(r#""t":{id},"#)).unwrap();
            let range = |text: &str| {
                let at = trade + frame[trade - start..].find(text).unwrap();
                at..at + text.len()
            };
            batch.trades.push(SentTrade {
                due_unix_ns: DUE_NS,
                exchange_unix_ns: time_ns(id),
                id: has_ids.then(|| range(&id.to_string())),
                price: range(&price(id)),
                quantity: range("0.50000000"),
                taker_sold: true,
            });
        }
        batch.bytes.extend_from_slice(frame.as_bytes());
        let (payload, trades) = (start..batch.bytes.len(), first..batch.trades.len());
        let tells = first as u64..trades.end as u64;
        batch.frames.push(SentFrame { symbol: 0, due_unix_ns: DUE_NS, payload, variants: 0..0, tells, trades });
    }
    batch
}

/// Lets the verifier read what was `written` of the five trades, until it has found as many `faults` as are there to
/// be found at once. Returns seen, missing, duplicate, mismatched, out of order.
fn judge(written: Written, has_ids: bool, faults: u64) -> ([u64; 5], Vec<String>) {
    let (columns, again, words) = judge_as(Raw::Once, batch(has_ids), written, faults);
    assert_eq!(again, 0);
    (columns, words)
}

/// The same of any batch; returns beside these the raw frames that came again.
fn judge_as(raw: Raw, batch: Batch, mut written: Written, faults: u64) -> ([u64; 5], u64, Vec<String>) {
    const TOPIC: &str = "trades";
    const TOPIC_RAW: &str = "trades.raw";
    let broker = EmbeddedBroker::start(ANY_LOOPBACK_PORT).unwrap();
    // The last record of each topic is a fault of its own: when it is found, all before it have been read.
    let end = ("NOBODY".to_string(), b"end".to_vec());
    written.raw.push(end.clone());
    written.normalized.push(end);
    let producer: BaseProducer =
        ClientConfig::new().set("bootstrap.servers", broker.bootstrap_servers()).create().unwrap();
    for (topic, records) in [(TOPIC_RAW, &written.raw), (TOPIC, &written.normalized)] {
        broker.create_topic(topic, 1).unwrap();
        for (key, value) in records {
            producer.send(BaseRecord::to(topic).key(key).payload(value)).map_err(|(error, _)| error).unwrap();
        }
    }
    producer.flush(WAIT).unwrap();
    let (to_ledger, ledger) = Ledger::new(1, None);
    assert!(to_ledger.hand_over(batch, WAIT).is_none());
    let symbols = vec![Listed { exchange: "binance", symbol: SYMBOL.into(), canonical: "BTC/USDT".into() }];
    // A feed on which nothing happens beside it.
    let (_idle, idle_ledger) = Ledger::new(1, None);
    broker.create_topic("idle", 1).unwrap();
    broker.create_topic("idle.raw", 1).unwrap();
    let idle =
        Judged { topic: "idle".into(), topic_raw: "idle.raw".into(), symbols: Vec::new(), ledger: idle_ledger, raw };
    let feed = Judged { topic: TOPIC.into(), topic_raw: TOPIC_RAW.into(), symbols, ledger, raw };
    let verifier = Verifier::start(&broker.bootstrap_servers(), vec![idle, feed], 1, Duration::ZERO).unwrap();
    let deadline = Instant::now() + WAIT;
    while verifier.faults() < faults + 2 {
        assert!(Instant::now() < deadline, "{} faults found", verifier.faults());
        std::thread::sleep(Duration::from_millis(1));
    }
    let verdict = verifier.finish();
    assert_eq!(verdict.expected, 5);
    assert!(!verdict.is_clean());
    let Verdict { seen, missing, duplicate, mismatched, out_of_order, raw_again, discrepancies, .. } = verdict;
    ([seen, missing, duplicate, mismatched - 2, out_of_order], raw_again, discrepancies)
}

fn assert_told(words: &[String], expected: &str) {
    assert!(words.iter().any(|words| words == expected), "{expected:?} in {words:#?}");
}

#[test]
fn what_is_right_has_no_fault() {
    assert_eq!(judge(right(), IDS, 0).0, [5, 0, 0, 0, 0]);
    assert_eq!(judge(right(), NO_IDS, 0).0, [5, 0, 0, 0, 0]);
}

#[test]
fn what_is_missing_is_told_with_its_topic() {
    let mut written = right();
    written.raw.remove(1);
    written.normalized.remove(3);
    let (columns, words) = judge(written, IDS, 0);
    assert_eq!(columns, [2, 3, 0, 0, 0]);
    assert_told(&words, "BTCUSDT trade 2: missing on the raw topic");
    assert_told(&words, "BTCUSDT trade 3: missing on the raw topic");
    assert_told(&words, "BTCUSDT trade 4: missing on the normalized topic");

    let mut written = right();
    written.raw.truncate(3);
    written.normalized.truncate(3);
    let (columns, words) = judge(written, IDS, 0);
    assert_eq!(columns, [3, 3, 0, 0, 0]);
    assert_told(&words, "BTCUSDT trade 4: missing on the normalized topic");
    assert_told(&words, "BTCUSDT trade 5: missing on both topics");
    assert_told(&words, r#"BTCUSDT: the frame {"s":"BTCUSDT","data":[]} is missing on the raw topic"#);
}

#[test]
fn what_is_missing_without_ids_is_told_by_its_time() {
    let mut written = right();
    written.normalized.remove(2);
    let (columns, words) = judge(written, NO_IDS, 0);
    assert_eq!(columns, [4, 1, 0, 0, 0]);
    assert_told(&words, &format!("BTCUSDT trade of {} ns: missing on the normalized topic", time_ns(3)));
}

#[test]
fn what_comes_twice_is_a_duplicate() {
    for has_ids in [IDS, NO_IDS] {
        let mut written = right();
        written.raw.insert(2, written.raw[1].clone());
        written.normalized.push(written.normalized[0].clone());
        let (columns, words) = judge(written, has_ids, 2);
        assert_eq!(columns, [5, 0, 2, 0, 0], "{words:?}");
        assert_told(&words, "BTCUSDT trade 1: came again");
    }
}

#[test]
fn what_comes_late_is_out_of_order() {
    for has_ids in [IDS, NO_IDS] {
        let mut written = right();
        written.raw.swap(1, 2);
        // Within a frame.
        written.normalized.swap(1, 2);
        let (columns, words) = judge(written, has_ids, 2);
        assert_eq!(columns, [5, 0, 0, 0, 2], "{words:?}");
    }
    let mut written = right();
    // From one frame to the next.
    written.normalized.swap(2, 3);
    let (columns, words) = judge(written, IDS, 1);
    assert_eq!(columns, [5, 0, 0, 0, 1]);
    assert_told(&words, "BTCUSDT trade 3: came after a later one");
}

#[test]
fn what_nobody_sent_is_mismatched() {
    let mut written = right();
    written.raw.insert(0, raw(frame(0..=0)));
    written.raw.push(raw(frame(6..=6)));
    written.normalized.insert(0, normalized(0, |_| {}));
    written.normalized.push(normalized(6, |_| {}));
    // No Avro; and a key that is not the symbol puts a trade on another's partition.
    written.normalized.push((SYMBOL.into(), b"\0\0\0\0\x01garbage".to_vec()));
    written.normalized.push((SYMBOL.into(), b"garbage".to_vec()));
    written.normalized.push(("ETHUSDT".into(), normalized(3, |_| {}).1));
    written.raw.push((SYMBOL.into(), b"garbage".to_vec()));
    written.raw.push(("ETHUSDT".into(), frame(3..=3).into_bytes()));
    let (columns, words) = judge(written, IDS, 9);
    assert_eq!(columns, [5, 0, 0, 9, 0], "{words:?}");
}

#[test]
fn what_was_altered_is_mismatched() {
    let alterations: [fn(&mut Trade<'_>); 5] = [
        |trade| trade.price = Decimal::parse("1.2500000").unwrap(),
        |trade| trade.quantity = Decimal::parse("0.50000001").unwrap(),
        |trade| trade.side = Side::Buy,
        |trade| trade.exchange_time_ns += MILLI,
        |trade| trade.exchange_time_ns += 1,
    ];
    for has_ids in [IDS, NO_IDS] {
        let mut written = right();
        for (id, alter) in (1..).zip(alterations) {
            written.normalized[id as usize - 1] = normalized(id, alter);
        }
        let (columns, words) = judge(written, has_ids, 5);
        assert_eq!(columns, [0, 0, 0, 5, 0], "{words:?}");
        for field in ["price", "quantity", "side", "exchange_timestamp", "exchange_timestamp_ns"] {
            assert!(words.iter().any(|words| words.contains(&format!("{field} is"))), "{field}: {words:?}");
        }
    }
}

/// A frame that is not to the byte what was sent is none of those sent, and the one sent is missing.
#[test]
fn an_altered_frame_is_mismatched_and_missing() {
    let mut written = right();
    written.raw[4].1.push(b' ');
    let (columns, words) = judge(written, IDS, 1);
    assert_eq!(columns, [4, 1, 0, 1, 0], "{words:?}");
    assert_told(&words, "BTCUSDT trade 5: missing on the raw topic");
}

#[test]
fn ids_that_the_engine_makes_up_must_differ() {
    let mut written = right();
    written.normalized[4] = normalized(5, |trade| trade.id = TradeId::Number(1));
    let (columns, words) = judge(written, NO_IDS, 1);
    assert_eq!(columns, [4, 0, 0, 1, 0], "{words:?}");
    assert!(words.iter().any(|words| words.ends_with(r#"trade_id is "1", which another trade has"#)), "{words:?}");
}
