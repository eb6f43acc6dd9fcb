//! Integers from the front of a slice.

use super::Violation;

/// What is left of a structure.
pub(in crate::nbd) struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    /// All of `bytes`.
    pub(in crate::nbd) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Violation> {
        let (now, rest) = self
            .rest
            .split_first_chunk()
            .ok_or_else(|| Violation::new(too_short(N, self.rest.len())))?;
        self.rest = rest;
        Ok(*now)
    }

    /// Two bytes.
    pub(in crate::nbd) fn u16(&mut self) -> Result<u16, Violation> {
        self.array().map(u16::from_be_bytes)
    }

    /// Four bytes.
    pub(in crate::nbd) fn u32(&mut self) -> Result<u32, Violation> {
        self.array().map(u32::from_be_bytes)
    }

    /// Eight bytes.
    pub(in crate::nbd) fn u64(&mut self) -> Result<u64, Violation> {
        self.array().map(u64::from_be_bytes)
    }

    /// The next `len` bytes.
    pub(in crate::nbd) fn bytes(&mut self, len: usize) -> Result<&'a [u8], Violation> {
        let (now, rest) = self
            .rest
            .split_at_checked(len)
            .ok_or_else(|| Violation::new(too_short(len, self.rest.len())))?;
        self.rest = rest;
        Ok(now)
    }

    /// All that is left.
    pub(in crate::nbd) const fn rest(self) -> &'a [u8] {
        self.rest
    }

    /// Nothing may be left.
    pub(in crate::nbd) fn end(self) -> Result<(), Violation> {
        match self.rest.len() {
            0 => Ok(()),
            more => Err(Violation::new(format!(
                "expected the end of a structure, found {more} bytes more"
            ))),
        }
    }
}

fn too_short(expected: usize, found: usize) -> String {
    format!("expected {expected} bytes more in a structure, found {found}")
}
