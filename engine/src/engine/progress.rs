//! How far each symbol is: where a run begins, and what it leaves to the next.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use crate::config::Config;
use crate::feed::assignment::Assignment;
use crate::kafka::settings::ProducerSettings;
use crate::produce::Shown;
use crate::record::Kind;
use crate::resume::{Progress, ProgressFile, Reached, tail};
use crate::state::StateFolder;

/// Keeps how far each symbol is, if there is a folder for it.
pub(super) struct Keeper {
    /// What was known at the start, of topics that are not fed now too.
    known: Progress,
    file: Option<ProgressFile>,
    /// One of each producer core.
    shown: Vec<Arc<Shown>>,
    /// Whether it was said that the file cannot be written.
    has_failed: bool,
}

impl Keeper {
    /// Reads how far the run before came, and what has come to the topics since. Returns that.
    pub(super) fn open(config: &Config, state: Option<&StateFolder>) -> (Self, Progress) {
        let file = state.map(|state| ProgressFile::open(state.dir()));
        let mut known = file.as_ref().map(|file| file.progress().clone()).unwrap_or_default();
        for topic in mixed(config) {
            known.topics.remove(&topic);
            if file.is_some() {
                tracing::warn!(
                    topic,
                    "several exchanges have the same symbols there: a restart does not go on from where they were"
                );
            }
        }
        if !known.topics.is_empty() {
            catch_up(&config.producer_settings(), config, &mut known);
        }
        (Keeper { known: known.clone(), file, shown: Vec::new(), has_failed: false }, known)
    }

    /// Where a producer core is to show how far it is; none if that is not kept.
    pub(super) fn shown(&mut self) -> Option<Arc<Shown>> {
        self.file.as_ref()?;
        let shown = Arc::new(Shown::default());
        self.shown.push(shown.clone());
        Some(shown)
    }

    /// How far each symbol is that is fed, by feed.
    pub(super) fn resumed(&self, config: &Config) -> HashMap<(u16, String), Reached> {
        let progress = self.progress();
        let feeds = config.feeds.iter().enumerate();
        let of_feed = |(place, feed): (usize, &crate::config::Feed)| {
            let symbols = progress.topics.get(feed.topic(Kind::Normalized)).map(|topic| &topic.symbols);
            let of_symbol = |symbol: &String| Some((symbol.clone(), symbols?.get(symbol)?.clone()));
            let reached: BTreeMap<_, _> = feed.instruments().filter_map(|one| of_symbol(&one.symbol)).collect();
            reached.into_iter().map(move |(symbol, reached)| ((place as u16, symbol), reached))
        };
        feeds.flat_map(of_feed).collect()
    }

    /// Those of `resumed` that a feed core begins with.
    pub(super) fn of_core(
        resumed: &HashMap<(u16, String), Reached>,
        assignments: &[Assignment],
    ) -> HashMap<(u16, String), Reached> {
        let keys = assignments.iter().flat_map(|one| one.symbols().map(|symbol| (one.feed, symbol.to_string())));
        keys.filter_map(|key| resumed.get_key_value(&key))
            .map(|(key, reached)| (key.clone(), reached.clone()))
            .collect()
    }

    /// Writes how far each symbol is now; whether that is all of the run.
    pub(super) fn write(&mut self, has_ended: bool) {
        let mut progress = self.progress();
        progress.has_ended = has_ended;
        let Some(file) = &mut self.file else { return };
        match file.write(progress) {
            Ok(()) => self.has_failed = false,
            Err(error) if !std::mem::replace(&mut self.has_failed, true) => {
                let file = file.path().display();
                tracing::error!(%file, "how far the trades are cannot be kept, so a restart may miss or repeat some: {error}");
            }
            Err(_) => {}
        }
    }

    fn progress(&self) -> Progress {
        let (mut progress, mut shown) = (self.known.clone(), BTreeSet::new());
        self.shown.iter().for_each(|core| core.add_to(&mut progress, &mut shown));
        progress
    }
}

/// The topics on which several exchanges have symbols that are spelled alike: of those it is not kept how far they are, as
/// trades are known by topic, symbol and number.
pub(super) fn mixed(config: &Config) -> BTreeSet<String> {
    let (mut exchanges, mut mixed) = (HashMap::new(), BTreeSet::new());
    for feed in &config.feeds {
        for instrument in feed.instruments() {
            let topic = feed.topic(Kind::Normalized);
            let first = *exchanges.entry((topic, &instrument.symbol)).or_insert(feed.protocol.exchange());
            if first != feed.protocol.exchange() {
                mixed.insert(topic.to_string());
            }
        }
    }
    mixed
}

/// Adds to what is known what has come to the topics since it was written.
fn catch_up(settings: &ProducerSettings, config: &Config, known: &mut Progress) {
    let topics: Vec<_> = config.feeds.iter().map(|feed| feed.topic(Kind::Normalized)).collect();
    match tail::catch_up(&settings.consumer_config(), known, &topics) {
        Ok(found) => {
            let symbols: usize =
                topics.iter().filter_map(|name| known.topics.get(*name)).map(|one| one.symbols.len()).sum();
            tracing::info!(symbols, found_on_topics = found, "goes on from where the run before ended");
        }
        Err(error) => tracing::warn!(
            "what the run before has published last cannot be read from the topics, and may be published twice: {error}"
        ),
    }
}
