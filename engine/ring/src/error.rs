use std::error::Error;
use std::fmt;

/// Why no ring could be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CapacityError {
    /// A ring of no bytes was asked for.
    Zero,
    /// More bytes than an allocation may have, once rounded up to a power of two.
    TooLarge {
        /// The capacity asked for.
        asked: usize,
    },
    /// The allocator did not give the memory.
    OutOfMemory {
        /// The capacity asked of it, rounded up.
        bytes: usize,
    },
}

impl fmt::Display for CapacityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Zero => f.write_str("a ring needs a capacity above 0 bytes"),
            Self::TooLarge { asked } => write!(f, "a ring of {asked} bytes is not addressable"),
            Self::OutOfMemory { bytes } => write!(f, "no memory for a ring of {bytes} bytes"),
        }
    }
}

impl Error for CapacityError {}

/// A claim did not fit. An outcome, not a fault: the caller drops, retries or slows down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full {
    /// The payload bytes asked for.
    pub asked: usize,
    /// The bytes of the ring that no record holds. The claim's header, its alignment and a gap
    /// before the wrap come out of these too, so `free` may be above `asked`.
    pub free: usize,
}

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { asked, free } = self;
        write!(f, "no room for a record of {asked} bytes: {free} bytes free")
    }
}

impl Error for Full {}
