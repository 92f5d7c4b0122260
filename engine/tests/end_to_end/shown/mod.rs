//! What a running engine shows to whoever asks: metrics, health, status; and to systemd.

mod page;
mod systemd;

use std::time::Instant;

use k2_feed::http::status::{Core, Status};
use nix::sys::ptrace;
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;

use crate::child::{Child, PATIENCE, k2_feed};
use crate::reader::Reader;
use crate::world::{Broker, Exchange, Run, alone, variables};
use page::{Metrics, get};

const SYMBOLS: &str = "BTCUSDT,ETHUSDT,SOLUSDT";

impl Run {
    /// Where the run is looked at.
    pub(crate) fn url(&mut self) -> String {
        let line = self.child.log_line("metrics, health and status are served");
        format!("http://{}", line.split_once("address=").unwrap().1.trim())
    }
}

/// Asks for a page until it is as expected.
fn until(url: &str, path: &str, is_expected: impl Fn(u16, &str) -> bool) -> String {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let (status, body) = get(url, path);
        if is_expected(status, &body) {
            return body;
        }
        assert!(Instant::now() < deadline, "{path}: {status}: {body}");
        std::thread::yield_now();
    }
}

/// `k2-feed health` with these arguments: its exit code, and what it prints.
fn health(arguments: &[&str]) -> (Option<i32>, String, String) {
    let ended = Child::start(k2_feed(&[&["health"], arguments].concat())).ended();
    (ended.code, ended.stdout, ended.stderr)
}

#[test]
fn what_is_shown_agrees_with_the_report() {
    let _alone = alone();
    let (broker, exchange) = (Broker::start(), Exchange::start(&["--rate", "5000", "--count", "5000"]));
    let mut run = Run::start(&broker, &exchange.url, SYMBOLS);
    let url = run.url();
    until(&url, "/readyz", |status, body| status == 200 && body == "ok\n");
    assert_eq!(get(&url, "/livez"), (200, "ok\n".into()));
    assert_eq!(health(&["--url", &url, "--ready"]), (Some(0), "ok".into(), String::new()));
    let up = Metrics::of(&get(&url, "/metrics").1);
    assert_eq!(up.sum("k2_feed_connections{exchange=\"binance\",state=\"subscribed\"}"), 1.0);
    let status: Status = serde_json::from_str(&get(&url, "/status").1).unwrap();
    assert!(status.live && status.ready, "{:?}", status.reasons);
    let [connection] = &status.connections[..] else { panic!("{:?}", status.connections) };
    assert_eq!((connection.symbols, connection.subscribed, connection.attempts), (3, 3, 1));

    // The exchange ends with its last trade.
    Reader::start(&broker).until(5_000);

    let outcome = "k2_feed_records_total{kind=\"normalized\",outcome=\"acked\"";
    let page = until(&url, "/metrics", |_, body| Metrics::of(body).sum(outcome) == 5_000.0);
    let metrics = Metrics::of(&page);
    assert_eq!(metrics.sum("k2_feed_trades_total"), 5_000.0);
    assert_eq!(metrics.sum("k2_feed_frames_total{core=\"feed-0\",outcome=\"decoded\"}"), 5_000.0);
    assert_eq!(metrics.sum("k2_feed_hop_seconds_count{core=\"producer-0\",hop=\"total\"}"), 10_000.0);
    assert_eq!(metrics.sum("k2_feed_hop_seconds_bucket{core=\"producer-0\",hop=\"total\",le=\"+Inf\"}"), 10_000.0);
    assert_eq!(metrics.sum("k2_feed_breaker_state{"), 1.0, "one state of one address");
    assert_eq!(metrics.sum("k2_feed_accounting_broken_total"), 0.0);
    assert!(metrics.sum("k2_feed_core_cpu_seconds_total{core=\"feed-0\"") > 0.0);
    assert!(metrics.sum("process_resident_memory_bytes") > 1e6);

    let status: Status = serde_json::from_str(&get(&url, "/status").1).unwrap();
    let traded: u64 = status.symbols.iter().map(|symbol| symbol.trades).sum();
    assert_eq!((status.symbols.len(), traded), (3, 5_000));
    assert!(status.symbols.iter().all(|symbol| symbol.last_trade_s_ago.is_some() && symbol.gaps == 0));
    let cores: Vec<_> = status.cores.iter().map(|core| core.core.as_str()).collect();
    assert_eq!(cores, ["feed-0", "producer-0"]);
    assert_eq!((status.cores[0].frames.is_some(), status.cores[1].queue_records), (true, Some(0)));
    let is_share = |core: &Core| core.busy_seconds.is_some_and(|busy| busy > 0.0 && busy < status.uptime_s);
    assert!(status.cores.iter().all(is_share), "{:?}", status.cores);

    let stopped = run.stop();
    let records = &stopped.report["accounting"]["records"];
    assert_eq!(records, &status.accounting["records"], "nothing came after the status");
}

#[test]
fn a_core_that_is_stuck_turns_it_red_and_is_named() {
    let _alone = alone();
    let (broker, exchange) = (Broker::start(), Exchange::start(&["--rate", "1000"]));
    let mut run = Run::start(&broker, &exchange.url, SYMBOLS);
    let url = run.url();
    until(&url, "/readyz", |status, _| status == 200);
    for (thread, core) in [("k2-feed-0", "feed-0"), ("k2-produce-0", "producer-0")] {
        let thread = run.child.thread(thread);
        let began = Instant::now();
        ptrace::seize(thread, ptrace::Options::empty()).unwrap();
        ptrace::interrupt(thread).unwrap();
        waitpid(thread, Some(WaitPidFlag::__WALL)).unwrap();
        let reasons = until(&url, "/livez", |status, _| status == 503);
        let after = began.elapsed();
        assert!(reasons.starts_with(&format!("{core} has shown no sign of life for ")), "{reasons}");
        assert!(after.as_secs_f64() < 5.0, "{after:?}");
        let (code, said, _) = health(&["--url", &url]);
        assert!(code == Some(1) && said.contains(core), "{code:?} {said}");
        let metrics = Metrics::of(&get(&url, "/metrics").1);
        assert_eq!(metrics.sum(&format!("k2_feed_core_stuck{{core=\"{core}\"}}")), 1.0);
        assert_eq!(metrics.sum("k2_feed_core_stuck"), 1.0, "the other one is well");
        ptrace::detach(thread, None).unwrap();
        until(&url, "/livez", |status, _| status == 200);
    }
    run.stop();
}

impl Child {
    /// The kernel's number of the child's thread of this name.
    fn thread(&self, name: &str) -> Pid {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.id())).unwrap();
        let is_it = |path: &std::path::Path| {
            std::fs::read_to_string(path.join("comm")).is_ok_and(|comm| comm.trim_end() == name)
        };
        let mut paths = tasks.map(|entry| entry.unwrap().path());
        let path = paths.find(|path| is_it(path)).unwrap_or_else(|| panic!("there is no thread {name}"));
        Pid::from_raw(path.file_name().unwrap().to_str().unwrap().parse().unwrap())
    }
}

#[test]
fn it_is_not_ready_without_its_exchange_or_its_broker() {
    let _alone = alone();
    let (broker, exchange) = (Broker::start(), Exchange::start(&["--rate", "100"]));
    let file = "[kafka.librdkafka]\n\"statistics.interval.ms\" = 100\n";
    let mut run = Run::with(&variables(&broker, &exchange.url, SYMBOLS), Some(file), &[]);
    let url = run.url();
    until(&url, "/readyz", |status, _| status == 200);
    let up = "k2_feed_kafka_broker_up{";
    until(&url, "/metrics", |_, body| Metrics::of(body).sum(up) == 1.0);
    // It holds its connections, and answers nothing.
    broker.child.signal(libc::SIGSTOP);
    until(&url, "/readyz", |status, body| status == 503 && body.starts_with("no record was acknowledged for 1"));
    broker.child.signal(libc::SIGCONT);
    until(&url, "/readyz", |status, _| status == 200);
    drop(exchange);
    let reasons = until(&url, "/readyz", |status, _| status == 503);
    assert!(reasons.starts_with("binance-0 is "), "{reasons}");
    drop(broker);
    let reasons = until(&url, "/readyz", |_, body| body.contains("broker"));
    assert!(reasons.ends_with("producer-0 has no broker\n"), "{reasons}");
    assert_eq!(get(&url, "/livez").0, 200, "it is alive, and waits");
    let metrics = Metrics::of(&get(&url, "/metrics").1);
    assert_eq!((metrics.sum(up), metrics.count(up)), (0.0, 1));
    let not_well = health(&["--url", &url, "--ready"]);
    assert!(not_well.0 == Some(1) && not_well.1.contains("producer-0 has no broker"), "{not_well:?}");
}

#[test]
fn before_the_schema_is_seen_to_it_is_alive_but_not_ready() {
    let _alone = alone();
    let broker = Broker::start();
    // Nothing listens there, and the registry is waited for.
    let settings = [
        ("K2_EXCHANGE", "binance"),
        ("K2_SYMBOLS", "BTCUSDT"),
        ("K2_KAFKA_BOOTSTRAP_SERVERS", broker.servers.as_str()),
        ("K2_KAFKA_SCHEMA_REGISTRY_URL", "http://127.0.0.1:1"),
    ];
    let mut run = Run::with(&settings, None, &[]);
    let url = run.url();
    let (status, reasons) = get(&url, "/readyz");
    assert_eq!((status, reasons.as_str()), (503, "it starts: broker, topics and schema are not seen to yet\n"));
    assert_eq!(get(&url, "/livez").0, 200);
    assert!(get(&url, "/metrics").1.contains("k2_feed_build_info{version="));
}

#[test]
fn an_address_that_is_taken_ends_the_start_and_nobody_who_answers_is_not_well() {
    let _alone = alone();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let run =
        Run::with(&[("K2_EXCHANGE", "binance"), ("K2_SYMBOLS", "BTCUSDT"), ("K2_HTTP_LISTEN", &address)], None, &[]);
    let ended = run.child.ended().expect(1);
    assert!(ended.says(&[&address, "in use", "K2_HTTP_LISTEN"]).stdout.is_empty());
    drop(taken);
    let (code, _, words) = health(&["--url", &format!("http://{address}")]);
    assert!(code == Some(1) && words.contains(&address) && words.contains("http.listen"), "{code:?} {words}");
    assert_eq!(health(&["--url", "here"]).0, Some(2));
}

#[test]
fn what_is_not_there_is_told() {
    let _alone = alone();
    let (broker, exchange) = (Broker::start(), Exchange::start(&["--rate", "100"]));
    let mut run = Run::start(&broker, &exchange.url, SYMBOLS);
    let url = run.url();
    let (status, words) = get(&url, "/metric");
    assert_eq!((status, words.as_str()), (404, "/metric is not known; there are /livez, /readyz, /metrics, /status\n"));
    assert_eq!(get(&url, "/livez?verbose").0, 200);
    assert_eq!(page::post(&url, "/livez"), 405);
}
