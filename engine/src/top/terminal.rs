//! The screen in a terminal: keys, answers and signals come to one place, which draws anew after each.

use std::io;
use std::panic;
use std::process;
use std::thread;
use std::time::{Duration, SystemTime};

use anyhow::Context;
use crossbeam::channel::{Receiver, RecvTimeoutError, Sender, unbounded};
use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event as TerminalEvent, KeyEvent};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::iterator::Signals;

use super::answer::Answer;
use super::draw::{Look, draw};
use super::fetch::{NoStatus, Source};
use super::keys::wish;
use super::state::State;

/// Drawn at least so often, since it says how long ago things were.
const REDRAW: Duration = Duration::from_secs(1);
/// The exit code of a panic.
const EXIT_PANIC: i32 = 101;

/// What the screen reacts to.
enum Event {
    Key(KeyEvent),
    Resized,
    Looked(Box<Result<Answer, NoStatus>>),
    /// A signal says to end.
    Stop,
    /// There are no more keys to be had.
    Gone(io::Error),
}

/// Takes the terminal over until a key or a signal ends it.
///
/// # Errors
/// If the terminal cannot be used, or not any more.
pub(super) fn run(source: Source, mut state: State) -> anyhow::Result<()> {
    let (tell, told) = unbounded();
    listen(&tell)?;
    let mut screen = Screen::open().context("the terminal cannot be taken over; --once needs none")?;
    let (keys, answers) = (tell.clone(), tell);
    thread::Builder::new().name("k2-top-keys".into()).spawn(move || read_keys(&keys)).context("no thread for keys")?;
    source.keep_looking(state.every, move |outcome| answers.send(Event::Looked(outcome.into())).is_ok())?;
    show(&mut screen, &mut state, &told).context("the terminal cannot be used any more")
}

/// Draws, and waits for what is next, until it is to end.
fn show(screen: &mut Screen, state: &mut State, told: &Receiver<Event>) -> io::Result<()> {
    // See no-color.org.
    let colors = std::env::var_os("NO_COLOR").is_none_or(|set| set.is_empty());
    loop {
        let look = Look { colors, goes_on: true, now: SystemTime::now() };
        let mut page = 0;
        screen.0.draw(|frame| page = draw(state, look, frame.area(), frame.buffer_mut()))?;
        state.drawn(page);
        let mut next = told.recv_timeout(REDRAW);
        loop {
            match next {
                Ok(Event::Key(key)) => {
                    if wish(key).is_some_and(|wish| !state.obey(wish, SystemTime::now())) {
                        return Ok(());
                    }
                }
                Ok(Event::Looked(outcome)) => state.looked(*outcome, SystemTime::now()),
                Ok(Event::Resized) => {}
                Ok(Event::Stop) | Err(RecvTimeoutError::Disconnected) => return Ok(()),
                Ok(Event::Gone(error)) => return Err(error),
                Err(RecvTimeoutError::Timeout) => break,
            }
            // All that has come is drawn at once.
            next = told.try_recv().map_err(|_| RecvTimeoutError::Timeout);
        }
    }
}

/// Signals end it as keys do, with the terminal as it was before.
fn listen(tell: &Sender<Event>) -> anyhow::Result<()> {
    let tell = tell.clone();
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP, SIGQUIT]).context("signals cannot be handled")?;
    let forward = move || signals.forever().for_each(|_| drop(tell.send(Event::Stop)));
    thread::Builder::new().name("k2-signals".into()).spawn(forward).context("signals cannot be handled")?;
    Ok(())
}

fn read_keys(tell: &Sender<Event>) {
    loop {
        let event = match event::read() {
            Ok(TerminalEvent::Key(key)) => Event::Key(key),
            Ok(TerminalEvent::Resize(..)) => Event::Resized,
            Ok(_) => continue,
            Err(error) => {
                let _ = tell.send(Event::Gone(error));
                return;
            }
        };
        if tell.send(event).is_err() {
            return;
        }
    }
}

/// The terminal while it is ours. It is given back as it was, whatever happens.
struct Screen(DefaultTerminal);

impl Screen {
    fn open() -> io::Result<Self> {
        // Also puts a panic's message after the terminal was given back.
        let terminal = ratatui::try_init().inspect_err(|_| ratatui::restore())?;
        // A thread that is gone would leave a screen that does not change, or has no keys.
        let say = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            say(info);
            process::exit(EXIT_PANIC);
        }));
        Ok(Screen(terminal))
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        ratatui::restore();
    }
}
