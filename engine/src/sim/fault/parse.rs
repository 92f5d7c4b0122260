//! How a fault is written, and whether it makes sense here.

use std::str::FromStr;
use std::time::Duration;

use super::{Fault, WORDS, What, When, Word};
use crate::nearest::nearest;
use crate::sim::config::{SimError, SimulatorConfig};
use crate::sim::dialect::{self, Shape};

/// What `shutdown` leaves between notice and cut: as much as Binance announces.
const SHUTDOWN_NOTICE: Duration = Duration::from_secs(10);
const EVERY: &str = "every:";

/// What stands after a fault's `@`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Timing {
    Needed,
    Optional,
    None,
}

impl FromStr for Fault {
    type Err = String;

    /// Reads `close=1001@every:5s`.
    fn from_str(text: &str) -> Result<Self, String> {
        let (what, when) = split(text, '@');
        let (name, value) = split(what, '=');
        let word = WORDS.iter().find(|word| word.name == name).ok_or_else(|| unknown(name))?;
        let wrong = |problem: &str| format!("{problem}, e.g. {}", word.example);
        let what = parse_what(name, value).map_err(|problem| wrong(&problem))?;
        let timing = match what {
            What::Reject(_) | What::NoAck(_) => Timing::None,
            What::Drip(_) => Timing::Optional,
            _ => Timing::Needed,
        };
        let when = match (when, timing) {
            (Some(_), Timing::None) => Err(format!("{name} holds from the start and takes no @")),
            (None, Timing::Needed) => Err(format!("{name} needs a time after the market's opening")),
            (None, _) => Ok(When::Always),
            (Some(when), _) => parse_when(when),
        };
        Ok(Fault { what, when: when.map_err(|problem| wrong(&problem))? })
    }
}

impl Fault {
    /// Explains each fault in a line, for `--help`.
    pub fn help() -> String {
        let width = WORDS.iter().map(|word| word.example.len()).max().unwrap_or_default();
        let line = |Word { example, says, .. }: &Word| format!("  {example:<width$}  {says}");
        let lines: Vec<String> = WORDS.iter().map(line).collect();
        format!(
            "What goes wrong on purpose: <what>[=<value>]@<when>, several separated by commas\n\n<when> counts from the \
             market's opening: 5s for once, every:5s for again and again.\n\n{}",
            lines.join("\n")
        )
    }
}

fn split(text: &str, at: char) -> (&str, Option<&str>) {
    text.split_once(at).map_or((text, None), |(before, after)| (before, Some(after)))
}

fn unknown(name: &str) -> String {
    let known: Vec<&str> = WORDS.iter().map(|word| word.name).collect();
    let meant =
        nearest(name, known.iter().copied()).map(|near| format!(", did you mean {near:?}?")).unwrap_or_default();
    let end = if meant.is_empty() { "." } else { "" };
    format!("no fault is called {name:?}{meant}{end} Known are: {}", known.join(", "))
}

/// Reads what goes wrong. Its name is known to be a fault's.
fn parse_what(name: &str, value: Option<&str>) -> Result<What, String> {
    let none = |what: What| match value {
        Some(_) => Err(format!("{name} takes no value")),
        None => Ok(what),
    };
    let needed = || value.filter(|value| !value.is_empty()).ok_or_else(|| format!("{name} needs a value"));
    match name {
        "cut" => none(What::Cut),
        "cut-one" => none(What::CutOne),
        "silent" => none(What::Silent),
        "garbage" => none(What::Garbage),
        "refuse" => Ok(What::Refuse(span(needed()?)?)),
        "stall" => Ok(What::Stall(span(needed()?)?)),
        "shutdown" => Ok(What::Shutdown(value.map_or(Ok(SHUTDOWN_NOTICE), span)?)),
        "status" => {
            let (code, lasts) =
                needed()?.split_once('/').ok_or_else(|| format!("{name} needs a status and how long it lasts"))?;
            Ok(What::Status { code: number(code, 300, 599, "an HTTP status")?, lasts: span(lasts)? })
        }
        "close" => Ok(What::Close(number(needed()?, 1000, 4999, "a close code")?)),
        "drip" => Ok(What::Drip(number(needed()?, 1, 1 << 30, "a number of bytes")?)),
        "drop" => Ok(What::Drop(number(needed()?, 1, 1_000_000, "a number of trades")?)),
        "mute" => Ok(What::Mute(needed()?.to_owned())),
        "reject" => Ok(What::Reject(needed()?.to_owned())),
        _ => Ok(What::NoAck(needed()?.to_owned())),
    }
}

fn parse_when(text: &str) -> Result<When, String> {
    match text.strip_prefix(EVERY) {
        Some(every) => Ok(When::Every(span(every)?)),
        None => Ok(When::Once(time(text)?)),
    }
}

fn number<N: FromStr + PartialOrd + std::fmt::Display>(text: &str, least: N, most: N, what: &str) -> Result<N, String> {
    let number = text.parse().ok().filter(|number| (&least..=&most).contains(&number));
    number.ok_or_else(|| format!("{text:?} is not {what} from {least} to {most}"))
}

fn time(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|_| format!("{text:?} is no duration"))
}

/// A time that something lasts: not none.
fn span(text: &str) -> Result<Duration, String> {
    match time(text)? {
        Duration::ZERO => Err(format!("{text:?} is no time at all")),
        span => Ok(span),
    }
}

/// Refuses faults that make no sense for the simulator's protocol, symbols or recording.
pub(in crate::sim) fn check(config: &SimulatorConfig) -> Result<(), SimError> {
    let dialect = dialect::of(config.protocol);
    let protocol = config.protocol;
    for fault in &config.faults {
        let problem = match &fault.what {
            What::Shutdown(_) if dialect.shutdown_notice(Shape::default(), 0).is_none() => {
                Some(format!("{protocol} does not announce that it goes away; use cut"))
            }
            What::Drop(_) if config.replay.is_some() => {
                Some("a recording is sent as it is; cut lines out of it instead".to_owned())
            }
            What::Drop(_) if !dialect.has_ids() => {
                Some(format!("trades of {protocol} have no ids, so nobody could see the gap; use mute"))
            }
            What::Mute(symbol) | What::Reject(symbol) | What::NoAck(symbol) => match config.symbols.contains(symbol) {
                false if !dialect.is_symbol(symbol) => {
                    let example = dialect.symbol("BTC", "USDT");
                    Some(format!(
                        "{symbol:?} is no symbol of {protocol}; write it as the exchange does, e.g. {example}"
                    ))
                }
                false if !config.symbols.is_empty() => {
                    let listed = config.symbols.join(", ");
                    Some(format!("no such symbol exists here; take one of {listed}"))
                }
                _ => None,
            },
            _ => None,
        };
        if let Some(problem) = problem {
            return Err(SimError::Fault { fault: fault.to_string(), problem });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
