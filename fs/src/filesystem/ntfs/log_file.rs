//! `$LogFile`: whether all that it holds has been written back.
//!
//! The log begins with two restart pages ([`super::restart_page`]), of which the later counts; pages with
//! records of changes (`RCRD`) follow. It is decided as ntfs-3g decides it (`ntfs_check_logfile` and
//! `ntfs_is_logfile_clean` in `logfile.c`, `ntfs_volume_check_logfile` in `volume.c`): a log of nothing but
//! set bits is clean, one whose later restart page has a client in use and no clean flag is not, nor is
//! one of version 2.0, and what makes no sense is not clean either. The records are not looked at: a
//! system that lost power while nothing was going on is taken for unclean, although nothing is missing.

use super::codes;
use super::restart_page::{self, HEADER_BYTES, RestartPage, Start};
use crate::error::{Fault, Result};
use crate::source::ByteSource;

/// Where ntfs-3g stops looking; logs of Windows have 2 to 64 MiB, at most 4 GiB.
const LOG_BYTES_MAX: u64 = 4 << 30;
/// Two restart pages and 48 pages of records, 4096 bytes each.
const LOG_BYTES_MIN: u64 = (2 + 48) * 4096;
/// Larger than any page size in use (4096 to 65536): a bound on what a header can make us allocate.
const PAGE_BYTES_MAX: u32 = 1 << 20;

/// What the log says about the volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogState {
    /// Nothing in it, as `mkntfs` and ntfs-3g leave it.
    Empty,
    /// Everything has been written back.
    Clean,
    /// It was open: changes in it may not have been written back.
    Open,
    /// It has the version that Windows uses while a volume is in use or kept for a fast startup.
    InUseVersion,
    /// It makes no sense, so nobody can tell.
    Damaged,
}

impl LogState {
    /// Whether the files can be trusted to be as Windows last showed them.
    #[must_use]
    pub const fn is_clean(self) -> bool {
        matches!(self, Self::Empty | Self::Clean)
    }

    /// The remark for a log that is not clean. `at` is where the log's record lies.
    #[must_use]
    pub fn note(self, at: u64) -> Option<Fault> {
        let (code, detail) = match self {
            Self::Empty | Self::Clean => return None,
            Self::Open => (
                codes::LOG_OPEN,
                "$LogFile was not closed: changes in it are not replayed, what was written last may be \
                 missing or half done",
            ),
            Self::InUseVersion => (
                codes::LOG_OPEN,
                "$LogFile is in use (version 2.0): changes in it are not replayed, what was written last \
                 may be missing or half done",
            ),
            Self::Damaged => (
                codes::LOG_DAMAGED,
                "$LogFile makes no sense: whether changes are missing cannot be told",
            ),
        };
        Some(Fault::new(code, at, detail))
    }
}

/// Looks at the restart pages of `log`. Reads at most 512 bytes at each power of two, and two pages.
///
/// # Errors
/// What stands in the way of reading it.
pub fn state(log: &dyn ByteSource) -> Result<LogState> {
    let size = log.size().min(LOG_BYTES_MAX) & !0xfff;
    if size < LOG_BYTES_MIN {
        return Ok(LogState::Damaged);
    }
    let mut pages: Vec<RestartPage> = Vec::new();
    let mut is_empty = true;
    let mut offset = 0;
    while offset < size && pages.len() < 2 {
        let mut head = [0; HEADER_BYTES];
        log.read_at(offset, &mut head)?;
        let start = restart_page::start(&head);
        if start != Start::Empty {
            is_empty = false;
        } else if !is_empty {
            break;
        }
        if start == Start::Records {
            break;
        }
        if start == Start::Restart {
            pages.extend(page_at(log, offset, &head)?);
            // A second page that is sound ends the search, as one that is not does not.
            if offset > 0 && pages.len() > 1 {
                break;
            }
        }
        offset = match offset {
            0 => 512,
            _ => offset.saturating_mul(2),
        };
    }
    if is_empty {
        return Ok(LogState::Empty);
    }
    // Of two pages with the same number the first counts.
    let later = pages.iter().rev().max_by_key(|page| page.lsn);
    Ok(match later {
        None => LogState::Damaged,
        Some(page) if page.is_torn => LogState::Damaged,
        Some(page) if page.is_in_use_version => LogState::InUseVersion,
        Some(page) if page.is_open => LogState::Open,
        Some(_) => LogState::Clean,
    })
}

/// The restart page that begins with `head`, if it makes sense.
fn page_at(log: &dyn ByteSource, offset: u64, head: &[u8]) -> Result<Option<RestartPage>> {
    let Some(header) = restart_page::header(head, offset) else {
        return Ok(None);
    };
    let end = offset.saturating_add(u64::from(header.page_size));
    let Ok(len) = usize::try_from(header.page_size) else {
        return Ok(None);
    };
    if header.page_size > PAGE_BYTES_MAX || end > log.size() {
        return Ok(None);
    }
    let mut page = vec![0; len];
    log.read_at(offset, &mut page)?;
    Ok(restart_page::parse(&header, &mut page))
}

#[cfg(test)]
mod tests {
    use super::super::restart_page::tests::{page, with};
    use super::*;
    use crate::source::Memory;

    /// A log of 256 KiB with these pages at its start, and no record in it.
    fn log(pages: &[Vec<u8>]) -> Memory {
        let mut bytes = pages.concat();
        bytes.resize(256 << 10, 0xff);
        Memory::new(bytes)
    }

    fn open_at(lsn: u8) -> Vec<u8> {
        with(&[(0x30, &[0, 0, lsn]), (0x3e, &[0, 0])])
    }

    fn clean_at(lsn: u8) -> Vec<u8> {
        with(&[(0x30, &[0, 0, lsn])])
    }

    #[test]
    fn the_later_page_counts() {
        for (pages, expected) in [
            (vec![], LogState::Empty),
            (vec![page(), page()], LogState::Clean),
            (vec![clean_at(1), open_at(2)], LogState::Open),
            (vec![open_at(1), clean_at(2)], LogState::Clean),
            (vec![open_at(2), clean_at(1)], LogState::Open),
            (vec![open_at(1), clean_at(1)], LogState::Open),
            (vec![clean_at(1), open_at(1)], LogState::Clean),
            (vec![open_at(1)], LogState::Open),
            // The first is torn to pieces, the second is not.
            (vec![vec![0; 4096], open_at(1)], LogState::Open),
            (vec![vec![0; 4096], clean_at(1)], LogState::Clean),
            (vec![vec![0; 4096], vec![0; 4096]], LogState::Damaged),
            (vec![with(&[(1022, &[1])])], LogState::Damaged),
        ] {
            assert_eq!(state(&log(&pages)).unwrap(), expected);
        }
    }

    #[test]
    fn the_version_of_a_log_in_use() {
        let in_use = with(&[(0x1a, &[0, 0, 2, 0])]);
        let state = state(&log(&[in_use])).unwrap();
        assert_eq!(state, LogState::InUseVersion);
        assert_eq!(state.note(5).unwrap().code, codes::LOG_OPEN);
    }

    #[test]
    fn a_log_that_makes_no_sense_is_not_clean() {
        for bytes in [vec![], vec![0xff; 4096], vec![0; 256 << 10]] {
            let state = state(&Memory::new(bytes)).unwrap();
            assert_eq!(state.note(0).unwrap().code, codes::LOG_DAMAGED);
            assert!(!state.is_clean());
        }
        // No restart page follows records.
        let mut records = page();
        records[..4].copy_from_slice(b"RCRD");
        assert_eq!(state(&log(&[records, page()])).unwrap(), LogState::Damaged);
        // A page larger than the log, or than any.
        for size in [[0, 0, 8, 0], [0, 0, 0, 0x80]] {
            let page = with(&[(0, b"CHKD"), (6, &[0, 0]), (0x10, &size)]);
            assert_eq!(state(&log(&[page])).unwrap(), LogState::Damaged);
        }
    }

    #[test]
    fn clean_logs_have_no_note() {
        for state in [LogState::Empty, LogState::Clean] {
            assert!(state.is_clean());
            assert_eq!(state.note(0), None);
        }
        assert_eq!(LogState::Open.note(3).unwrap().at, 3);
    }
}
