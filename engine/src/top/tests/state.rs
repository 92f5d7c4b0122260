use super::*;

const SMALL: (u16, u16) = (80, 24);

fn press(state: &mut State, wishes: &[Wish]) {
    for wish in wishes {
        assert!(state.obey(*wish, at(3)));
    }
}

#[test]
fn the_slowest_symbols_are_first_and_those_alike_stay_in_their_order() {
    let mut state = seen();
    let shown = symbols(&lines(&mut state, (100, 60)));
    let expected = [
        "BTC/USD",
        "ETH/USD",
        "币安人生USDT",
        "DOTUSDT",
        "ADAUSDT",
        "APTUSDT",
        "ARBUSDT",
        "BNBUSDT",
        "BTCUSDT",
        "ETHUSDT",
        "LTCUSDT",
        "SOLUSDT",
        "TRXUSDT",
        "XRPUSDT",
    ];
    assert_eq!(shown, expected);
}

#[test]
fn sorting_goes_through_the_columns_and_can_be_turned_round() {
    let mut state = seen();
    let mut first = |wishes: &[Wish]| {
        press(&mut state, wishes);
        let lines = lines(&mut state, (100, 60));
        let header = lines.iter().find(|line| line.starts_with("exchange")).unwrap();
        let sorted = header.split("  ").find(|name| name.contains(['▼', '▲'])).unwrap().trim().to_string();
        (sorted, symbols(&lines)[0].clone())
    };
    let told = |name: &str, symbol: &str| (name.to_string(), symbol.to_string());
    assert_eq!(first(&[]), told("last trade▼", "BTC/USD"));
    assert_eq!(first(&[Wish::Sort]), told("delay▼", "币安人生USDT"));
    assert_eq!(first(&[Wish::Reverse]), told("delay▲", "BTC/USD"), "which has none");
    assert_eq!(first(&[Wish::Sort]), told("gaps▼", "ETHUSDT"));
    assert_eq!(first(&[Wish::Sort, Wish::Sort]), told("trades▼", "BTCUSDT"));
    assert_eq!(first(&[Wish::Sort]), told("exchange▲", "ADAUSDT"));
    assert_eq!(first(&[Wish::Reverse]), told("exchange▼", "BTC/USD"));
}

#[test]
fn while_it_is_paused_nothing_moves_and_nothing_is_missed() {
    let mut state = seen();
    let before = lines(&mut state, SMALL);
    press(&mut state, &[Wish::Pause]);
    state.looked(Ok(later(60)), at(60));
    let paused = lines_at(&mut state, SMALL, 60);
    assert!(paused[0].ends_with("PAUSED  LIVE  NOT READY"), "{paused:#?}");
    assert_eq!(paused[1], "paused at 12:00:03 UTC: p goes on");
    // The pause takes a line, in which a row was.
    let (overview, rows) = (&before[2..11], symbols(&before));
    assert_eq!((&paused[3..12], &symbols(&paused)[..]), (overview, &rows[..rows.len() - 1]));
    press(&mut state, &[Wish::Pause]);
    let after = lines_at(&mut state, SMALL, 60);
    assert!(after[0].contains("up 1 h 3 min") && !after[0].contains("PAUSED"), "{after:#?}");
}

#[test]
fn an_engine_that_is_gone_leaves_what_it_said_last() {
    let mut state = seen();
    let before = lines(&mut state, SMALL);
    state.looked(nothing(), at(10));
    state.looked(nothing(), at(11));
    let gone = lines_at(&mut state, SMALL, 75);
    assert!(gone[0].ends_with("  NOT REACHABLE"), "{gone:#?}");
    assert_eq!(gone[1], "no answer since 12:00:10 UTC (1 min 5 s): Connection refused (os error 111)");
    assert_eq!(gone[2], "what is shown is of 12:00:02 UTC; it is asked again every 1s");
    assert_eq!(gone[3], before[1], "why it is not ready");
    assert_eq!(gone[4][40..], before[2][40..]);
    assert_eq!(symbols(&gone)[0], "BTC/USD");
    state.looked(Ok(later(80)), at(80));
    let back = lines_at(&mut state, SMALL, 80);
    assert!(back[0].ends_with("  LIVE  NOT READY") && back[1].starts_with("not ready: "), "{back:#?}");
}

#[test]
fn before_the_first_answer_it_says_so() {
    let mut state = State::new("http://127.0.0.1:9090".into(), Duration::from_secs(1));
    let waiting = lines(&mut state, SMALL);
    assert_eq!(waiting[..2], ["k2-feed  http://127.0.0.1:9090", "waiting for the first answer"]);
    state.looked(nothing(), at(0));
    let gone = lines(&mut state, SMALL);
    assert_eq!(gone[1], "no answer since 12:00:00 UTC (2 s): Connection refused (os error 111)");
    assert!(gone[2..23].iter().all(String::is_empty), "{gone:#?}");
    press(&mut state, &[Wish::NextTable, Wish::Sort, Wish::Scroll(Scroll::Bottom), Wish::Pause, Wish::Pause]);
}

#[test]
fn scrolling_ends_at_the_ends() {
    let mut state = seen();
    let mut rows = |wishes: &[Wish]| {
        press(&mut state, wishes);
        let lines = lines(&mut state, SMALL);
        (symbols(&lines)[0].clone(), lines[lines.len() - 2].clone())
    };
    let told = |symbol: &str, rows: &str| (symbol.to_string(), format!("{rows}; no room for trades"));
    let (down, up) = (Wish::Scroll(Scroll::LineDown), Wish::Scroll(Scroll::LineUp));
    assert_eq!(rows(&[]), told("BTC/USD", "rows 1 to 9 of 14"));
    assert_eq!(rows(&[up, down, down]), told("币安人生USDT", "rows 3 to 11 of 14"));
    assert_eq!(rows(&[Wish::Scroll(Scroll::PageDown)]), told("APTUSDT", "rows 6 to 14 of 14"));
    assert_eq!(rows(&[down, down, up]), told("ADAUSDT", "rows 5 to 13 of 14"));
    assert_eq!(rows(&[Wish::Scroll(Scroll::PageUp)]), told("BTC/USD", "rows 1 to 9 of 14"));
    assert_eq!(rows(&[Wish::Scroll(Scroll::Bottom), up]), told("ADAUSDT", "rows 5 to 13 of 14"));
    assert_eq!(rows(&[Wish::Scroll(Scroll::Top)]), told("BTC/USD", "rows 1 to 9 of 14"));
    // An engine with fewer symbols.
    press(&mut state, &[Wish::Scroll(Scroll::Bottom)]);
    state.looked(Ok(answer(|status| status.symbols.truncate(2))), at(9));
    assert_eq!(symbols(&lines(&mut state, SMALL)), ["BTCUSDT", "ETHUSDT"]);
}

#[test]
fn help_comes_and_goes_and_quitting_quits_from_it() {
    let mut state = seen();
    press(&mut state, &[Wish::Help]);
    let help = lines(&mut state, SMALL);
    for part in ["k2-feed top", "q, Esc, Ctrl-C", "turn its order round", "librdkafka"] {
        assert!(help.iter().any(|line| line.contains(part)), "{part}: {help:#?}");
    }
    press(&mut state, &[Wish::Reverse]);
    assert_eq!(symbols(&lines(&mut state, SMALL))[0], "BTC/USD", "that key did no more than close the help");
    press(&mut state, &[Wish::Help]);
    assert!(!state.obey(Wish::Quit, at(4)));
}
