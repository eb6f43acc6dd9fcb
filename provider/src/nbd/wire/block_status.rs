//! A part of the map: `NBD_REPLY_TYPE_BLOCK_STATUS`.

use super::{Cursor, Violation};

/// The longest one that is taken: the 2²⁰ extents that the protocol speaks of.
pub(in crate::nbd) const BLOCK_STATUS_MAX: u32 = 4 + 8 * (1 << 20);

/// `NBD_STATE_ZERO`. `NBD_STATE_HOLE` alone promises nothing about the bytes.
const ZERO: u32 = 1 << 1;

/// Neighbouring bytes of which the server says the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::nbd) struct Extent {
    /// Bytes, not 0.
    pub(in crate::nbd) len: u64,
    /// They read as zeros for certain.
    pub(in crate::nbd) zero: bool,
}

/// The extents from the beginning of a request of `requested` bytes, neighbours of one kind merged, and
/// cut where the request ends. They may end before it.
pub(in crate::nbd) fn parse(
    payload: &[u8],
    context: u32,
    requested: u32,
) -> Result<Vec<Extent>, Violation> {
    let mut cursor = Cursor::new(payload);
    let id = cursor.u32()?;
    if id != context {
        return Err(Violation::new(format!(
            "expected a map of number {context}, found {id}"
        )));
    }
    let (extents, rest) = cursor.rest().as_chunks::<8>();
    if !rest.is_empty() || extents.is_empty() {
        return Err(Violation::new("expected a map of whole extents"));
    }
    let mut left = u64::from(requested);
    let mut out: Vec<Extent> = Vec::new();
    for extent in extents {
        let mut cursor = Cursor::new(extent);
        let (len, flags) = (u64::from(cursor.u32()?), cursor.u32()?);
        if len == 0 {
            return Err(Violation::new("expected an extent, found one of no bytes"));
        }
        if left == 0 {
            return Err(Violation::new(
                "expected a map up to the end of the request, found more",
            ));
        }
        let (len, zero) = (len.min(left), flags & ZERO != 0);
        left = left.saturating_sub(len);
        match out.last_mut() {
            Some(last) if last.zero == zero => last.len = last.len.saturating_add(len),
            _ => out.push(Extent { len, zero }),
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payload(extents: &[(u32, u32)]) -> Vec<u8> {
        let mut out = 7_u32.to_be_bytes().to_vec();
        for (len, flags) in extents {
            out.extend(len.to_be_bytes());
            out.extend(flags.to_be_bytes());
        }
        out
    }

    #[test]
    fn only_what_is_promised_to_be_zero_is_a_hole() {
        let map = payload(&[(512, 0), (512, 1), (512, 2), (512, 3), (4096, 0xffff_fffd)]);
        let extents = parse(&map, 7, 4096).unwrap();
        let kinds: Vec<_> = extents
            .iter()
            .map(|extent| (extent.len, extent.zero))
            .collect();
        assert_eq!(kinds, [(1024, false), (1024, true), (2048, false)]);
    }

    #[test]
    fn what_cannot_be_is_refused() {
        assert!(parse(&payload(&[(0, 0)]), 7, 512).is_err());
        assert!(parse(&payload(&[]), 7, 512).is_err());
        assert!(parse(&payload(&[(512, 0), (1, 0)]), 7, 512).is_err());
        assert!(parse(&payload(&[(512, 0)]), 8, 512).is_err());
        assert!(parse(&payload(&[(512, 0)])[..11], 7, 512).is_err());
    }
}
