use super::*;
use crate::book::Sent;

const SYMBOL: &str = "BTCUSDT";
const SECOND: i64 = 1_000_000_000;

/// Ten trades with the ids from 100 on, one a second, the fifth of which nobody heard.
fn book() -> Book {
    let sent = |id: u64| Sent {
        trade: digest(says(id)),
        frame: (id != 104).then(|| digest(frame(id).as_bytes())),
        at_ms: id as i64 * 1_000,
    };
    let series = Series { first: 100, trades: (100..110).map(sent).collect() };
    Book { symbols: BTreeMap::from([(SYMBOL.to_string(), series)]) }
}

fn says(id: u64) -> Says<'static> {
    Says { price: "1.50", quantity: "2.0", taker_sold: id.is_multiple_of(2), at_ns: id as i64 * SECOND }
}

fn frame(id: u64) -> String {
    format!("frame {id}")
}

fn raw(judge: &mut Judge<'_>, id: u64) {
    judge.take(&Record::Raw { symbol: SYMBOL, id, bytes: frame(id).as_bytes() });
}

fn trade(judge: &mut Judge<'_>, id: u64, is_from_rest: bool) {
    let Says { price, quantity, taker_sold, at_ns } = says(id);
    judge.take(&Record::Trade(Trade { symbol: SYMBOL, id, price, quantity, taker_sold, at_ns, is_from_rest }));
}

/// All but these trades and frames, as they should be, and then what else is to come.
fn judged(
    without: &[u64],
    without_frames: &[u64],
    absences: &[Absence],
    named: &[Named],
    more: impl FnOnce(&mut Judge<'_>),
) -> Verdict {
    let book = book();
    let mut judge = Judge::new(&book);
    for id in (100..110).filter(|id| !without.contains(id)) {
        trade(&mut judge, id, id == 104);
    }
    for id in (100..110).filter(|id| *id != 104 && !without_frames.contains(id)) {
        raw(&mut judge, id);
    }
    more(&mut judge);
    judge.conclude(absences, named)
}

fn flawless() -> Verdict {
    Verdict { made: 10, live: 9, from_rest: 1, ..Verdict::default() }
}

#[test]
fn all_there_once_and_in_order_is_flawless() {
    assert_eq!(judged(&[], &[], &[], &[], |_| ()), flawless());
}

#[test]
fn what_is_missing_is_lost_unless_it_is_named() {
    let verdict = judged(&[103, 106, 107], &[], &[], &[], |_| ());
    assert_eq!((verdict.live, verdict.lost), (6, 3));
    assert_eq!(verdict.examples.len(), 2, "{verdict:?}");
    let named = Named { symbol: SYMBOL.into(), first: 106, last: 109, why: "refused".into() };
    let verdict = judged(&[103, 106, 107], &[], &[], std::slice::from_ref(&named), |_| ());
    assert_eq!((verdict.lost, verdict.named), (1, 2));
    assert_eq!(verdict.named_why, BTreeMap::from([("refused".into(), 2)]));
    let absence = Absence { since_ms: 0, from_ms: 103_500, to_ms: 106_000, is_killed: true };
    let verdict = judged(&[103, 104, 106], &[], &[absence], &[], |_| ());
    assert_eq!(verdict.lost, 3, "who resumes has to catch up");
    let other = Named { symbol: "ETHUSDT".into(), ..named };
    assert_eq!(judged(&[106], &[], &[], &[other], |_| ()).lost, 1);
}

#[test]
fn frames_are_lost_but_for_kills() {
    let absence = |is_killed| Absence { since_ms: 104_500, from_ms: 108_500, to_ms: 108_900, is_killed };
    let lost = |absences: &[Absence]| {
        let verdict = judged(&[], &[105, 106], absences, &[], |_| ());
        (verdict.frames_lost, verdict.frames_lost_by_kills)
    };
    assert_eq!((lost(&[]), lost(&[absence(false)]), lost(&[absence(true)])), ((2, 0), (2, 0), (0, 2)));
    let of_another_run = Absence { since_ms: 107_500, ..absence(true) };
    assert_eq!(lost(&[of_another_run]), (2, 0));
}

#[test]
fn what_comes_again_is_a_duplicate_and_not_out_of_order() {
    let verdict = judged(&[], &[], &[], &[], |judge| {
        raw(judge, 101);
        trade(judge, 102, false);
        trade(judge, 104, true);
        trade(judge, 105, true);
    });
    assert_eq!(verdict, Verdict { duplicates: 4, ..flawless() });
}

#[test]
fn what_comes_late_is_out_of_order_but_for_the_history() {
    let verdict = judged(&[101], &[102], &[], &[], |judge| {
        trade(judge, 101, false);
        raw(judge, 102);
    });
    assert_eq!((verdict.reordered, verdict.lost, verdict.duplicates), (2, 0, 0), "{verdict:?}");
    let verdict = judged(&[101], &[], &[], &[], |judge| trade(judge, 101, true));
    assert_eq!((verdict.reordered, verdict.live, verdict.from_rest), (0, 8, 2));
}

#[test]
fn what_says_something_else_is_different_in_every_field() {
    let Says { price, quantity, taker_sold, at_ns } = says(103);
    let right = || Trade { symbol: SYMBOL, id: 103, price, quantity, taker_sold, at_ns, is_from_rest: false };
    for wrong in [
        Trade { price: "1.5", ..right() },
        Trade { quantity: "2", ..right() },
        Trade { taker_sold: !taker_sold, ..right() },
        Trade { at_ns: at_ns + 1, ..right() },
    ] {
        let verdict = judged(&[103], &[], &[], &[], |judge| judge.take(&Record::Trade(wrong)));
        assert_eq!(verdict.different, 1);
    }
    let verdict = judged(&[], &[103], &[], &[], |judge| {
        judge.take(&Record::Raw { symbol: SYMBOL, id: 103, bytes: b"frame 104" });
    });
    assert_eq!(verdict.different, 1);
    let verdict = judged(&[], &[], &[], &[], |judge| judge.take(&Record::Raw { symbol: SYMBOL, id: 104, bytes: b"x" }));
    assert_eq!(verdict.different, 1, "nobody was sent that frame");
}

#[test]
fn what_nobody_made_is_unknown() {
    let verdict = judged(&[], &[], &[], &[], |judge| {
        trade(judge, 99, false);
        trade(judge, 110, false);
        judge.take(&Record::Raw { symbol: "ETHUSDT", id: 103, bytes: b"" });
    });
    assert_eq!(verdict.unknown, 3);
    assert_eq!(Verdict { unknown: 0, examples: Vec::new(), ..verdict }, flawless());
}
