//! A trade as `tail` writes it: for people, or for programs.

use std::io::Write;

use anyhow::Context;
use clap::ValueEnum;
use serde::Serialize;

use crate::consume::Record;
use crate::consume::moment::shown;
use crate::consume::trade::Trade;
use crate::consume::window::Span;

/// How trades are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Format {
    /// Columns for people: the exchange's time in UTC, and how much later the record was made.
    #[default]
    Table,
    /// A JSON object a line: the record's fields, and where it is on Kafka.
    Json,
    /// The same with a line of names first.
    Csv,
}

/// A row.
#[derive(Debug, Serialize)]
pub(super) struct Row<'a> {
    exchange: &'a str,
    symbol: &'a str,
    canonical_symbol: &'a str,
    trade_id: &'a str,
    price: &'a str,
    quantity: &'a str,
    quote_volume: &'a str,
    side: &'static str,
    exchange_timestamp_ns: i64,
    received_timestamp_ns: Option<i64>,
    connection: Option<&'a str>,
    topic: &'a str,
    partition: i32,
    offset: i64,
    record_timestamp: i64,
}

impl<'a> Row<'a> {
    pub(super) fn new(span: &'a Span, record: &Record, trade: &Trade<'a>) -> Self {
        Row {
            exchange: trade.exchange,
            symbol: trade.symbol,
            canonical_symbol: trade.canonical_symbol,
            trade_id: trade.trade_id,
            price: trade.price,
            quantity: trade.quantity,
            quote_volume: trade.quote_volume,
            side: trade.side.name(),
            exchange_timestamp_ns: trade.time_ns(),
            received_timestamp_ns: trade.received_timestamp_ns,
            connection: trade.connection,
            topic: &span.topic,
            partition: span.partition,
            offset: record.offset,
            record_timestamp: record.time_ms,
        }
    }
}

/// Rows that are written.
pub(super) enum Rows<W: Write> {
    Table(W),
    Json(W),
    Csv(Box<csv::Writer<W>>),
}

impl<W: Write> Rows<W> {
    /// With what stands above the rows.
    pub(super) fn new(format: Format, mut out: W) -> anyhow::Result<Self> {
        Ok(match format {
            Format::Table => {
                table(&mut out, ["TIME", "LATER ms", "EXCHANGE", "SYMBOL", "SIDE", "PRICE", "QUANTITY", "TRADE ID"])?;
                Rows::Table(out)
            }
            Format::Json => Rows::Json(out),
            Format::Csv => Rows::Csv(Box::new(csv::Writer::from_writer(out))),
        })
    }

    pub(super) fn write(&mut self, row: &Row<'_>) -> anyhow::Result<()> {
        match self {
            Rows::Table(out) => {
                let at_ms = row.exchange_timestamp_ns.div_euclid(1_000_000);
                let (time, later) = (shown(at_ms), (row.record_timestamp - at_ms).to_string());
                let Row { exchange, symbol, side, price, quantity, trade_id, .. } = row;
                table(out, [&time, &later, exchange, symbol, side, price, quantity, trade_id]).context("stdout")
            }
            Rows::Json(out) => {
                serde_json::to_writer(&mut *out, row).map_err(std::io::Error::from).context("stdout")?;
                out.write_all(b"\n").context("stdout")
            }
            Rows::Csv(out) => out.serialize(row).context("stdout"),
        }
    }

    pub(super) fn flush(&mut self) -> anyhow::Result<()> {
        match self {
            Rows::Table(out) | Rows::Json(out) => out.flush(),
            Rows::Csv(out) => out.flush(),
        }
        .context("stdout")
    }
}

/// Columns are as wide as what is usual; what is longer moves the rest of its row.
fn table(out: &mut impl Write, row: [&str; 8]) -> std::io::Result<()> {
    let [time, later, exchange, symbol, side, price, quantity, id] = row;
    writeln!(out, "{time:<24} {later:>8} {exchange:<12} {symbol:<12} {side:<4} {price:>18} {quantity:>20} {id}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::consume::trade::Side;

    fn written(format: Format) -> String {
        let span = Span { topic: "t".into(), partition: 2, from: 0, to: 1, from_ms: 0 };
        let record = Record { time_ms: 1_700, offset: 7, ..Record::default() };
        let trade = Trade {
            exchange: "kraken",
            symbol: "XBT/USD",
            canonical_symbol: "BTC/USD",
            trade_id: "a,b",
            price: "1.50",
            quantity: "2",
            quote_volume: "3.00",
            side: Side::Sell,
            timestamp: 1_600,
            exchange_timestamp: 1_500,
            exchange_timestamp_ns: None,
            received_timestamp_ns: Some(1_550_000_000),
            connection: None,
        };
        let mut out = Vec::new();
        let mut rows = Rows::new(format, &mut out).unwrap();
        rows.write(&Row::new(&span, &record, &trade)).unwrap();
        rows.flush().unwrap();
        drop(rows);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn rows_are_for_people_or_programs() {
        let table = written(Format::Table);
        let row: Vec<_> = table.lines().nth(1).unwrap().split_whitespace().collect();
        assert_eq!(row, ["1970-01-01T00:00:01.500Z", "200", "kraken", "XBT/USD", "SELL", "1.50", "2", "a,b"]);
        let json: serde_json::Value = serde_json::from_str(&written(Format::Json)).unwrap();
        assert_eq!((&json["trade_id"], &json["offset"], &json["connection"]), (&"a,b".into(), &7.into(), &().into()));
        let csv = written(Format::Csv);
        let lines: Vec<_> = csv.lines().collect();
        assert!(lines[0].starts_with("exchange,symbol,canonical_symbol,trade_id,price,"), "{csv}");
        assert_eq!(lines[1], "kraken,XBT/USD,BTC/USD,\"a,b\",1.50,2,3.00,SELL,1500000000,1550000000,,t,2,7,1700",);
    }
}
