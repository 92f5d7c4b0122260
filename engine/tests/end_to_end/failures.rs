//! What goes wrong, how it is told, and with which exit code.

use std::net::TcpListener;
use std::process::Command;

use k2_feed::registry::{RegistryClient, value_subject};

use crate::child::{Child, Ended, k2_feed};
use crate::reader::{Reader, TOPIC, TOPIC_DLQ, TOPIC_RAW};
use crate::sandbox;
use crate::world::{Broker, Exchange, Run, alone, variables};

/// Nobody listens there: it was free a moment ago, and the system does not hand it out again so soon.
fn dead_address() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

/// A run with these variables and this file, until it ends.
fn run(variables: &[(&str, &str)], file: &str) -> Ended {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("feed.toml"), file).unwrap();
    let mut command = k2_feed(&["run"]);
    command.current_dir(folder.path()).envs(variables.iter().copied());
    Child::start(command).ended()
}

const EXCHANGE: (&str, &str) = ("K2_EXCHANGE", "binance");
const SYMBOLS: (&str, &str) = ("K2_SYMBOLS", "BTCUSDT");

#[test]
fn an_unknown_key_is_usage_and_names_the_nearest() {
    let ended = run(&[EXCHANGE, SYMBOLS], "[kafka]\nlingr_us = 5\n").expect(2);
    ended.says(&["feed.toml:2: unknown key kafka.lingr_us, did you mean linger_us?"]);
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let ended = run(&[EXCHANGE, ("K2_SYMBOLS", "BTC-USDT")], "[kafka]\npartitions = 0\n[cores]\nfeed = 0\n").expect(2);
    ended.says(&["symbol \"BTC-USDT\"", "write \"BTCUSDT\"", "kafka.partitions = 0", "cores.feed = 0"]);
}

#[test]
fn a_bad_address_is_usage() {
    for (url, why) in [
        ("http://localhost:1/ws", "\"http\" is not one of wss, ws"),
        ("not an address", "write wss://host:port/path"),
        ("ws://localhost:1/elsewhere", "end it in \"/ws\" or \"/stream\""),
    ] {
        run(&[EXCHANGE, SYMBOLS, ("K2_BINANCE_WS_URL", url)], "").expect(2).says(&[url, why]);
    }
}

#[test]
fn nothing_to_feed_and_wrong_arguments_are_usage() {
    run(&[], "").expect(2).says(&["nothing to feed", "K2_EXCHANGE"]);
    run(&[("K2_EXCHANGE", "binnance"), SYMBOLS], "").expect(2).says(&["binnance", "binance"]);
    let arguments: [&[&str]; 5] =
        [&[], &["walk"], &["run", "--for", "5"], &["simulate", "binance", "--rate", "0"], &["demo", "--symbols", "0"]];
    for arguments in arguments {
        Child::start(k2_feed(arguments)).ended().expect(2);
    }
    let ended = Child::start(k2_feed(&["run", "--config", "/nowhere/feed.toml"])).ended().expect(2);
    ended.says(&["/nowhere/feed.toml"]);
}

#[test]
fn help_is_there_for_every_command() {
    let help = Child::start(k2_feed(&["--help"])).ended().expect(0).stdout;
    assert!(help.contains("Exit codes: 0 ") && help.contains("; 1 ") && help.contains("; 2 "), "{help}");
    for command in ["run", "check", "simulate", "broker", "demo"] {
        assert!(help.contains(&format!("\n  {command} ")), "{help}");
        let ended = Child::start(k2_feed(&[command, "--help"])).ended().expect(0);
        assert!(ended.stdout.contains("Usage: k2-feed") && ended.stderr.is_empty(), "{ended:?}");
    }
    Child::start(k2_feed(&["--version"])).ended().expect(0);
}

#[test]
fn a_broker_that_does_not_answer_is_named() {
    let servers = dead_address();
    let ended = run(&[EXCHANGE, SYMBOLS, ("K2_KAFKA_BOOTSTRAP_SERVERS", &servers)], "").expect(1);
    ended.says(&[&servers, "no broker answered", "K2_KAFKA_BOOTSTRAP_SERVERS"]);
}

#[test]
fn a_brokers_host_that_is_not_known_is_named() {
    let ended = run(&[EXCHANGE, SYMBOLS, ("K2_KAFKA_BOOTSTRAP_SERVERS", "broker.invalid:9092")], "").expect(1);
    ended.says(&[
        "broker.invalid:9092",
        "no broker answered within 10 s",
        "the host name is not known",
        "name service",
    ]);
}

#[test]
fn a_broker_that_comes_a_moment_later_is_waited_for() {
    let _alone = alone();
    let (servers, registry) = (dead_address(), dead_address());
    let exchange = Exchange::start(&[]);
    let registry_url = format!("http://{registry}");
    let variables = [
        EXCHANGE,
        SYMBOLS,
        ("K2_BINANCE_WS_URL", &exchange.url),
        ("K2_KAFKA_BOOTSTRAP_SERVERS", &servers),
        ("K2_KAFKA_SCHEMA_REGISTRY_URL", &registry_url),
    ];
    let mut run = Run::with(&variables, None, &[]);
    run.child.log_line("Connection refused");
    let _broker = Child::start(k2_feed(&["broker", "--listen", &servers, "--registry-listen", &registry]));
    run.subscribed().stop();
}

#[test]
fn a_registry_that_does_not_answer_is_named() {
    let _alone = alone();
    let mut broker = Broker::start();
    broker.registry = format!("http://{}", dead_address());
    let file = "[kafka]\nregistry_wait_s = 1\n";
    let ended = run(&variables(&broker, "ws://127.0.0.1:1/ws", "BTCUSDT"), file).expect(1);
    ended.says(&[&broker.registry, "does not answer", "schema_registry_url", "is asked again", "registry_wait_s"]);
}

#[test]
fn an_incompatible_schema_stops_the_start_with_the_registrys_reason() {
    let _alone = alone();
    let broker = Broker::start();
    let other = r#"{"type":"record","name":"NormalizedTrade","namespace":"com.k2.marketdata.crypto",
        "fields":[{"name":"price","type":"double"}]}"#;
    let subject = value_subject(TOPIC);
    RegistryClient::new(&broker.registry).unwrap().ensure(&subject, other).unwrap();
    let ended = run(&variables(&broker, "ws://127.0.0.1:1/ws", "BTCUSDT"), "").expect(1);
    // The first fault that the registry finds: what is there has no such field, and ours has no default.
    ended.says(&[
        &subject,
        "incompatible",
        "'exchange'",
        "must have a default",
        "produce to another topic",
        "\"exchange\" is in ours only, without a default; ",
        "; \"price\" is string in ours and double in theirs; ",
    ]);
}

#[test]
fn a_topic_that_must_not_be_made_is_missed() {
    let _alone = alone();
    let broker = Broker::start();
    let ended = run(&variables(&broker, "ws://127.0.0.1:1/ws", "BTCUSDT"), "[kafka]\ncreate_topics = false\n");
    let all = format!("topics \"{TOPIC_RAW}\", \"{TOPIC}\", \"{TOPIC_DLQ}\" are not there");
    ended.expect(1).says(&[&all, "create_topics = true"]);
}

#[test]
fn engines_do_not_share_a_state_folder() {
    let _alone = alone();
    let broker = Broker::start();
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let variables = variables(&broker, "ws://127.0.0.1:1/ws", "BTCUSDT");
    let file = format!("[state]\ndir = {state:?}\n");
    let mut first = Run::with(&variables, Some(&file), &[]);
    first.child.log_line("schema");
    let process = std::fs::read_to_string(state.join("lock")).unwrap();
    let told =
        format!("error: feed.toml:2: state.dir = {state:?}: another engine (process {}) uses it", process.trim());
    run(&variables, &file).expect(2).says(&[&told, "give each its own", "K2_STATE_DIR"]);
    assert!(!first.stop().ended.stderr.contains("nothing survives"));
    // It is free again.
    let mut third = Run::with(&[&variables[..], &[("K2_STATE_DIR", state.to_str().unwrap())]].concat(), None, &[]);
    third.child.log_line("schema");
    third.stop();
}

#[test]
fn a_port_that_is_taken_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let commands: [&[&str]; 3] = [
        &["simulate", "binance", "--listen", &address],
        &["broker", "--listen", &address],
        &["broker", "--registry-listen", &address],
    ];
    for command in commands {
        Child::start(k2_feed(command)).ended().expect(1).says(&[&address, "port"]);
    }
}

#[test]
fn a_report_that_cannot_be_written_is_known_before_the_run() {
    let ended = Child::start({
        let mut command = k2_feed(&["run", "--report", "/dev/null/report"]);
        command.envs([EXCHANGE, SYMBOLS]);
        command
    });
    ended.ended().expect(1).says(&["/dev/null/report"]);
}

#[test]
fn a_plain_connection_to_elsewhere_is_warned_of() {
    let _alone = alone();
    let broker = Broker::start();
    let mut run = Run::start(&broker, "ws://exchange.invalid:9443/ws", "BTCUSDT");
    run.child.log_line("the connection is not encrypted");
    run.child.log_line("cannot be resolved");
    run.stop();
    let exchange = Exchange::start(&[]);
    let stopped = Run::start(&broker, &exchange.url, "BTCUSDT").subscribed().stop();
    assert!(!stopped.ended.stderr.contains("not encrypted"), "loopback needs no warning");
}

#[test]
fn blocked_io_uring_is_told_with_the_way_out() {
    let _alone = alone();
    let (blocked, missing) = ((libc::EPERM, "io_uring is blocked"), (libc::ENOSYS, "io_uring is not there"));
    for (call, (errno, why)) in [
        (libc::SYS_io_uring_setup, blocked),
        (libc::SYS_io_uring_setup, missing),
        (libc::SYS_io_uring_enter, blocked),
        (libc::SYS_io_uring_register, blocked),
    ] {
        let mut command = k2_feed(&["run"]);
        command.envs([EXCHANGE, SYMBOLS]);
        sandbox::without(&mut command, call, errno);
        let ended = Child::start(command).ended().expect(1);
        ended.says(&[why, "/proc/sys/kernel/io_uring_disabled", "seccomp", "io_uring_setup"]);
    }
}

/// 8 MiB is what most systems allow, 512 KiB the least that works; 64 KiB was usual once.
#[test]
fn a_limit_of_locked_memory_is_enough_or_told() {
    let _alone = alone();
    let (broker, exchange) = (Broker::start(), Exchange::start(&["--rate", "2000"]));
    for (bytes, is_enough) in [(8 << 20, true), (512 << 10, true), (64 << 10, false)] {
        let folder = tempfile::tempdir().unwrap();
        let mut command = k2_feed(&["run", "--for", "500ms"]);
        command.current_dir(folder.path()).envs(variables(&broker, &exchange.url, "BTCUSDT"));
        open_to_all(folder.path());
        sandbox::with_little_locked_memory(&mut command, bytes);
        let Some(child) = try_start(command) else { return };
        let ended = child.ended();
        if is_enough {
            ended.expect(0);
        } else {
            ended.expect(1).says(&["limit of locked memory is too low", &bytes.to_string(), "ulimit -l"]);
        }
    }
    // Whoever ran has produced.
    Reader::start(&broker).until(100);
}

fn open_to_all(folder: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// The child, unless the binary lies where only root may go.
fn try_start(mut command: Command) -> Option<Child> {
    match command.spawn() {
        Ok(mut process) => {
            let _ = process.kill();
            let _ = process.wait();
            Some(Child::start(command))
        }
        Err(error) => {
            eprintln!("skipped: the binary does not start without root: {error}");
            None
        }
    }
}

/// A symbol that the exchange does not have takes none of the others down, wherever it stands.
#[test]
fn a_symbol_that_does_not_exist_leaves_the_others_their_trades() {
    let _alone = alone();
    let broker = Broker::start();
    for (exchange, protocol, good, bad) in [
        ("okx", "v5", "BTC-USDT", "NOPE-USDT"),
        ("coinbase", "advanced", "BTC-USD", "NOPE-USD"),
        ("coinbase", "exchange", "BTC-USD", "NOPE-USD"),
        ("kraken", "v2", "BTC/USD", "NOPE/USD"),
        ("kraken", "v1", "XBT/USD", "NOPE/USD"),
        ("binance", "spot", "BTCUSDT", "NOPEUSDT"),
    ] {
        let arguments = ["simulate", exchange, "--protocol", protocol, "--symbols", good, "--rate", "500"];
        let mut simulator = Child::start(k2_feed(&arguments));
        let url = simulator.stdout_line("listening on ").strip_prefix("listening on ").unwrap().to_string();
        for symbols in [[good, bad], [bad, good]] {
            let file = format!(
                "[kafka]\nbootstrap_servers = \"{}\"\nschema_registry_url = \"{}\"\n[[feed]]\nexchange = \"{exchange}\"\n\
                 protocol = \"{protocol}\"\nurl = \"{url}\"\nsymbols = {symbols:?}\n",
                broker.servers, broker.registry
            );
            let stopped = Run::with(&[], Some(&file), &["--for", "2s"]).ended();
            let accounting = &stopped.report["accounting"];
            let told = format!("{exchange} {protocol} {symbols:?}: {accounting:#}\n{}", stopped.ended.stderr);
            assert!(accounting["trades"].as_u64() > Some(100) && accounting["reconnects"] == 0, "{told}");
        }
    }
}
