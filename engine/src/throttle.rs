//! Log lines that may come by the thousand.

use std::time::Duration;

use crate::clock::Nanos;

/// Lets one through in each interval and counts the rest.
#[derive(Debug)]
pub struct Throttle {
    interval: Duration,
    last: Option<Nanos>,
    held_back: u64,
}

impl Throttle {
    /// One in each `interval`.
    pub fn new(interval: Duration) -> Self {
        Throttle { interval, last: None, held_back: 0 }
    }

    /// Whether one may pass at `now`; then how many were held back since the last.
    pub fn pass(&mut self, now: Nanos) -> Option<u64> {
        let due = self.last.is_none_or(|last| now.time_since(last) >= self.interval);
        if !due {
            self.held_back += 1;
            return None;
        }
        self.last = Some(now);
        Some(std::mem::take(&mut self.held_back))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_passes_and_the_rest_is_counted() {
        let mut throttle = Throttle::new(Duration::from_nanos(100));
        assert_eq!(throttle.pass(Nanos(5)), Some(0));
        assert_eq!(throttle.pass(Nanos(50)), None);
        assert_eq!(throttle.pass(Nanos(104)), None);
        assert_eq!(throttle.pass(Nanos(105)), Some(2));
        assert_eq!(throttle.pass(Nanos(300)), Some(0));
    }
}
