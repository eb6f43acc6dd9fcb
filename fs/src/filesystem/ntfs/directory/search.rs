//! Which of the names that a look-up meets is the one that is meant.

use super::Hit;
use crate::filesystem::ntfs::file_name::{FileName, Namespace};
use crate::filesystem::ntfs::reference::FileReference;
use crate::filesystem::ntfs::upcase::UpCase;
use crate::filesystem::ntfs::utf16;

/// A look-up on its way.
pub(super) struct Search<'a> {
    pub(super) wanted: &'a [u16],
    pub(super) upcase: &'a UpCase,
    pub(super) case_sensitive: bool,
    pub(super) best: Option<Candidate>,
}

/// The best entry so far.
pub(super) struct Candidate {
    rank: Rank,
    pub(super) reference: FileReference,
    /// As stored.
    pub(super) name: Vec<u8>,
}

/// How well a name fits; the better the less.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Exact,
    ButCase,
    ShortButCase,
}

impl Candidate {
    pub(super) fn hit(&self) -> Hit {
        Hit {
            reference: self.reference,
            name: utf16::to_wtf8(&self.name),
        }
    }
}

impl Search<'_> {
    pub(super) fn accepts(&self, units: &[u16]) -> bool {
        units == self.wanted || (!self.case_sensitive && self.upcase.same(units, self.wanted))
    }

    /// Takes a name if it is better than what was found before. Returns whether it is the very name.
    pub(super) fn consider(
        &mut self,
        name: &FileName<'_>,
        units: &[u16],
        reference: FileReference,
    ) -> bool {
        if !self.accepts(units) {
            return false;
        }
        let rank = match name.namespace {
            _ if units == self.wanted => Rank::Exact,
            Namespace::Dos => Rank::ShortButCase,
            _ => Rank::ButCase,
        };
        if self.best.as_ref().is_none_or(|best| rank < best.rank) {
            self.best = Some(Candidate {
                rank,
                reference,
                name: name.name.to_vec(),
            });
        }
        rank == Rank::Exact
    }
}
