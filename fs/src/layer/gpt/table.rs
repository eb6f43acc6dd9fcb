//! Finding the two headers and choosing a whole array of entries.
//!
//! | primary | backup | entries come from |
//! |---|---|---|
//! | whole | any | the primary, or the backup if only its array fits its checksum |
//! | bad | whole | the backup |
//! | both arrays bad | | both; an entry counts where the two agree |
//! | bad | bad | nowhere: the table cannot be read |
//!
//! The backup is looked for where the primary names it, even if the primary's own checksum does not
//! fit, and in the last sector.

use super::codes;
use super::crc::crc32;
use super::header::{self, Candidate, Header};
use crate::bytes::clamp_usize;
use crate::error::{Error, Fault, Result};
use crate::limits::Limits;
use crate::source::ByteSource;

/// Sizes of a sector that disks with a GPT have.
const SECTOR_SIZES: [u64; 2] = [512, 4096];

/// One of the two headers.
#[derive(Debug, Default)]
pub(super) struct Copy {
    /// A sector that begins with the signature; one that holds together before one that does not.
    pub(super) candidate: Option<Candidate>,
    /// Why a place where it could be was not looked at.
    pub(super) unreadable: Option<Error>,
}

impl Copy {
    fn look(&mut self, source: &dyn ByteSource, sector_size: u64, lba: u64) {
        if self.is_whole() {
            return;
        }
        match header::read(source, sector_size, lba) {
            Ok(Some(found)) if self.candidate.is_none() || found.header.is_ok() => {
                self.candidate = Some(found);
            }
            Ok(_) => {}
            Err(error) => {
                self.unreadable.get_or_insert(error);
            }
        }
    }

    /// Whether there is a header whose checksum fits.
    pub(super) fn is_whole(&self) -> bool {
        (self.candidate.as_ref()).is_some_and(|candidate| candidate.header.is_ok())
    }

    /// The header, if it may be used.
    fn header(&self, limits: &Limits) -> Result<&Header> {
        match (&self.candidate, &self.unreadable) {
            (Some(candidate), _) => {
                let header = candidate.header.as_ref().map_err(Clone::clone)?;
                header.check(limits)?;
                Ok(header)
            }
            (None, Some(error)) => Err(error.clone()),
            (None, None) => {
                let detail = "a header should begin with EFI PART";
                Err(Error::corrupt(codes::SIGNATURE, 0, detail))
            }
        }
    }
}

/// Both headers.
#[derive(Debug)]
pub(super) struct Headers {
    pub(super) primary: Copy,
    pub(super) backup: Copy,
}

impl Headers {
    /// Looks at every place where a header may be. A handful of sectors.
    pub(super) fn locate(source: &dyn ByteSource) -> Self {
        let mut primary = Copy::default();
        for sector_size in SECTOR_SIZES {
            primary.look(source, sector_size, 1);
        }
        let mut backup = Copy::default();
        if let Some(candidate) = &primary.candidate
            && candidate.alternate_lba > 1
        {
            backup.look(source, candidate.sector_size, candidate.alternate_lba);
        }
        for sector_size in SECTOR_SIZES {
            let other_size = (primary.candidate.as_ref()).is_some_and(|candidate| {
                candidate.header.is_ok() && candidate.sector_size != sector_size
            });
            let last = last_lba(source, sector_size);
            if !other_size && last > 1 {
                backup.look(source, sector_size, last);
            }
        }
        Self { primary, backup }
    }
}

/// The last whole sector, counted from 0.
fn last_lba(source: &dyn ByteSource, sector_size: u64) -> u64 {
    (source.size().checked_div(sector_size).unwrap_or(0)).saturating_sub(1)
}

/// The array of entries that was chosen.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) header: Header,
    pub(super) entries: Vec<u8>,
    /// Whether the checksum fits. If not, `second` is the other array, where there is one.
    pub(super) whole: bool,
    pub(super) second: Option<Vec<u8>>,
}

impl Table {
    /// Chooses from `headers`; what is wrong with the other copy goes to `notes`.
    ///
    /// # Errors
    /// If neither header, or the array of neither, can be used.
    pub(super) fn choose(
        source: &dyn ByteSource,
        headers: &Headers,
        limits: &Limits,
        notes: &mut Vec<Fault>,
    ) -> Result<Self> {
        let primary = headers.primary.header(limits);
        let backup = headers.backup.header(limits);
        note_headers(source, &primary, &backup, notes);
        let usable: Vec<&Header> = match (primary, backup) {
            (Ok(primary), Ok(backup)) => vec![primary, backup],
            (Ok(header), Err(_)) | (Err(_), Ok(header)) => vec![header],
            // The one that at least begins like a header says more.
            (Err(_), Err(backup))
                if headers.primary.candidate.is_none() && headers.backup.candidate.is_some() =>
            {
                return Err(backup);
            }
            (Err(primary), Err(_)) => return Err(primary),
        };
        let mut damaged: Vec<(&Header, Vec<u8>)> = Vec::new();
        let mut chosen = None;
        let mut failure = None;
        for header in usable {
            match load(source, header) {
                Ok((entries, None)) => {
                    chosen.get_or_insert((header, entries));
                }
                Ok((entries, Some(fault))) => {
                    notes.push(fault);
                    damaged.push((header, entries));
                }
                Err(error) => {
                    notes.push(unloadable(header, &error));
                    failure.get_or_insert(error);
                }
            }
        }
        let whole = chosen.is_some();
        let mut damaged = damaged.into_iter();
        match (chosen.or_else(|| damaged.next()), failure) {
            (Some((header, entries)), _) => Ok(Self {
                header: header.clone(),
                entries,
                whole,
                // Entries of another size have nothing to be compared with.
                second: (damaged.next())
                    .filter(|(other, _)| !whole && other.entry_size == header.entry_size)
                    .map(|(_, entries)| entries),
            }),
            (None, Some(error)) => Err(error),
            // Cannot happen: each header gave an array or a failure.
            (None, None) => Err(Error::corrupt(codes::SIGNATURE, 0, "no header")),
        }
    }
}

fn note_headers(
    source: &dyn ByteSource,
    primary: &Result<&Header>,
    backup: &Result<&Header>,
    notes: &mut Vec<Fault>,
) {
    match (primary, backup) {
        (Ok(primary), Err(error)) => {
            let at = primary.alternate_lba.saturating_mul(primary.sector_size);
            let outside = at.saturating_add(primary.sector_size) > source.size();
            notes.push(if outside {
                let size = source.size();
                let detail = format!("the backup should lie here, the source ends at {size:#x}");
                Fault::new(codes::BACKUP_OUTSIDE, at, detail)
            } else {
                Fault::new(codes::BACKUP_DAMAGED, at, format!("no backup: {error}"))
            });
        }
        (Err(error), Ok(backup)) => {
            let detail = format!("{error}; the backup at {:#x} is used", backup.at());
            let at = error.fault().map_or(0, |fault| fault.at);
            notes.push(Fault::new(codes::PRIMARY_DAMAGED, at, detail));
        }
        (Ok(primary), Ok(backup)) if !primary.agrees_with(backup) => {
            let detail = "primary and backup differ; the primary is used";
            notes.push(Fault::new(codes::BACKUP_DIFFERS, backup.at(), detail));
        }
        _ => {}
    }
    if let Ok(backup) = backup {
        let last = last_lba(source, backup.sector_size);
        if backup.my_lba != last {
            let detail = format!(
                "the backup should be in sector {last}, is in {}",
                backup.my_lba
            );
            notes.push(Fault::new(codes::BACKUP_NOT_LAST, backup.at(), detail));
        }
    }
}

fn unloadable(header: &Header, error: &Error) -> Fault {
    error.fault().cloned().unwrap_or_else(|| {
        let at = header.entries_lba.saturating_mul(header.sector_size);
        let detail = format!("the entries cannot be read: {error}");
        Fault::new(codes::ENTRIES_UNREADABLE, at, detail)
    })
}

/// Reads the array that `header` names, and what is wrong with its checksum.
fn load(source: &dyn ByteSource, header: &Header) -> Result<(Vec<u8>, Option<Fault>)> {
    let len = header.entries_len();
    let range = (header.entries_lba.checked_mul(header.sector_size))
        .and_then(|at| Some((at, at.checked_add(len)?)));
    let at = match range {
        Some((at, end)) if end <= source.size() => at,
        _ => {
            let detail = format!(
                "the entries at sector {} lie past the end of the source, {:#x}",
                header.entries_lba,
                source.size()
            );
            return Err(Error::corrupt(codes::ENTRIES_OUTSIDE, header.at(), detail));
        }
    };
    // Bounded by `Header::check`: count by the limits, size by 4096.
    let mut entries = vec![0; clamp_usize(len, usize::MAX)];
    source.read_at(at, &mut entries)?;
    let actual = crc32(&entries);
    let fault = (actual != header.entries_crc).then(|| {
        let expected = header.entries_crc;
        let detail = format!("the entries' checksum should be {expected:#010x}, is {actual:#010x}");
        Fault::new(codes::ENTRIES_CHECKSUM, at, detail)
    });
    Ok((entries, fault))
}
