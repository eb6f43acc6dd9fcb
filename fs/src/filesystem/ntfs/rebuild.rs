//! The names of a directory without its index: every file keeps its names and the directories that
//! they stand in, so all records of the volume together say what a directory holds.
//!
//! Reading all records is dear; it is done once for a volume, and only when an index is damaged in a
//! way that may have lost names. What is kept is a pair of record numbers for each name. The names
//! themselves are read again from the records of one directory's files.

use super::codes;
use super::file_name::FileName;
use super::reference::FileReference;
use super::upcase::UpCase;
use crate::error::{Error, Fault, Result};
use std::sync::{Arc, OnceLock};

/// Names of one volume that are kept: 16 million pairs are 128 MiB.
pub const NAME_COUNT_MAX: usize = 16 << 20;

/// What readers of directories ask of the records of their volume.
pub trait Records {
    /// Whether the record that is meant is in use, has this sequence number, and is a file of its own
    /// (not the overflow of another).
    ///
    /// Asked for every entry of a listing, so it should look at no more than the header of a record
    /// that is read together with its neighbours.
    ///
    /// # Errors
    /// A record that cannot be read: the entry is listed then, and asking for its metadata tells why.
    fn is_live(&self, reference: FileReference) -> Result<bool>;

    /// Hands every `$FILE_NAME` of the file in `record` to `visit`, those in overflow records
    /// included, together with a reference to the file. A record that is free, was never used, or is
    /// the overflow of another has none.
    ///
    /// # Errors
    /// Damage that may have hidden a name.
    fn names(&self, record: u64, visit: &mut dyn FnMut(FileReference, &FileName<'_>))
    -> Result<()>;

    /// Number of records of the `$MFT`.
    fn record_count(&self) -> u64;

    /// How the volume compares names.
    fn upcase(&self) -> &UpCase;

    /// Where the table of all names is kept once it has been made; one for each volume.
    fn parents(&self) -> &OnceLock<Arc<Parents>>;
}

/// Which files have a name in which directory.
#[derive(Debug, Default)]
pub struct Parents {
    /// Record of the directory, record of the file; sorted.
    pairs: Vec<(u32, u32)>,
    /// Records that could not be read, and what was wrong with the first.
    unreadable: Option<(u64, Fault)>,
}

impl Parents {
    /// The table of a volume, which is made when it is first asked for.
    ///
    /// # Errors
    /// [`codes::DIRECTORY_LIMIT`] for a volume of more than [`NAME_COUNT_MAX`] names.
    pub fn of(records: &dyn Records) -> Result<Arc<Self>> {
        let kept = records.parents();
        if let Some(parents) = kept.get() {
            return Ok(Arc::clone(parents));
        }
        // Two threads may both make it: no lock is held across reads.
        let parents = Arc::new(Self::read(records, NAME_COUNT_MAX)?);
        Ok(Arc::clone(kept.get_or_init(|| parents)))
    }

    fn read(records: &dyn Records, count_max: usize) -> Result<Self> {
        let too_many = || {
            let detail = format!("more than {count_max} names to list a damaged directory from");
            Error::limit(codes::DIRECTORY_LIMIT, 0, detail)
        };
        let mut pairs = Vec::new();
        let mut unreadable = None;
        for record in 0..records.record_count() {
            let child = u32::try_from(record).map_err(|_| too_many())?;
            let read = records.names(record, &mut |_, name| {
                // A directory beyond 2^32 records cannot be: the record count has been checked.
                if let Ok(parent) = u32::try_from(name.parent.record())
                    && pairs.last() != Some(&(parent, child))
                {
                    pairs.push((parent, child));
                }
            });
            if let Err(error) = read {
                let first = || (0, fault_of(&error));
                let (count, _) = unreadable.get_or_insert_with(first);
                *count = u64::saturating_add(*count, 1);
            }
            if pairs.len() > count_max {
                return Err(too_many());
            }
        }
        pairs.sort_unstable();
        pairs.dedup();
        pairs.shrink_to_fit();
        Ok(Self { pairs, unreadable })
    }

    /// Records of the files that have a name in the directory in `record`, whatever its sequence number
    /// was then; ascending.
    pub fn children(&self, record: u64) -> impl Iterator<Item = u64> + '_ {
        let record = u32::try_from(record).ok();
        let start = self
            .pairs
            .partition_point(|(parent, _)| Some(*parent) < record);
        let rest = self.pairs.get(start..).unwrap_or_default();
        rest.iter()
            .take_while(move |(parent, _)| Some(*parent) == record)
            .map(|(_, child)| u64::from(*child))
    }

    /// What is to be said about records that could not be read: any of them may be a file of any
    /// directory.
    #[must_use]
    pub fn gap(&self) -> Option<Fault> {
        let (count, first) = self.unreadable.as_ref()?;
        let detail = format!(
            "{count} records could not be read, names may be missing; the first: {}",
            first.detail
        );
        Some(Fault::new(codes::DIRECTORY_INCOMPLETE, first.at, detail))
    }
}

/// The fault behind an error, or one that tells of the error.
pub(super) fn fault_of(error: &Error) -> Fault {
    match error {
        Error::Io { at, .. } => Fault::new(codes::DIRECTORY_INCOMPLETE, *at, error.to_string()),
        other => (other.fault().cloned())
            .unwrap_or_else(|| Fault::new(codes::DIRECTORY_INCOMPLETE, 0, other.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filesystem::ntfs::testing::{Made, OWN};

    #[test]
    fn the_number_of_names_is_bounded() {
        let names: Vec<_> = (0x41..0x55).map(|unit| (0, vec![unit])).collect();
        let volume = Made::of(&names).volume;
        let own = FileReference::new(OWN).record();
        let all = Parents::read(&volume, 20).unwrap();
        assert_eq!(all.children(own).count(), 20);
        let error = Parents::read(&volume, 19).unwrap_err();
        assert_eq!(error.code(), codes::DIRECTORY_LIMIT);
    }
}
