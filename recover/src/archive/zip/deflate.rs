//! Deflating content, and its checksum; long runs of zeros take no time.

use crate::error::Result;
use flate2::{Compress, Compression, Crc, FlushCompress, Status};
use flr_fs::bytes::{clamp_usize, len_u64};

/// Level of compression: that of zip's own command.
const LEVEL: u32 = 6;
/// Bytes of packed data that wait.
const OUT_LEN: usize = 64 << 10;
/// Zeros that are packed once for all.
const RUN_LEN: usize = 1 << 20;

/// Takes packed bytes.
type Take<'a> = dyn FnMut(&[u8]) -> Result<()> + 'a;

/// A stream of RFC 1951 at a time.
#[derive(Debug)]
pub(super) struct Deflate {
    stream: Compress,
    crc: Crc,
    out: Vec<u8>,
    /// [`RUN_LEN`] zeros, packed so that they may stand wherever a stream was flushed whole.
    run: Vec<u8>,
    run_crc: Crc,
}

impl Deflate {
    pub(super) fn new() -> Self {
        Self {
            stream: Compress::new(Compression::new(LEVEL), false),
            crc: Crc::new(),
            out: Vec::with_capacity(OUT_LEN),
            run: Vec::new(),
            run_crc: Crc::new(),
        }
    }

    /// Begins the next stream.
    pub(super) fn begin(&mut self) {
        self.stream.reset();
        self.crc.reset();
    }

    /// Packs bytes.
    pub(super) fn bytes(&mut self, bytes: &[u8], take: &mut Take<'_>) -> Result<()> {
        self.crc.update(bytes);
        pack(
            &mut self.stream,
            &mut self.out,
            bytes,
            FlushCompress::None,
            take,
        )
    }

    /// Packs so many zeros.
    pub(super) fn zeros(&mut self, mut len: u64, take: &mut Take<'_>) -> Result<()> {
        let zeros = vec![0; clamp_usize(len, RUN_LEN)];
        if len >= len_u64(RUN_LEN) {
            self.make_run(&zeros)?;
            // Nothing refers back over this place, so what follows may be put in as it is.
            let full = FlushCompress::Full;
            pack(&mut self.stream, &mut self.out, &[], full, take)?;
            while len >= len_u64(RUN_LEN) {
                take(&self.run)?;
                self.crc.combine(&self.run_crc);
                len = len.saturating_sub(len_u64(RUN_LEN));
            }
        }
        let rest = zeros.get(..clamp_usize(len, RUN_LEN)).unwrap_or_default();
        self.bytes(rest, take)
    }

    /// Ends the stream; the checksum of all that was packed.
    pub(super) fn end(&mut self, take: &mut Take<'_>) -> Result<u32> {
        let finish = FlushCompress::Finish;
        pack(&mut self.stream, &mut self.out, &[], finish, take)?;
        Ok(self.crc.sum())
    }

    fn make_run(&mut self, zeros: &[u8]) -> Result<()> {
        if !self.run.is_empty() {
            return Ok(());
        }
        let mut stream = Compress::new(Compression::new(LEVEL), false);
        let (run, full) = (&mut self.run, FlushCompress::Full);
        pack(&mut stream, &mut self.out, zeros, full, &mut |packed| {
            run.extend_from_slice(packed);
            Ok(())
        })?;
        self.run_crc.update(zeros);
        Ok(())
    }
}

/// The checksum of bytes.
pub(super) fn crc(bytes: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(bytes);
    crc.sum()
}

/// Feeds all of `bytes` to the stream, and hands on what comes out.
fn pack(
    stream: &mut Compress,
    out: &mut Vec<u8>,
    mut bytes: &[u8],
    flush: FlushCompress,
    take: &mut Take<'_>,
) -> Result<()> {
    loop {
        out.clear();
        let before = stream.total_in();
        let status = stream
            .compress_vec(bytes, out, flush)
            .map_err(|error| super::write_failed(error.into()))?;
        let used = clamp_usize(stream.total_in().saturating_sub(before), bytes.len());
        bytes = bytes.get(used..).unwrap_or_default();
        take(out)?;
        // With room left there is nothing more to come out.
        let is_done = bytes.is_empty() && out.len() < out.capacity();
        if status == Status::StreamEnd || (is_done && flush != FlushCompress::Finish) {
            return Ok(());
        }
    }
}
