//! Decompression: the formats in which NTFS stores compressed data, as pure functions.
//!
//! | format | where | unit |
//! |---|---|---|
//! | [`lznt1`] | `$DATA` with the attribute flag "compressed" | chunks of 4 KiB in a compression unit |
//! | [`xpress_huffman`] | `:WofCompressedData` | 4, 8 or 16 KiB |
//! | [`lzx`] | `:WofCompressedData` | 32 KiB |
//!
//! None of them allocates; each is bounded by the length of its output plus that of its input, takes any bytes
//! and never panics. Nothing of what an output holds after an error may be shown to anyone.

mod bits;
mod copy;
mod huffman;
pub mod lznt1;
pub mod lzx;
pub mod xpress_huffman;

use std::fmt;

/// Compressed data that breaks the rules of its format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// About where in the input, in bytes.
    pub at: usize,
    /// Which rule; lower case, no period.
    pub what: &'static str,
}

impl Malformed {
    const fn new(at: usize, what: &'static str) -> Self {
        Self { at, what }
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} at byte {:#x} of the compressed data",
            self.what, self.at
        )
    }
}
