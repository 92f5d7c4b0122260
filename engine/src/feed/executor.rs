//! The pinned executor of a feed core: starts its connections, ticks, stops.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam::channel::Receiver;
use glommio::{GlommioError, LocalExecutor, LocalExecutorBuilder, Placement};

use super::FeedCore;
use super::assignment::{Assignment, Limits};
use super::io_uring::{IO_MEMORY, explain};
use super::outside::{Here, Machine, Outside};
use super::seat::{Seat, Seated};
use super::waits::Waits;
use crate::clock::Nanos;
use crate::pulse::Pulse;
use crate::repair::Source;
use crate::venue::{Venue, Visit};

/// How often glommio looks after its own reactor, which nothing here waits for.
const REACTOR_INTERVAL: Duration = Duration::from_secs(1);
/// How often a core looks after its connections' clocks, its own, and the wish to stop.
const TICK: Duration = Duration::from_millis(50);

/// What a feed core does.
pub struct Duty {
    /// From the start on.
    pub assignments: Vec<Assignment>,
    /// Later.
    pub orders: Receiver<Order>,
}

/// Starts a feed core on `cpu`, a thread of its own; `make_core` runs there, so that memory is local to it.
///
/// # Errors
/// What is missing for io_uring, and the way out.
pub fn start(
    number: usize,
    cpu: usize,
    machine: Machine,
    limits: Limits,
    duty: Duty,
    (stop, pulse): (Arc<AtomicBool>, Pulse),
    make_core: impl FnOnce() -> FeedCore + Send + 'static,
) -> Result<JoinHandle<()>, String> {
    let (started, outcome) = crossbeam::channel::bounded(1);
    let begin = move || -> Result<_, String> {
        let executor = executor(cpu).map_err(|error| explain(&error))?;
        let waits = Waits::new(machine.wait).map_err(|error| format!("it cannot wait for sockets: {error}"))?;
        Ok((executor, Here { machine, waits: Rc::new(waits) }))
    };
    let thread = std::thread::Builder::new().name(format!("k2-feed-{number}")).spawn(move || match begin() {
        Ok((executor, here)) => {
            let _ = started.send(Ok(()));
            let _beating = pulse.begin();
            executor.run(attend(make_core(), here, limits, duty, (stop, pulse)));
        }
        Err(error) => drop(started.send(Err(error))),
    });
    let thread = thread.map_err(|error| format!("feed core {number} cannot be started: {error}"))?;
    match outcome.recv() {
        Ok(Ok(())) => Ok(thread),
        Ok(Err(error)) => Err(format!("feed core {number} on CPU {cpu}: {error}")),
        Err(_) => Err(format!("feed core {number} on CPU {cpu}: its thread ended before it began")),
    }
}

fn executor(cpu: usize) -> Result<LocalExecutor, GlommioError<()>> {
    LocalExecutorBuilder::new(Placement::Fixed(cpu)).io_memory(IO_MEMORY).preempt_timer(REACTOR_INTERVAL).make()
}

/// Takes a connection's seat. The one place where a protocol is told from another: from here on its code is compiled in.
struct Take {
    assignment: Assignment,
    limits: Limits,
    core: Rc<RefCell<FeedCore>>,
    here: Here,
}

impl Visit for Take {
    type Output = Rc<dyn Seated>;

    fn visit<V: Venue>(self) -> Rc<dyn Seated> {
        let seat = Seat::<V, _>::new(self.assignment, self.limits, self.core, self.here);
        seat.connect();
        seat
    }
}

/// What a running feed core is told to do differently.
pub enum Order {
    /// Take the seat of one more connection, of a feed whose gaps are repaired from `source`.
    Take {
        /// The connection.
        assignment: Assignment,
        /// See [`FeedCore::repair_from`].
        source: Option<Arc<Source>>,
    },
    /// Change what the connection of this exchange and number carries; if to nothing, end it.
    Change {
        /// The connection.
        assignment: Assignment,
        /// The symbols that another connection is to carry.
        moved: Vec<String>,
    },
}

/// The seats of a core, by their exchanges and numbers.
struct Seats {
    core: Rc<RefCell<FeedCore>>,
    here: Here,
    limits: Limits,
    seats: Vec<(&'static str, usize, Rc<dyn Seated>)>,
}

impl Seats {
    fn take(&mut self, assignment: Assignment) {
        let (protocol, number) = (assignment.protocol, assignment.number);
        let (core, here, limits) = (self.core.clone(), self.here.clone(), self.limits);
        let seat = protocol.visit(Take { assignment, limits, core, here });
        self.seats.push((protocol.exchange(), number, seat));
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Take { assignment, source } => {
                self.core.borrow_mut().repair_from(assignment.feed, source);
                self.take(assignment);
            }
            Order::Change { assignment, moved } => {
                let (exchange, number) = (assignment.protocol.exchange(), assignment.number);
                let seat = self.seats.iter().find(|(of, seat, _)| *of == exchange && *seat == number);
                let (.., seat) = seat.expect("only seats that were taken are changed");
                seat.clone().change(assignment, &moved);
            }
        }
    }

    fn all(&self) -> impl Iterator<Item = &Rc<dyn Seated>> {
        self.seats.iter().map(|(.., seat)| seat)
    }
}

/// The executor's main task.
async fn attend(core: FeedCore, here: Here, limits: Limits, duty: Duty, (stop, pulse): (Arc<AtomicBool>, Pulse)) {
    let waits = here.waits.clone();
    here.spawn(async move { waits.keep().await });
    let mut seats = Seats { core: Rc::new(RefCell::new(core)), here, limits, seats: Vec::new() };
    let Duty { assignments, orders } = duty;
    assignments.into_iter().for_each(|assignment| seats.take(assignment));
    while !stop.load(Ordering::Relaxed) {
        seats.here.sleep(TICK).await;
        pulse.beat();
        orders.try_iter().for_each(|order| seats.obey(order));
        let now = Nanos::now();
        seats.all().for_each(|seat| seat.clone().tick(now));
        seats.seats.retain(|(.., seat)| !seat.is_over());
        seats.core.borrow_mut().tick();
    }
    seats.all().for_each(|seat| seat.stop());
    while seats.all().any(|seat| seat.is_taken()) {
        seats.here.sleep(Duration::from_millis(1)).await;
        pulse.beat();
    }
    seats.core.borrow_mut().finish();
    seats.here.waits.end();
}
