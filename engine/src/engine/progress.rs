//! How far each symbol is: where a run begins, and what it leaves to the next.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use crate::config::Config;
use crate::feed::assignment::Assignment;
use crate::kafka::settings::ProducerSettings;
use crate::produce::{Counted, Resume, Shown};
use crate::record::Kind;
use crate::resume::{Progress, ProgressFile, Reached, tail};
use crate::state::StateFolder;

/// Keeps how far each symbol is, if there is a folder for it.
pub(super) struct Keeper {
    /// Topics of which it is not kept, see [`mixed`].
    mixed: BTreeSet<String>,
    /// What was known at the start, of topics that are not fed now too.
    known: Progress,
    file: Option<ProgressFile>,
    /// One of each producer core.
    shown: Vec<Arc<Shown>>,
    /// Whether it was said that the file cannot be written.
    has_failed: bool,
}

impl Keeper {
    /// Reads how far the run before came, and what has come to the topics since.
    pub(super) fn open(config: &Config, state: Option<&StateFolder>) -> Self {
        let file = state.map(|state| ProgressFile::open(state.dir()));
        let mut known = file.as_ref().map(|file| file.progress().clone()).unwrap_or_default();
        let mixed = mixed(config);
        for topic in &mixed {
            known.topics.remove(topic);
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
        Keeper { mixed, known, file, shown: Vec::new(), has_failed: false }
    }

    /// What a producer core is told of it, and where it is to show it; none if it is not kept.
    pub(super) fn resume(&mut self) -> Option<Resume> {
        self.file.as_ref()?;
        let shown = Arc::new(Shown::default());
        self.shown.push(shown.clone());
        Some(Resume { shown, known: self.known.clone(), mixed: self.mixed.clone() })
    }

    /// How far each symbol is that a feed core begins with, by feed.
    pub(super) fn resumed(&self, config: &Config, assignments: &[Assignment]) -> HashMap<(u16, String), Reached> {
        let progress = self.progress(Counted::WithDisk);
        let of_symbol = |feed: u16, symbol: &str| {
            let topic = progress.topics.get(config.feeds[usize::from(feed)].topic(Kind::Normalized))?;
            Some(((feed, symbol.to_string()), topic.symbols.get(symbol)?.clone()))
        };
        assignments.iter().flat_map(|one| one.symbols().filter_map(|symbol| of_symbol(one.feed, symbol))).collect()
    }

    /// Writes how far each symbol is now; whether that is all of the run.
    pub(super) fn write(&mut self, has_ended: bool) {
        let mut progress = self.progress(Counted::Acked);
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

    fn progress(&self, counted: Counted) -> Progress {
        let (mut progress, mut shown) = (self.known.clone(), BTreeSet::new());
        self.shown.iter().for_each(|core| core.add_to(&mut progress, &mut shown, counted));
        progress
    }
}

/// The topics on which several exchanges have symbols that are spelled alike: of those it is not kept how far they are, as
/// trades are known by topic, symbol and number.
fn mixed(config: &Config) -> BTreeSet<String> {
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
        Err(error) => {
            known.is_tail_unread = true;
            tracing::warn!(
                "what the run before has published last cannot be read from the topics (READ on them is needed), and may be \
                 published twice: {error}"
            );
        }
    }
}
