//! The screen over a recorded status: what is where, and what keys and answers make of it.

mod screen;
mod state;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::answer::Answer;
use super::draw::{Look, draw};
use super::fetch::NoStatus;
use super::keys::{Scroll, Wish};
use super::plain::{plain, text};
use super::state::State;
use crate::http::client::NoAnswer;
use crate::http::status::Status;

/// Noon of some day, and so many seconds.
fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(20_000 * 86_400 + 12 * 3_600 + seconds)
}

/// A status, two thirds of an hour after the start, and with what is done to it.
fn answer(change: impl FnOnce(&mut Status)) -> Answer {
    let mut answer = Answer::read(include_str!("tests/status.json")).unwrap();
    change(&mut answer.status);
    answer
}

/// The same so many seconds later, with a trade of each symbol in each of them.
fn later(seconds: u64) -> Answer {
    answer(|status| {
        status.uptime_s += seconds as f64;
        status.symbols.iter_mut().for_each(|symbol| symbol.trades += seconds);
        status.cores[0].cpu_seconds = Some(3_000.0 + seconds as f64 * 0.4);
    })
}

fn nothing() -> Result<Answer, NoStatus> {
    Err(NoStatus::Silent(NoAnswer("Connection refused (os error 111)".into())))
}

/// A state that has seen the recorded status twice, 2 s apart.
fn seen() -> State {
    let mut state = State::new("http://127.0.0.1:9090".into(), Duration::from_secs(1));
    state.looked(Ok(later(0)), at(0));
    state.looked(Ok(later(2)), at(2));
    state
}

/// The screen's lines, `now` seconds after noon.
fn lines_at(state: &mut State, size: (u16, u16), now: u64) -> Vec<String> {
    let look = Look { colors: true, goes_on: true, now: at(now) };
    let mut terminal = Terminal::new(TestBackend::new(size.0, size.1)).unwrap();
    let mut page = 0;
    terminal.draw(|frame| page = draw(state, look, frame.area(), frame.buffer_mut())).unwrap();
    state.drawn(page);
    text(terminal.backend().buffer()).lines().map(str::to_string).collect()
}

fn lines(state: &mut State, size: (u16, u16)) -> Vec<String> {
    lines_at(state, size, 2)
}

/// The second words of the table's rows: the symbols, where it is theirs.
fn symbols(lines: &[String]) -> Vec<String> {
    let header = lines.iter().position(|line| line.starts_with("exchange")).expect("the table of symbols is shown");
    let rows = lines[header + 1..].iter().take_while(|line| line.starts_with("binance") || line.starts_with("kraken"));
    rows.map(|row| row.split_whitespace().nth(1).unwrap().to_string()).collect()
}
