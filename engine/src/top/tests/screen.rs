use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Color;

use super::*;

/// Checks lines from the first that is alike on.
fn hold(shown: &[String], expected: &[&str]) {
    let from = shown.iter().position(|line| line == expected[0]).unwrap_or_else(|| panic!("{expected:#?}\n{shown:#?}"));
    assert_eq!(shown[from..shown.len().min(from + expected.len())], *expected);
}

#[test]
fn a_usual_terminal_has_room_for_all_but_some_rows() {
    let shown = lines(&mut seen(), (80, 24));
    let expected = [
        "k2-feed 0.1.0  http://127.0.0.1:9090  up 1 h 2 min               LIVE  NOT READY",
        "not ready: kraken-0 is connecting",
        "           a second       last 14 s  hop          p50      p99    p99.9      max",
        "frames       20,012              ██  recv     91.6 us  1.45 ms  5.41 ms  13.1 ms",
        "trades       20,012              ██  decode   1.26 us  22.7 us  70.9 us   279 us",
        "acked        40,024              ██  encode    271 ns   711 ns  1.19 us   107 us",
        "gaps    3, 12 missing, 2 repaired    ring     9.43 us  2.13 ms  5.93 ms  9.18 ms",
        "lost    5 dropped, 2 failed          produce  4.24 us   149 us  1.79 ms  3.63 ms",
        "breaks  1 reconnects, 0 ring full    ack            -        -        -        -",
        "queue   1,234 records, 12.3 MiB      total    2.88 ms  19.9 ms  28.1 ms  34.2 ms",
        "spill   10 records, 2.00 KiB",
        " symbols 14   connections 2   cores 2   brokers 2   topics 2   addresses 2",
        "exchange  symbol        trades/s  last trade▼    delay   gaps  missing",
        "kraken    BTC/USD            1.0        never        -      0        0",
        "kraken    ETH/USD            1.0        never        -      0        0",
        "binance   币安人生USDT       1.0  30 min 10 s   2.50 s      0        0",
        "binance   DOTUSDT            1.0         12 s  4.00 ms      0        0",
        "binance   ADAUSDT            1.0          2 s  4.00 ms      0        0",
        "binance   APTUSDT            1.0          2 s  4.00 ms      0        0",
        "binance   ARBUSDT            1.0          now  4.00 ms      0        0",
        "binance   BNBUSDT            1.0          now  4.00 ms      0        0",
        "binance   BTCUSDT            1.0          now  3.10 ms      0        0",
        "rows 1 to 9 of 14; no room for trades",
        "q quit  p pause  s sort  r reverse  Tab table  ↑↓ PgUp PgDn scroll  ? help",
    ];
    assert_eq!(shown, expected);
}

#[test]
fn a_large_terminal_has_all_tables() {
    let shown = lines(&mut seen(), (130, 60));
    assert_eq!(shown.len(), 60);
    let all = [
        "binance   ETHUSDT            1.0          now  -400 us      3       12  8,000,002",
        "binance   LTCUSDT            1.0          now  4.00 ms      0        0        907",
        "binance   SOLUSDT            1.0          now  4.00 ms      0        0        908",
        "binance   TRXUSDT            1.0          now  4.00 ms      0        0        909",
        "binance   XRPUSDT            1.0          now  4.00 ms      0        0        910",
        "",
        " connections 2",
        "exchange▲  no.  core    state       symbols           up     heard  attempts  url",
        "binance      0  feed-0  subscribed       12    1 h 2 min       now         1  wss://stream.binance.com:9443/ws",
        "kraken       0  feed-0  connecting      0/2            -         -         7  wss://ws.kraken.com/v2",
        "",
        " cores 2",
        "core▲       cpu   busy  state         frames      queue  queue size   on disk",
        "feed-0        1   40 %  running   74,500,000          -           -         -",
        "producer-0    0    0 %  stuck              -      1,234    12.3 MiB  2.00 KiB",
        "",
        " brokers 2",
        "core▲       broker            state  rtt p50  rtt p99  retries   errors",
        "producer-0  localhost:9092/1  up      300 us  1.00 ms        0        0",
        "producer-0  localhost:9093/2  down         -        -        3       14",
        "",
        " topics 2",
        "topic▲                                 acked  spilled  dropped  failed  in flight   committed  kind",
        "market.crypto.trades.binance      74,498,983       10        5       2        990  74,499,990  normalized",
        "market.crypto.trades.binance.raw  74,499,000        0        0       0        990  74,499,990  raw",
        "",
        " addresses 2",
        "exchange▲  breaker  url",
        "binance    closed   wss://stream.binance.com:9443/ws",
        "kraken     open     wss://ws.kraken.com/v2",
    ];
    hold(&shown, &all);
}

#[test]
fn below_the_chosen_table_are_those_that_have_room() {
    let mut state = seen();
    state.obey(Wish::NextTable, at(3));
    let shown = lines(&mut state, (80, 24));
    let expected = [
        " symbols 14   connections 2   cores 2   brokers 2   topics 2   addresses 2",
        "exchange▲  no.  core    state       symbols           up     heard  attempts",
        "binance      0  feed-0  subscribed       12    1 h 2 min       now         1",
        "kraken       0  feed-0  connecting      0/2            -         -         7",
        "no room for url",
        "",
        " cores 2",
        "core▲       cpu   busy  state         frames      queue  queue size   on disk",
        "feed-0        1   40 %  running   74,500,000          -           -         -",
        "producer-0    0    0 %  stuck              -      1,234    12.3 MiB  2.00 KiB",
        "",
        "",
        "q quit  p pause  s sort  r reverse  Tab table  ↑↓ PgUp PgDn scroll  ? help",
    ];
    assert_eq!(shown[11..], expected);
}

#[test]
fn a_small_terminal_says_what_it_has_no_room_for() {
    let narrow = lines(&mut seen(), (62, 24));
    assert!(narrow.iter().all(|line| line.chars().count() <= 62), "{narrow:#?}");
    assert_eq!(narrow[2], "62x24 has no room for p99.9, max: 80x24 has");
    hold(&narrow, &["rows 1 to 8 of 14; no room for missing, trades"]);
    let low = lines(&mut seen(), (80, 12));
    assert_eq!(low[2], "80x12 has no room for rates, hops: 80x24 has");
    assert_eq!(low[3], " symbols 14   connections 2   cores 2   brokers 2   topics 2   addresses 2");
    hold(&low, &["rows 1 to 5 of 14; no room for trades"]);
    assert_eq!(lines(&mut seen(), (30, 24)), ["30x24 is too small: 80x24 show"]);
    assert_eq!(lines(&mut seen(), (80, 7)), ["80x7 is too small: 80x24 shows all"]);
}

/// Whatever the size, drawing neither panics nor goes on the margin.
#[test]
fn every_size_can_be_drawn() {
    let mut state = seen();
    for which in 0..6 {
        for (width, height) in [(1, 1), (40, 8), (41, 17), (41, 18), (79, 23), (200, 100), (300, 9)] {
            lines(&mut state, (width, height));
            state.obey(Wish::Help, at(3));
            lines(&mut state, (width, height));
            state.obey(Wish::Help, at(3));
        }
        state.obey(Wish::NextTable, at(3));
        assert!(which < 5 || symbols(&lines(&mut state, (80, 24)))[0] == "BTC/USD");
    }
}

#[test]
fn history_has_a_bar_for_each_look_and_a_hole_for_each_that_brought_nothing() {
    let mut state = seen();
    for (second, frames) in [(3, 2_502.0), (5, 10_006.0), (6, 0.0)] {
        let mut answer = later(second);
        answer.status.rates.frames = frames;
        if second == 5 {
            state.looked(nothing(), at(4));
        }
        state.looked(Ok(answer), at(second));
    }
    let shown = lines(&mut state, (80, 24));
    assert!(shown[3].starts_with("frames            0          ██▁ ▄   recv"), "{shown:#?}");
}

#[test]
fn what_the_engine_says_cannot_write_elsewhere() {
    let mut state = seen();
    let bad = "a\x1b[2Jb\nc";
    state.looked(
        Ok(answer(|status| {
            status.symbols[0].symbol = bad.into();
            status.symbols[0].last_trade_s_ago = None;
            status.reasons = (0..9).map(|at| format!("{at} {bad}")).collect();
        })),
        at(9),
    );
    let shown = lines(&mut state, (80, 24));
    assert_eq!(shown.len(), 24);
    assert_eq!(shown[1..5], ["not ready: 0 a[2Jbc", "not ready: 1 a[2Jbc", "not ready: 2 a[2Jbc", "and 6 more"]);
    assert!(shown.iter().all(|line| !line.contains('\x1b')), "{shown:#?}");
}

/// The colours of the words that say how the engine stands.
fn colors(colors: bool) -> Vec<Color> {
    let area = Rect::new(0, 0, 80, 24);
    let mut buf = Buffer::empty(area);
    draw(&seen(), Look { colors, goes_on: true, now: at(2) }, area, &mut buf);
    [65, 71].map(|x| buf[(x, 0)].fg).into()
}

#[test]
fn colours_are_left_away_where_they_are_not_wanted() {
    assert_eq!(colors(true), [Color::Green, Color::Red]);
    assert_eq!(colors(false), [Color::Reset, Color::Reset]);
}

#[test]
fn plain_text_has_everything_and_nothing_of_a_terminal() {
    let text = plain(&seen(), at(2));
    let shown: Vec<String> = text.lines().map(str::to_string).collect();
    assert_eq!(shown[2].split_whitespace().collect::<Vec<_>>()[..4], ["a", "second", "hop", "p50"], "no history");
    assert!(shown.iter().all(|line| !line.ends_with(' ') && !line.contains('\x1b')), "{text}");
    for part in ["symbols 14", "connections 2", "cores 2", "brokers 2", "topics 2", "addresses 2"] {
        assert!(shown.iter().any(|line| line == part), "{part}:\n{text}");
    }
    assert!(!text.contains("q quit") && text.ends_with("wss://ws.kraken.com/v2\n"), "{text}");
}
