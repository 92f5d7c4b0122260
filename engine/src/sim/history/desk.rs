//! Where clients' questions wait for the market's thread.

use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use crossbeam::channel::{Receiver, Sender, bounded};

use super::archive::Pick;
use crate::sim::lock::lock;
use crate::sim::template::TimedTrade;

/// Which trades of which symbol are asked for.
pub(crate) struct Question {
    /// Whether the listed symbol is meant.
    pub(crate) is_meant: Box<dyn Fn(&str) -> bool + Send>,
    pub(crate) pick: Pick,
    /// Most trades.
    pub(crate) limit: usize,
}

impl fmt::Debug for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Question").field("pick", &self.pick).field("limit", &self.limit).finish_non_exhaustive()
    }
}

/// Trades of the past.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    /// The symbol.
    pub(crate) name: String,
    /// Decimals that its prices need.
    pub(crate) price_decimals: u8,
    /// In the order that the pick has.
    pub(crate) trades: Vec<TimedTrade>,
}

type Waiting = (Question, Sender<Option<Found>>);

/// Where questions wait.
#[derive(Default)]
pub(crate) struct Desk {
    asked: AtomicBool,
    waiting: Mutex<Vec<Waiting>>,
}

impl Desk {
    /// Leaves a question; the answer comes later, none if there is no such symbol.
    pub(super) fn ask(&self, question: Question) -> Receiver<Option<Found>> {
        let (reply, answer) = bounded(1);
        lock(&self.waiting).push((question, reply));
        self.asked.store(true, Ordering::Release);
        answer
    }

    /// Answers what has been asked: one relaxed load if nothing was.
    #[inline]
    pub(crate) fn attend(&self, answer: impl Fn(&Question) -> Option<Found>) {
        if self.asked.load(Ordering::Relaxed) && self.asked.swap(false, Ordering::Acquire) {
            let waiting = std::mem::take(&mut *lock(&self.waiting));
            for (question, reply) in waiting {
                // Who asked may have gone.
                let _ = reply.send(answer(&question));
            }
        }
    }
}
