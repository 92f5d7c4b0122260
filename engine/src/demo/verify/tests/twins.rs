//! What several connections of a feed may do on the raw topic, and what not even they may.

use super::*;

/// A snapshot: trades 1 to 4 again.
const SNAPSHOT: &str = r#"{"s":"BTCUSDT","snapshot":[1,2,3,4]}"#;
/// Frame 4 as another connection gets it.
const VARIANT: &str = r#"{"s":"BTCUSDT","number":7,"data":[4]}"#;

/// What was sent: the five trades, [`VARIANT`] of the third frame, and a snapshot before the empty frame.
fn sent() -> Batch {
    let mut batch = batch(IDS);
    let mut append = |text: &str| {
        let start = batch.bytes.len();
        batch.bytes.extend_from_slice(text.as_bytes());
        start..batch.bytes.len()
    };
    let (snapshot, variant) = (append(SNAPSHOT), append(VARIANT));
    batch.variants.push(variant);
    batch.frames[2].variants = 0..1;
    let (tells, trades) = (0..4, batch.frames[3].trades.start..batch.frames[3].trades.start);
    let (due_unix_ns, variants) = (DUE_NS, 0..0);
    batch.frames.insert(3, SentFrame { symbol: 0, due_unix_ns, payload: snapshot, variants, tells, trades });
    batch
}

fn judge_twins(written: Written, faults: u64) -> ([u64; 5], u64, Vec<String>) {
    judge_as(Raw::OfTwins, sent(), written, faults)
}

#[test]
fn frames_may_come_again_and_in_any_connections_form() {
    let mut written = right();
    written.raw[2] = raw(VARIANT.into());
    // What tells several trades or none, and a snapshot behind later frames.
    written.raw.insert(3, raw(frame(2..=3)));
    written.raw.push(raw(frame(EMPTY)));
    written.raw.push(raw(SNAPSHOT.into()));
    let (columns, again, words) = judge_twins(written, 0);
    assert_eq!((columns, again), ([5, 0, 0, 0, 0], 2), "{words:?}");
}

#[test]
fn a_frame_may_be_left_out_if_another_tells_its_trades() {
    let mut written = right();
    written.raw[2] = raw(SNAPSHOT.into());
    let (columns, again, words) = judge_twins(written, 0);
    assert_eq!((columns, again), ([5, 0, 0, 0, 0], 0), "{words:?}");

    let mut written = right();
    written.raw.remove(2);
    let (columns, _, words) = judge_twins(written, 0);
    assert_eq!(columns, [4, 1, 0, 0, 0], "{words:?}");
    assert_told(&words, "BTCUSDT trade 4: missing on the raw topic");

    let mut written = right();
    written.raw.remove(3);
    let (columns, _, words) = judge_twins(written, 0);
    assert_eq!(columns, [5, 1, 0, 0, 0], "{words:?}");
    assert_told(&words, r#"BTCUSDT: the frame {"s":"BTCUSDT","data":[]} is missing on the raw topic"#);
}

#[test]
fn everything_else_is_judged_as_without_twins() {
    let mut written = right();
    written.raw.push(raw(VARIANT.replace('7', "8")));
    written.raw.swap(0, 1);
    written.normalized.push(normalized(2, |_| {}));
    written.normalized.swap(3, 4);
    let (columns, _, words) = judge_twins(written, 4);
    assert_eq!(columns, [5, 0, 1, 1, 2], "{words:?}");
    assert_told(&words, "BTCUSDT trade 2: came again");
    assert_told(&words, "BTCUSDT trade 4: came after a later one");
}
