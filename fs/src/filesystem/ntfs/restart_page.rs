//! Restart pages of `$LogFile`: whether the log was closed when the volume was last used.
//!
//! | at   | page                              |    | at   | restart area (at 0x18 of the page)      |
//! |------|-----------------------------------|----|------|-----------------------------------------|
//! | 0x00 | `RSTR`, or `CHKD` after `chkdsk`  |    | 0x00 | last log sequence number (LSN)          |
//! | 0x04 | update sequence, [`super::fixup`] |    | 0x08 | number of clients                       |
//! | 0x08 | LSN that `chkdsk` found           |    | 0x0a | first free client, 0xffff: none         |
//! | 0x10 | size of a system page             |    | 0x0c | first client in use, 0xffff: none       |
//! | 0x14 | size of a page of the log         |    | 0x0e | flags; 2: the volume is clean           |
//! | 0x18 | offset of the restart area        |    | 0x10 | bits of an LSN that count rounds        |
//! | 0x1a | minor version                     |    | 0x14 | length of this area, clients included   |
//! | 0x1c | major version                     |    | 0x16 | offset of the clients, 0xa0 bytes each  |
//! |      |                                   |    | 0x18 | size of the log in bytes                |
//!
//! Source: Linux-NTFS documentation, "$LogFile"; ntfs-3g, `logfile.h` and `logfile.c`, whose checks these
//! are. Windows NT and 2000 take the client out of the list of those in use when they close the log;
//! since Windows XP it stays there, and the flag says that the volume is clean.

use super::fixup;
use crate::bytes::{get_le_u16, get_le_u32, get_le_u64, len_u64};

/// Bytes from which [`header`] can tell what a page is.
pub const HEADER_BYTES: usize = 512;

const NO_CLIENT: u16 = 0xffff;
const CLIENT_LEN: u64 = 0xa0;
const AREA_LEN: u64 = 0x30;
const VOLUME_IS_CLEAN: u16 = 0x2;

/// What a place in the log, where a page may begin, begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// Only set bits: nothing was ever written, or the log was emptied on purpose.
    Empty,
    /// A page of records: no restart page follows.
    Records,
    /// A restart page.
    Restart,
    /// Something else.
    Other,
}

/// What the signature at the start of `bytes` says.
#[must_use]
pub fn start(bytes: &[u8]) -> Start {
    match bytes.first_chunk() {
        Some(b"\xff\xff\xff\xff") => Start::Empty,
        Some(b"RCRD") => Start::Records,
        Some(b"RSTR" | b"CHKD") => Start::Restart,
        _ => Start::Other,
    }
}

/// What the first bytes of a restart page say about the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Size of the page in bytes: 512 to 2 GiB, a power of two.
    pub page_size: u32,
    version: (u16, u16),
    area_offset: u16,
    chkdsk_lsn: Option<u64>,
    has_update_sequence: bool,
}

/// Reads the header of the restart page at byte `offset` of the log. `None`: it makes no sense.
#[must_use]
pub fn header(bytes: &[u8], offset: u64) -> Option<Header> {
    let by_chkdsk = bytes.starts_with(b"CHKD");
    let (usa_offset, usa_count) = (get_le_u16(bytes, 0x4)?, get_le_u16(bytes, 0x6)?);
    let chkdsk_lsn = get_le_u64(bytes, 0x8)?;
    let (system_page_size, log_page_size) = (get_le_u32(bytes, 0x10)?, get_le_u32(bytes, 0x14)?);
    let is_page_size = |size: u32| size >= 512 && size.is_power_of_two();
    let in_place = offset == 0 || offset == u64::from(system_page_size);
    if !is_page_size(system_page_size) || !is_page_size(log_page_size) || !in_place {
        return None;
    }
    let version = (get_le_u16(bytes, 0x1c)?, get_le_u16(bytes, 0x1a)?);
    if !matches!(version, (1, 1) | (2, 0)) || (!by_chkdsk && chkdsk_lsn != 0) {
        return None;
    }
    let has_update_sequence = !(by_chkdsk && usa_count == 0);
    let mut area_min = 0x1e;
    if has_update_sequence {
        let words = u32::from(usa_count);
        let usa_end = u32::from(usa_offset).saturating_add(words.saturating_mul(2));
        if words.checked_sub(1)? != system_page_size / 512 || usa_offset < 0x1e || usa_end > 510 {
            return None;
        }
        area_min = usa_end;
    }
    let area_offset = get_le_u16(bytes, 0x18)?;
    let area = u32::from(area_offset);
    let fits = area.is_multiple_of(8) && (area_min..=system_page_size).contains(&area);
    fits.then_some(Header {
        page_size: system_page_size,
        version,
        area_offset,
        chkdsk_lsn: by_chkdsk.then_some(chkdsk_lsn),
        has_update_sequence,
    })
}

/// What a restart page says about the volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RestartPage {
    /// Last log sequence number it knows of: the page with the greater one is the later.
    pub lsn: u64,
    /// Whether the log was open and the volume not marked clean.
    pub is_open: bool,
    /// Whether it was written in part only. What is said here of it lies before the tear or not.
    pub is_torn: bool,
    /// Whether it has version 2.0, which Windows 8 and later use while a volume is in use and take back
    /// when they let go of it.
    pub is_in_use_version: bool,
}

/// Reads a whole restart page, [`Header::page_size`] bytes. `None`: it makes no sense.
#[must_use]
pub fn parse(header: &Header, page: &mut [u8]) -> Option<RestartPage> {
    let area_offset = u64::from(header.area_offset);
    let area_start = usize::from(header.area_offset);
    let is_torn = header.has_update_sequence && fixup::apply(page, 0).is_err();
    if is_torn {
        // It counts, and says that the log is not clean, if the area lies before the first kept bytes.
        let len = get_le_u16(page, area_start.checked_add(0x14)?)?;
        if area_offset.checked_add(u64::from(len))? > 510 {
            return None;
        }
    }
    let area = page.get(area_start..)?;
    let lsn = get_le_u64(area, 0x0)?;
    let clients = Clients {
        count: get_le_u16(area, 0x8)?,
        free: get_le_u16(area, 0xa)?,
        in_use: get_le_u16(area, 0xc)?,
        bytes: area.get(usize::from(get_le_u16(area, 0x16)?)..)?,
    };
    let flags = get_le_u16(area, 0xe)?;
    let sound = area_fits(header, area, &clients)? && clients.are_sound();
    sound.then_some(RestartPage {
        lsn: header.chkdsk_lsn.unwrap_or(lsn),
        is_open: clients.in_use != NO_CLIENT && flags & VOLUME_IS_CLEAN == 0,
        is_torn,
        is_in_use_version: header.version == (2, 0),
    })
}

/// Whether the lengths in the restart area fit each other and the page.
fn area_fits(header: &Header, area: &[u8], clients: &Clients<'_>) -> Option<bool> {
    let offset = u64::from(header.area_offset);
    let clients_offset = u64::from(get_le_u16(area, 0x16)?);
    let area_len = u64::from(get_le_u16(area, 0x14)?);
    let clients_len = u64::from(clients.count).checked_mul(CLIENT_LEN)?;
    let used = clients_offset.checked_add(clients_len)?;
    let page_size = u64::from(header.page_size);
    let log_size = get_le_u64(area, 0x18)?;
    let size_bits = u64::BITS.checked_sub(log_size.leading_zeros())?;
    Some(
        offset.checked_add(AREA_LEN)? <= page_size
            && clients_offset.is_multiple_of(8)
            && offset.checked_add(clients_offset)? <= 510
            && used <= area_len
            && offset.checked_add(area_len)? <= page_size
            && get_le_u32(area, 0x10)?.checked_add(size_bits) == Some(67)
            && get_le_u16(area, 0x24)?.is_multiple_of(8)
            && get_le_u16(area, 0x26)?.is_multiple_of(8),
    )
}

/// The clients of a log: only one is known, `NTFS`.
struct Clients<'a> {
    count: u16,
    free: u16,
    in_use: u16,
    bytes: &'a [u8],
}

impl Clients<'_> {
    /// Whether both lists stay inside of the array, do not begin amid another, and end.
    fn are_sound(&self) -> bool {
        let mut steps = self.count;
        [self.free, self.in_use]
            .into_iter()
            .all(|first| self.list_ends(first, &mut steps))
    }

    fn list_ends(&self, first: u16, steps: &mut u16) -> bool {
        let mut index = first;
        while index != NO_CLIENT {
            let Some(left) = steps.checked_sub(1).filter(|_| index < self.count) else {
                return false;
            };
            *steps = left;
            let at = u64::from(index).saturating_mul(CLIENT_LEN);
            if at.saturating_add(CLIENT_LEN) > len_u64(self.bytes.len()) {
                return false;
            }
            let at = usize::try_from(at).unwrap_or(usize::MAX);
            let previous = get_le_u16(self.bytes, at.saturating_add(0x10));
            if index == first && previous != Some(NO_CLIENT) {
                return false;
            }
            match get_le_u16(self.bytes, at.saturating_add(0x12)) {
                Some(next) => index = next,
                None => return false,
            }
        }
        true
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::filesystem::ntfs::testing::bytes;

    /// The first restart page of a volume that Windows (version 1.1 of the log, 7 471 104 bytes) has let
    /// go of, without the zeros behind.
    const OF_WINDOWS: &str = "525354521e0009000000000000000000 00100000001000003000010001007900
        00000000000000000000000000000000 15083000000000000100ffff00000200
        2c000000e00040000000720000000000 70000000300040009881ff3000000000
        00000000000000000000000000000000 08083000000000001508300000000000
        ffffffff000000000000000008000000 4e005400460053000000000000000000";

    /// That page, whole.
    pub(in crate::filesystem::ntfs) fn page() -> Vec<u8> {
        let mut page = bytes(OF_WINDOWS);
        page.resize(4096, 0);
        for end in (510..4096).step_by(512) {
            page[end] = 0x79;
        }
        page
    }

    /// The page with other bytes at some places.
    pub(in crate::filesystem::ntfs) fn with(changes: &[(usize, &[u8])]) -> Vec<u8> {
        let mut page = page();
        for (at, bytes) in changes {
            page[*at..][..bytes.len()].copy_from_slice(bytes);
        }
        page
    }

    fn read(mut page: Vec<u8>) -> Option<RestartPage> {
        let header = header(&page[..512], 0)?;
        page.resize(usize::try_from(header.page_size).unwrap(), 0);
        parse(&header, &mut page)
    }

    #[test]
    fn a_page_of_windows() {
        let expected = RestartPage {
            lsn: 0x30_0815,
            is_open: false,
            is_torn: false,
            is_in_use_version: false,
        };
        assert_eq!(read(page()), Some(expected));
        assert_eq!(start(&page()), Start::Restart);
    }

    #[test]
    fn a_log_is_open_while_it_has_a_client_and_no_clean_flag() {
        let is_open = |changes| read(with(changes)).unwrap().is_open;
        assert!(is_open(&[(0x3e, &[0, 0])]));
        assert!(is_open(&[(0x3e, &[1, 0])]));
        // Windows 2000: no flag, but no client in use either.
        assert!(!is_open(&[(0x3a, &[0, 0, 0xff, 0xff, 0, 0])]));
    }

    #[test]
    fn a_page_of_chkdsk_needs_no_update_sequence() {
        let lsn = [9, 0, 0, 0, 0, 0, 0, 0];
        let page = with(&[(0, b"CHKD"), (6, &[0, 0]), (8, &lsn), (1022, &[1, 1])]);
        assert_eq!(read(page).unwrap().lsn, 9);
    }

    #[test]
    fn a_torn_page_counts_if_its_area_lies_before_the_tear() {
        assert!(read(with(&[(1022, &[1, 1])])).unwrap().is_torn);
        assert!(read(with(&[(510, &[1, 1]), (0x44, &[0xd8, 1])])).is_none());
    }

    #[test]
    fn pages_that_make_no_sense_are_told() {
        let wrong: &[(usize, &[u8])] = &[
            (0x04, &[0x1c]),
            (0x05, &[0x02]),
            (0x06, &[8]),
            (0x06, &[0]),
            (0x08, &[1]),
            (0x10, &[1]),
            (0x11, &[0]),
            (0x11, &[0x20]),
            (0x14, &[1]),
            (0x18, &[0x29]),
            (0x18, &[0x28]),
            (0x19, &[0xff]),
            (0x1a, &[2]),
            (0x1c, &[3]),
            (0x38, &[0xff, 0xff]),
            (0x38, &[0]),
            (0x3a, &[1, 0]),
            (0x3c, &[1, 0]),
            (0x40, &[0x2b]),
            (0x44, &[0xd0]),
            (0x45, &[0xff]),
            (0x46, &[0x41]),
            (0x47, &[0x02]),
            (0x4a, &[1]),
            (0x54, &[0x31]),
            (0x56, &[0x41]),
            (0x80, &[0]),
            // A client that follows itself.
            (0x82, &[0, 0]),
        ];
        for change in wrong {
            assert_eq!(read(with(&[*change])), None, "{change:x?}");
        }
        for len in 0..0x110 {
            assert!(header(&page()[..len.min(0x1d)], 0).is_none());
            let header = header(&page()[..512], 0).unwrap();
            let mut cut = page()[..len].to_vec();
            assert_eq!(parse(&header, &mut cut), None, "{len}");
        }
        assert!(header(&page(), 4096).is_some());
        assert!(header(&page(), 512).is_none());
    }
}
