//! How far each symbol's trades have come to Kafka, kept in the state folder, so that the next run goes on from there.
//!
//! Once a second the highest number that the broker has acknowledged of each symbol, those below it that it has not, and how
//! far each partition was written are written to a file, beside it first and then in its place. At the next start what was
//! acknowledged since is read from the topics themselves ([`tail`]), and what waits in the journals is added: all that is
//! missing then is a gap like any other, which is repaired from the exchange's history where it has one, and nothing that
//! is there is published again.

pub mod tail;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::sequence::REMEMBERED;
use crate::state::{self, Whole};

/// The file in the state folder.
const FILE: &str = "reached.json";
/// The version of its form.
const VERSION: u32 = 1;
/// More than are ever on their way at a time.
const LATELY: i64 = 1 << 20;
/// Most gaps that are kept of a symbol; of more, the oldest are given up.
const MOST_HOLES: usize = 256;

/// How far one symbol has come.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reached {
    /// The highest number that was acknowledged.
    pub last: i64,
    /// When its frame was received, nanoseconds since the Unix epoch.
    pub last_ns: i64,
    /// Numbers below it that were not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holes: Vec<Hole>,
}

/// Numbers that are missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hole {
    /// The first of them.
    pub first: i64,
    /// The last of them.
    pub last: i64,
    /// When the frame of the trade before them was received, nanoseconds since the Unix epoch.
    pub after_ns: i64,
}

/// A trade that has come, as in [`Head`](crate::record::Head).
#[derive(Debug, Clone, Copy)]
pub struct Noted {
    /// Its number.
    pub number: i64,
    /// How many just below that one are of what is not published.
    pub passed: u8,
    /// When its frame was received, nanoseconds since the Unix epoch.
    pub received_ns: i64,
    /// Whether it comes from the exchange's history.
    pub from_rest: bool,
}

impl Clone for Reached {
    fn clone(&self) -> Self {
        Reached { holes: self.holes.clone(), ..*self }
    }

    /// Without an allocation, if there were as many holes: a producer core shows this once a second.
    fn clone_from(&mut self, other: &Self) {
        let mut holes = std::mem::take(&mut self.holes);
        holes.clone_from(&other.holes);
        *self = Reached { holes, ..*other };
    }
}

impl Reached {
    /// Begins with a number.
    pub fn at(number: i64, received_ns: i64) -> Self {
        Reached { last: number, last_ns: received_ns, holes: Vec::new() }
    }

    /// A trade has come, live or from the exchange's history.
    #[inline]
    pub fn add(&mut self, trade: Noted) {
        if trade.number == self.last.wrapping_add(1) {
            (self.last, self.last_ns) = (trade.number, trade.received_ns);
        } else if trade.number != self.last {
            self.add_out_of_order(trade);
        }
    }

    #[cold]
    fn add_out_of_order(&mut self, trade: Noted) {
        let Noted { number, passed, received_ns, from_rest } = trade;
        let below = number.saturating_sub(1).saturating_sub(passed.into());
        if number > self.last {
            if below > self.last {
                if self.holes.len() == MOST_HOLES {
                    self.holes.remove(0);
                }
                self.holes.push(Hole { first: self.last + 1, last: below, after_ns: self.last_ns });
            }
            (self.last, self.last_ns) = (number, received_ns);
            return;
        }
        let Some(place) = self.holes.iter().position(|hole| (hole.first..=hole.last).contains(&number)) else {
            // The history tells what is old, and what was received earlier comes again, from disk.
            let is_new = !from_rest && received_ns > self.last_ns;
            if is_new && number.abs_diff(self.last) >= REMEMBERED as u64 {
                // The exchange counts anew.
                *self = Reached::at(number, received_ns);
            }
            return;
        };
        let Hole { first, last, after_ns } = self.holes.remove(place);
        let parts = [(first, below), (number + 1, last)];
        let rest = parts.into_iter().filter(|(first, last)| first <= last);
        let rest: Vec<_> = rest.map(|(first, last)| Hole { first, last, after_ns }).collect();
        self.holes.splice(place..place, rest);
        if self.holes.len() > MOST_HOLES {
            self.holes.remove(0);
        }
    }

    /// Whether the number has come, and not so long ago that the exchange may have counted anew since.
    pub fn had_lately(&self, number: i64) -> bool {
        self.last.saturating_sub(number) < LATELY && self.has(number)
    }

    /// Whether the number has come.
    pub fn has(&self, number: i64) -> bool {
        number <= self.last && !self.holes.iter().any(|hole| (hole.first..=hole.last).contains(&number))
    }
}

/// One topic of trades.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Topic {
    /// By partition, the offset behind the last record that was acknowledged.
    pub offsets: BTreeMap<i32, i64>,
    /// By the exchange's symbol.
    pub symbols: BTreeMap<String, Reached>,
}

/// All topics of trades.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    version: u32,
    /// Whether the run came to its end: else records that are on disk may be on their topics, too.
    #[serde(default)]
    pub has_ended: bool,
    /// Whether the ends of the topics could not be read at the start: what is on disk may be there.
    #[serde(skip)]
    pub is_tail_unread: bool,
    /// By name.
    pub topics: BTreeMap<String, Topic>,
}

/// The file.
pub struct ProgressFile {
    path: PathBuf,
    written: Progress,
}

impl ProgressFile {
    /// The file in the state folder `dir`, and what stands in it. One that cannot be read is told, and begun anew.
    pub fn open(dir: &Path) -> Self {
        let path = dir.join(FILE);
        let known = state::read::<Progress>(&path).and_then(|read| match read.version {
            VERSION => Ok(read),
            _ if read.topics.is_empty() => Ok(read),
            other => Err(format!("it is of version {other}, this build reads {VERSION}")),
        });
        let written = known.unwrap_or_else(|error| {
            tracing::error!(
                file = %path.display(),
                "how far the run before came cannot be read ({error}): what is missing since is not noticed"
            );
            Progress::default()
        });
        ProgressFile { path, written }
    }

    /// What stands in the file.
    pub fn progress(&self) -> &Progress {
        &self.written
    }

    /// Writes it, if it has changed. A process that dies meanwhile leaves the old or the new one.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&mut self, progress: Progress) -> io::Result<()> {
        let progress = Progress { version: VERSION, ..progress };
        if progress == self.written {
            return Ok(());
        }
        state::replace(&self.path, &serde_json::to_vec(&progress)?, Whole::AfterCrash)?;
        self.written = progress;
        Ok(())
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;

    use super::*;

    fn noted(number: i64, received_ns: i64, from_rest: bool) -> Noted {
        Noted { number, passed: 0, received_ns, from_rest }
    }

    #[test]
    fn what_has_come_is_known_in_whatever_order_it_came() {
        let mut random = fastrand::Rng::with_seed(6);
        for _ in 0..200 {
            let mut numbers: Vec<i64> = (1..60).filter(|_| random.u32(..4) > 0).collect();
            let places = numbers.len();
            for _ in 0..random.usize(..20) {
                let place = random.usize(1..places);
                numbers.swap(place - 1, place);
            }
            let first = numbers[0];
            let (mut reached, mut seen) = (Reached::at(first, first), BTreeSet::from([first]));
            for number in &numbers[1..] {
                reached.add(noted(*number, *number, false));
                // What was before the first is not known to be missing.
                seen.insert(*number);
                let highest = *seen.last().unwrap();
                assert_eq!((reached.last, reached.last_ns), (highest, highest));
                for one in first..=highest {
                    assert_eq!(reached.has(one), seen.contains(&one), "{one} of {numbers:?}");
                }
            }
        }
    }

    #[test]
    fn only_a_new_live_trade_of_a_low_number_begins_anew() {
        let mut reached = Reached::at(100_000, 1_000);
        reached.add(noted(100_005, 1_001, false));
        let before = reached.clone();
        reached.add(noted(50, 2_000, true));
        reached.add(noted(50, 900, false));
        assert_eq!(reached, before, "from the history, and from disk");
        reached.add(noted(50, 2_000, false));
        assert_eq!(reached, Reached::at(50, 2_000));
    }

    #[test]
    fn numbers_of_what_is_not_published_are_not_missing() {
        let passing = |number, passed| Noted { passed, ..noted(number, number, false) };
        let holes = |reached: &Reached| reached.holes.iter().map(|hole| (hole.first, hole.last)).collect::<Vec<_>>();
        let mut reached = Reached::at(4, 4);
        reached.add(passing(8, 3));
        assert_eq!((reached.last, holes(&reached)), (8, vec![]), "5, 6 and 7 were passed");
        reached.add(passing(15, 2));
        assert_eq!((reached.last, holes(&reached)), (15, vec![(9, 12)]), "13 and 14 were passed");
        reached.add(passing(11, 1));
        assert_eq!((reached.last, holes(&reached)), (15, vec![(9, 9), (12, 12)]), "10 was passed");
    }

    #[test]
    fn the_oldest_of_too_many_gaps_are_given_up() {
        let mut reached = Reached::at(0, 0);
        (1..=270).for_each(|number| reached.add(noted(number * 2, number, false)));
        assert_eq!((reached.holes.len(), reached.holes[0].first), (256, 29));
    }

    #[test]
    fn what_is_written_is_read_again() {
        let dir = tempfile::tempdir().unwrap();
        let mut file = ProgressFile::open(dir.path());
        assert_eq!(file.progress(), &Progress::default());
        let mut reached = Reached::at(7, 70);
        reached.add(noted(9, 90, false));
        let topic = Topic { offsets: [(0, 12)].into(), symbols: [("BTCUSDT".to_string(), reached)].into() };
        let progress = Progress {
            version: VERSION,
            has_ended: true,
            is_tail_unread: false,
            topics: [("trades".to_string(), topic)].into(),
        };
        file.write(progress.clone()).unwrap();
        assert_eq!(ProgressFile::open(dir.path()).progress(), &progress);
        fs::write(file.path(), "{").unwrap();
        assert_eq!(ProgressFile::open(dir.path()).progress(), &Progress::default());
    }
}
