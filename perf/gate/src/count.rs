//! What is counted instruction by instruction: the benches' own passes.

use clap::ValueEnum;
use k2_benches::fixture::{self, FRAMES, Form};
use k2_benches::pipeline::Pipeline;
use k2_benches::produce::Produce;
use k2_benches::venue::{TRADES, pass};
use k2_feed::clock::Nanos;
use k2_feed::venue::Protocol;
use k2_feed::ws::buffer::ReceiveBuffer;
use k2_feed::ws::deframe::Deframer;

/// The function whose instructions are counted, as callgrind's `--toggle-collect` takes it, mangled or not.
pub(crate) const FUNCTION: &str = "*k2_gate*counted_passes*";

/// Something that is done for each trade.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum What {
    Deframe,
    DecodeEncode,
    Feed,
    Produce,
}

impl What {
    pub(crate) const ALL: [What; 4] = [What::Deframe, What::DecodeEncode, What::Feed, What::Produce];

    /// Its name in the budget, and on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            What::Deframe => "deframe",
            What::DecodeEncode => "decode_encode",
            What::Feed => "feed",
            What::Produce => "produce",
        }
    }

    /// Trades in a pass.
    pub(crate) fn trades(self) -> usize {
        match self {
            What::Deframe | What::Feed => FRAMES,
            What::DecodeEncode => TRADES,
            What::Produce => k2_benches::produce::TRADES,
        }
    }
}

/// Does it so many times.
pub(crate) fn run(what: What, passes: usize) {
    let mut pass: Box<dyn FnMut()> = match what {
        What::Deframe => deframe(),
        What::DecodeEncode => pass(Protocol::BinanceSpot, 1),
        What::Feed => {
            let mut pipeline = Pipeline::new();
            Box::new(move || pipeline.pass(1))
        }
        What::Produce => {
            let mut produce = Produce::new();
            Box::new(move || produce.pass())
        }
    };
    // At its first reading the clock measures its own pace, for as long as that takes.
    Nanos::now();
    counted_passes(pass.as_mut(), passes);
}

/// What is counted, found by its name.
#[inline(never)]
fn counted_passes(pass: &mut dyn FnMut(), passes: usize) {
    (0..passes).for_each(|_| pass());
}

/// The bytes are copied into the buffer, as a socket would: a few instructions a frame.
fn deframe() -> Box<dyn FnMut()> {
    let frames = fixture::wire(&fixture::payloads(Form::Plain));
    let mut buffer = ReceiveBuffer::new(64 * 1024, 1024 * 1024);
    let mut deframer = Deframer::new(256 * 1024);
    Box::new(move || {
        for frame in &frames {
            buffer.extend(frame);
            while let Some(message) = deframer.next(&mut buffer).expect("the frames are valid") {
                std::hint::black_box(message);
            }
        }
    })
}
