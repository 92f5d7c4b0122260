//! `k2-feed tail`: the trades of the last minutes, straight from Kafka.

mod row;

use std::io::{self, BufWriter, ErrorKind, StdoutLock};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::consume::Record;
use crate::consume::decode::{Decoder, Undecodable};
use crate::consume::merge::Merge;
use crate::consume::moment::{Moment, now_ms};
use crate::consume::source::{Catalog, SourceArgs};
use crate::consume::stream::Stream;
use crate::consume::trade::Trade;
use crate::outcome::{Outcome, duration};
use crate::readable::thousands;
use crate::signals::Signals;
use row::{Format, Row, Rows};

/// Most trades that are sorted by their own time, some 300 bytes each.
const MOST_SORTED: usize = 5_000_000;
/// Most symbols that are named where none of them was asked for.
const NAMED: usize = 12;

/// Show the trades of the last minutes, straight from Kafka.
///
/// Reads the topics market.crypto.trades.EXCHANGE from the first record of the window on, all partitions side by side, and
/// prints trades in the order in which they came to Kafka; so the first is there at once, however many follow. By --sort
/// trade-time, all are read first and put in the order of the exchange's time. Joins no consumer group and commits no offset.
/// Exit codes: 0 done; 1 a record was no trade, or Kafka or the registry failed; 2 wrong usage.
#[derive(Debug, Args)]
pub struct TailArgs {
    /// How far back.
    #[arg(long, default_value = "5m", value_name = "DURATION", value_parser = duration)]
    pub last: Duration,
    /// Only this exchange; may be given several times.
    #[arg(long, value_name = "NAME")]
    pub exchange: Vec<String>,
    /// Only this symbol, as the exchange writes it (BTCUSDT) or as BASE/QUOTE (BTC/USDT); may be given several times.
    #[arg(long, value_name = "SYMBOL")]
    pub symbol: Vec<String>,
    /// A topic of another name; may be given several times.
    #[arg(long, value_name = "NAME")]
    pub topic: Vec<String>,
    /// How trades are written.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// The order of trades.
    #[arg(long, value_enum, default_value_t)]
    pub sort: Sort,
    /// Go on with what comes, until SIGINT or SIGTERM.
    #[arg(long, short, conflicts_with = "sort")]
    pub follow: bool,
    /// Where it is read.
    #[command(flatten)]
    pub source: SourceArgs,
}

/// What trades are ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Sort {
    /// When their records were made: at once, in little memory.
    #[default]
    RecordTime,
    /// When they took place by the exchange's clock: what was repaired later stands where it belongs.
    TradeTime,
}

/// Reads and prints.
///
/// # Errors
/// The configuration, Kafka, the registry, or stdout.
pub fn run(args: &TailArgs) -> anyhow::Result<ExitCode> {
    let source = args.source.resolve()?;
    let from_ms = Moment::Ago(args.last).at(now_ms());
    let wanted = |catalog: &Catalog| {
        if args.topic.is_empty() { catalog.trades(&args.exchange) } else { catalog.topics(&args.topic) }
    };
    let (streams, decoder) = source.open(wanted, from_ms, None, args.follow)?;
    let printer = Printer {
        rows: Rows::new(args.format, BufWriter::new(io::stdout().lock()))?,
        decoder,
        wanted: Wanted { exchanges: &args.exchange, symbols: &args.symbol },
        shown: 0,
        others: Vec::new(),
        undecodable: 0,
    };
    match printer.run(Merge::new(streams), args) {
        // Whoever reads has seen enough.
        Err(error) if is_closed(&error) => Ok(ExitCode::SUCCESS),
        outcome => outcome.map(ExitCode::from),
    }
}

fn is_closed(error: &anyhow::Error) -> bool {
    let closed = |error: &io::Error| error.kind() == ErrorKind::BrokenPipe;
    error.chain().any(|cause| match cause.downcast_ref::<csv::Error>().map(csv::Error::kind) {
        Some(csv::ErrorKind::Io(error)) => closed(error),
        _ => cause.downcast_ref::<io::Error>().is_some_and(closed),
    })
}

/// Which trades are printed.
struct Wanted<'a> {
    exchanges: &'a [String],
    symbols: &'a [String],
}

impl Wanted<'_> {
    fn is(&self, trade: &Trade<'_>) -> bool {
        let is_symbol = |named: &String| named == trade.symbol || named == trade.canonical_symbol;
        (self.exchanges.is_empty() || self.exchanges.iter().any(|named| named == trade.exchange))
            && (self.symbols.is_empty() || self.symbols.iter().any(is_symbol))
    }
}

struct Printer<'a> {
    rows: Rows<BufWriter<StdoutLock<'static>>>,
    decoder: Decoder,
    wanted: Wanted<'a>,
    shown: u64,
    /// Some symbols that are there and were not asked for.
    others: Vec<String>,
    undecodable: u64,
}

impl Printer<'_> {
    fn run(mut self, mut merge: Merge<Stream>, args: &TailArgs) -> anyhow::Result<Outcome> {
        match args.sort {
            Sort::RecordTime => {
                while let Some((place, record)) = merge.take_next()? {
                    self.show(&merge.partitions()[place], &record)?;
                }
            }
            Sort::TradeTime => self.sorted(&mut merge)?,
        }
        self.rows.flush()?;
        if args.follow {
            self.follow(merge.into_partitions())?;
        } else if self.shown == 0 {
            self.tell_nothing(args);
        }
        if self.undecodable > 0 {
            eprintln!("error: {} record(s) are no trades, and were left out", thousands(self.undecodable));
        }
        Ok(if self.undecodable > 0 { Outcome::Lost } else { Outcome::Complete })
    }

    /// Prints a record, if it is wanted.
    fn show(&mut self, stream: &Stream, record: &Record) -> anyhow::Result<()> {
        match self.decoder.trade(&record.value)? {
            Ok(trade) if self.wanted.is(&trade) => {
                self.rows.write(&Row::new(stream.span(), record, &trade))?;
                if self.shown == 0 {
                    self.rows.flush()?;
                }
                self.shown += 1;
            }
            Ok(trade) => self.note_other(&trade),
            Err(why) => self.tell_undecodable(stream, record, &why),
        }
        Ok(())
    }

    /// Reads all that is wanted, and prints it in the order of the exchange's time.
    fn sorted(&mut self, merge: &mut Merge<Stream>) -> anyhow::Result<()> {
        let mut all = Vec::new();
        while let Some((place, record)) = merge.take_next()? {
            match self.decoder.trade(&record.value)? {
                Ok(trade) if self.wanted.is(&trade) => all.push((trade.time_ns(), place, record)),
                Ok(trade) => self.note_other(&trade),
                Err(why) => self.tell_undecodable(&merge.partitions()[place], &record, &why),
            }
            if all.len() > MOST_SORTED {
                let most = thousands(MOST_SORTED as u64);
                anyhow::bail!("more than {most} trades: ask for less, by --last or --symbol, or --sort record-time");
            }
        }
        all.sort_unstable_by_key(|(time_ns, place, record)| (*time_ns, *place, record.offset));
        all.iter().try_for_each(|(_, place, record)| self.show(&merge.partitions()[*place], record))
    }

    /// Prints what comes, as it comes.
    fn follow(&mut self, mut streams: Vec<Stream>) -> anyhow::Result<()> {
        const LOOK: Duration = Duration::from_millis(10);
        let signals = Signals::install()?;
        signals.tell_left("nothing is left".into());
        while signals.wait(LOOK).is_none() {
            for stream in &mut streams {
                while let Some(record) = stream.look(Duration::ZERO)? {
                    self.show(stream, &record)?;
                }
            }
            self.rows.flush()?;
        }
        Ok(())
    }

    fn note_other(&mut self, trade: &Trade<'_>) {
        if self.others.len() < NAMED && self.others.iter().all(|known| known != trade.symbol) {
            self.others.push(trade.symbol.into());
        }
    }

    fn tell_undecodable(&mut self, stream: &Stream, record: &Record, why: &Undecodable) {
        if self.undecodable == 0 {
            let (topic, partition) = (&stream.span().topic, stream.span().partition);
            eprintln!("error: {topic} [{partition}] offset {} is no trade: {why}", record.offset);
        }
        self.undecodable += 1;
    }

    fn tell_nothing(&self, args: &TailArgs) {
        let others = match &self.others[..] {
            [] => String::new(),
            others => format!("; there are trades of {}", others.join(", ")),
        };
        eprintln!("no such trade within the last {}{others}", humantime::format_duration(args.last));
    }
}
