//! A recording instead of generated trades: frames as they were received, at their spacing.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::ops::Range;
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

use super::config::{Replay, Speed};
use super::dialect::{self, Dialect};
use super::driver::Source;
use super::wire::Wire;
use crate::venue::protocol::Protocol;

/// Why a recording cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordingError {
    /// It cannot be opened.
    #[error("cannot open the recording {}: {cause}; give the path of a file with lines '<received ns> <frame>'", .file.display())]
    Open {
        /// The recording.
        file: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// It breaks off, or is not what its name says.
    #[error("cannot read the recording {} after line {line}: {cause}; a .gz that breaks off was not copied or written to its end", .file.display())]
    Read {
        /// The recording.
        file: PathBuf,
        /// Whole lines read until then.
        line: usize,
        /// What the system or the decoder said.
        cause: io::Error,
    },
    /// A line has another form.
    #[error("{}, line {line}: {what}; a line is '<received ns> <frame>', e.g. '1723161254087896568 {{\"stream\":…}}'", .file.display())]
    Line {
        /// The recording.
        file: PathBuf,
        /// The line's number, from 1.
        line: usize,
        /// What is wrong.
        what: String,
    },
    /// There is nothing to send.
    #[error("the recording {} has no frame that names its stream as {protocol} does, so no subscriber could get any; choose the exchange and protocol that it was recorded from, and at Binance record from a combined stream", .file.display())]
    Empty {
        /// The recording.
        file: PathBuf,
        /// The protocol that was looked for.
        protocol: Protocol,
    },
}

#[derive(Debug)]
struct Frame {
    /// Since the first frame; never less than that of the frame before.
    offset_ns: i64,
    whole: Range<usize>,
    data: Range<usize>,
    stream: usize,
}

/// A recording in memory, so that neither disk nor decompression delays a frame, and a broken line is found at the
/// start. Frames that name no stream (snapshots of order books) are left out: nobody can subscribe to them.
#[derive(Debug)]
pub(crate) struct Recording {
    text: String,
    frames: Vec<Frame>,
    streams: Vec<String>,
}

impl Recording {
    pub(crate) fn read(file: &Path, protocol: Protocol) -> Result<Self, RecordingError> {
        let dialect = dialect::of(protocol);
        let opened = File::open(file).map_err(|cause| RecordingError::Open { file: file.to_owned(), cause })?;
        let plain: Box<dyn Read> = if file.extension().is_some_and(|extension| extension == "gz") {
            Box::new(MultiGzDecoder::new(opened))
        } else {
            Box::new(opened)
        };
        let mut recording = Self { text: String::new(), frames: Vec::new(), streams: Vec::new() };
        let mut first_ns = None;
        let mut lines = BufReader::with_capacity(1 << 16, plain);
        let mut line = String::new();
        for number in 1.. {
            line.clear();
            let read = lines.read_line(&mut line);
            let read = read.map_err(|cause| RecordingError::Read { file: file.to_owned(), line: number - 1, cause })?;
            if read == 0 {
                break;
            }
            let (received_ns, frame) = take_apart(line.trim_end_matches(['\n', '\r']))
                .map_err(|what| RecordingError::Line { file: file.to_owned(), line: number, what })?;
            let first_ns = *first_ns.get_or_insert(received_ns);
            recording.add(received_ns - first_ns, frame, dialect);
        }
        if recording.frames.is_empty() {
            return Err(RecordingError::Empty { file: file.to_owned(), protocol });
        }
        Ok(recording)
    }

    fn add(&mut self, offset_ns: i64, frame: &str, dialect: &dyn Dialect) {
        let Some(recorded) = dialect.recorded(frame) else {
            return;
        };
        let start = self.text.len();
        self.text.push_str(frame);
        let stream = self.streams.iter().position(|known| *known == recorded.stream).unwrap_or_else(|| {
            self.streams.push(recorded.stream);
            self.streams.len() - 1
        });
        let earliest = self.frames.last().map_or(0, |frame| frame.offset_ns);
        self.frames.push(Frame {
            offset_ns: offset_ns.max(earliest),
            whole: start..self.text.len(),
            data: start + recorded.data.start..start + recorded.data.end,
            stream,
        });
    }
}

fn take_apart(line: &str) -> Result<(i64, &str), String> {
    let (received, frame) = line.split_once(' ').ok_or_else(|| format!("no space in '{}'", shortened(line)))?;
    let received_ns =
        received.parse().map_err(|_| format!("'{}' is not a time in nanoseconds", shortened(received)))?;
    if frame.is_empty() {
        return Err("the frame is empty".to_owned());
    }
    Ok((received_ns, frame))
}

fn shortened(text: &str) -> String {
    text.chars().take(40).collect()
}

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
                if session.streams.contains(stream) {
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

    fn emit(&mut self, frames: Range<u64>, due_ns: i64, _now_ns: i64, wire: &mut Wire) -> bool {
        let frame = &self.recording.frames[frames.start as usize];
        let listeners = &self.listeners[frame.stream];
        for listener in listeners {
            let range = if listener.bare { frame.data.clone() } else { frame.whole.clone() };
            wire.stage(listener.subscriber, self.recording.text[range].as_bytes(), Some(due_ns));
        }
        !listeners.is_empty()
    }

    fn publish(&mut self, _wire: &Wire) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    const LINES: &str = "10 {\"stream\":\"a@trade\",\"data\":{\"t\":1}}\n15 {\"lastUpdateId\":1}\n30 {\"stream\":\"b@trade\",\"data\":{\"t\":2}}\n";

    fn read(name: &str, bytes: &[u8]) -> Result<Recording, String> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(name);
        std::fs::write(&file, bytes).unwrap();
        Recording::read(&file, Protocol::BinanceSpot).map_err(|error| error.to_string())
    }

    fn gzipped(text: &str) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn frames_keep_their_bytes_and_their_spacing() {
        for recording in [read("plain.txt", LINES.as_bytes()).unwrap(), read("packed.gz", &gzipped(LINES)).unwrap()] {
            assert_eq!(recording.streams, ["a@trade", "b@trade"]);
            let offsets: Vec<i64> = recording.frames.iter().map(|frame| frame.offset_ns).collect();
            assert_eq!(offsets, [0, 20]);
            assert_eq!(&recording.text[recording.frames[1].data.clone()], r#"{"t":2}"#);
        }
    }

    #[test]
    fn a_broken_line_is_named_with_file_and_number() {
        let error = read("broken.txt", format!("{LINES}soon {{}}\n").as_bytes()).unwrap_err();
        assert!(error.contains("broken.txt, line 4: 'soon' is not a time"), "{error}");
        let error = read("broken.txt", b"123\n").unwrap_err();
        assert!(error.contains("line 1: no space in '123'"), "{error}");
    }

    #[test]
    fn a_gz_that_breaks_off_is_named() {
        let long: String =
            (0..1_000).map(|n| format!("{n} {{\"stream\":\"a@trade\",\"data\":{{\"t\":{n}}}}}\n")).collect();
        let packed = gzipped(&long);
        let error = read("half.gz", &packed[..packed.len() / 2]).unwrap_err();
        assert!(error.contains("half.gz") && error.contains("breaks off"), "{error}");
    }

    #[test]
    fn a_recording_that_nobody_can_subscribe_to_is_refused() {
        assert!(read("empty.txt", b"1 {\"lastUpdateId\":1}\n").unwrap_err().contains("no frame that names its stream"));
    }
}
