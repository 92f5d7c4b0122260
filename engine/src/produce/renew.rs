//! A client that takes no more is replaced, and what it had is offered to the next.

use std::time::Duration;

use crate::clock::Nanos;

use super::ProducerCore;
use super::client::Client;
use super::desk::Desk;
use super::hold::Hold;
use crate::cores::Wait;

/// Longest wait until a client has given back what it has. 20,000 records took up to 4 s on a machine with a load of 11.
const PURGE_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest pause between looks for what it gives back.
const PURGE_PAUSE: Duration = Duration::from_millis(1);
/// The least time from one attempt to make a client to the next; it doubles with each that does not last.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// The longest such time, and how long a client lasts that does.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(60);

/// When a client may be made anew.
pub(super) struct Renewals {
    not_before: Nanos,
    last: Nanos,
    wait: Duration,
}

impl Renewals {
    pub(super) fn new() -> Self {
        Renewals { not_before: Nanos(0), last: Nanos(0), wait: RETRY_AFTER }
    }

    /// Whether one may be made now. Then the next waits longer, unless this one lasts.
    fn may(&mut self, now: Nanos) -> bool {
        if now < self.not_before {
            return false;
        }
        let lasted = now.time_since(self.last) > LONGEST_RETRY_AFTER;
        self.wait = if lasted { RETRY_AFTER } else { (self.wait * 2).min(LONGEST_RETRY_AFTER) };
        (self.last, self.not_before) = (now, now.plus(self.wait));
        true
    }
}

impl<C: Client + Send + 'static> ProducerCore<C> {
    /// The client takes no more: another takes its place, and all that it had.
    #[cold]
    pub(super) fn renew(&mut self) {
        let now = (self.desk.clock)();
        if !self.renewals.may(now) {
            return;
        }
        let words = self.client.fatal().unwrap_or_default().to_string();
        if !std::mem::replace(&mut self.is_dead, true) {
            self.take_back();
        }
        let (in_flight, back) = (self.desk.in_flight.len(), self.desk.held());
        match (self.connect)() {
            Ok(client) => {
                let old = std::mem::replace(&mut self.client, client);
                // Its end can take seconds.
                let _ = std::thread::Builder::new().name("k2-old-client".into()).spawn(move || drop(old));
                if self.wait == Wait::Park {
                    self.client.ring_on_report(self.bell.fd());
                }
                self.desk.recorder.now.tally.delivery.clients += 1;
                self.is_dead = false;
                self.desk.move_to(&mut self.client);
                let possible_duplicates = self.desk.recorder.now.tally.delivery.possible_duplicates;
                tracing::error!(back, in_flight, possible_duplicates, "the client was made anew: {words}");
            }
            Err(error) => tracing::error!("the client takes no more ({words}), and no other can be made: {error}"),
        }
    }

    /// Has the client give back all that it has. What it does not is lost.
    pub(super) fn take_back(&mut self) {
        let deadline = Nanos::now().plus(PURGE_TIMEOUT);
        self.client.purge();
        while self.desk.with_client() > 0 && Nanos::now() < deadline {
            if self.take_reports() == 0 {
                match self.wait {
                    Wait::Spin => std::hint::spin_loop(),
                    Wait::Park => self.bell.sleep(PURGE_PAUSE, || false),
                }
            }
        }
        self.desk.give_up_the_rest();
    }
}

impl Desk {
    /// How many records the client has.
    pub(super) fn with_client(&self) -> usize {
        self.lanes.iter().map(|lane| lane.with_client).sum()
    }

    /// How many came back.
    pub(super) fn held(&self) -> usize {
        self.lanes.iter().filter_map(|lane| lane.hold.as_ref()).map(Hold::len).sum()
    }

    /// Topics of another client. What came back goes at once.
    fn move_to(&mut self, client: &mut impl Client) {
        for lane in &mut self.lanes {
            match client.topic(&lane.name) {
                Ok(topic) => lane.topic = topic,
                // The client before took the same name.
                Err(error) => tracing::error!(topic = lane.name, "{error}"),
            }
            if let Some(hold) = &mut lane.hold {
                hold.at_once();
            }
        }
    }

    /// Records that the client has and does not give back: they are known by their places only. Those on disk are read
    /// again.
    fn give_up_the_rest(&mut self) {
        if self.with_client() == 0 {
            return;
        }
        let held: Vec<_> = self.lanes.iter().filter_map(|lane| lane.hold.as_ref()).flat_map(Hold::tags).collect();
        for place in self.in_flight.places_without(held) {
            let entry = self.in_flight.get(place);
            let lane = &mut self.lanes[entry.lane as usize];
            match entry.on_disk {
                Some(_) => lane.hold.get_or_insert_with(|| Hold::since((self.clock)(), self.waits)).rewind = true,
                None => {
                    self.recorder.now.tally.topics[entry.lane as usize].failed += 1;
                    tracing::error!(topic = lane.name, number = entry.number, "record lost: the client keeps it");
                }
            }
            lane.with_client = 0;
            self.is_obstructed = true;
            self.in_flight.settle(place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_that_do_not_last_are_made_ever_more_rarely() {
        let (mut renewals, mut now) = (Renewals::new(), Nanos(0).plus(Duration::from_secs(100)));
        let mut made = Vec::new();
        for second in 0..200 {
            if renewals.may(now) {
                made.push(second);
            }
            now = now.plus(Duration::from_secs(1));
        }
        assert_eq!(made, [0, 1, 3, 7, 15, 31, 63, 123, 183]);
        assert!(renewals.may(now.plus(Duration::from_secs(120))));
        assert!(renewals.may(now.plus(Duration::from_secs(121))), "the one before had lasted");
    }
}
