//! What is carried by which connection on which core, and what changes when the configuration does.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use super::replan;
use super::view::{self, Address};
use crate::avro::SymbolPrefix;
use crate::config::{Config, Feed, Raw, Session};
use crate::feed::assignment::Assignment;
use crate::feed::executor::Order;
use crate::pace::Pace;
use crate::record::Kind;
use crate::session::breaker::Addresses;
use crate::venue::Instrument;

/// All feeds with their connections.
pub(super) struct Roster {
    cores: usize,
    session: Session,
    /// How often connections to each exchange may be made, and how many have been named.
    exchanges: HashMap<&'static str, (Pace, usize)>,
    feeds: Vec<Standing>,
}

/// A feed, by whose place records name it. One that is gone keeps its place, without connections.
struct Standing {
    feed: Feed,
    schema_id: u32,
    addresses: Arc<Mutex<Addresses>>,
    groups: Vec<Group>,
}

/// Connections with the same instruments: one, or twins.
struct Group {
    instruments: Vec<Instrument>,
    core: usize,
    /// The connections' numbers among those of their exchange.
    numbers: Vec<usize>,
}

/// What a change comes to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Changed {
    pub(super) feeds_added: usize,
    pub(super) feeds_removed: usize,
    pub(super) symbols_added: usize,
    pub(super) symbols_removed: usize,
    pub(super) symbols_moved: usize,
}

impl Roster {
    /// Spreads the feeds of `config` over so many feed cores: those that name their core to that, then of each of the
    /// others the connections with most symbols first, to the core that has least to do. Connections that carry the same
    /// symbols stay together.
    pub(super) fn new(config: &Config, schema_ids: &[u32], cores: usize) -> Self {
        let mut roster =
            Roster { cores, session: config.session.clone(), exchanges: HashMap::new(), feeds: Vec::new() };
        for (feed, schema_id) in config.feeds.iter().zip(schema_ids) {
            roster.begin(feed, *schema_id);
        }
        roster.deal();
        roster
    }

    /// What each core begins with.
    pub(super) fn assignments(&self) -> Vec<Vec<Assignment>> {
        let mut dealt: Vec<Vec<Assignment>> = vec![Vec::new(); self.cores];
        for (place, standing) in self.feeds.iter().enumerate() {
            for group in &standing.groups {
                let of = |number: &usize| self.assignment(place, &group.instruments, *number);
                dealt[group.core].extend(group.numbers.iter().map(of));
            }
        }
        dealt
    }

    /// A feed with its connections, yet without cores. Returns its place.
    fn begin(&mut self, feed: &Feed, schema_id: u32) -> usize {
        let groups = feed.subscriptions.iter().map(|one| self.group(feed, one.instruments.clone())).collect();
        let addresses = self.addresses(feed);
        self.feeds.push(Standing { feed: feed.clone(), schema_id, addresses, groups });
        self.feeds.len() - 1
    }

    /// Connections that carry these instruments of the feed, yet without a core.
    fn group(&mut self, feed: &Feed, instruments: Vec<Instrument>) -> Group {
        Group { instruments, core: UNDEALT, numbers: self.numbers(feed, feed.connections) }
    }

    /// The next numbers of so many connections to the feed's exchange.
    fn numbers(&mut self, feed: &Feed, count: usize) -> Vec<usize> {
        let (_, made) = self.exchanges.entry(feed.protocol.exchange()).or_default();
        *made += count;
        (*made - count..*made).collect()
    }

    /// The addresses of all feeds, each once.
    pub(super) fn addresses_shown(&self) -> Vec<Address> {
        let carried = self.feeds.iter().filter(|standing| !standing.groups.is_empty());
        let mut all: Vec<_> =
            carried.flat_map(|standing| view::addresses(&standing.feed, &standing.addresses)).collect();
        // Of feeds that share one, the worst is told: it comes last.
        all.sort_unstable_by(|one, other| other.cmp(one));
        all.dedup_by(|next, kept| (&next.exchange, &next.url) == (&kept.exchange, &kept.url));
        all.reverse();
        all
    }

    fn addresses(&self, feed: &Feed) -> Arc<Mutex<Addresses>> {
        Arc::new(Mutex::new(Addresses::new(feed.urls().count(), self.session.patience())))
    }

    /// Gives each group that has none a core.
    fn deal(&mut self) {
        let mut load = vec![0; self.cores];
        for standing in &mut self.feeds {
            for group in &mut standing.groups {
                if let (UNDEALT, Some(core)) = (group.core, standing.feed.core) {
                    // The plan may have shrunk.
                    group.core = core % load.len();
                }
                if group.core != UNDEALT {
                    load[group.core] += group.load();
                }
            }
        }
        let groups = self.feeds.iter_mut().flat_map(|standing| &mut standing.groups);
        let mut others: Vec<_> = groups.filter(|group| group.core == UNDEALT).collect();
        others.sort_by_key(|group| Reverse(group.load()));
        for group in others {
            group.core = (0..load.len()).min_by_key(|core| load[*core]).unwrap_or_default();
            load[group.core] += group.load();
        }
    }

    /// What a connection of the feed at `place` is told.
    fn assignment(&self, place: usize, instruments: &[Instrument], number: usize) -> Assignment {
        let Standing { feed, schema_id, addresses, .. } = &self.feeds[place];
        let exchange = feed.protocol.exchange();
        let prefix = |one: &Instrument| SymbolPrefix::new(*schema_id, exchange, &one.symbol, &one.canonical);
        Assignment {
            feed: place as u16,
            protocol: feed.protocol,
            number,
            ways: feed.ways(instruments),
            prefixes: instruments.iter().map(prefix).collect(),
            keeps_raw: feed.raw == Raw::Frame,
            pace: self.exchanges[exchange].0.clone(),
            addresses: addresses.clone(),
            backoff: self.session.backoff(),
            max_age: self.session.max_age(),
        }
    }

    /// The place of the next feed that is added.
    pub(super) fn next_place(&self) -> usize {
        self.feeds.len()
    }

    /// The feeds of `config` that are not carried yet.
    pub(super) fn added<'a>(&self, config: &'a Config) -> Vec<&'a Feed> {
        added(config, &self.pair(config))
    }

    /// Takes the feeds of `config` over; `schema_ids` are those of [`Self::added`]. Returns the orders for each core and
    /// what they come to.
    pub(super) fn change(&mut self, config: &Config, schema_ids: &[u32]) -> (Vec<(usize, Order)>, Changed) {
        let (mut orders, mut changed) = (Vec::new(), Changed::default());
        let pairs = self.pair(config);
        for place in 0..self.feeds.len() {
            match pairs.iter().find(|(old, _)| *old == place) {
                Some((_, new)) => self.change_feed(place, &config.feeds[*new], &mut orders, &mut changed),
                None => {
                    changed.feeds_removed += usize::from(!self.feeds[place].groups.is_empty());
                    self.remove(place, &mut orders, &mut changed);
                }
            }
        }
        for (feed, schema_id) in added(config, &pairs).into_iter().zip(schema_ids) {
            let place = self.begin(feed, *schema_id);
            self.deal();
            changed.feeds_added += 1;
            changed.symbols_added += feed.instruments().count();
            let groups: Vec<_> = (0..self.feeds[place].groups.len()).collect();
            groups.into_iter().for_each(|group| self.take(place, group, 0, &mut orders));
        }
        (orders, changed)
    }

    /// Feeds that are carried, with those of `config` that go on with them: of the same protocol for the same topics, those
    /// with most instruments in common first.
    fn pair(&self, config: &Config) -> Vec<(usize, usize)> {
        let identity = |feed: &Feed| (feed.protocol, feed.raw, Kind::ALL.map(|kind| feed.topic(kind).to_string()));
        let carried = self.feeds.iter().enumerate().filter(|(_, standing)| !standing.groups.is_empty());
        let mut candidates = Vec::new();
        for (old, standing) in carried {
            let mine: Vec<_> = standing.groups.iter().flat_map(|group| &group.instruments).collect();
            for (new, feed) in config.feeds.iter().enumerate() {
                if identity(&standing.feed) == identity(feed) {
                    let common = feed.instruments().filter(|one| mine.contains(one)).count();
                    candidates.push((common, old, new));
                }
            }
        }
        candidates.sort_by_key(|(common, ..)| Reverse(*common));
        let mut pairs: Vec<(usize, usize)> = Vec::new();
        for (_, old, new) in candidates {
            if !pairs.iter().any(|(taken, other)| *taken == old || *other == new) {
                pairs.push((old, new));
            }
        }
        pairs
    }

    /// Orders the connections of a group, from the `first` of its twins on.
    fn take(&self, place: usize, group: usize, first: usize, orders: &mut Vec<(usize, Order)>) {
        let Standing { feed, groups, .. } = &self.feeds[place];
        let Group { instruments, core, numbers } = &groups[group];
        for number in &numbers[first..] {
            let (assignment, source) = (self.assignment(place, instruments, *number), super::repair::source(feed));
            orders.push((*core, Order::Take { assignment, source }));
        }
    }

    fn remove(&mut self, place: usize, orders: &mut Vec<(usize, Order)>, changed: &mut Changed) {
        for Group { core, numbers, instruments } in std::mem::take(&mut self.feeds[place].groups) {
            changed.symbols_removed += instruments.len();
            let end =
                |number| (core, Order::Change { assignment: self.assignment(place, &[], number), moved: Vec::new() });
            orders.extend(numbers.into_iter().map(end));
        }
    }

    fn change_feed(&mut self, place: usize, feed: &Feed, orders: &mut Vec<(usize, Order)>, changed: &mut Changed) {
        // These do not change.
        let Feed { core, rest_url, rest_interval, .. } = self.feeds[place].feed.clone();
        let new = Feed { core, rest_url, rest_interval, ..feed.clone() };
        let old = std::mem::replace(&mut self.feeds[place].feed, new);
        let is_asked_otherwise = old.rest_url != feed.rest_url || old.rest_interval != feed.rest_interval;
        if old.core != feed.core || is_asked_otherwise {
            let exchange = feed.protocol.exchange();
            tracing::warn!(
                exchange,
                "core, rest_url or rest_interval_ms of a feed has changed: that takes effect at the next start"
            );
        }
        let carried: Vec<_> =
            self.feeds[place].groups.iter().map(|group| (group.core, group.instruments.clone())).collect();
        let wanted: Vec<_> = feed.instruments().cloned().collect();
        let plan = replan::replan(&carried, &wanted, feed.protocol.facts().limits.symbols_per_connection);
        let has_other_ways = !old.urls().eq(feed.urls()) || old.endpoint != feed.endpoint;
        if has_other_ways {
            self.feeds[place].addresses = self.addresses(feed);
        }
        changed.symbols_added += plan.added;
        changed.symbols_removed += plan.removed;
        changed.symbols_moved += plan.moves.iter().map(Vec::len).sum::<usize>();
        for (number, (instruments, moved)) in plan.groups.into_iter().zip(plan.moves).enumerate() {
            if number == self.feeds[place].groups.len() {
                let group = self.group(feed, instruments);
                self.feeds[place].groups.push(group);
                self.deal();
                self.take(place, number, 0, orders);
                continue;
            }
            let is_same = self.feeds[place].groups[number].instruments == instruments && !has_other_ways;
            self.feeds[place].groups[number].instruments = instruments;
            self.change_group(place, number, feed, is_same, &moved, orders);
        }
        self.feeds[place].groups.retain(|group| !group.instruments.is_empty());
    }

    /// The connections of a group carry its instruments, as many of them as the feed asks for.
    fn change_group(
        &mut self,
        place: usize,
        number: usize,
        feed: &Feed,
        is_same: bool,
        moved: &[String],
        orders: &mut Vec<(usize, Order)>,
    ) {
        let wished = feed.connections;
        let group = &mut self.feeds[place].groups[number];
        let (core, before) = (group.core, group.numbers.len());
        let surplus = group.numbers.split_off(wished.min(before));
        let (instruments, numbers) = (group.instruments.clone(), group.numbers.clone());
        let change = |number: usize, instruments: &[Instrument], moved: &[String]| {
            (core, Order::Change { assignment: self.assignment(place, instruments, number), moved: moved.to_vec() })
        };
        if !is_same {
            orders.extend(numbers.iter().map(|number| change(*number, &instruments, moved)));
        }
        // What a twin carried, the others carry, too.
        let symbols: Vec<_> = instruments.iter().map(|one| one.symbol.clone()).collect();
        orders.extend(surplus.iter().map(|number| change(*number, &[], &symbols)));
        if !instruments.is_empty() {
            let more = self.numbers(feed, wished.saturating_sub(before));
            self.feeds[place].groups[number].numbers.extend(more);
            self.take(place, number, numbers.len(), orders);
        }
    }
}

/// The feeds of `config` that go on with none that is carried.
fn added<'a>(config: &'a Config, pairs: &[(usize, usize)]) -> Vec<&'a Feed> {
    let is_new = |(index, _): &(usize, &Feed)| !pairs.iter().any(|(_, new)| new == index);
    config.feeds.iter().enumerate().filter(is_new).map(|(_, feed)| feed).collect()
}

/// The core of a group that has none yet.
const UNDEALT: usize = usize::MAX;

impl Group {
    fn load(&self) -> usize {
        self.instruments.len() * self.numbers.len()
    }
}

#[cfg(test)]
mod tests;
