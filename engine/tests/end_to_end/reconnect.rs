//! Connections that end before their time.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use k2_feed::sim::{self, Rate, SimulatorConfig};
use k2_feed::venue::protocol::Protocol;

use crate::oracle::{MILLISECOND, contiguous, same_trades};
use crate::reader::Reader;
use crate::report;
use crate::world::{Broker, Exchange, Run, alone, variables};

/// The market goes on while the connection is down: what is missing is told, with the ids around it.
#[test]
fn a_cut_connection_comes_back_and_the_gap_is_told() {
    let _alone = alone();
    let broker = Broker::start();
    let market = SimulatorConfig { rate: Rate::PerSecond(10_000.0), ..SimulatorConfig::new(Protocol::BinanceSpot) };
    let simulator = sim::start(market).unwrap();
    let mut run = Run::start(&broker, &simulator.url(), "BTCUSDT").subscribed();
    let mut reader = Reader::start(&broker);
    reader.until(1_000);
    let before_the_cut = reader.found.raw.len();
    simulator.cut_all();
    let gap = run.child.log_line("gap: trades are missing");
    reader.until(before_the_cut + 10_000);
    let stopped = run.stop();
    simulator.stop();

    let found = reader.into_all();
    let ids = &same_trades(&found, MILLISECOND)["BTCUSDT"];
    let jumps: Vec<_> = ids.windows(2).filter(|pair| pair[1] != pair[0] + 1).collect();
    let [jump] = jumps[..] else { panic!("one jump in the ids, not {jumps:?}") };
    let missing = jump[1] - jump[0] - 1;
    for part in [format!("after={}", jump[0]), format!("before={}", jump[1]), format!("missing={missing}")] {
        assert!(gap.contains(&part), "{part:?} in {gap:?}");
    }
    assert!(found.raw.iter().any(|raw| raw.connection == "binance-0.2"), "records name the new connection");
    report::accounting(&stopped.report["accounting"]);
    let accounting = &stopped.report["accounting"];
    assert_eq!((&accounting["gaps"], &accounting["reconnects"]), (&1.into(), &1.into()), "{accounting:#}");
    assert_eq!(accounting["missing"], missing);
}

/// The new market begins its ids anew: what comes again is counted, and nothing stops.
#[test]
fn an_exchange_that_dies_and_comes_back_is_found_again() {
    let _alone = alone();
    let broker = Broker::start();
    let mut first = Exchange::start(&["--rate", "5000"]);
    let address = first.address().to_string();
    let mut run = Run::start(&broker, &first.url, "BTCUSDT,ETHUSDT").subscribed();
    let mut reader = Reader::start(&broker);
    reader.until(1_000);
    first.child.kill();
    run.child.log_line("no connection");
    let _second = Exchange::start(&["--rate", "5000", "--listen", &address]);
    run.child.log_line("binance-0.2");
    let before = reader.found.raw.len();
    reader.until(before + 5_000);
    let stopped = run.stop();
    report::accounting(&stopped.report["accounting"]);
    let accounting = &stopped.report["accounting"];
    assert_eq!(accounting["reconnects"], 1, "{accounting:#}");
    assert_eq!(accounting["records"]["raw"]["acked"], reader.into_all().raw.len());
}

/// SIGTERM while there is no connection and none to be had.
#[test]
fn a_run_without_an_exchange_stops_at_once() {
    let _alone = alone();
    let broker = Broker::start();
    let exchange = Exchange::start(&[]);
    let mut run = Run::start(&broker, &exchange.url, "BTCUSDT").subscribed();
    drop(exchange);
    run.child.log_line("no connection");
    let begun = Instant::now();
    let stopped = run.stop();
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    report::accounting(&stopped.report["accounting"]);
}

/// The waits between attempts begin at 100 ms at the most.
#[test]
fn a_server_that_asks_for_more_time_gets_it() {
    let _alone = alone();
    let broker = Broker::start();
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}/ws", server.local_addr().unwrap());
    let mut run = Run::start(&broker, &url, "BTCUSDT");
    let refuse = |mut client: TcpStream| {
        let _ = client.read(&mut [0; 4096]).unwrap();
        let at = Instant::now();
        client.write_all(b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 2\r\n\r\n").unwrap();
        at
    };
    let first = refuse(server.accept().unwrap().0);
    let second = refuse(server.accept().unwrap().0);
    assert!(second - first >= Duration::from_secs(2), "{:?}", second - first);
    let told = run.child.log_line("no connection");
    let wait = told.split("retry_in_ms=").nth(1).and_then(|rest| rest.split(' ').next()).expect("the wait is told");
    assert!((1_000..=2_000).contains(&wait.parse::<u64>().unwrap()), "{told}");
    assert!(told.contains("HTTP status 429 (Retry-After: 2): too many connections"), "{told}");
    run.stop();
}

/// Connections that are replaced at a set age overlap: no trade is missing, none comes twice.
#[test]
fn connections_are_replaced_at_their_age_without_a_gap() {
    let _alone = alone();
    let broker = Broker::start();
    let exchange = Exchange::start(&["--rate", "5000"]);
    let variables = variables(&broker, &exchange.url, "BTCUSDT,ETHUSDT");
    let mut run = Run::with(&variables, Some("[session]\nmax_age_s = 1\n"), &[]).subscribed();
    let mut reader = Reader::start(&broker);
    for _ in 0..2 {
        run.child.next_log_line("another has taken its place: it is as old as it may become");
    }
    let before = reader.found.raw.len();
    reader.until(before + 1_000);
    let stopped = run.stop();
    contiguous(&same_trades(&reader.into_all(), MILLISECOND));
    report::accounting(&stopped.report["accounting"]);
    let accounting = &stopped.report["accounting"];
    assert_eq!(
        (&accounting["gaps"], &accounting["late"], &accounting["reconnects"]),
        (&0.into(), &0.into(), &0.into())
    );
}

/// The first address is closed at the start; when the second one dies, the first is there.
#[test]
fn whichever_address_answers_is_taken_and_kept() {
    let _alone = alone();
    let broker = Broker::start();
    let market = ["--rate", "5000"];
    let mut first = Exchange::start(&market);
    let (first_url, first_address) = (first.url.clone(), first.address().to_string());
    first.child.kill();
    let mut second = Exchange::start(&market);
    let feed = format!(
        "[[feed]]\nexchange = \"binance\"\nsymbols = [\"BTCUSDT\"]\nurl = \"{first_url}\"\nalternatives = [\"{}\"]\n",
        second.url
    );
    let places = variables(&broker, "", "").into_iter().filter(|(name, _)| name.starts_with("K2_KAFKA"));
    let mut run = Run::with(&places.collect::<Vec<_>>(), Some(&feed), &[]).subscribed();
    let refused = run.child.log_line("no connection");
    assert!(refused.contains(&first_url) && refused.contains("Connection refused"), "{refused}");
    let connected = run.child.log_line("connected");
    assert!(connected.contains("binance-0.1") && connected.contains(&second.url), "{connected}");
    let mut reader = Reader::start(&broker);
    reader.until(1_000);

    let _first = Exchange::start(&[&market[..], &["--listen", &first_address]].concat());
    second.child.kill();
    let refused = run.child.next_log_line("no connection");
    assert!(refused.contains(&second.url), "the one that had worked is tried before others: {refused}");
    let connected = run.child.next_log_line("connected");
    assert!(connected.contains("binance-0.2") && connected.contains(&first_url), "{connected}");
    let before = reader.found.raw.len();
    reader.until(before + 5_000);
    let stopped = run.stop();
    report::accounting(&stopped.report["accounting"]);
    assert_eq!(stopped.report["accounting"]["reconnects"], 1, "{:#}", stopped.report["accounting"]);
    assert_eq!(stopped.report["config"]["feed"][0]["alternatives"][0], second.url);
}
