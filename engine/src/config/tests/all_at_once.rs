//! Much that is wrong, told as a whole: each with its place, key, value and the way out.

use super::*;
use crate::cores::CpuSet;

/// A file that is wrong in most of its lines.
const WRONG: &str = r#"[kafka]
bootstrap_servers = "http://localhost:9092, broker"
schema_registry_url = "localhost:8081"
partitions = 0
queue_records = "many"
compresion = "lz4"
compression = "brotli"
register_schemas = 1
registry_username = "k2-feed"
[kafka.librdkafka]
acks = 1
"compression.codec" = "zstd"
"linker.ms" = 5
[kafka.security]
protocol = "sasl_plaintext"
mechanism = "plain"
user = "k2-feed"
password_file = "/nowhere/password"

[[feed]]
exchange = "binance"
symbols = ["BTC-USDT", "ETHUSDT", "ETHUSDT"]
url = "wss://stream.binance.com:9443/elsewhere"
connections = 9
core = 4
topic = "trades of binance"

[[feed]]
exchange = "okx"
symbols = ["BTC-USDT"]
raw = "off"
topic_raw = "frames"
time_unit = "microsecond"

[cores]
feed = [97]
producer = 0
wait = "sleep"

[limits]
ring_bytes = 0
max_frame_bytes = 0

[session]
backoff_min_ms = 900

[state]
dir = "/dev/null/state"

[tls]
extra_ca = "/nowhere/root.pem"
"#;

#[test]
fn everything_is_told_with_its_place_and_the_way_out() {
    let mut errors = error::Errors::default();
    let given = file::parse("feed.toml", WRONG, &mut errors);
    let variables = [("K2_KAFKA_TOPIC_RAW", "raw"), ("K2_BINANCE_REST_URL", "ftp://host")];
    let variables = variables.map(|(name, value)| (name.to_string(), value.to_string()));
    let ConfigErrors(errors) = Explained::resolve(given, variables, Some(&CpuSet::of(0..4)), errors).unwrap_err();
    let expected = r#"feed.toml:2: kafka.bootstrap_servers = "http://localhost:9092, broker": "http://localhost:9092" is not host:port, such as "localhost:9092"
feed.toml:2: kafka.bootstrap_servers = "http://localhost:9092, broker": "broker" is not host:port, such as "localhost:9092"
feed.toml:3: kafka.schema_registry_url = "localhost:8081": "localhost" is not one of http, https: write http://host:port/path
feed.toml:4: kafka.partitions = 0: it must be from 1 to 10000
feed.toml:5: kafka.queue_records: invalid type: string "many", expected a whole number, 0 or more
feed.toml:6: unknown key kafka.compresion, did you mean compression?
feed.toml:7: kafka.compression: unknown variant `brotli`, expected one of `none`, `gzip`, `snappy`, `lz4`, `zstd`
feed.toml:8: kafka.register_schemas: invalid type: integer `1`, expected a boolean
feed.toml:9: kafka.registry_username = "k2-feed": its password is not given: set kafka.registry_password_file, or K2_KAFKA_SCHEMA_REGISTRY_USERNAME, K2_KAFKA_SCHEMA_REGISTRY_PASSWORD or K2_KAFKA_SCHEMA_REGISTRY_PASSWORD_FILE
feed.toml:11: kafka.librdkafka: acks = "1" would break a promise: it is always "all" (an acknowledged record is on all in-sync replicas). Remove the line
feed.toml:12: kafka.librdkafka: compression.codec = "zstd" is not passed through: set kafka.compression
feed.toml:13: kafka.librdkafka: linker.ms = "5": Client config error: No such configuration property: "linker.ms" linker.ms 5: see librdkafka's CONFIGURATION.md
feed.toml:17: unknown key kafka.security.user, did you mean username?
feed.toml:18: kafka.security.password_file = "/nowhere/password": the file cannot be read: No such file or directory (os error 2): name one that holds the password
feed.toml:22: feed binance: symbol "BTC-USDT" is not in Binance's form: write "BTCUSDT"
feed.toml:22: feed binance: symbol "ETHUSDT" is listed twice: keep one
feed.toml:23: feed binance: url wss://stream.binance.com:9443/elsewhere: the path "/elsewhere" is not one of Binance's: end it in "/ws" or "/stream" and list the symbols
feed.toml:24: feed binance: connections = 9: it must be from 1 to 4, that many carry each symbol
feed.toml:25: feed binance: core = 4: cores.feed = [97] makes 1, numbered from 0: set core to 0 or less, or cores.feed to 5 or more
feed.toml:26: feed binance: topic = "trades of binance" is no name that Kafka takes: write 1 to 249 letters, digits, '.', '_' and '-'
feed.toml:32: feed okx: topic_raw = "frames": raw = "off" (feed.toml:31) publishes no frames as received: leave one of them out
feed.toml:33: feed okx: time_unit is Binance spot's: others have one unit, leave it out
feed.toml:36: cores.feed: CPU 97 is not available here, the CPUs are 0,1,2,3
feed.toml:37: cores.producer = 0: at least one is needed
feed.toml:38: cores.wait: unknown variant `sleep`, expected `park` or `spin`
feed.toml:41: limits.ring_bytes = 0: a ring holds at least 16 messages of max_frame_bytes = 0: set it to 65536 or more
feed.toml:42: limits.max_frame_bytes = 0: it must be at least 4096
feed.toml:45: session.backoff_min_ms = 900: it is more than backoff_max_ms = 750: set it to 750 or less, or backoff_max_ms to 900 or more
feed.toml:48: state.dir = "/dev/null/state": "/dev/null" is no folder: name a folder that this user may write (K2_STATE_DIR)
feed.toml:51: extra_ca = "/nowhere/root.pem": I/O error: No such file or directory (os error 2): name a PEM file with certificates
K2_KAFKA_TOPIC_RAW: it is set, but there are 2 feeds: set K2_EXCHANGE too, or use feed.toml alone
K2_BINANCE_REST_URL: feed binance: rest_url = "ftp://host": "ftp" is not one of https, http: write https://host:port/path
"#;
    assert_eq!(errors.join("\n") + "\n", expected);
}

#[test]
fn a_value_of_the_wrong_type_hides_no_other() {
    let text = "[[feed]]\nexchange = \"okx\"\nsymbols = [\n  \"BTC-USDT\",\n  5,\n]\ncore = \"µ\"\nconnections = 0\n\
                [cores]\nfeed = { a = 1 }\n[tls]\nextra = 1\n";
    assert_eq!(
        load(text, &[]).unwrap_err(),
        [
            "feed.toml:3: feed okx: no symbols: list some (symbols = [\"BTCUSDT\"], or K2_SYMBOLS)",
            "feed.toml:5: feed.symbols: invalid type: integer `5`, expected a string",
            "feed.toml:7: feed.core: invalid type: string \"µ\", expected a whole number, 0 or more",
            "feed.toml:8: feed okx: connections = 0: it must be from 1 to 4, that many carry each symbol",
            "feed.toml:10: cores.feed: expected a number of cores or a list of CPUs",
            "feed.toml:12: unknown key tls.extra, did you mean extra_ca?",
        ]
    );
    // Of several in one line, each is blamed for itself; what is left of the line after the first is no TOML.
    let errors = load("kafka = { linger_us = \"a\", partitions = 0 }\n", &[]).unwrap_err();
    let expected = "feed.toml:1: kafka.linger_us: invalid type: string \"a\", expected a whole number, 0 or more";
    assert_eq!(errors, [expected]);
    assert!(load("[kafka\nlinger_us = 0\n", &[]).unwrap_err()[0].starts_with("feed.toml:1: "));
}
