//! Owners that are not known.

use flr_fs::Metadata;

/// The number that stands for an owner or group which is not known: an archive has to have one, and what
/// unpacks it must not take it for root.
const NOBODY: u32 = 65_534;

/// The number that an archive gets.
pub(in crate::archive) const fn number(id: u32) -> u32 {
    match id {
        Metadata::NO_OWNER => NOBODY,
        id => id,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_that_is_not_known_is_not_root() {
        assert_eq!(number(Metadata::NO_OWNER), 65_534);
        assert_eq!((number(0), number(1000)), (0, 1000));
    }
}
