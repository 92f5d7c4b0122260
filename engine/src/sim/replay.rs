//! A recording instead of generated trades: whoever subscribed gets its frames, at their spacing.

use std::ops::Range;

use super::config::{Replay, Speed};
use super::dialect;
use super::driver::Source;
use super::recording::{Recording, RecordingError};
use super::wire::Wire;
use crate::venue::protocol::Protocol;

#[derive(Debug)]
struct Listener {
    subscriber: usize,
    bare: bool,
}

/// Sends a recording to whoever subscribed to its streams.
#[derive(Debug)]
pub(crate) struct Replayer {
    protocol: Protocol,
    recording: Recording,
    speed: Speed,
    /// Who wants each stream.
    listeners: Vec<Vec<Listener>>,
}

impl Replayer {
    pub(crate) fn new(replay: &Replay, protocol: Protocol) -> Result<Self, RecordingError> {
        let recording = Recording::read(&replay.file, protocol)?;
        let (frames, streams) = (recording.frames.len(), recording.streams.join(", "));
        tracing::info!(file = %replay.file.display(), frames, streams, "recording read");
        let listeners = recording.streams.iter().map(|_| Vec::new()).collect();
        Ok(Self { protocol, recording, speed: replay.speed, listeners })
    }
}

impl Source for Replayer {
    /// Snapshots are part of the recording, if it has any.
    fn resubscribe(&mut self, wire: &mut Wire) -> usize {
        self.listeners.iter_mut().for_each(Vec::clear);
        let dialect = dialect::of(self.protocol);
        wire.for_each_session(&|_| None, |subscriber, session| {
            session.owed.clear();
            if session.protocol != self.protocol {
                return;
            }
            let bare = dialect.is_bare(session.shape);
            for (stream, listeners) in self.recording.streams.iter().zip(&mut self.listeners) {
                if session.streams.contains(stream) && session.hears(stream) {
                    listeners.push(Listener { subscriber, bare });
                }
            }
        });
        self.listeners.iter().filter(|listeners| !listeners.is_empty()).count()
    }

    fn due_ns(&self, k: u64) -> Option<i64> {
        let offset_ns = self.recording.frames.get(usize::try_from(k).ok()?)?.offset_ns;
        match self.speed {
            Speed::Times(speed) => Some((offset_ns as f64 / speed) as i64),
            Speed::Max => Some(0),
        }
    }

    fn room(&self) -> u64 {
        if self.listeners.iter().all(Vec::is_empty) { 0 } else { u64::MAX }
    }

    fn next_run(&mut self) -> u64 {
        1
    }

    fn emit(&mut self, frames: Range<u64>, due_ns: i64, _now_ns: i64, wire: &mut Wire) -> u64 {
        let frame = &self.recording.frames[frames.start as usize];
        let listeners = &self.listeners[frame.stream];
        for listener in listeners {
            let range = if listener.bare { frame.data.clone() } else { frame.whole.clone() };
            wire.stage(listener.subscriber, self.recording.text[range].as_bytes(), Some(due_ns));
        }
        u64::from(!listeners.is_empty())
    }

    fn publish(&mut self, _wire: &Wire) -> bool {
        true
    }
}
