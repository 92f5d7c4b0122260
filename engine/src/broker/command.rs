//! The command `k2-feed broker`: broker and registry until it is told to stop.

use std::io::Write;
use std::net::{SocketAddr, ToSocketAddrs};
use std::str::FromStr;
use std::time::Duration;

use anyhow::Context;

use super::kafka::check_topic_name;
use super::{EmbeddedBroker, EmbeddedRegistry};
use crate::signals::Signals;

/// Between signals that nobody sends.
const LONG: Duration = Duration::from_secs(3_600);
/// Partitions of a topic given without a number: as many as the engine gives its own.
pub const DEFAULT_PARTITIONS: i32 = 3;

/// Run a Kafka broker and a schema registry in this process, to try the engine without either.
///
/// Prints the two settings that clients need, then serves until SIGINT or SIGTERM. Everything is in
/// memory and for this machine only: each partition keeps its last 5 MiB, and nothing is left
/// afterwards.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
pub struct BrokerArgs {
    /// Where Kafka clients bootstrap, on the loopback interface; port 0 takes any free one.
    ///
    /// A port of your choice only leads clients in: they are then told the broker's own port, which
    /// the system chooses, and go on there.
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:0", value_parser = address)]
    pub listen: SocketAddr,

    /// Where the schema registry listens, on the loopback interface; port 0 takes any free one.
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:0", value_parser = address)]
    pub registry_listen: SocketAddr,

    /// Topics to create at start, e.g. trades:3,trades.raw:20; without a number, 3 partitions.
    ///
    /// Other topics appear when a client asks for them, always with 4 partitions.
    #[arg(long, value_name = "NAME[:PARTITIONS],…", value_delimiter = ',')]
    pub topics: Vec<TopicSpec>,
}

/// A topic to create: `name` or `name:partitions`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicSpec {
    /// The topic's name.
    pub name: String,
    /// Its number of partitions.
    pub partitions: i32,
}

impl FromStr for TopicSpec {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, partitions) = match text.split_once(':') {
            None => (text, DEFAULT_PARTITIONS),
            Some((name, number)) => {
                let number = number.parse().ok().filter(|number| *number > 0);
                let wrong = || format!("{text:?}: write NAME:PARTITIONS, partitions 1 or more");
                (name, number.ok_or_else(wrong)?)
            }
        };
        check_topic_name(name).map_err(|reason| format!("{name:?}: {reason}"))?;
        Ok(Self { name: name.to_owned(), partitions })
    }
}

/// `HOST:PORT` to an address; of a name's addresses, IPv4 goes first, as the broker has no other.
fn address(text: &str) -> Result<SocketAddr, String> {
    let resolved = text
        .to_socket_addrs()
        .map_err(|error| format!("{error}; write HOST:PORT, e.g. 127.0.0.1:9092, or port 0 for any free one"))?;
    let mut found: Vec<SocketAddr> = resolved.collect();
    found.sort_by_key(SocketAddr::is_ipv6);
    found.first().copied().ok_or_else(|| format!("{text:?} has no address"))
}

/// Serves until SIGINT or SIGTERM. On stdout it prints the clients' two settings, one a line.
///
/// # Errors
/// When a port is taken, an address is not on the loopback interface, a topic cannot be created, or
/// stdout is closed.
pub fn run(args: &BrokerArgs) -> anyhow::Result<()> {
    // Before anything is printed: who reads the addresses may stop us at once.
    let signals = Signals::install()?;

    let registry =
        EmbeddedRegistry::start(args.registry_listen).context("choose its address with --registry-listen")?;
    let broker = EmbeddedBroker::start(args.listen).context("choose its address with --listen")?;
    for topic in &args.topics {
        broker.create_topic(&topic.name, topic.partitions)?;
    }

    let mut out = std::io::stdout().lock();
    writeln!(out, "bootstrap.servers {}", broker.bootstrap_servers())
        .and_then(|()| writeln!(out, "schema.registry.url {}", registry.url()))
        .and_then(|()| out.flush())
        .context("the addresses could not be written to stdout")?;
    drop(out);
    eprintln!("{}", how_to_read(args, &broker.bootstrap_servers(), &registry.url()));

    while signals.wait(LONG).is_none() {}
    Ok(())
}

fn how_to_read(args: &BrokerArgs, bootstrap: &str, registry: &str) -> String {
    let topic = args.topics.first().map_or("TOPIC", |topic| topic.name.as_str());
    format!(
        "read with: kcat -C -b {bootstrap} -t {topic} -s value=avro -r {registry}   \
         (a kcat without Avro: leave out -s and -r); Ctrl-C stops"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_are_read_with_and_without_a_number() {
        let topic = |text: &str| text.parse::<TopicSpec>().map(|t| (t.name, t.partitions));
        assert_eq!(topic("a.b-c_d"), Ok(("a.b-c_d".to_owned(), 3)));
        assert_eq!(topic("trades:20"), Ok(("trades".to_owned(), 20)));
        for wrong in ["", ":3", "a:", "a:0", "a:-1", "a:x", "a:3:4", "a b", "..", "é"] {
            assert!(topic(wrong).is_err(), "{wrong:?}");
        }
        assert!(topic("a:0").unwrap_err().contains("NAME:PARTITIONS"));
    }

    #[test]
    fn addresses_are_read_by_name_and_number() {
        assert_eq!(address("127.0.0.1:9092"), Ok("127.0.0.1:9092".parse().unwrap()));
        assert_eq!(address("localhost:0"), Ok("127.0.0.1:0".parse().unwrap()));
        assert!(address("127.0.0.1").unwrap_err().contains("HOST:PORT"));
    }
}
