//! One chunk in a file, with a header that says which and a checksum of both.
//!
//! | bytes | |
//! |---|---|
//! | 0 | `flrchunk` |
//! | 8 | version, 1 |
//! | 12 | length of the header, 160 |
//! | 16 | SHA-256 of the name |
//! | 48 | index of the chunk |
//! | 56 | length of the chunks of its source |
//! | 60 | zeros |
//! | 64 | length of the content |
//! | 72 | zeros |
//! | 80 | SHA-256 of the content |
//! | 112 | zeros |
//! | 128 | SHA-256 of all before |
//!
//! Numbers are little-endian. Whoever reads a block knows what must stand in every field but the content's
//! checksum, so a header is right if it is the same as one that is made anew.

use flr_fs::bytes::len_u64;
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::io::{self, Read, Write};

/// Bytes of a header.
pub(super) const HEADER_LEN: usize = 160;

const SUMMED_LEN: usize = 128;
const SUM_AT: usize = 80;
const SUM_LEN: usize = 32;
const VERSION: u32 = 1;

type Sum = [u8; SUM_LEN];

/// Which chunk a block holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    name: Sum,
    chunk: u64,
    chunk_len: u32,
}

impl Identity {
    pub(super) fn new(name: &str, chunk: u64, chunk_len: u32) -> Self {
        Self {
            name: Sha256::digest(name).into(),
            chunk,
            chunk_len,
        }
    }

    /// The folder and the name of the file: nothing of the name itself is ever a path.
    pub(super) fn path(&self) -> (String, String) {
        let mut sum = Sha256::new();
        sum.update(b"flr chunk");
        sum.update(self.name);
        sum.update(self.chunk.to_le_bytes());
        sum.update(self.chunk_len.to_le_bytes());
        let sum: Sum = sum.finalize().into();
        let mut hex = sum.iter().fold(String::new(), |mut hex, byte| {
            // OK to ignore: a string takes whatever is written to it.
            let _ = write!(hex, "{byte:02x}");
            hex
        });
        let file = hex.split_off(2);
        (hex, file)
    }

    fn header(&self, len: usize, sum: &Sum) -> Vec<u8> {
        let header_len = u32::try_from(HEADER_LEN).unwrap_or(0);
        let mut header = Vec::with_capacity(HEADER_LEN);
        header.extend(b"flrchunk");
        header.extend(VERSION.to_le_bytes());
        header.extend(header_len.to_le_bytes());
        header.extend(self.name);
        header.extend(self.chunk.to_le_bytes());
        header.extend(self.chunk_len.to_le_bytes());
        header.extend([0; 4]);
        header.extend(len_u64(len).to_le_bytes());
        header.extend([0; 8]);
        header.extend(sum);
        header.extend([0; 16]);
        let sum: Sum = Sha256::digest(&header).into();
        header.extend(sum);
        debug_assert_eq!(header.len(), HEADER_LEN);
        header
    }

    /// Writes a block.
    pub(super) fn write(&self, content: &[u8], mut to: impl Write) -> io::Result<()> {
        let sum: Sum = Sha256::digest(content).into();
        to.write_all(&self.header(content.len(), &sum))?;
        to.write_all(content)
    }

    /// The content of a block that must be this one, of `len` bytes. `None` if it is anything else.
    ///
    /// # Errors
    /// It cannot be read.
    pub(super) fn read(&self, len: usize, mut from: impl Read) -> io::Result<Option<Vec<u8>>> {
        let mut header = [0; HEADER_LEN];
        let mut content = vec![0; len];
        for part in [&mut header[..], &mut content] {
            match from.read_exact(part) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
                Err(error) => return Err(error),
            }
        }
        // Exactly so long.
        if from.read(&mut [0])? != 0 {
            return Ok(None);
        }
        let said = header.get(SUM_AT..).and_then(|said| said.first_chunk());
        let sum: Sum = Sha256::digest(&content).into();
        let right = said == Some(&sum) && header[..] == self.header(len, &sum);
        Ok(right.then_some(content))
    }
}

const _: () = assert!(SUM_AT + SUM_LEN < SUMMED_LEN && SUMMED_LEN + SUM_LEN == HEADER_LEN);

#[cfg(test)]
mod tests {
    use super::*;

    const CONTENT: &[u8] = &[7; 5000];

    fn block(identity: &Identity) -> Vec<u8> {
        let mut block = Vec::new();
        identity.write(CONTENT, &mut block).unwrap();
        block
    }

    #[test]
    fn a_block_reads_back_as_what_it_is_and_as_nothing_else() {
        let identity = Identity::new("snap-1", 3, 8192);
        let block = block(&identity);
        let read = |identity: &Identity, len| identity.read(len, &block[..]).unwrap();
        assert_eq!(read(&identity, 5000).as_deref(), Some(CONTENT));
        assert_eq!(read(&identity, 4999), None);
        assert_eq!(read(&identity, 5001), None);
        for other in [
            Identity::new("snap-2", 3, 8192),
            Identity::new("snap-1", 4, 8192),
            Identity::new("snap-1", 3, 4096),
        ] {
            assert_eq!(read(&other, 5000), None);
            assert_ne!(other.path(), identity.path());
        }
    }

    #[test]
    fn a_change_of_any_bit_is_seen() {
        let identity = Identity::new("snap-1", 3, 8192);
        let mut block = block(&identity);
        for at in (0..HEADER_LEN).chain([HEADER_LEN, 3000, block.len() - 1]) {
            for bit in 0..8 {
                block[at] ^= 1 << bit;
                assert_eq!(identity.read(5000, &block[..]).unwrap(), None, "{at} {bit}");
                block[at] ^= 1 << bit;
            }
        }
        for len in 0..block.len() {
            assert_eq!(identity.read(5000, &block[..len]).unwrap(), None);
        }
        block.push(0);
        assert_eq!(identity.read(5000, &block[..]).unwrap(), None);
    }

    #[test]
    fn a_name_is_never_a_path() {
        for name in ["", "../../etc/passwd", "/", "a\0b", &"x".repeat(10_000)] {
            let (folder, file) = Identity::new(name, 0, 4096).path();
            assert_eq!((folder.len(), file.len()), (2, 62));
            assert!(
                (folder + &file)
                    .bytes()
                    .all(|byte| byte.is_ascii_hexdigit())
            );
        }
    }
}
