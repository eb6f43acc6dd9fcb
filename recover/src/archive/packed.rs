//! The stream below a tar archive: as it is, or packed.

use super::Format;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::{self, Write};

/// Level of gzip: the one of its own command.
const GZIP_LEVEL: u32 = 6;
/// Level of Zstandard: the one of its own command.
const ZSTD_LEVEL: i32 = 3;

/// A writer that packs what it is given.
pub(super) enum Packed<'a> {
    Plain(Valve<'a>),
    Gzip(Box<GzEncoder<Valve<'a>>>),
    Zstd(Box<zstd::Encoder<'static, Valve<'a>>>),
}

impl<'a> Packed<'a> {
    pub(super) fn new(format: Format, out: &'a mut dyn Write) -> io::Result<Self> {
        let valve = Valve { out, shut: false };
        Ok(match format {
            Format::Tar | Format::Zip => Self::Plain(valve),
            Format::TarGzip => {
                let encoder = GzEncoder::new(valve, Compression::new(GZIP_LEVEL));
                Self::Gzip(Box::new(encoder))
            }
            Format::TarZstd => {
                let mut encoder = zstd::Encoder::new(valve, ZSTD_LEVEL)?;
                encoder.include_checksum(true)?;
                Self::Zstd(Box::new(encoder))
            }
        })
    }

    /// Ends the stream.
    pub(super) fn finish(self) -> io::Result<()> {
        let valve = match self {
            Self::Plain(valve) => valve,
            Self::Gzip(encoder) => encoder.finish()?,
            Self::Zstd(encoder) => encoder.finish()?,
        };
        valve.out.flush()
    }

    /// Leaves the stream without its end: whoever unpacks it notices.
    pub(super) fn abandon(mut self) {
        let flushed = match &mut self {
            Self::Plain(valve) => valve.flush(),
            // What was packed already may as well arrive.
            Self::Gzip(encoder) => encoder.flush().map(|()| encoder.get_mut().shut = true),
            Self::Zstd(encoder) => encoder.flush().map(|()| encoder.get_mut().shut = true),
        };
        if let Err(error) = flushed {
            tracing::debug!(%error, "an archive that ends early");
        }
    }
}

impl Write for Packed<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(valve) => valve.write(bytes),
            Self::Gzip(encoder) => encoder.write(bytes),
            Self::Zstd(encoder) => encoder.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(valve) => valve.flush(),
            Self::Gzip(encoder) => encoder.flush(),
            Self::Zstd(encoder) => encoder.flush(),
        }
    }
}

/// A writer that can be shut: an encoder that is dropped ends its stream by itself.
pub(super) struct Valve<'a> {
    out: &'a mut dyn Write,
    shut: bool,
}

impl Write for Valve<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.shut {
            true => Ok(bytes.len()),
            false => self.out.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self.shut {
            true => Ok(()),
            false => self.out.flush(),
        }
    }
}
