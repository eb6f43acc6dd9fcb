//! What the client asks for before transmission.

/// Stands before every option, and in the greeting.
pub(in crate::nbd) const IHAVEOPT: u64 = 0x4948_4156_454F_5054;

/// An option, under the protocol's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::nbd) enum Opt {
    ExportName,
    Abort,
    List,
    StartTls,
    Go,
    StructuredReply,
    SetMetaContext,
}

impl Opt {
    /// Its number.
    pub(in crate::nbd) const fn number(self) -> u32 {
        match self {
            Self::ExportName => 1,
            Self::Abort => 2,
            Self::List => 3,
            Self::StartTls => 5,
            Self::Go => 7,
            Self::StructuredReply => 8,
            Self::SetMetaContext => 10,
        }
    }

    /// The option with its data, as it is sent. The data is a name of at most 4,096 bytes and a little.
    pub(in crate::nbd) fn encode(self, data: &[u8]) -> Vec<u8> {
        let mut out = IHAVEOPT.to_be_bytes().to_vec();
        out.extend(self.number().to_be_bytes());
        out.extend(len32(data.len()));
        out.extend(data);
        out
    }
}

/// The data of `GO`: the name, and a wish for the block sizes.
pub(in crate::nbd) fn go_data(export: &str) -> Vec<u8> {
    let mut data = len32(export.len()).to_vec();
    data.extend(export.as_bytes());
    data.extend(1_u16.to_be_bytes());
    data.extend(super::info::BLOCK_SIZE.to_be_bytes());
    data
}

/// The data of `SET_META_CONTEXT`: the name, and one query.
pub(in crate::nbd) fn meta_context_data(export: &str, query: &str) -> Vec<u8> {
    let mut data = len32(export.len()).to_vec();
    data.extend(export.as_bytes());
    data.extend(1_u32.to_be_bytes());
    data.extend(len32(query.len()));
    data.extend(query.as_bytes());
    data
}

/// Lengths here are bounded by the longest name, far below the saturation.
fn len32(len: usize) -> [u8; 4] {
    u32::try_from(len).unwrap_or(u32::MAX).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_those_of_the_protocol() {
        let go = Opt::Go.encode(&go_data("ab"));
        assert_eq!(go, b"IHAVEOPT\0\0\0\x07\0\0\0\x0a\0\0\0\x02ab\0\x01\0\x03");
        let meta = Opt::SetMetaContext.encode(&meta_context_data("", "base:allocation"));
        assert!(meta.starts_with(b"IHAVEOPT\0\0\0\x0a\0\0\0\x1b\0\0\0\0\0\0\0\x01"));
        assert!(meta.ends_with(b"\0\0\0\x0fbase:allocation"));
    }
}
