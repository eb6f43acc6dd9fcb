//! The head of an answer to an option.

use super::option::Opt;
use super::{Cursor, Violation};

/// Bytes of a head.
pub(in crate::nbd) const OPTION_REPLY_LEN: usize = 20;

/// What may follow a head: two of the longest strings, and a little.
const PAYLOAD_MAX: u32 = 16 << 10;

const MAGIC: u64 = 0x0003_e889_0455_65a9;

/// What is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::nbd) enum Reply {
    /// Done; nothing more comes.
    Ack,
    /// An export of the list.
    Server,
    /// Something about the export.
    Info,
    /// A map that was chosen.
    MetaContext,
    /// No; nothing more comes.
    Refused(Refusal),
    /// Something of this number that is not an error.
    Other(u32),
}

/// Why not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::nbd) enum Refusal {
    /// The server does not know the option.
    Unsupported,
    /// It does not want to.
    Policy,
    /// It wants TLS first.
    TlsRequired,
    /// There is no such export.
    Unknown,
    /// It is being shut down.
    Shutdown,
    /// Something else of this number.
    Other(u32),
}

/// An answer's head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::nbd) struct OptionReply {
    /// What is answered.
    pub(in crate::nbd) reply: Reply,
    /// How many bytes follow, at most 16 KiB.
    pub(in crate::nbd) len: u32,
}

impl OptionReply {
    /// Parses a head that must belong to `sent`.
    pub(in crate::nbd) fn parse(
        bytes: &[u8; OPTION_REPLY_LEN],
        sent: Opt,
    ) -> Result<Self, Violation> {
        let mut cursor = Cursor::new(bytes);
        let magic = cursor.u64()?;
        if magic != MAGIC {
            return Err(Violation::new(format!(
                "expected the answer to an option, found the magic number {magic:#x}"
            )));
        }
        let (option, kind, len) = (cursor.u32()?, cursor.u32()?, cursor.u32()?);
        if option != sent.number() {
            return Err(Violation::new(format!(
                "expected the answer to option {}, found one to option {option}",
                sent.number()
            )));
        }
        if len > PAYLOAD_MAX {
            return Err(Violation::new(format!(
                "expected at most {PAYLOAD_MAX} bytes of an answer to an option, found {len}"
            )));
        }
        let reply = match kind {
            1 => Reply::Ack,
            2 => Reply::Server,
            3 => Reply::Info,
            4 => Reply::MetaContext,
            0x8000_0001 => Reply::Refused(Refusal::Unsupported),
            0x8000_0002 => Reply::Refused(Refusal::Policy),
            0x8000_0005 => Reply::Refused(Refusal::TlsRequired),
            0x8000_0006 => Reply::Refused(Refusal::Unknown),
            0x8000_0007 => Reply::Refused(Refusal::Shutdown),
            0x8000_0000.. => Reply::Refused(Refusal::Other(kind)),
            _ => Reply::Other(kind),
        };
        Ok(Self { reply, len })
    }
}
