//! What the server says first.

use super::{Cursor, Violation};

/// Bytes of a greeting.
pub(in crate::nbd) const GREETING_LEN: usize = 18;

const NBDMAGIC: u64 = 0x4e42_444d_4147_4943;
const CLISERV_MAGIC: u64 = 0x0000_4202_8186_1253;
const FIXED_NEWSTYLE: u16 = 1;
const NO_ZEROES: u16 = 2;

/// What the server can do in the haggling that follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::nbd) struct Greeting {
    /// 124 zeros after an `EXPORT_NAME` can be left out.
    pub(in crate::nbd) no_zeroes: bool,
}

impl Greeting {
    /// Parses the first bytes of a connection.
    pub(in crate::nbd) fn parse(bytes: &[u8; GREETING_LEN]) -> Result<Self, Violation> {
        let mut cursor = Cursor::new(bytes);
        let magic = cursor.u64()?;
        if magic != NBDMAGIC {
            return Err(Violation::new("expected the greeting of an NBD server"));
        }
        match cursor.u64()? {
            super::option::IHAVEOPT => {}
            CLISERV_MAGIC => return Err(Violation::new(OLD)),
            other => {
                let what = format!("expected the magic number IHAVEOPT, found {other:#x}");
                return Err(Violation::new(what));
            }
        }
        let flags = cursor.u16()?;
        if flags & FIXED_NEWSTYLE == 0 {
            return Err(Violation::new(OLD));
        }
        let no_zeroes = flags & NO_ZEROES != 0;
        Ok(Self { no_zeroes })
    }

    /// The client's flags: the fixed handshake, and no zeros where the server can do without.
    pub(in crate::nbd) fn answer(self) -> [u8; 4] {
        let zeroes = if self.no_zeroes { NO_ZEROES } else { 0 };
        u32::from(FIXED_NEWSTYLE | zeroes).to_be_bytes()
    }
}

const OLD: &str = "expected a server with the fixed newstyle handshake, found an older one";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_servers_are_told_apart() {
        let mut bytes = *b"NBDMAGICIHAVEOPT\0\x03";
        let greeting = Greeting::parse(&bytes).unwrap();
        assert_eq!(greeting.answer(), [0, 0, 0, 3]);
        bytes[17] = 1;
        assert_eq!(Greeting::parse(&bytes).unwrap().answer(), [0, 0, 0, 1]);
        bytes[17] = 0;
        assert!(Greeting::parse(&bytes).is_err());
        let ssh = b"SSH-2.0-OpenSSH_9.";
        assert!(
            Greeting::parse(ssh)
                .unwrap_err()
                .to_string()
                .contains("NBD server")
        );
    }
}
