//! Which trades were seen before, and which are missing, by the venue's rule.

mod recent;

use crate::trade::{Trade, TradeId};
use crate::venue::SequenceRule;
pub use recent::Recent;

/// How many of a symbol's last trades are remembered.
pub const REMEMBERED: usize = 4_096;
/// How far back a symbol's numbers are remembered. Snapshots that repeat old trades hold up to a thousand.
const WINDOW: u64 = REMEMBERED as u64;
/// How many trades without numbers are remembered of a symbol: ten seconds of a busy one, as a connection that takes
/// another's place may be behind by seconds. Kraken's snapshot holds 50.
const RECENT: usize = REMEMBERED;

/// What a trade's number says about those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Observation {
    /// The first of its symbol, or one that follows.
    InOrder,
    /// Numbers were left out.
    Gap {
        /// The last number seen before.
        after: i64,
        /// The number that came.
        before: i64,
        /// How many are missing between them.
        missing: u64,
    },
    /// A later number was seen before, but not this one: one that was missing has come.
    Late {
        /// The highest number seen.
        last: i64,
    },
    /// The trade was seen before.
    Repeated,
    /// The number is so far below those before it that the exchange must have begun to count anew.
    Restarted {
        /// The highest number seen.
        last: i64,
    },
}

/// Where a trade stands among those seen of its symbol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Position {
    /// It was seen, or comes next, or before the last: whoever shows it is no further than what was published.
    Within,
    /// Numbers are left out between the last and this one.
    Ahead,
    /// It was not seen, and the exchange does not say what is left out before it.
    Unknown,
}

/// Where a trade is remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Remembered {
    /// A place below [`REMEMBERED`], which it shares with no other that is remembered.
    pub place: usize,
    /// Tells it from those that were remembered there before it.
    pub tag: u32,
}

/// What is remembered of one symbol's trades, whichever connection they came by.
#[derive(Debug)]
pub struct Tracker(Memory);

#[derive(Debug)]
enum Memory {
    Numbers(Numbers),
    Recent(Recent),
}

impl Tracker {
    /// Nothing has been seen.
    pub fn new(rule: SequenceRule) -> Self {
        Tracker(match rule {
            SequenceRule::Contiguous | SequenceRule::Increasing => Memory::Numbers(Numbers::default()),
            SequenceRule::Named | SequenceRule::Unnamed => Memory::Recent(Recent::with_room()),
        })
    }

    /// All numbers up to `last` have been seen but those that `was_missing`.
    pub fn resumed(rule: SequenceRule, last: i64, was_missing: impl Fn(i64) -> bool) -> Self {
        let mut tracker = Tracker::new(rule);
        if let Memory::Numbers(numbers) = &mut tracker.0 {
            numbers.restart(last);
            let remembered = (last.saturating_sub(WINDOW as i64 - 1)..=last).filter(|number| !was_missing(*number));
            remembered.for_each(|number| numbers.mark(number, true));
        }
        tracker
    }

    /// Where a trade stands; nothing is noted. `here` is what its own connection has shown of the symbol, `before` the
    /// number of the trade that stands before it in its own frame.
    pub fn position(&self, rule: SequenceRule, trade: &Trade<'_>, before: Option<i64>, here: &Recent) -> Position {
        match (&self.0, trade.sequence, &trade.id) {
            (Memory::Numbers(numbers), Some(number), _) => numbers.position(rule, number, before),
            (Memory::Numbers(_), None, _) => Position::Within,
            (Memory::Recent(published), _, id) => published.position(id, here),
        }
    }

    /// Where a number stands that no trade to publish has; nothing is noted.
    pub fn position_of_number(&self, rule: SequenceRule, number: i64) -> Position {
        match &self.0 {
            Memory::Numbers(numbers) => numbers.position(rule, number, None),
            Memory::Recent(_) => Position::Within,
        }
    }

    /// Takes note of a number that no trade to publish has.
    pub fn pass(&mut self, rule: SequenceRule, number: i64) -> Observation {
        match &mut self.0 {
            Memory::Numbers(numbers) => numbers.observe(rule, number),
            Memory::Recent(_) => Observation::InOrder,
        }
    }

    /// Takes note of a number that was left out and has come by another way than the connections'.
    pub fn fill(&mut self, number: i64) {
        if let Memory::Numbers(numbers) = &mut self.0
            && numbers.remembers(number)
        {
            numbers.mark(number, true);
        }
    }

    /// Whether it is remembered of this number, which was left out, that it was: those far below the highest are not.
    pub fn remembers(&self, number: i64) -> bool {
        match &self.0 {
            Memory::Numbers(numbers) => numbers.remembers(number),
            Memory::Recent(_) => false,
        }
    }

    /// Where a trade that was just observed is remembered, if it is; `here` is what its own connection has shown of the
    /// symbol, this trade among it.
    #[inline]
    pub fn remembered(&self, trade: &Trade<'_>, here: &Recent) -> Option<Remembered> {
        match (&self.0, trade.sequence, &trade.id) {
            (Memory::Numbers(_), Some(number), _) => {
                Some(Remembered { place: number.rem_euclid(WINDOW as i64) as usize, tag: number as u32 })
            }
            (Memory::Numbers(_), None, _) => None,
            (Memory::Recent(published), _, id) => published.remembered(id, here),
        }
    }

    /// Takes note of a trade. One that is told apart by its content learns here how many like it came before; `here` is
    /// what its own connection has shown of the symbol.
    #[inline]
    pub fn observe(&mut self, rule: SequenceRule, trade: &mut Trade<'_>, here: &mut Recent) -> Observation {
        match (&mut self.0, trade.sequence, &mut trade.id) {
            (Memory::Numbers(numbers), Some(number), _) => numbers.observe(rule, number),
            (Memory::Recent(published), _, TradeId::Content(content)) => published.observe_content(content, here),
            (Memory::Recent(published), _, TradeId::Text(name)) => published.observe_name(name),
            (Memory::Recent(published), _, TradeId::Number(number)) => published.observe_digest(*number),
            (Memory::Numbers(_), None, _) => Observation::InOrder,
        }
    }
}

/// The highest number, and which of those below it were seen.
#[derive(Debug)]
struct Numbers {
    highest: Option<i64>,
    /// A bit for each of the [`WINDOW`] numbers up to the highest, at its remainder.
    seen: Box<[u64; (WINDOW / 64) as usize]>,
}

impl Default for Numbers {
    fn default() -> Self {
        Numbers { highest: None, seen: Box::new([0; (WINDOW / 64) as usize]) }
    }
}

impl Numbers {
    fn position(&self, rule: SequenceRule, number: i64, before: Option<i64>) -> Position {
        let Some(last) = self.highest.max(before) else { return Position::Unknown };
        match (rule, number > last.saturating_add(1)) {
            (_, false) => Position::Within,
            (SequenceRule::Contiguous, true) => Position::Ahead,
            (_, true) => Position::Unknown,
        }
    }

    #[inline]
    fn observe(&mut self, rule: SequenceRule, number: i64) -> Observation {
        let Some(last) = self.highest else {
            self.restart(number);
            return Observation::InOrder;
        };
        if number <= last {
            return self.observe_below(number, last);
        }
        let step = number.abs_diff(last);
        if step >= WINDOW {
            self.restart(number);
        } else {
            (last + 1..number).for_each(|left_out| self.mark(left_out, false));
            self.mark(number, true);
            self.highest = Some(number);
        }
        match (rule, step) {
            (_, 1) | (SequenceRule::Increasing, _) => Observation::InOrder,
            _ => Observation::Gap { after: last, before: number, missing: step - 1 },
        }
    }

    #[cold]
    fn observe_below(&mut self, number: i64, last: i64) -> Observation {
        if number.abs_diff(last) >= WINDOW {
            self.restart(number);
            return Observation::Restarted { last };
        }
        let (word, bit) = place(number);
        if self.seen[word] & bit != 0 {
            return Observation::Repeated;
        }
        self.mark(number, true);
        Observation::Late { last }
    }

    fn remembers(&self, number: i64) -> bool {
        self.highest.is_some_and(|highest| number <= highest && highest.abs_diff(number) < WINDOW)
    }

    fn restart(&mut self, number: i64) {
        self.seen.fill(0);
        self.mark(number, true);
        self.highest = Some(number);
    }

    #[inline]
    fn mark(&mut self, number: i64, seen: bool) {
        let (word, bit) = place(number);
        self.seen[word] = if seen { self.seen[word] | bit } else { self.seen[word] & !bit };
    }
}

/// The word and bit of a number.
#[inline]
fn place(number: i64) -> (usize, u64) {
    let place = number.rem_euclid(WINDOW as i64) as usize;
    (place / 64, 1 << (place % 64))
}

#[cfg(test)]
mod tests;
