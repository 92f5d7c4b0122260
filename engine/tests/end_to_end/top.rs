//! `k2-feed top`: what it prints of a real engine, and how it does in a terminal.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Instant;

use tiny_http::{Response, Server};

use crate::child::{Child, Ended, PATIENCE, k2_feed};
use crate::terminal::Terminal;
use crate::world::{Broker, Exchange, Run, alone};

const SYMBOLS: [&str; 2] = ["BTCUSDT", "ETHUSDT"];
const USUAL: (u16, u16) = (80, 24);
/// Keys as a terminal sends them.
const SHIFT_TAB: &str = "\x1b[Z";
const PAGE_DOWN: &str = "\x1b[6~";
const CTRL_C: &str = "\x03";

/// Answers as an engine did once; its uptime grows by a second with each answer.
struct Recorded {
    server: Arc<Server>,
    thread: Option<JoinHandle<()>>,
}

impl Recorded {
    fn start(address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let server = Arc::new(Server::from_listener(listener, None).unwrap());
        let answers = server.clone();
        let thread = std::thread::spawn(move || {
            let recorded = include_str!("../../src/top/tests/status.json");
            let mut status: serde_json::Value = serde_json::from_str(recorded).unwrap();
            for request in answers.incoming_requests() {
                assert_eq!(request.url(), "/status");
                status["uptime_s"] = (status["uptime_s"].as_f64().unwrap() + 1.0).into();
                // Who asked may have ended.
                let _ = request.respond(Response::from_string(status.to_string()));
            }
        });
        Recorded { server, thread: Some(thread) }
    }

    fn anywhere() -> Self {
        Recorded::start(([127, 0, 0, 1], 0).into())
    }

    fn address(&self) -> SocketAddr {
        self.server.server_addr().to_ip().unwrap()
    }

    fn url(&self) -> String {
        format!("http://{}", self.address())
    }
}

impl Drop for Recorded {
    fn drop(&mut self) {
        self.server.unblock();
        let _ = self.thread.take().unwrap().join();
    }
}

/// `k2-feed top` with these arguments, without a terminal.
fn top(arguments: &[&str]) -> Ended {
    Child::start(k2_feed(&[&["top"], arguments].concat())).ended()
}

fn in_terminal(recorded: &Recorded) -> Terminal {
    Terminal::start(&["top", "--every", "500ms", "--url", &recorded.url()], USUAL)
}

#[test]
fn an_engine_that_is_not_there_is_told_with_the_way_out() {
    let url = Recorded::anywhere().url();
    for once in [&[][..], &["--once"]] {
        let ended = top(&[&["--url", &url], once].concat()).expect(1);
        let said = ended.says(&[&format!("error: {url}: "), "refused", "http.listen"]);
        assert_eq!((said.stdout.as_str(), said.stderr.lines().count()), ("", 1));
    }
    top(&["--url", "localhost:9090", "--once"]).expect(2).says(&["--url", "such as http://127.0.0.1:9090"]);
    top(&["--every", "0s", "--once"]).expect(2).says(&["--every", "at least 500ms"]);
}

#[test]
fn where_there_is_no_terminal_one_screen_is_printed() {
    let recorded = Recorded::anywhere();
    let ended = top(&["--every", "500ms", "--url", &recorded.url()]).expect(0);
    let printed: Vec<&str> = ended.stdout.lines().collect();
    assert!(printed[0].starts_with(&format!("k2-feed 0.1.0  {}  up 1 h 2 min  ", recorded.url())), "{}", printed[0]);
    assert!(ended.stdout.contains("addresses 2\nexchange▲  breaker  url\n"), "{}", ended.stdout);
    assert!(ended.stdout.is_ascii() || !ended.stdout.contains('\x1b'), "{}", ended.stdout);
    assert_eq!(ended.stderr, "");
}

#[test]
fn keys_do_what_they_say_and_the_terminal_is_given_back() {
    let recorded = Recorded::anywhere();
    let mut terminal = in_terminal(&recorded);
    terminal.shows("rows 1 to 9 of 14");
    terminal.press(PAGE_DOWN);
    terminal.shows("rows 6 to 14 of 14");
    terminal.press("\t");
    terminal.shows("attempts");
    terminal.press(SHIFT_TAB);
    terminal.shows("last trade▼");
    terminal.press("s");
    terminal.shows("delay▼");
    terminal.press("r");
    terminal.shows("delay▲");
    terminal.press("?");
    terminal.shows("turn its order round");
    terminal.press(" ");
    terminal.until("help gone", |seen| !seen.contains("turn its order round"));
    terminal.press(" ");
    terminal.shows("PAUSED");
    terminal.press("p");
    terminal.until("pause over", |seen| !seen.contains("PAUSED"));
    terminal.press("q");
    terminal.is_given_back(0);
}

#[test]
fn escape_control_c_and_signals_end_it_alike() {
    let recorded = Recorded::anywhere();
    for keys in ["\x1b", CTRL_C] {
        let mut terminal = in_terminal(&recorded);
        terminal.shows("NOT READY");
        terminal.press(keys);
        terminal.is_given_back(0);
    }
    for signal in [libc::SIGTERM, libc::SIGINT, libc::SIGHUP] {
        let mut terminal = in_terminal(&recorded);
        terminal.shows("NOT READY");
        terminal.signal(signal);
        terminal.is_given_back(0);
    }
}

#[test]
fn it_goes_on_while_the_engine_is_gone_and_when_it_is_back() {
    let recorded = Recorded::anywhere();
    let address = recorded.address();
    let mut terminal = in_terminal(&recorded);
    terminal.shows("rows 1 to 9 of 14");
    drop(recorded);
    // A screen comes in pieces; what it said last stays.
    let gone = ["NOT REACHABLE", "no answer since ", "refused", "BTC/USD"];
    terminal.until("that nothing answers", |seen| gone.iter().all(|part| seen.contains(part)));
    // Keys go on, too.
    terminal.press("\t");
    terminal.shows("attempts");
    let _back = Recorded::start(address);
    terminal.shows("LIVE  NOT READY");
    terminal.press("q");
    terminal.is_given_back(0);
}

#[test]
fn it_follows_the_size_of_its_terminal() {
    let recorded = Recorded::anywhere();
    let mut terminal = in_terminal(&recorded);
    terminal.shows("rows 1 to 9 of 14");
    terminal.resize((120, 60));
    let large = terminal.shows("exchange▲  breaker");
    assert!(large.contains("wss://stream.binance.com:9443/ws") && !large.contains("rows 1"), "{large}");
    terminal.resize((60, 20));
    let small = terminal.shows("60x20 has no room for");
    assert!(small.lines().all(|line| line.chars().count() <= 60), "{small}");
    terminal.resize((30, 5));
    terminal.shows("30x5 is too small");
    terminal.resize(USUAL);
    terminal.shows("rows 1 to 9 of 14");
    terminal.press("q");
    terminal.is_given_back(0);
}

/// The words of the row that begins with these, in the table of this name.
fn row<'a>(printed: &'a str, table: &str, begins: &[&str]) -> Vec<&'a str> {
    let from =
        printed.lines().position(|line| line.starts_with(table)).unwrap_or_else(|| panic!("{table}:\n{printed}"));
    let mut rows = printed.lines().skip(from).take_while(|line| !line.is_empty()).map(|row| row.split_whitespace());
    let found = rows.find(|words| words.clone().take(begins.len()).eq(begins.iter().copied()));
    found.unwrap_or_else(|| panic!("{table}: {begins:?}:\n{printed}")).collect()
}

fn number(word: &str) -> f64 {
    word.replace(',', "").parse().unwrap_or_else(|error| panic!("{word}: {error}"))
}

#[test]
fn a_real_engine_is_shown_as_it_is() {
    let _alone = alone();
    let (broker, exchange) = (Broker::start(), Exchange::start(&["--rate", "2000"]));
    let mut run = Run::start(&broker, &exchange.url, &SYMBOLS.join(","));
    let url = run.url();
    let deadline = Instant::now() + PATIENCE;
    // Brokers are known once librdkafka has told of them, which it does once a second; on a busy machine trades may rest.
    let is_whole = |printed: &str| {
        let has =
            ["  LIVE  READY\n", "symbols 2\n", "cores 2\n", "brokers 1\n"].iter().all(|part| printed.contains(part));
        has && SYMBOLS.iter().all(|symbol| row(printed, "symbols 2", &["binance", symbol])[3] == "now")
    };
    let printed = loop {
        let printed = top(&["--once", "--url", &url]).expect(0).stdout;
        if is_whole(&printed) {
            break printed;
        }
        assert!(Instant::now() < deadline, "{printed}");
    };
    assert!(printed.starts_with(&format!("k2-feed {}  {url}  up ", env!("CARGO_PKG_VERSION"))), "{printed}");
    for symbol in SYMBOLS {
        let words = row(&printed, "symbols 2", &["binance", symbol]);
        let (rate, gaps, missing, trades) = (number(words[2]), words[6], words[7], number(words[8]));
        assert!((100.0..10_000.0).contains(&rate) && trades > 0.0, "{printed}");
        assert_eq!((gaps, missing), ("0", "0"), "{printed}");
    }
    let connection = row(&printed, "connections 1", &["binance", "0", "feed-0", "subscribed", "2"]);
    assert_eq!(connection.last(), Some(&exchange.url.as_str()));
    assert_eq!(row(&printed, "cores 2", &["feed-0"])[4], "running", "{printed}");
    assert_eq!(row(&printed, "cores 2", &["producer-0"])[4], "running", "{printed}");
    assert_eq!(row(&printed, "brokers 1", &["producer-0"])[2], "up", "{printed}");
    let raw = row(&printed, "topics", &["market.crypto.trades.binance.raw"]);
    assert!(number(raw[1]) > 0.0 && raw[2..5] == ["0", "0", "0"] && raw[7] == "raw", "{printed}");
    assert_eq!(row(&printed, "addresses 1", &["binance", "closed"])[2], exchange.url);
    let total = printed.lines().find_map(|line| line.split_once("total  ")).expect("the hop is shown").1;
    assert!(total.contains("us") || total.contains("ms"), "{printed}");
    run.stop();
    top(&["--once", "--url", &url]).expect(1).says(&["refused"]);
}
