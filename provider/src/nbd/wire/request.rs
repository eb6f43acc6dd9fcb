//! What the client asks for in transmission. Nothing here writes.

/// Bytes of a request.
pub(in crate::nbd) const REQUEST_LEN: usize = 28;

const MAGIC: u32 = 0x2560_9513;

/// What is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::nbd) enum Command {
    /// Bytes.
    Read,
    /// The end. Has no answer.
    Disconnect,
    /// The map.
    BlockStatus,
}

/// A request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::nbd) struct Request {
    /// What is wanted.
    pub(in crate::nbd) command: Command,
    /// The answer carries it too.
    pub(in crate::nbd) cookie: u64,
    /// Byte of the export.
    pub(in crate::nbd) offset: u64,
    /// Bytes.
    pub(in crate::nbd) len: u32,
}

impl Request {
    /// The end of transmission.
    pub(in crate::nbd) const fn disconnect() -> Self {
        Self {
            command: Command::Disconnect,
            cookie: 0,
            offset: 0,
            len: 0,
        }
    }

    /// As it is sent. Flags are never set.
    pub(in crate::nbd) fn encode(self) -> Vec<u8> {
        let command: u16 = match self.command {
            Command::Read => 0,
            Command::Disconnect => 2,
            Command::BlockStatus => 7,
        };
        let mut out = Vec::with_capacity(REQUEST_LEN);
        out.extend(MAGIC.to_be_bytes());
        out.extend([0, 0]);
        out.extend(command.to_be_bytes());
        out.extend(self.cookie.to_be_bytes());
        out.extend(self.offset.to_be_bytes());
        out.extend(self.len.to_be_bytes());
        out
    }
}
