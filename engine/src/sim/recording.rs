//! Recordings: frames as they were received, with their times.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::ops::Range;
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

use super::dialect::{self, Dialect};
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
pub(super) struct Frame {
    /// Since the first frame; never less than that of the frame before.
    pub(super) offset_ns: i64,
    pub(super) whole: Range<usize>,
    pub(super) data: Range<usize>,
    pub(super) stream: usize,
}

/// A recording in memory, so that neither disk nor decompression delays a frame, and a broken line is found at the
/// start. Frames that name no stream (snapshots of order books) are left out: nobody can subscribe to them.
#[derive(Debug)]
pub(crate) struct Recording {
    pub(super) text: String,
    pub(super) frames: Vec<Frame>,
    pub(super) streams: Vec<String>,
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
