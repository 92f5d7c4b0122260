//! The folder of the journals: one for each topic, by its name.

use std::path::PathBuf;

use crate::accounting::Delivery;
use crate::clock::Nanos;
use crate::record::Record;
use crate::spill::{Damage, Settings};
use crate::throttle::Throttle;

use super::backlog::Backlog;

/// Where records wait on disk.
#[derive(Debug, Clone)]
pub struct StoreSettings {
    /// Holds a folder for each topic.
    pub folder: PathBuf,
    /// Most bytes of all of them.
    pub max_bytes: u64,
    /// Of each journal; its folder is put in.
    pub journal: Settings,
    /// Most records that are read back in a second.
    pub replay_per_s: u32,
}

/// The folder, and how it is used.
pub(super) struct Store {
    pub(super) settings: StoreSettings,
    /// Journals that cannot be opened are told so often.
    throttle: Throttle,
}

/// How often it is said that a journal cannot be opened or written.
const TROUBLE_INTERVAL: std::time::Duration = std::time::Duration::from_secs(10);

impl Store {
    pub(super) fn new(settings: StoreSettings) -> Self {
        Store { settings, throttle: Throttle::new(TROUBLE_INTERVAL) }
    }

    /// The topics of which an earlier process left records.
    pub(super) fn left(&self) -> Vec<String> {
        // A folder that is not there holds nothing; one that cannot be read is found when it is written to.
        let Ok(entries) = std::fs::read_dir(&self.settings.folder) else { return Vec::new() };
        let mut topics: Vec<_> =
            entries.filter_map(Result::ok).filter_map(|entry| entry.file_name().into_string().ok()).collect();
        topics.sort();
        topics
    }

    /// The journal of a topic, with what is in it.
    /// `note` is told each record that is there.
    pub(super) fn open(
        &mut self,
        topic: &str,
        tally: &mut Delivery,
        note: &mut dyn FnMut(&Record<'_>),
    ) -> Option<Backlog> {
        match Backlog::open(&self.settings.journal, &self.settings.folder.join(topic), note) {
            Ok((backlog, recovery)) => {
                tally.damaged += recovery.damaged.places;
                for Damage { file, offset, bytes, kind } in &recovery.damaged.listed {
                    tracing::error!(topic, file = %file.display(), offset, bytes, "the journal is damaged: {kind}");
                }
                if !backlog.is_empty() {
                    tracing::info!(
                        topic,
                        records = backlog.len(),
                        bytes = backlog.bytes(),
                        "left by an earlier run, goes first"
                    );
                }
                Some(backlog)
            }
            Err(error) => {
                // What is in it is in no other column.
                tally.damaged += 1;
                self.trouble(topic, &error);
                None
            }
        }
    }

    /// A journal does not do as it should.
    pub(super) fn trouble(&mut self, topic: &str, error: &dyn std::fmt::Display) {
        if let Some(held_back) = self.throttle.pass(Nanos::now()) {
            tracing::error!(topic, held_back, "the journal cannot be used: {error}");
        }
    }
}
