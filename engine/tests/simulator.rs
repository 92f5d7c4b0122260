//! The simulator, read by an independent client: tungstenite's.

use std::collections::{HashMap, HashSet};
use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use flate2::read::MultiGzDecoder;
use k2_feed::sim::{Burst, Exchange, Ledger, Rate, Replay, SimError, Simulator, SimulatorConfig, Speed, Stop, start};
use serde_json::{Value, json};
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::{Error, Message, WebSocket};

/// No read of these tests takes longer unless something is broken.
const PATIENCE: Duration = Duration::from_secs(20);

struct Client(WebSocket<TcpStream>);

impl Client {
    fn connect(simulator: &Simulator, target: &str) -> Self {
        Self::try_connect(simulator, target).expect("a handshake")
    }

    fn try_connect(simulator: &Simulator, target: &str) -> Result<Self, String> {
        let socket = TcpStream::connect(simulator.addr()).map_err(|error| error.to_string())?;
        socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        let url = format!("ws://{}{target}", simulator.addr());
        let (web_socket, _) = tungstenite::client(url, socket).map_err(|error| error.to_string())?;
        Ok(Self(web_socket))
    }

    fn subscribed(simulator: &Simulator, target: &str, streams: &[&str]) -> Self {
        let mut client = Self::connect(simulator, target);
        let ack = client.ask(&json!({"method": "SUBSCRIBE", "params": streams, "id": 1}).to_string());
        assert_eq!(ack, r#"{"result":null,"id":1}"#);
        client
    }

    /// Sends a request and returns the first text frame after it.
    fn ask(&mut self, request: &str) -> String {
        self.0.send(Message::text(request)).expect("a request sent");
        self.text()
    }

    fn text(&mut self) -> String {
        loop {
            match self.0.read().expect("a frame") {
                Message::Text(text) => return text.as_str().to_owned(),
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("unexpected {other:?}"),
            }
        }
    }

    fn json(&mut self) -> Value {
        serde_json::from_str(&self.text()).expect("JSON")
    }

    /// Everything until the connection ends, and how it ended.
    fn rest(&mut self) -> (Vec<String>, Option<(CloseCode, String)>) {
        let mut texts = Vec::new();
        let mut close = None;
        loop {
            match self.0.read() {
                Ok(Message::Text(text)) => texts.push(text.as_str().to_owned()),
                Ok(Message::Close(frame)) => {
                    close = frame.map(|frame| (frame.code, frame.reason.as_str().to_owned()));
                }
                Ok(_) => {}
                Err(Error::Io(error)) if error.kind() == std::io::ErrorKind::WouldBlock => {
                    panic!("nothing came for {PATIENCE:?}")
                }
                Err(_) => return (texts, close),
            }
        }
    }
}

fn config(symbols: &[&str]) -> SimulatorConfig {
    SimulatorConfig {
        symbols: symbols.iter().map(|symbol| (*symbol).to_owned()).collect(),
        ..SimulatorConfig::new(Exchange::Binance)
    }
}

/// A market that makes `count` trades as fast as they are taken.
fn counted(symbols: &[&str], count: u64) -> SimulatorConfig {
    SimulatorConfig { rate: Rate::Max, stop: Stop::Count(count), ..config(symbols) }
}

/// A market that never makes a trade while a test runs, but for the one that is due at once.
fn quiet() -> Simulator {
    start(SimulatorConfig { rate: Rate::PerSecond(0.001), ..config(&["BTCUSDT"]) }).expect("a simulator")
}

fn until_done(simulator: &Simulator) {
    let begun = Instant::now();
    while !simulator.is_done() {
        assert!(begun.elapsed() < PATIENCE, "not done: {:?}", simulator.progress());
        std::thread::yield_now();
    }
}

fn id(trade: &Value) -> u64 {
    trade["t"].as_u64().expect("a trade id")
}

fn assert_contiguous(ids: &[u64]) {
    assert!(ids.windows(2).all(|pair| pair[1] == pair[0] + 1), "a gap in {ids:?}");
}

#[test]
fn a_subscription_is_acknowledged_before_its_trades_and_ids_are_contiguous() {
    let simulator = start(counted(&["BTCUSDT", "ETHUSDT"], 2_000)).unwrap();
    let mut client = Client::subscribed(&simulator, "/ws", &["btcusdt@trade", "ethusdt@trade"]);
    let mut ids: HashMap<String, Vec<u64>> = HashMap::new();
    let mut prices = HashSet::new();
    for _ in 0..2_000 {
        let trade = client.json();
        let fields: Vec<&String> = trade.as_object().unwrap().keys().collect();
        assert_eq!(fields, ["e", "E", "s", "t", "p", "q", "T", "m", "M"]);
        assert_eq!((&trade["e"], &trade["M"]), (&json!("trade"), &json!(true)));
        assert!(trade["m"].is_boolean());
        for decimal in ["p", "q"] {
            let (whole, fraction) = trade[decimal].as_str().unwrap().split_once('.').unwrap();
            assert!(whole.parse::<u64>().is_ok() && fraction.len() == 8, "{trade}");
        }
        let (event, traded) = (trade["E"].as_i64().unwrap(), trade["T"].as_i64().unwrap());
        assert!((1_700_000_000_000..5_000_000_000_000).contains(&traded) && event >= traded, "{trade}");
        prices.insert(trade["p"].as_str().unwrap().to_owned());
        ids.entry(trade["s"].as_str().unwrap().to_owned()).or_default().push(id(&trade));
    }
    assert_eq!(ids.len(), 2);
    ids.values().for_each(|ids| assert_contiguous(ids));
    assert!(prices.len() > 100, "{} prices", prices.len());
    until_done(&simulator);
    let summary = simulator.stop();
    assert_eq!((summary.progress.sent, summary.progress.unheard), (2_000, 0));
    assert_eq!(summary.progress.lateness.frames, 2_000);
}

#[test]
fn each_endpoint_has_its_shape_and_its_unit_of_time() {
    for (target, combined, micros) in [
        ("/ws/btcusdt@trade", false, false),
        ("/ws/btcusdt@trade?timeUnit=MICROSECOND", false, true),
        ("/stream?streams=btcusdt@trade/ethusdt@trade", true, false),
        ("/stream?streams=btcusdt@trade&timeUnit=MICROSECOND", true, true),
    ] {
        let simulator = start(counted(&["BTCUSDT"], 3)).unwrap();
        let mut client = Client::connect(&simulator, target);
        let text = client.text();
        let frame: Value = serde_json::from_str(&text).unwrap();
        let trade = if combined {
            assert!(text.starts_with(r#"{"stream":"btcusdt@trade","data":{"e":"trade","E":"#), "{text}");
            frame["data"].clone()
        } else {
            assert!(text.starts_with(r#"{"e":"trade","E":"#), "{text}");
            frame
        };
        assert_eq!(trade["s"], "BTCUSDT", "{target}");
        assert_eq!(trade["T"].as_i64().unwrap() > 100_000_000_000_000, micros, "{text}");
        simulator.stop();
    }
}

#[test]
fn subscriptions_are_listed_and_end_on_request() {
    let simulator = quiet();
    let mut client = Client::subscribed(&simulator, "/stream", &["ethusdt@trade", "btcusdt@depth@100ms"]);
    assert_eq!(
        client.ask(r#"{"method":"LIST_SUBSCRIPTIONS","id":"list"}"#),
        r#"{"result":["ethusdt@trade","btcusdt@depth@100ms"],"id":"list"}"#
    );
    assert_eq!(
        client.ask(r#"{"method":"UNSUBSCRIBE","params":["ethusdt@trade"],"id":3}"#),
        r#"{"result":null,"id":3}"#
    );
    assert_eq!(client.ask(r#"{"method":"LIST_SUBSCRIPTIONS","id":4}"#), r#"{"result":["btcusdt@depth@100ms"],"id":4}"#);
    simulator.stop();
}

#[test]
fn errors_are_replies_and_leave_the_connection_up() {
    let simulator = quiet();
    let mut client = Client::connect(&simulator, "/ws");
    assert_eq!(client.ask("{"), r#"{"code":3,"msg":"Invalid JSON: expected value at line 1 column 1"}"#);
    assert_eq!(
        client.ask(r#"{"method":"SUBSCRIBE","params":["btcusdt"],"id":7}"#),
        r#"{"error":{"code":2,"msg":"Invalid request: invalid stream"},"id":7}"#
    );
    let too_many: Vec<String> = (0..1_025).map(|n| format!("s{n}@trade")).collect();
    assert_eq!(
        client.ask(&json!({"method": "SUBSCRIBE", "params": too_many, "id": 8}).to_string()),
        r#"{"error":{"code":4,"msg":"Too many subscriptions"},"id":8}"#
    );
    assert_eq!(client.ask(r#"{"method":"LIST_SUBSCRIPTIONS","id":9}"#), r#"{"result":[],"id":9}"#);
    simulator.stop();
}

#[test]
fn the_sixth_message_of_a_second_ends_the_connection() {
    let simulator = quiet();
    let mut client = Client::connect(&simulator, "/ws");
    for n in 0..6 {
        client.0.send(Message::text(format!(r#"{{"method":"LIST_SUBSCRIPTIONS","id":{n}}}"#))).unwrap();
    }
    let (replies, close) = client.rest();
    assert_eq!(replies.len(), 5);
    assert_eq!(close, Some((CloseCode::Policy, "Too many requests".to_owned())));
    assert_eq!(simulator.stop().progress.limits_exceeded, 1);
}

#[test]
fn a_path_that_does_not_exist_is_a_404_at_the_upgrade() {
    let simulator = quiet();
    let refused = Client::try_connect(&simulator, "/websocket").err().unwrap();
    assert!(refused.contains("404"), "{refused}");
    assert_eq!(simulator.stop().progress.connections, 0);
}

#[test]
fn pings_come_and_a_client_that_does_not_answer_is_closed() {
    let interval = Duration::from_millis(20);
    let simulator =
        start(SimulatorConfig { ping_interval: interval, pong_timeout: 10 * interval, ..config(&["BTCUSDT"]) })
            .unwrap();
    let mut client = Client::connect(&simulator, "/ws");
    let Message::Ping(payload) = client.0.read().unwrap() else { panic!("no ping") };
    assert!(!payload.is_empty());
    // A client that reads answers by itself, but this one writes into the void: its pongs differ from the pings.
    let mut raw = Client::connect(&simulator, "/ws").0;
    let socket = raw.get_mut().try_clone().unwrap();
    let mut silent = BufReader::new(socket);
    let mut received = Vec::new();
    std::io::Read::read_to_end(&mut silent, &mut received).unwrap();
    let close = [&[0x88, 2 + 12, 0x03, 0xf0][..], b"Pong timeout"].concat();
    assert!(received.starts_with(&[0x89]) && received.ends_with(&close), "{received:?}");
    simulator.stop();
}

#[test]
fn shutdown_is_announced_in_the_connections_shape_and_closes_with_1001() {
    for (target, start_of_notice) in [
        ("/ws", r#"{"e":"serverShutdown","E":"#),
        ("/stream", r#"{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":"#),
    ] {
        let simulator = quiet();
        let mut client = Client::subscribed(&simulator, target, &["ethusdt@trade"]);
        let reader = std::thread::spawn(move || client.rest());
        simulator.stop();
        let (texts, close) = reader.join().unwrap();
        assert!(texts.last().unwrap().starts_with(start_of_notice), "{texts:?}");
        assert_eq!(close, Some((CloseCode::Away, String::new())));
    }
}

#[test]
fn symbols_that_do_not_exist_are_acknowledged_and_silent() {
    let simulator = start(counted(&["BTCUSDT"], 100)).unwrap();
    let mut client = Client::subscribed(&simulator, "/ws", &["nosuch@trade", "BTCUSDT@trade", "btcusdt@trade"]);
    for _ in 0..100 {
        assert_eq!(client.json()["s"], "BTCUSDT");
    }
    simulator.stop();
    let open = start(counted(&[], 100)).unwrap();
    let mut client = Client::subscribed(&open, "/ws", &["nosuch@trade"]);
    assert_eq!(client.json()["s"], "NOSUCH");
    assert_eq!(open.symbols(), ["NOSUCH"]);
    open.stop();
}

#[test]
fn a_seed_decides_everything_but_the_times() {
    let read = |seed| {
        let simulator =
            start(SimulatorConfig { seed, start_when: 2, ..counted(&["BTCUSDT", "ETHUSDT"], 500) }).unwrap();
        let mut client = Client::subscribed(&simulator, "/ws", &["btcusdt@trade", "ethusdt@trade"]);
        let trades: Vec<Value> = (0..500)
            .map(|_| {
                let mut trade = client.json();
                trade["E"].take();
                trade["T"].take();
                trade
            })
            .collect();
        simulator.stop();
        trades
    };
    assert_eq!(read(5), read(5));
    assert_ne!(read(5), read(6));
}

#[test]
fn ids_grow_a_digit_without_a_broken_frame() {
    let simulator =
        start(SimulatorConfig { first_trade_id: Some(9_999_999_990), ..counted(&["BTCUSDT"], 20) }).unwrap();
    let mut client = Client::subscribed(&simulator, "/ws", &["btcusdt@trade"]);
    let ids: Vec<u64> = (0..20).map(|_| id(&client.json())).collect();
    assert_eq!(ids[19], 10_000_000_009);
    assert_contiguous(&ids);
    simulator.stop();
}

#[test]
fn the_market_goes_on_while_a_client_is_cut_off() {
    let simulator = start(SimulatorConfig { rate: Rate::PerSecond(20_000.0), ..config(&["BTCUSDT"]) }).unwrap();
    let mut client = Client::subscribed(&simulator, "/ws", &["btcusdt@trade"]);
    client.text();
    simulator.cut_all();
    let (texts, close) = client.rest();
    assert_eq!(close, None, "a cut is no close");
    let before: Vec<u64> = texts.iter().map(|text| id(&serde_json::from_str(text).unwrap())).collect();
    assert_contiguous(&before);
    let unheard = simulator.progress().unheard;
    while simulator.progress().unheard < unheard + 10 {
        std::thread::yield_now();
    }
    let mut client = Client::subscribed(&simulator, "/ws", &["btcusdt@trade"]);
    let after: Vec<u64> = (0..100).map(|_| id(&client.json())).collect();
    assert_contiguous(&after);
    assert!(after[0] > before.last().unwrap_or(&0) + 10);
    assert_eq!(simulator.stop().progress.connections, 2);
}

#[test]
fn a_reader_that_pauses_does_not_slow_the_schedule() {
    let count = 30_000;
    let simulator =
        start(SimulatorConfig { rate: Rate::PerSecond(100_000.0), stop: Stop::Count(count), ..config(&["BTCUSDT"]) })
            .unwrap();
    let mut client = Client::subscribed(&simulator, "/ws", &["btcusdt@trade"]);
    // Nothing is read until every trade has been made: over 4 MB, more than the sockets hold without a reader.
    while simulator.progress().scheduled < count {
        std::thread::yield_now();
    }
    let trades: Vec<Value> = (0..count).map(|_| client.json()).collect();
    assert_contiguous(&trades.iter().map(id).collect::<Vec<_>>());
    let time = |trade: &Value| trade["T"].as_i64().unwrap();
    let took = time(trades.last().unwrap()) - time(&trades[0]);
    assert!((299..=301).contains(&took), "300 ms of trades by their own times, not {took}");
    until_done(&simulator);
    assert_eq!(simulator.stop().progress.lateness.frames, count);
}

#[test]
fn a_reader_that_stays_away_is_cut_and_counted_and_others_are_not() {
    let simulator =
        start(SimulatorConfig { rate: Rate::PerSecond(200_000.0), backlog_bytes: 64 * 1024, ..config(&["BTCUSDT"]) })
            .unwrap();
    let mut slow = Client::subscribed(&simulator, "/ws", &["btcusdt@trade"]);
    let mut quick = Client::subscribed(&simulator, "/stream", &["btcusdt@trade"]);
    let mut ids = Vec::new();
    while simulator.progress().slow_readers_cut == 0 {
        ids.push(quick.json()["data"]["t"].as_u64().unwrap());
    }
    assert_contiguous(&ids);
    let (texts, close) = slow.rest();
    assert!(!texts.is_empty() && close.is_none());
    assert_eq!(simulator.progress().open_connections, 1);
    simulator.stop();
}

#[test]
fn the_end_by_time_is_the_end_of_the_schedule() {
    let simulator = start(SimulatorConfig {
        rate: Rate::PerSecond(10_000.0),
        burst: Some(Burst { factor: 5.0, period: Duration::from_millis(50) }),
        stop: Stop::After(Duration::from_millis(200)),
        ..config(&["BTCUSDT"])
    })
    .unwrap();
    let _client = Client::subscribed(&simulator, "/ws", &["btcusdt@trade"]);
    until_done(&simulator);
    assert_eq!(simulator.stop().progress.scheduled, 2_000);
}

#[test]
fn the_ledger_is_what_a_client_reads() {
    let (ledger, reader) = Ledger::new(4, Some(1_000));
    let count: usize = 20_000;
    let simulator = start(SimulatorConfig {
        ledger: Some(ledger),
        start_when: 2,
        ..counted(&["BTCUSDT", "PEPEUSDT"], count as u64)
    })
    .unwrap();
    let mut client = Client::subscribed(&simulator, "/stream", &["btcusdt@trade", "pepeusdt@trade"]);
    let verified = reader.verified();
    let mut seen = 0;
    while seen < count {
        let batch = reader.recv_timeout(PATIENCE).unwrap();
        let at = |range: &std::ops::Range<usize>| std::str::from_utf8(&batch.bytes[range.clone()]).unwrap();
        for sent in &batch.trades {
            let text = client.text();
            assert_eq!(at(&sent.frame), text);
            let trade = &serde_json::from_str::<Value>(&text).unwrap()["data"];
            assert_eq!(trade["s"], simulator.symbols()[sent.symbol as usize].as_str());
            assert_eq!((id(trade), trade["m"].as_bool()), (sent.id, Some(sent.is_buyer_maker)));
            assert_eq!(
                (at(&sent.price), at(&sent.quantity)),
                (trade["p"].as_str().unwrap(), trade["q"].as_str().unwrap())
            );
            assert_eq!(trade["T"].as_i64(), Some(sent.due_unix_ns / 1_000_000));
        }
        seen += batch.trades.len();
        let in_flight = simulator.progress().sent - verified.load(std::sync::atomic::Ordering::Acquire);
        assert!(in_flight <= 1_000, "{in_flight} sent but not verified");
        verified.store(seen as u64, std::sync::atomic::Ordering::Release);
        reader.give_back(batch);
    }
    assert_eq!(seen, count);
    simulator.stop();
    assert!(reader.recv().is_none());
}

/// Lines of the recording that others made at Binance, if it is there.
fn recording() -> Option<(PathBuf, Vec<String>)> {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/recorded/binance-spot-btcusdt.txt.gz");
    let Ok(opened) = std::fs::File::open(&file) else {
        eprintln!("skipped: no recording at {}", file.display());
        return None;
    };
    let lines = BufReader::new(MultiGzDecoder::new(opened)).lines();
    let frames = lines.map(|line| line.unwrap().split_once(' ').unwrap().1.to_owned()).collect();
    Some((file, frames))
}

fn replayed(file: PathBuf, target: &str, streams: &[&str]) -> Vec<String> {
    let replay = Some(Replay { file, speed: Speed::Max });
    let simulator = start(SimulatorConfig { replay, start_when: streams.len(), ..config(&[]) }).unwrap();
    let mut client = Client::subscribed(&simulator, target, streams);
    let reader = std::thread::spawn(move || client.rest().0);
    until_done(&simulator);
    simulator.stop();
    let mut texts = reader.join().unwrap();
    assert!(texts.pop().unwrap().contains("serverShutdown"));
    texts
}

#[test]
fn a_recording_is_replayed_byte_for_byte() {
    let Some((file, frames)) = recording() else {
        return;
    };
    let starts = |stream: &str| format!(r#"{{"stream":"{stream}","data":"#);
    let (trade, ticker) = (starts("btcusdt@trade"), starts("btcusdt@bookTicker"));
    let trades: Vec<&str> = frames.iter().filter(|frame| frame.starts_with(&trade)).map(String::as_str).collect();
    assert!(trades.len() > 9_000, "{} trades in the recording", trades.len());

    let wrapped = replayed(file.clone(), "/stream", &["btcusdt@trade"]);
    assert!(wrapped == trades, "{} frames of {}", wrapped.len(), trades.len());

    let bare = replayed(file.clone(), "/ws", &["btcusdt@trade"]);
    let expected: Vec<&str> = trades.iter().map(|frame| &frame[trade.len()..frame.len() - 1]).collect();
    assert!(bare == expected, "{} frames of {}", bare.len(), expected.len());

    let both = replayed(file, "/stream", &["btcusdt@bookTicker", "btcusdt@trade"]);
    let expected: Vec<&String> =
        frames.iter().filter(|frame| frame.starts_with(&trade) || frame.starts_with(&ticker)).collect();
    assert!(both.iter().eq(expected.iter().copied()), "{} frames of {}", both.len(), expected.len());
}

#[test]
fn a_replay_keeps_the_recorded_spacing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("short.txt");
    let line = |ms: u64| format!("{} {{\"stream\":\"a@trade\",\"data\":{{\"t\":{ms}}}}}\n", ms * 1_000_000);
    std::fs::write(&file, [line(1_000), line(1_001), line(1_400)].concat()).unwrap();
    let replay = Some(Replay { file, speed: Speed::Times(2.0) });
    let simulator = start(SimulatorConfig { replay, ..config(&[]) }).unwrap();
    let mut client = Client::subscribed(&simulator, "/ws", &["a@trade"]);
    let begun = Instant::now();
    assert_eq!(client.text(), r#"{"t":1000}"#);
    assert_eq!(client.text(), r#"{"t":1001}"#);
    assert_eq!(client.text(), r#"{"t":1400}"#);
    assert!(begun.elapsed() >= Duration::from_millis(150), "400 ms at twice the speed, not {:?}", begun.elapsed());
    until_done(&simulator);
    simulator.stop();
}

#[test]
fn what_cannot_be_done_is_refused_with_the_value_and_the_way_out() {
    let error = |config| match start(config) {
        Err(error) => error,
        Ok(simulator) => panic!("started on {}", simulator.addr()),
    };
    let first = quiet();
    let taken = error(SimulatorConfig { listen: first.addr(), ..config(&[]) });
    assert!(taken.to_string().contains(&format!("cannot listen on {}", first.addr())), "{taken}");
    assert!(taken.to_string().contains("port 0"), "{taken}");
    first.stop();
    let SimError::Symbol(bad) = error(config(&["btcusdt"])) else { panic!("another error") };
    assert_eq!(bad, "btcusdt");
    error(SimulatorConfig { start_when: 2, ..config(&["BTCUSDT"]) });
    error(SimulatorConfig { rate: Rate::PerSecond(0.0), ..config(&[]) });
    let missing = Some(Replay { file: "/no/such.gz".into(), speed: Speed::Max });
    let missing = error(SimulatorConfig { replay: missing, ..config(&[]) }).to_string();
    assert!(missing.contains("/no/such.gz"), "{missing}");
    let unknown = "binanse".parse::<Exchange>().unwrap_err().to_string();
    assert!(unknown.contains("binanse") && unknown.contains("did you mean 'binance'"), "{unknown}");
}
