//! The pinned executor of a feed core: starts its connections, ticks, stops.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use glommio::{GlommioError, LocalExecutor, LocalExecutorBuilder, Placement};

use super::FeedCore;
use super::connection::{Assignment, Connection, Surroundings};
use super::io_uring::{IO_MEMORY, explain};
use super::live::Slot;
use crate::clock::Nanos;
use crate::venue::{Venue, Visit};

/// How long a connection that always has more may go on before the others get their turn.
const LONGEST_TURN: Duration = Duration::from_millis(1);
/// How often a core looks after its connections' clocks, its own, and the wish to stop.
const TICK: Duration = Duration::from_millis(50);

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
    LocalExecutorBuilder::new(Placement::Fixed(cpu)).io_memory(IO_MEMORY).preempt_timer(LONGEST_TURN).make()
}

/// Starts a connection's task. The one place where a protocol is told from another: from here on its code is compiled in.
struct Start {
    assignment: Assignment,
    surroundings: Surroundings,
    core: Rc<RefCell<FeedCore>>,
    slot: Slot,
    stopping: Rc<Cell<bool>>,
}

impl Visit for Start {
    type Output = ();

    fn visit<V: Venue>(self) {
        let Start { assignment, surroundings, core, slot, stopping } = self;
        let connection = Connection::<V>::new(assignment, surroundings, core, slot, stopping);
        glommio::spawn_local(connection.attend()).detach();
    }
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
        assignment.protocol.visit(Start { assignment, surroundings, core, slot, stopping });
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
