//! The pinned executor of a feed core: starts its connections, ticks, stops.

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use glommio::{GlommioError, LocalExecutor, LocalExecutorBuilder, Placement};

use super::FeedCore;
use super::connection::{Assignment, Connection, Surroundings};
use super::live::Slot;
use crate::clock::Nanos;
use crate::venue::Exchange;
use crate::venue::binance::Binance;

/// How often a core looks after its connections' clocks, its own, and the wish to stop.
const TICK: Duration = Duration::from_millis(50);
/// Memory that glommio registers with io_uring for storage; its least, since nothing is stored here. The default
/// of 10 MiB is more than the usual memlock limit.
const IO_MEMORY: usize = 64 * 1024;

/// Starts a feed core on `cpu`, a thread of its own; `make_core` runs there, so that memory is local to it.
///
/// # Errors
/// What is missing for io_uring, and the way out.
pub fn start(
    number: usize,
    cpu: usize,
    surroundings: Surroundings,
    assignments: Vec<Assignment>,
    stop: Arc<AtomicBool>,
    make_core: impl FnOnce() -> FeedCore + Send + 'static,
) -> Result<JoinHandle<()>, String> {
    let (started, outcome) = crossbeam::channel::bounded(1);
    let thread = std::thread::Builder::new().name(format!("k2-feed-{number}")).spawn(move || match executor(cpu) {
        Ok(executor) => {
            let _ = started.send(Ok(()));
            executor.run(attend(make_core(), surroundings, assignments, stop));
        }
        Err(error) => drop(started.send(Err(error))),
    });
    let thread = thread.map_err(|error| format!("feed core {number} cannot be started: {error}"))?;
    match outcome.recv() {
        Ok(Ok(())) => Ok(thread),
        Ok(Err(error)) => Err(format!("feed core {number} on CPU {cpu}: {}", explain(&error))),
        Err(_) => Err(format!("feed core {number} on CPU {cpu}: its thread ended before it began")),
    }
}

fn executor(cpu: usize) -> Result<LocalExecutor, GlommioError<()>> {
    LocalExecutorBuilder::new(Placement::Fixed(cpu)).io_memory(IO_MEMORY).make()
}

/// The executor's main task.
async fn attend(core: FeedCore, surroundings: Surroundings, assignments: Vec<Assignment>, stop: Arc<AtomicBool>) {
    let core = Rc::new(RefCell::new(core));
    let stopping = Rc::new(Cell::new(false));
    let mut slots = Vec::new();
    for assignment in assignments {
        let slot = Slot::default();
        slots.push(slot.clone());
        let (surroundings, core, stopping) = (surroundings.clone(), core.clone(), stopping.clone());
        // The one place where an exchange is told from another: from here on its code is compiled in.
        match assignment.exchange {
            Exchange::Binance => {
                let connection = Connection::<Binance>::new(assignment, surroundings, core, slot, stopping);
                glommio::spawn_local(connection.attend()).detach();
            }
        }
    }
    while !stop.load(Ordering::Relaxed) {
        glommio::timer::sleep(TICK).await;
        let now = Nanos::now();
        slots.iter().for_each(|slot| {
            if let Some(live) = slot.borrow_mut().as_mut() {
                live.tick(now);
            }
        });
        core.borrow_mut().tick();
    }
    stopping.set(true);
    slots.iter().for_each(|slot| {
        if let Some(live) = slot.borrow_mut().as_mut() {
            live.stop();
        }
    });
    while slots.iter().any(|slot| slot.borrow().is_some()) {
        glommio::timer::sleep(Duration::from_millis(1)).await;
    }
    core.borrow_mut().finish();
}

/// What is missing for io_uring, and how to mend it.
fn explain(error: &GlommioError<()>) -> String {
    let kind = match error {
        GlommioError::IoError(error) => error.raw_os_error(),
        _ => None,
    };
    let unprivileged = "echo 0 > /proc/sys/kernel/io_uring_disabled, and in a container a seccomp profile that allows \
                        io_uring_setup, io_uring_enter and io_uring_register";
    match kind {
        Some(libc::EPERM | libc::EACCES) => format!("io_uring is blocked ({error}): allow it ({unprivileged})"),
        Some(libc::ENOSYS) => {
            format!("io_uring is not there ({error}): Linux 5.8 or newer is needed, or it is blocked ({unprivileged})")
        }
        Some(libc::ENOMEM) => format!(
            "the limit of locked memory is too low for io_uring ({error}): raise it (ulimit -l 8192; LimitMEMLOCK= in \
             systemd; ulimits.memlock in Compose)"
        ),
        _ => format!("the executor cannot be started: {error}"),
    }
}

/// Whether an executor can be made here at all: to fail before anything else is begun.
///
/// # Errors
/// What is missing, and the way out.
pub fn probe() -> Result<(), String> {
    let builder = LocalExecutorBuilder::new(Placement::Unbound).io_memory(IO_MEMORY);
    builder.make().map(drop).map_err(|error| explain(&error))
}

/// An error of the executor's thread, as it is told to whoever joins it.
pub fn join(thread: JoinHandle<()>) -> io::Result<()> {
    thread.join().map_err(|_| io::Error::other("a feed core ended by a broken invariant"))
}
