//! `k2-feed top`: a running engine on a screen of the terminal.
//!
//! `fetch` asks the engine for its status, which `answer` reads; `seen` is that with what follows from those before it;
//! `tables` has what is in which column; `state` is what keys and answers change; `draw` draws it on a buffer, which
//! `terminal` and `plain` bring to a terminal and to stdout.

mod answer;
mod draw;
mod fetch;
mod keys;
mod plain;
mod seen;
mod state;
mod table;
mod tables;
mod terminal;
#[cfg(test)]
mod tests;

use std::io::{IsTerminal, Write};
use std::thread;
use std::time::{Duration, SystemTime};

use clap::Args;
use url::Url;

use crate::config::Http;
use crate::http::client::parse_url;
use crate::outcome::duration;
use fetch::Source;
use state::State;

/// The engine is asked no more often: its own figures are of a second.
const LEAST_EVERY: Duration = Duration::from_millis(500);

/// Watch a running engine: rates, hops, connections, symbols, gaps, what waits, cores and brokers.
///
/// It asks the engine's HTTP server for /status again and again. Where the engine does not answer, what it said last stays,
/// with the reason and since when, and it is asked on. Keys are told in the last line, and by ?. With --once, or where stdout
/// is no terminal, one screen is printed as plain text: exit code 1 if the engine does not answer.
#[derive(Debug, Args)]
pub struct TopArgs {
    /// Where the engine listens (http.listen): by default as K2_HTTP_LISTEN says here.
    #[arg(long, value_name = "URL", default_value_t = Http::here(), value_parser = parse_url)]
    pub url: Url,
    /// How often it is asked, such as 500ms.
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = every)]
    pub every: Duration,
    /// Print one screen as plain text and end. The engine is asked twice, that far apart, for the rates of symbols.
    #[arg(long)]
    pub once: bool,
}

fn every(text: &str) -> Result<Duration, String> {
    let every = duration(text)?;
    if every < LEAST_EVERY { Err(format!("give at least {LEAST_EVERY:?}")) } else { Ok(every) }
}

/// Shows the engine until it is told to end, or once.
///
/// # Errors
/// If the terminal cannot be used, or, where one screen is asked for, if the engine does not answer.
pub fn run(args: &TopArgs) -> anyhow::Result<()> {
    let source = Source::new(&args.url);
    let state = State::new(shown(&args.url), args.every);
    let is_screen = std::io::stdout().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb");
    if args.once || !is_screen { once(&source, state) } else { terminal::run(source, state) }
}

fn once(source: &Source, mut state: State) -> anyhow::Result<()> {
    for look in 0..2 {
        if look > 0 {
            thread::sleep(state.every);
        }
        let answer = source.look().map_err(|error| {
            let url = &state.url;
            anyhow::anyhow!("{url}: {error}; is the engine running, and is this its http.listen (K2_HTTP_LISTEN)?")
        })?;
        state.looked(Ok(answer), SystemTime::now());
    }
    std::io::stdout().lock().write_all(plain::plain(&state, SystemTime::now()).as_bytes())?;
    Ok(())
}

/// A URL without its secrets.
fn shown(url: &Url) -> String {
    let mut url = url.clone();
    // Both fail only for URLs without a host, which have none.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.as_str().trim_end_matches('/').into()
}
