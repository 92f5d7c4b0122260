//! The pinned executor of a feed core: starts its connections, ticks, stops.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use glommio::{GlommioError, LocalExecutor, LocalExecutorBuilder, Placement};

use super::FeedCore;
use super::io_uring::{IO_MEMORY, explain};
use super::outside::Machine;
use super::seat::{Assignment, Limits, Seat, Seated};
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
    machine: Machine,
    limits: Limits,
    assignments: Vec<Assignment>,
    stop: Arc<AtomicBool>,
    make_core: impl FnOnce() -> FeedCore + Send + 'static,
) -> Result<JoinHandle<()>, String> {
    let (started, outcome) = crossbeam::channel::bounded(1);
    let thread = std::thread::Builder::new().name(format!("k2-feed-{number}")).spawn(move || match executor(cpu) {
        Ok(executor) => {
            let _ = started.send(Ok(()));
            executor.run(attend(make_core(), machine, limits, assignments, stop));
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

/// Takes a connection's seat. The one place where a protocol is told from another: from here on its code is compiled in.
struct Take {
    assignment: Assignment,
    limits: Limits,
    core: Rc<RefCell<FeedCore>>,
    machine: Machine,
}

impl Visit for Take {
    type Output = Rc<dyn Seated>;

    fn visit<V: Venue>(self) -> Rc<dyn Seated> {
        let seat = Seat::<V, _>::new(self.assignment, self.limits, self.core, self.machine);
        seat.connect();
        seat
    }
}

/// The executor's main task.
async fn attend(core: FeedCore, machine: Machine, limits: Limits, assignments: Vec<Assignment>, stop: Arc<AtomicBool>) {
    let core = Rc::new(RefCell::new(core));
    let take = |assignment: Assignment| {
        let (core, machine) = (core.clone(), machine.clone());
        assignment.protocol.visit(Take { assignment, limits, core, machine })
    };
    let seats: Vec<_> = assignments.into_iter().map(take).collect();
    while !stop.load(Ordering::Relaxed) {
        glommio::timer::sleep(TICK).await;
        let now = Nanos::now();
        seats.iter().for_each(|seat| seat.clone().tick(now));
        core.borrow_mut().tick();
    }
    seats.iter().for_each(|seat| seat.stop());
    while seats.iter().any(|seat| seat.is_taken()) {
        glommio::timer::sleep(Duration::from_millis(1)).await;
    }
    core.borrow_mut().finish();
}
