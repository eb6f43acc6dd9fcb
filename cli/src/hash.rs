//! Hashing content.

use crate::args::Algorithm;
use flr_fs::ByteSource;
use flr_fs::bytes::{clamp_usize, len_u64};
use flr_recover::Error;
use sha2::Digest;

/// Bytes read at once.
const PIECE_LEN: usize = 1 << 20;

/// Name of the hash in JSON and in messages.
pub(crate) const fn key(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::Sha256 => "sha256",
        Algorithm::Blake3 => "blake3",
        Algorithm::Md5 => "md5",
    }
}

/// Digits of the hash.
pub(crate) const fn hex_len(algorithm: Algorithm) -> usize {
    match algorithm {
        Algorithm::Sha256 | Algorithm::Blake3 => 64,
        Algorithm::Md5 => 32,
    }
}

/// The hash of a whole source, in lower-case hex. `progress` is told of the bytes done.
pub(crate) fn of(
    source: &dyn ByteSource,
    algorithm: Algorithm,
    progress: &mut dyn FnMut(u64),
) -> Result<String, Error> {
    Ok(match algorithm {
        Algorithm::Sha256 => {
            let mut state = sha2::Sha256::new();
            feed(source, progress, &mut |bytes| state.update(bytes))?;
            hex(&state.finalize())
        }
        Algorithm::Blake3 => {
            let mut state = blake3::Hasher::new();
            feed(source, progress, &mut |bytes| {
                state.update(bytes);
            })?;
            hex(state.finalize().as_bytes())
        }
        Algorithm::Md5 => {
            let mut state = md5::Md5::new();
            feed(source, progress, &mut |bytes| state.update(bytes))?;
            hex(&state.finalize())
        }
    })
}

fn feed(
    source: &dyn ByteSource,
    progress: &mut dyn FnMut(u64),
    take: &mut dyn FnMut(&[u8]),
) -> Result<(), Error> {
    let mut buf = vec![0; clamp_usize(source.size(), PIECE_LEN)];
    let mut offset = 0;
    while offset < source.size() {
        let len = clamp_usize(source.size().saturating_sub(offset), PIECE_LEN);
        let piece = buf.get_mut(..len).unwrap_or_default();
        source.read_at(offset, piece)?;
        take(piece);
        offset = offset.saturating_add(len_u64(len));
        progress(offset);
    }
    Ok(())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use flr_fs::Memory;

    #[test]
    fn the_empty_input() {
        let empty = Memory::new(Vec::new());
        for (algorithm, text) in [
            (Algorithm::Md5, "d41d8cd98f00b204e9800998ecf8427e"),
            (
                Algorithm::Sha256,
                "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            ),
            (
                Algorithm::Blake3,
                "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262",
            ),
        ] {
            assert_eq!(of(&empty, algorithm, &mut |_| {}).unwrap(), text);
        }
    }
}
