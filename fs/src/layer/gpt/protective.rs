//! Sector 0 of a GPT disk: a DOS table with an entry of type 0xee that keeps old tools away.
//!
//! The type decides whether the GPT or a DOS table is the one in use, as in Linux
//! `block/partitions/efi.c` (`is_pmbr_valid`). Its start and size are not checked: disks that were
//! grown or copied to a larger one have them wrong.

use crate::bytes::{array, le_u16, le_u32};
use crate::error::Result;
use crate::source::ByteSource;

/// What sector 0 says about the GPT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sector0 {
    /// A protective entry and nothing else.
    Protective,
    /// A protective entry, and others beside it.
    Hybrid,
    /// A DOS table without a protective entry: somebody has partitioned the disk anew.
    OtherTable,
    /// No table at all, or it cannot be read.
    NoTable,
}

/// Reads sector 0.
///
/// # Errors
/// As the source's.
pub(super) fn read(source: &dyn ByteSource) -> Result<Sector0> {
    let mut raw = [0; 512];
    if source.size() < 512 {
        return Ok(Sector0::NoTable);
    }
    source.read_at(0, &mut raw)?;
    Ok(parse(&raw))
}

fn parse(raw: &[u8; 512]) -> Sector0 {
    if le_u16(raw, 0x1fe) != 0xaa55 {
        return Sector0::NoTable;
    }
    let entries: [[u8; 16]; 4] = [
        array(raw, 0x1be),
        array(raw, 0x1ce),
        array(raw, 0x1de),
        array(raw, 0x1ee),
    ];
    let kind = |entry: &[u8; 16]| {
        let [boot_ind, _, _, _, sys_ind, ..] = *entry;
        (boot_ind, sys_ind, le_u32(entry, 0xc))
    };
    let (mut protective, mut others) = (false, false);
    for (boot_ind, sys_ind, nr_sects) in entries.iter().map(kind) {
        // Boot code of a filesystem, where no table is.
        if !matches!(boot_ind, 0 | 0x80) {
            return Sector0::NoTable;
        }
        match sys_ind {
            0xee => protective = true,
            _ if nr_sects != 0 => others = true,
            _ => {}
        }
    }
    match (protective, others) {
        (true, false) => Sector0::Protective,
        (true, true) => Sector0::Hybrid,
        (false, true) => Sector0::OtherTable,
        (false, false) => Sector0::NoTable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sector_0_is_sorted_by_the_types_in_it() {
        let sector = |entries: &[(usize, u8)]| {
            let mut raw = [0; 512];
            raw[0x1fe..].copy_from_slice(&[0x55, 0xaa]);
            for (index, kind) in entries {
                raw[0x1be + index * 16 + 4] = *kind;
                raw[0x1be + index * 16 + 12] = 1;
            }
            raw
        };
        assert_eq!(parse(&[0; 512]), Sector0::NoTable);
        assert_eq!(parse(&sector(&[])), Sector0::NoTable);
        assert_eq!(parse(&sector(&[(0, 0xee)])), Sector0::Protective);
        assert_eq!(parse(&sector(&[(2, 0xee)])), Sector0::Protective);
        assert_eq!(parse(&sector(&[(0, 0xee), (1, 0x83)])), Sector0::Hybrid);
        assert_eq!(parse(&sector(&[(0, 0x83)])), Sector0::OtherTable);
        let mut code = sector(&[(0, 0x83)]);
        code[0x1ce] = 0x20;
        assert_eq!(parse(&code), Sector0::NoTable);
    }
}
