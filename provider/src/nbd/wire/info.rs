//! Something about an export: `NBD_REP_INFO`.

use super::block_size::BlockSize;
use super::export::Export;
use super::{Cursor, Violation};

/// The type of block sizes.
pub(in crate::nbd) const BLOCK_SIZE: u16 = 3;
const EXPORT: u16 = 0;

/// An info.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::nbd) enum Info {
    /// Size and flags.
    Export(Export),
    /// What lengths are wanted.
    BlockSize(BlockSize),
    /// A name, a description, something newer.
    Other,
}

impl Info {
    /// Parses what follows the head of an answer.
    pub(in crate::nbd) fn parse(payload: &[u8]) -> Result<Self, Violation> {
        let mut cursor = Cursor::new(payload);
        match cursor.u16()? {
            EXPORT => Export::parse(cursor.rest()).map(Self::Export),
            BLOCK_SIZE => BlockSize::parse(cursor.rest()).map(Self::BlockSize),
            _ => Ok(Self::Other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_out_of_order_are_refused() {
        let sizes = |minimum: u32, preferred: u32, maximum: u32| {
            let mut bytes = BLOCK_SIZE.to_be_bytes().to_vec();
            for size in [minimum, preferred, maximum] {
                bytes.extend(size.to_be_bytes());
            }
            Info::parse(&bytes)
        };
        assert!(sizes(1, 4096, u32::MAX).is_ok());
        for (minimum, preferred, maximum) in [
            (0, 4096, 4096),
            (3, 4096, 4096),
            (1 << 17, 1 << 17, 1 << 20),
            (4096, 512, 1 << 20),
            (1, 4096, 512),
            (1, 4097, 1 << 20),
            (1, 256, 1 << 20),
        ] {
            assert!(sizes(minimum, preferred, maximum).is_err(), "{minimum}");
        }
        assert!(Info::parse(&[]).is_err());
        assert!(Info::parse(&[0, 3, 0]).is_err());
        assert_eq!(Info::parse(&[0, 1]), Ok(Info::Other));
    }

    #[test]
    fn an_export_has_a_size_that_a_file_can_have() {
        let export = |size: u64, flags: u16| {
            let mut bytes = vec![0, 0];
            bytes.extend(size.to_be_bytes());
            bytes.extend(flags.to_be_bytes());
            Info::parse(&bytes)
        };
        let Ok(Info::Export(found)) = export(7, 0x103) else {
            panic!("an export");
        };
        assert!(found.is_read_only() && found.can_multi_conn() && found.size == 7);
        assert!(export(u64::MAX, 1).is_err());
        assert!(export(7, 0).is_err());
    }
}
