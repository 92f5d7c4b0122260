//! The exchanges of a demo: which, what they trade, and how the engine is told of them.

use std::collections::HashMap;
use std::str::FromStr;

use toml::{Table, Value};

use super::DemoArgs;
use super::compare::Listed;
use crate::config::Config;
use crate::kafka::topics::TRADES;
use crate::sim::{self, Fault, Ledger, LedgerReader, Pair, Rate, Simulator, SimulatorConfig, Stop, What, When};
use crate::venue::Protocol;

/// With `--rate max`, most trades that are sent and not yet verified.
const MAX_UNVERIFIED: u64 = 20_000;
/// Batches of sent trades that wait for the verifier at most.
const LEDGER_BATCHES: usize = 1_024;
/// What `--exchanges` calls every protocol.
const ALL: &str = "all";

/// Which exchanges trade in a demo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchanges(Vec<Protocol>);

impl Exchanges {
    /// How many.
    pub fn count(&self) -> usize {
        self.0.len()
    }
}

impl FromStr for Exchanges {
    type Err = String;

    /// Reads `binance,kraken/v1,all`.
    fn from_str(text: &str) -> Result<Self, String> {
        let mut protocols = Vec::new();
        for name in text.split(',').map(str::trim) {
            match name.split_once('/') {
                _ if name == ALL => protocols.extend(Protocol::ALL),
                Some((exchange, protocol)) => protocols.push(Protocol::find(exchange, Some(protocol), None)?),
                None => protocols.push(Protocol::find(name, None, None)?),
            }
        }
        Ok(Exchanges(protocols))
    }
}

/// An exchange and what it trades.
pub(super) struct Market {
    pub(super) protocol: Protocol,
    pub(super) simulator: Simulator,
    pub(super) symbols: Vec<Listed>,
    pub(super) ledger: LedgerReader,
}

/// Starts the exchanges, which share the rate.
pub(super) fn open(args: &DemoArgs, seed: u64) -> anyhow::Result<Vec<Market>> {
    let bases = bases(args.symbols.into());
    let Exchanges(protocols) = &args.exchanges;
    protocols.iter().map(|protocol| open_one(args, seed, *protocol, protocols.len(), &bases)).collect()
}

fn open_one(
    args: &DemoArgs,
    seed: u64,
    protocol: Protocol,
    exchanges: usize,
    bases: &[String],
) -> anyhow::Result<Market> {
    let window = matches!(args.rate, Rate::Max).then_some((MAX_UNVERIFIED / exchanges as u64).max(1));
    let (to_ledger, ledger) = Ledger::new(LEDGER_BATCHES, window);
    let pairs = bases.iter().map(|base| Pair { base: base.clone(), quote: quote(protocol).into() });
    let list = |pair: Pair| Listed {
        exchange: protocol.exchange(),
        symbol: pair.symbol(protocol),
        canonical: pair.canonical(),
    };
    let symbols: Vec<Listed> = pairs.map(list).collect();
    let simulator = sim::start(SimulatorConfig {
        symbols: symbols.iter().map(|listed| listed.symbol.clone()).collect(),
        rate: match args.rate {
            Rate::Max => Rate::Max,
            Rate::PerSecond(rate) => Rate::PerSecond(rate / exchanges as f64),
        },
        stop: Stop::After(args.run_for),
        seed,
        start_when: symbols.iter().filter(|listed| !is_rejected(args, &listed.symbol)).count(),
        faults: faults(args),
        ledger: Some(to_ledger),
        // Its engines ask for no trades of the past.
        history_trades: 0,
        ..SimulatorConfig::new(protocol)
    })?;
    Ok(Market { protocol, simulator, symbols, ledger })
}

/// What goes wrong on each exchange.
fn faults(args: &DemoArgs) -> Vec<Fault> {
    let cut = args.cut_every.map(|every| Fault { what: What::Cut, when: When::Every(every) });
    args.faults.iter().cloned().chain(cut).collect()
}

/// Whether a symbol never trades because nobody can subscribe to it.
fn is_rejected(args: &DemoArgs, symbol: &str) -> bool {
    let refuses = |what: &What| matches!(what, What::Reject(name) | What::NoAck(name) if name == symbol);
    args.faults.iter().any(|fault| refuses(&fault.what))
}

/// The engine's configuration: a feed for each market, in their order.
pub(super) fn configure(args: &DemoArgs, markets: &[Market], broker: &str, registry: &str) -> anyhow::Result<Config> {
    let mut taken: HashMap<&str, usize> = HashMap::new();
    let mut feeds = Vec::new();
    for Market { protocol, simulator, symbols, .. } in markets {
        let number = taken.entry(protocol.exchange()).or_default();
        *number += 1;
        let name = protocol.exchange();
        let topic = if *number == 1 { name.to_string() } else { format!("{name}.{}.{number}", protocol.name()) };
        let symbols = symbols.iter().map(|listed| Value::from(listed.symbol.as_str())).collect();
        feeds.push(Value::Table(Table::from_iter([
            ("exchange".to_string(), Value::from(name)),
            ("protocol".to_string(), Value::from(protocol.name())),
            ("symbols".to_string(), Value::Array(symbols)),
            ("url".to_string(), Value::from(simulator.url())),
            ("connections".to_string(), Value::from(i64::from(args.connections))),
            ("topic".to_string(), Value::from(format!("{TRADES}{topic}"))),
        ])));
    }
    let kafka = Table::from_iter([
        ("bootstrap_servers".to_string(), Value::from(broker)),
        ("schema_registry_url".to_string(), Value::from(registry)),
    ]);
    let file =
        Table::from_iter([("kafka".to_string(), Value::Table(kafka)), ("feed".to_string(), Value::Array(feeds))]);
    Ok(Config::parse("the demo's configuration", &file.to_string())?)
}

/// What the exchange's pairs are paid in.
fn quote(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::BinanceSpot | Protocol::BinanceUsdm | Protocol::Bybit | Protocol::Okx => "USDT",
        Protocol::KrakenV2 | Protocol::KrakenV1 | Protocol::CoinbaseAdvanced | Protocol::CoinbaseExchange => "USD",
    }
}

/// Names of real currencies first; made-up ones after that.
fn bases(count: usize) -> Vec<String> {
    const BASES: &str = "BTC ETH SOL XRP DOGE ADA AVAX LINK DOT TRX LTC BCH NEAR UNI APT ICP ETC XLM FIL ATOM HBAR ARB OP \
                         INJ SUI SEI TIA RUNE AAVE MKR SNX CRV LDO GRT ALGO EGLD FLOW XTZ SAND MANA AXS GALA CHZ ENJ ZEC \
                         DASH KSM COMP YFI WIF";
    let bases = BASES.split_whitespace().map(str::to_string);
    let made_up = (1..).map(|number| format!("SIM{number}"));
    bases.chain(made_up).take(count).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exchanges_are_named_one_by_one_or_all_at_once() {
        let read = |text: &str| text.parse().map(|Exchanges(protocols)| protocols);
        assert_eq!(read("binance"), Ok(vec![Protocol::BinanceSpot]));
        assert_eq!(read("kraken/v1, okx"), Ok(vec![Protocol::KrakenV1, Protocol::Okx]));
        assert_eq!(read("all"), Ok(Protocol::ALL.to_vec()));
        assert_eq!(read("all,okx").map(|protocols| protocols.len()), Ok(9));
        assert!(read("krakn").unwrap_err().contains("did you mean \"kraken\"?"));
        assert!(read("kraken/v3").unwrap_err().contains("Known are: v2, v1"));
    }
}
