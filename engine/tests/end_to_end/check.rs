//! `k2-feed check`: what it finds, with which verdict and exit code, and that it leaves everything as it was.

use std::net::TcpListener;
use std::process::Command;

use k2_feed::avro::NORMALIZED_TRADE;
use k2_feed::registry::{Missing, RegistryClient, RegistryError, value_subject};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use serde_json::Value;

use crate::child::{Child, Ended, PATIENCE, k2_feed};
use crate::reader::{TOPIC, TOPIC_DLQ, TOPIC_RAW};
use crate::sandbox;
use crate::tls::Server;
use crate::world::{Broker, Exchange, Run, alone, variables};

const DEAD: &str = "ws://127.0.0.1:1/ws";

/// What a check has found.
struct Checked {
    ended: Ended,
    points: Vec<Value>,
}

impl Checked {
    /// With these variables and this file, to the end, which must be with this code.
    fn with(variables: &[(&str, &str)], file: &str, code: i32) -> Self {
        Checked::of(k2_feed(&["check", "--json"]), variables, file, code)
    }

    fn of(mut command: Command, variables: &[(&str, &str)], file: &str, code: i32) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("feed.toml"), file).unwrap();
        command.current_dir(folder.path()).envs(variables.iter().copied());
        let ended = Child::start(command).ended().expect(code);
        let points = serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {}", ended.stdout));
        Checked { ended, points }
    }

    /// The points of a group.
    fn group(&self, group: &str) -> Vec<&Value> {
        self.points.iter().filter(|point| point["group"] == group).collect()
    }

    /// The point of a group whose name has this part.
    fn point(&self, group: &str, part: &str) -> &Value {
        let named = |point: &&Value| point["point"].as_str().unwrap().contains(part);
        self.group(group).into_iter().find(named).unwrap_or_else(|| panic!("no {part:?} in {}", self.ended.stdout))
    }

    /// Fails the test unless the point has this verdict, and says all of this.
    fn says(&self, group: &str, part: &str, verdict: &str, parts: &[&str]) -> &Self {
        let point = self.point(group, part);
        assert_eq!(point["verdict"], verdict, "{point:#}");
        let said = format!("{}: {}", point["found"].as_str().unwrap(), point["advice"].as_str().unwrap_or_default());
        for part in parts {
            assert!(said.contains(part), "{part:?} is not in {said}");
        }
        self
    }

    /// Fails the test if anything of these groups is wrong.
    fn nothing_wrong(&self, groups: &[&str]) -> &Self {
        for point in groups.iter().flat_map(|group| self.group(group)) {
            assert_ne!(point["verdict"], "wrong", "{point:#}");
        }
        self
    }
}

/// The topics that a broker has.
fn topics(broker: &Broker) -> Vec<String> {
    let consumer: BaseConsumer = ClientConfig::new().set("bootstrap.servers", &broker.servers).create().unwrap();
    let metadata = consumer.fetch_metadata(None, PATIENCE).unwrap();
    metadata.topics().iter().map(|topic| topic.name().to_string()).collect()
}

#[test]
fn what_is_well_is_fine_and_stays_as_it_was() {
    let (broker, exchange) = (Broker::start(), Exchange::start(&["--rate", "500"]));
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().to_str().unwrap();
    let variables = [
        &variables(&broker, &exchange.url, "BTCUSDT,ETHUSDT")[..],
        &[("K2_STATE_DIR", state), ("K2_HTTP_LISTEN", "off")],
    ]
    .concat();
    let checked = Checked::with(&variables, "", 0);
    checked
        .nothing_wrong(&["config", "machine", "clock", "exchange", "broker", "registry", "state"])
        .says("config", "configuration", "fine", &["feed.toml: 1 feed, 2 symbols, 1 connection"])
        .says("machine", "io_uring", "fine", &["allowed"])
        .says("machine", "http.listen", "fine", &["off"])
        .says(
            "exchange",
            exchange.address(),
            "fine",
            &["TCP ", "upgrade ", "BTCUSDT (1 of 2 symbols) acknowledged after "],
        )
        .says("exchange", exchange.address(), "fine", &["a trade after "])
        .says("broker", "brokers", "fine", &["the embedded one"])
        .says("broker", TOPIC_RAW, "fine", &["is not there, and would be made"])
        .says("broker", "rights", "fine", &["the embedded broker"])
        .says("registry", &value_subject(TOPIC), "fine", &["is not registered", "compatible"])
        .says("state", "state.dir", "fine", &[state])
        .says("state", "lock", "fine", &["free"]);
    assert!(checked.ended.stderr.is_empty(), "{}", checked.ended.stderr);
    assert_eq!(topics(&broker), Vec::<String>::new());
    let missing =
        RegistryClient::new(&broker.registry).unwrap().id(&value_subject(TOPIC), NORMALIZED_TRADE, Missing::Refuse);
    assert!(matches!(missing, Err(RegistryError::NotRegistered { .. })), "{missing:?}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left in state.dir");
}

#[test]
fn people_get_a_line_a_point_and_the_counts() {
    let (broker, exchange) = (Broker::start(), Exchange::start(&["--rate", "500"]));
    let mut command = k2_feed(&["check"]);
    let folder = tempfile::tempdir().unwrap();
    command.current_dir(folder.path()).envs(variables(&broker, &exchange.url, "BTCUSDT"));
    let ended = Child::start(command).ended().expect(0);
    let lines: Vec<_> = ended.stdout.lines().collect();
    for group in ["config", "machine", "clock", "exchange", "broker", "registry", "state"] {
        assert!(lines.contains(&group), "{}", ended.stdout);
    }
    assert!(lines.iter().any(|line| line.starts_with("  fine      io_uring ")), "{}", ended.stdout);
    let count = |word: &str| lines.iter().filter(|line| line.starts_with(&format!("  {word:8}  "))).count();
    let words = ["fine", "doubtful", "wrong", "not told"];
    assert_eq!(words.map(|word| format!("{} {word}", count(word))).join(", "), *lines.last().unwrap());
    assert!(!ended.stdout.contains('\u{1b}'), "colour is for terminals");
}

#[test]
fn a_broker_and_a_registry_that_are_away_are_wrong_and_the_rest_is_looked_at() {
    let exchange = Exchange::start(&["--rate", "500"]);
    let dead = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let registry = format!("http://{dead}");
    let variables = [
        ("K2_EXCHANGE", "binance"),
        ("K2_SYMBOLS", "BTCUSDT"),
        ("K2_BINANCE_WS_URL", exchange.url.as_str()),
        ("K2_KAFKA_BOOTSTRAP_SERVERS", &dead),
        ("K2_KAFKA_SCHEMA_REGISTRY_URL", &registry),
    ];
    Checked::with(&variables, "", 1)
        .says("broker", "brokers", "wrong", &[&dead, "no broker answered within 10 s", "K2_KAFKA_BOOTSTRAP_SERVERS"])
        .says("registry", &value_subject(TOPIC), "wrong", &[&registry, "does not answer", "schema_registry_url"])
        .nothing_wrong(&["config", "exchange", "state"]);
}

#[test]
fn topics_that_nobody_makes_are_wrong_and_stay_away() {
    let broker = Broker::start();
    let checked = Checked::with(&variables(&broker, DEAD, "BTCUSDT"), "[kafka]\ncreate_topics = false\n", 1);
    for topic in [TOPIC, TOPIC_RAW, TOPIC_DLQ] {
        let point = checked.group("broker").into_iter().find(|point| point["point"] == topic).unwrap();
        assert_eq!(point["verdict"], "wrong");
        assert_eq!(
            point["found"],
            format!("topic {topic:?} is not there: create it, or set kafka.create_topics = true")
        );
    }
    assert_eq!(topics(&broker), Vec::<String>::new());
}

#[test]
fn a_schema_that_does_not_fit_is_wrong_with_the_registrys_reason() {
    let broker = Broker::start();
    let other = r#"{"type":"record","name":"NormalizedTrade","namespace":"com.k2.marketdata.crypto",
        "fields":[{"name":"price","type":"double"}]}"#;
    let (client, subject) = (RegistryClient::new(&broker.registry).unwrap(), value_subject(TOPIC));
    let id = client.ensure(&subject, other).unwrap();
    Checked::with(&variables(&broker, DEAD, "BTCUSDT"), "", 1).says(
        "registry",
        &subject,
        "wrong",
        &["incompatible", "'exchange'", "must have a default", "\"price\" is string in ours and double in theirs"],
    );
    assert!(client.schema_by_id(id + 1).is_err(), "nothing was registered");
    let missing = "[kafka]\nregister_schemas = false\nsubject_name_strategy = \"record\"\n";
    Checked::with(&variables(&broker, DEAD, "BTCUSDT"), missing, 1).says(
        "registry",
        "NormalizedTrade",
        "wrong",
        &["is not registered", "register_schemas"],
    );
}

#[test]
fn exchanges_that_are_away_or_refuse_are_wrong() {
    let broker = Broker::start();
    Checked::with(&variables(&broker, DEAD, "BTCUSDT"), "", 1).says(
        "exchange",
        "binance 127.0.0.1:1/ws",
        "wrong",
        &["name ", "127.0.0.1:1 cannot be reached"],
    );
    let unknown = "ws://exchange.invalid:9443/ws";
    Checked::with(&variables(&broker, unknown, "BTCUSDT"), "", 1).says(
        "exchange",
        "exchange.invalid:9443/ws",
        "wrong",
        &["the host's name cannot be resolved"],
    );
    let refusing = Exchange::start(&["--fault", "reject=BTCUSDT"]);
    Checked::with(&variables(&broker, &refusing.url, "BTCUSDT"), "", 1).says(
        "exchange",
        refusing.address(),
        "wrong",
        &["upgrade ", "the exchange refuses BTCUSDT"],
    );
}

/// The engine takes whichever address works.
#[test]
fn an_address_that_is_away_is_doubtful_where_another_works() {
    let (broker, exchange) = (Broker::start(), Exchange::start(&["--rate", "500"]));
    let file = |alternative: &str| {
        format!(
            "[kafka]\nbootstrap_servers = {:?}\nschema_registry_url = {:?}\n[[feed]]\nexchange = \"binance\"\n\
             symbols = [\"BTCUSDT\"]\nurl = {DEAD:?}\nalternatives = [{alternative:?}]\n",
            broker.servers, broker.registry
        )
    };
    Checked::with(&[], &file(&exchange.url), 0)
        .says("exchange", "127.0.0.1:1/ws", "doubtful", &["cannot be reached", "other address works"])
        .says("exchange", exchange.address(), "fine", &["acknowledged"]);
    Checked::with(&[], &file("ws://127.0.0.1:2/ws"), 1)
        .says("exchange", "127.0.0.1:1/ws", "wrong", &["cannot be reached"])
        .says("exchange", "127.0.0.1:2/ws", "wrong", &["cannot be reached"]);
}

/// Every protocol acknowledges in its own way.
#[test]
fn every_exchange_acknowledges() {
    let broker = Broker::start();
    for (exchange, protocol, symbol) in [
        ("binance-usdm", "usdm", "BTCUSDT"),
        ("kraken", "v2", "BTC/USD"),
        ("kraken", "v1", "XBT/USD"),
        ("coinbase", "advanced", "BTC-USD"),
        ("coinbase", "exchange", "BTC-USD"),
        ("bybit", "v5", "BTCUSDT"),
        ("okx", "v5", "BTC-USDT"),
    ] {
        let arguments = ["simulate", exchange, "--protocol", protocol, "--rate", "500"];
        let mut simulator = Child::start(k2_feed(&arguments));
        let url = simulator.stdout_line("listening on ").strip_prefix("listening on ").unwrap().to_string();
        let file = format!(
            "[kafka]\nbootstrap_servers = {:?}\nschema_registry_url = {:?}\n\
             [[feed]]\nexchange = {exchange:?}\nprotocol = {protocol:?}\nsymbols = [{symbol:?}]\nurl = {url:?}\n",
            broker.servers, broker.registry
        );
        let heard = [&format!("{symbol} acknowledged after "), "a trade after "];
        Checked::with(&[], &file, 0).says("exchange", exchange, "fine", &heard);
    }
}

#[test]
fn a_certificate_of_an_unknown_root_is_wrong() {
    let (broker, server) = (Broker::start(), Server::start("localhost"));
    let url = server.url();
    let variables = variables(&broker, &url, "BTCUSDT");
    Checked::with(&variables, "", 1).says(
        "exchange",
        "binance localhost:",
        "wrong",
        &["TCP ", "; then TLS failed", "tls.extra_ca"],
    );
    Checked::with(&variables, &server.trusting(), 0).says(
        "exchange",
        "binance localhost:",
        "fine",
        &["TLS ", "a trade"],
    );
}

#[test]
fn a_folder_that_a_running_engine_has_is_wrong_and_stays_its_own() {
    let _alone = alone();
    let (broker, exchange) = (Broker::start(), Exchange::start(&["--rate", "500"]));
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().to_str().unwrap();
    let variables = [&variables(&broker, &exchange.url, "BTCUSDT")[..], &[("K2_STATE_DIR", state)]].concat();
    let run = Run::with(&variables, None, &[]).subscribed();
    let process = std::fs::read_to_string(folder.path().join("lock")).unwrap();
    let by = format!("another engine (process {}) uses it", process.trim());
    // What the engine has made is there now; the embedded broker makes another number of partitions.
    Checked::with(&variables, "", 1)
        .says("state", "lock", "wrong", &[&by, "give each its own", "K2_STATE_DIR"])
        .says("registry", &value_subject(TOPIC), "fine", &["is registered", "as id 1"])
        .says("broker", TOPIC_RAW, "doubtful", &["partitions = 4 instead of 3"])
        .says("exchange", exchange.address(), "fine", &["acknowledged"]);
    run.stop();
    Checked::with(&variables, "", 0).says("state", "lock", "fine", &["free"]);
}

#[test]
fn a_wrong_configuration_is_wrong_and_the_machine_is_looked_at() {
    let variables = [("K2_EXCHANGE", "binance"), ("K2_SYMBOLS", "BTCUSDT")];
    let checked = Checked::with(&variables, "[kafka]\nlingr_us = 5\npartitions = 0\n", 1);
    let wrong: Vec<_> = checked.group("config").iter().map(|point| point["found"].as_str().unwrap()).collect();
    assert_eq!(wrong.len(), 2);
    assert_eq!(wrong[0], "feed.toml:2: unknown key kafka.lingr_us, did you mean linger_us?");
    assert!(wrong[1].starts_with("feed.toml:3: kafka.partitions = 0"), "{wrong:?}");
    checked.says("machine", "io_uring", "fine", &["allowed"]);
    for group in ["exchange", "broker", "registry", "state"] {
        checked.says(group, "all", "not told", &["a valid configuration is needed"]);
    }
    Child::start(k2_feed(&["check", "--jsn"])).ended().expect(2);
}

/// What is wrong with this machine only does not keep the rest of the configuration from being used.
#[test]
fn a_cpu_that_is_not_there_is_wrong_and_the_exchange_is_looked_at() {
    let (broker, exchange) = (Broker::start(), Exchange::start(&["--rate", "500"]));
    Checked::with(&variables(&broker, &exchange.url, "BTCUSDT"), "[cores]\nfeed = [4095]\n", 1)
        .says("config", "configuration", "wrong", &["CPU 4095 is not available here"])
        .says("machine", "CPUs", "wrong", &["CPU 4095"])
        .says("exchange", exchange.address(), "fine", &["acknowledged"]);
}

#[test]
fn what_the_machine_does_not_allow_is_wrong() {
    let (broker, exchange) = (Broker::start(), Exchange::start(&["--rate", "500"]));
    let variables = variables(&broker, &exchange.url, "BTCUSDT");
    let mut blocked = k2_feed(&["check", "--json"]);
    sandbox::without(&mut blocked, libc::SYS_io_uring_setup, libc::EPERM);
    Checked::of(blocked, &variables, "", 1)
        .says("machine", "io_uring", "wrong", &["io_uring is blocked", "/proc/sys/kernel/io_uring_disabled"])
        .says("machine", "seccomp", "wrong", &["a filter is on", "io_uring_register"])
        .nothing_wrong(&["exchange", "broker", "registry"]);
}
