//! Rules and dashboard against a running engine: each metric, label and value that they ask for is among what it shows.
//! One that is renamed fails here, and is not missed at night.

mod promql;

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::child::PATIENCE;
use crate::required::promtool_or_skipped;
use crate::world::{Broker, Exchange, Run, alone, variables};
use promql::{Shown, has};

/// What is not the engine's: of Prometheus itself, of ClickHouse's tables (docker/clickhouse/50-metrics.sql), and of the
/// Spark job (docker/spark/README.md), as they show it.
const OTHERS: &str = r#"
up{job="feed",instance="feed"} 1
ALERTS{alertname="FeedDown",alertstate="firing",severity="critical",job="feed",instance="feed"} 1
bronze_ingestion_latency_seconds{job="bronze",instance="bronze",quantile="0.99"} 1
up{job="bronze",instance="bronze"} 1
bronze_lag_records{job="bronze",instance="bronze",topic="trades"} 1
k2_clickhouse_bars_computed_timestamp_seconds{job="clickhouse-tables",instance="clickhouse"} 1
k2_clickhouse_last_trade_timestamp_seconds{job="clickhouse-tables",instance="clickhouse"} 1
k2_clickhouse_recent_rejects{job="clickhouse-tables",instance="clickhouse",stage="decode"} 1
bronze_last_commit_timestamp_seconds{job="bronze",instance="bronze"} 1
bronze_missing_records_total{job="bronze",instance="bronze",topic="trades"} 1
bronze_rejects_total{job="bronze",instance="bronze",topic="trades"} 1
bronze_scheduling_delay_seconds{job="bronze",instance="bronze",quantile="0.99"} 1
bronze_trigger_processing_time_seconds{job="bronze",instance="bronze",quantile="0.99"} 1
"#;

/// The dashboard's variables, and what they may stand for.
const VARIABLES: [(&str, &str); 7] = [
    ("$instance", ".*"),
    ("$exchange", ".*"),
    ("$symbol", ".*"),
    ("$core", ".*"),
    ("$hop", "total"),
    ("$__rate_interval", "20s"),
    ("$__range", "30m"),
];

/// An expression, where it is, and the text that is written with labels of its outcome.
struct Asked {
    place: String,
    expression: String,
    text: String,
}

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docker").join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The rules; those that record are added to what can be asked for.
fn rules(shown: &mut Shown) -> Vec<Asked> {
    let file: Value = serde_norway::from_str(&read("prometheus/rules.yml")).unwrap();
    let groups = file["groups"].as_array().unwrap().iter();
    let rules = groups.flat_map(|group| group["rules"].as_array().unwrap());
    let asked = |rule: &Value| {
        let (expression, text) = (rule["expr"].as_str().unwrap().to_string(), rule["annotations"].to_string());
        if let Some(name) = rule["record"].as_str() {
            shown.record(name, &expression);
        }
        let name = rule["record"].as_str().or(rule["alert"].as_str()).unwrap();
        Asked { place: format!("rule {name}"), expression, text }
    };
    rules.map(asked).collect()
}

/// The expressions of the dashboard: of panels, variables and annotations.
fn dashboard() -> Vec<Asked> {
    let board: Value = serde_json::from_str(&read("grafana/dashboards/k2-feed.json")).unwrap();
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let replaced = |text: &Value| {
        let text = text.as_str().unwrap_or_default().to_string();
        VARIABLES.iter().fold(text, |text, (name, value)| text.replace(name, value))
    };
    let mut asked = Vec::new();
    for panel in list(&board["panels"]) {
        for target in list(&panel["targets"]) {
            let (place, text) = (format!("panel {}", panel["title"]), target["legendFormat"].to_string());
            asked.push(Asked { place, expression: replaced(&target["expr"]), text });
        }
    }
    for variable in list(&board["templating"]["list"]) {
        let query = replaced(&variable["query"]);
        if let Some((expression, label)) =
            query.strip_prefix("label_values(").and_then(|rest| rest.strip_suffix(")")?.rsplit_once(", "))
        {
            let (place, text) = (format!("variable {}", variable["name"]), format!("{{{{{label}}}}}"));
            asked.push(Asked { place, expression: expression.into(), text });
        }
    }
    for annotation in list(&board["annotations"]["list"]) {
        let (place, expression) = (format!("annotation {}", annotation["name"]), replaced(&annotation["expr"]));
        asked.push(Asked { place, expression, text: String::new() });
    }
    asked
}

/// The labels that a legend (`{{name}}`) or an annotation (`$labels.name`) writes.
fn written(text: &str) -> BTreeSet<String> {
    let name = |rest: &str| rest.chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect();
    ["{{", "$labels."]
        .iter()
        .flat_map(|mark| text.split(mark).skip(1).map(name))
        .filter(|name: &String| !name.is_empty())
        .collect()
}

/// What is asked for that is not there, each with its place.
fn wrong(metrics: &str) -> Vec<String> {
    let mut shown = Shown::default();
    shown.add(metrics, &[("job", "feed"), ("instance", "feed")]);
    shown.add(OTHERS, &[]);
    let asked: Vec<_> = rules(&mut shown).into_iter().chain(dashboard()).collect();
    assert!(asked.len() > 50, "only {} expressions are found", asked.len());
    let of = |asked: &Asked| {
        let labels = shown.labels(&asked.expression)?;
        written(&asked.text).iter().try_for_each(|label| has(labels.as_ref(), label, &asked.text))
    };
    let told = |asked: &Asked| of(asked).err().map(|why| format!("{}: {why}", asked.place));
    asked.iter().filter_map(told).collect()
}

/// An engine that feeds two symbols to a broker and may use the disk, and what is around it.
struct World {
    _run: Run,
    metrics: String,
    _exchange: Exchange,
    _broker: Broker,
}

impl World {
    fn start() -> Self {
        let broker = Broker::start();
        let exchange = Exchange::start(&["--rate", "200"]);
        let listen = [("K2_HTTP_LISTEN", "127.0.0.1:0"), ("K2_STATE_DIR", "state")];
        let variables = variables(&broker, &exchange.url, "BTCUSDT,ETHUSDT");
        let mut run = Run::with(&[&variables[..], &listen[..]].concat(), None, &[]);
        let line = run.child.log_line("metrics, health and status are served");
        let address = line.split("address=").nth(1).and_then(|rest| rest.split_whitespace().next()).unwrap();
        let metrics = format!("http://{address}/metrics");
        World { _run: run, metrics, _exchange: exchange, _broker: broker }
    }

    fn metrics(&self) -> String {
        ureq::get(&self.metrics).call().unwrap().body_mut().read_to_string().unwrap()
    }
}

#[test]
fn rules_and_dashboard_ask_for_what_the_engine_shows() {
    let _alone = alone();
    let world = World::start();
    let deadline = Instant::now() + PATIENCE;
    // librdkafka speaks of its brokers after some seconds, and of a trade's way there is nothing before it was gone.
    loop {
        let metrics = world.metrics();
        let wrong = wrong(&metrics);
        if wrong.is_empty() {
            return lint(&metrics);
        }
        assert!(Instant::now() < deadline, "{wrong:#?}\n{metrics}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Prometheus' own judge of metrics has nothing to say.
fn lint(metrics: &str) {
    let promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("promtool: {error}: apt-get install prometheus"));
    if !promtool_or_skipped(&promtool) {
        return;
    }
    let mut promtool = promtool.unwrap();
    promtool.stdin.take().unwrap().write_all(metrics.as_bytes()).unwrap();
    let output = promtool.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{said}");
}

#[test]
fn what_is_not_there_is_told() {
    let mut shown = Shown::default();
    let metrics = r#"
# TYPE t counter
t{exchange="kraken",symbol="XBT/USD"} 3
h_bucket{hop="ack",le="+Inf"} 1
n{core="0"} 2
"#;
    shown.add(metrics, &[("job", "feed")]);
    shown.record("exchange:t:rate", "sum by (exchange) (rate(t[1m]))");
    let told = |expression: &str| shown.labels(expression).err().unwrap_or_default();
    for right in [
        "exchange:t:rate{exchange=\"kraken\"} > on (exchange) t",
        "histogram_quantile(0.9, sum by (hop, le) (rate(h_bucket[1m])))",
        "topk(3, t{symbol=~\".*\"}) unless t == 0 or vector(0)",
    ] {
        assert_eq!(told(right), "");
    }
    for (wrong, part) in [
        ("rate(trades[1m])", "there is no metric trades"),
        ("t{venue=~\".*\"}", "there is no label venue"),
        ("t{exchange=\"krakn\"}", "no series of t has exchange=\"krakn\""),
        ("exchange:t:rate{symbol=\"XBT/USD\"}", "there is no label symbol"),
        ("exchange:t:rate{exchange=\"krakn\"}", "no series of exchange:t:rate has"),
        ("sum by (core) (t)", "there is no label core"),
        ("t / on (core) n", "there is no label core"),
        ("t / n", "the sides never match"),
        ("histogram_quantile(0.9, rate(t[1m]))", "has no `le`"),
    ] {
        assert!(told(wrong).contains(part), "{wrong}: {:?}", told(wrong));
    }
    assert_eq!(written("{{exchange}} p{{quantile}} {{ $labels.symbol }} {{ $value }}").len(), 3);
}
