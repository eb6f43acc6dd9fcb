//! The header block of an entry, and the PAX records before it.

use super::padding;
use super::pax::Records;
use super::sparse::Map;
use crate::archive::entry::Entry;
use crate::archive::owners::number;
use crate::error::{Error, Result};
use flr_fs::bytes::{clamp_usize, len_u64};
use flr_fs::{DeviceNumber, FileKind};
use tar::{EntryType, Header};

/// Room for a name, and for the folders before it.
const NAME_LEN: usize = 100;
const PREFIX_LEN: usize = 155;
/// Room for the name of a user, of which the last byte is a NUL.
const OWNER_LEN: usize = 31;
/// What fits into octal fields.
const OCTAL_ID_MAX: u32 = 0o7_777_777;
const OCTAL_SIZE_MAX: u64 = 0o77_777_777_777;

/// Records and header of an entry, in whole blocks. `size` is that of what follows.
///
/// # Errors
/// A device number that the format has no room for.
pub(super) fn blocks(entry: &Entry<'_>, map: Option<&Map>, size: u64) -> Result<Vec<u8>> {
    let mut records = Records::default();
    let mut header = Header::new_ustar();
    set_name(&mut header, &mut records, entry, map);
    let link = entry.link_to.as_deref().unwrap_or(&entry.target);
    set_link(&mut header, &mut records, link);
    set_owners(&mut header, &mut records, entry);
    set_times(&mut header, &mut records, entry);
    header.set_entry_type(entry_type(entry));
    header.set_mode(entry.metadata.mode & 0o7777);
    header.set_size(size);
    if size > OCTAL_SIZE_MAX {
        records.push(b"size", size.to_string().as_bytes());
    }
    set_device(&mut header, entry)?;
    records.push_xattrs(entry);
    header.set_cksum();
    let records = records.finish();
    let mut blocks = Vec::new();
    if !records.is_empty() {
        blocks.extend_from_slice(records_header(entry.name, &records).as_bytes());
        blocks.extend_from_slice(&records);
        let fill = clamp_usize(padding(len_u64(records.len())), usize::MAX);
        blocks.resize(blocks.len().saturating_add(fill), 0);
    }
    blocks.extend_from_slice(header.as_bytes());
    Ok(blocks)
}

fn entry_type(entry: &Entry<'_>) -> EntryType {
    match entry.metadata.kind {
        _ if entry.link_to.is_some() => EntryType::Link,
        FileKind::Directory => EntryType::Directory,
        FileKind::Symlink => EntryType::Symlink,
        FileKind::CharDevice => EntryType::Char,
        FileKind::BlockDevice => EntryType::Block,
        FileKind::Fifo => EntryType::Fifo,
        // Sockets are left out before.
        FileKind::File | FileKind::Socket => EntryType::Regular,
    }
}

/// The header before records: an entry of its own kind.
fn records_header(name: &[u8], records: &[u8]) -> Header {
    let mut header = Header::new_ustar();
    let last = name.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    let own = [b"PaxHeaders/".as_slice(), last].concat();
    fill(&mut header.as_old_mut().name, &own);
    header.set_entry_type(EntryType::XHeader);
    header.set_mode(0o644);
    for set in [Header::set_uid, Header::set_gid, Header::set_mtime] {
        set(&mut header, 0);
    }
    header.set_size(len_u64(records.len()));
    header.set_cksum();
    header
}

fn set_name(header: &mut Header, records: &mut Records, entry: &Entry<'_>, map: Option<&Map>) {
    let slash: &[u8] = match entry.metadata.kind {
        FileKind::Directory => b"/",
        _ => b"",
    };
    let name = [entry.name, slash].concat();
    if let Some(map) = map {
        records.push(b"GNU.sparse.major", b"1");
        records.push(b"GNU.sparse.minor", b"0");
        records.push_name(b"GNU.sparse.name", &name);
        records.push(b"GNU.sparse.realsize", map.size.to_string().as_bytes());
        // What readers call it that do not know of holes.
        let (dir, last) = match name.iter().rposition(|byte| *byte == b'/') {
            Some(slash) => name.split_at_checked(slash.saturating_add(1)),
            None => Some((&b""[..], name.as_slice())),
        }
        .unwrap_or_default();
        let stand_in = [dir, b"GNUSparseFile.0/", last].concat();
        return fill(&mut header.as_old_mut().name, &stand_in);
    }
    if name.len() <= NAME_LEN {
        return fill(&mut header.as_old_mut().name, &name);
    }
    if let (Some((prefix, rest)), Some(ustar)) = (split(&name), header.as_ustar_mut()) {
        fill(&mut ustar.prefix, prefix);
        return fill(&mut ustar.name, rest);
    }
    records.push_name(b"path", &name);
    fill(&mut header.as_old_mut().name, &name);
}

/// Folders and name, if both fit into the header. The slash between them is stored nowhere.
fn split(name: &[u8]) -> Option<(&[u8], &[u8])> {
    let from = name.len().checked_sub(NAME_LEN)?.checked_sub(1)?;
    let tail = name.get(from..)?;
    let slash = tail.iter().position(|byte| *byte == b'/')?;
    let at = from.checked_add(slash)?;
    let (prefix, rest) = (name.get(..at)?, name.get(at.checked_add(1)?..)?);
    let fits = !rest.is_empty() && (1..=PREFIX_LEN).contains(&prefix.len());
    fits.then_some((prefix, rest))
}

fn set_link(header: &mut Header, records: &mut Records, link: &[u8]) {
    if link.len() > NAME_LEN {
        records.push_name(b"linkpath", link);
    }
    fill(&mut header.as_old_mut().linkname, link);
}

fn set_owners(header: &mut Header, records: &mut Records, entry: &Entry<'_>) {
    let (uid, gid) = (number(entry.metadata.uid), number(entry.metadata.gid));
    let user = entry.owners.users.name_of(uid).unwrap_or_default();
    let group = entry.owners.groups.name_of(gid).unwrap_or_default();
    header.set_uid(uid.into());
    header.set_gid(gid.into());
    for (key, id) in [(b"uid", uid), (b"gid", gid)] {
        if id > OCTAL_ID_MAX {
            records.push(key, id.to_string().as_bytes());
        }
    }
    for (key, name) in [(b"uname", user), (b"gname", group)] {
        if name.len() > OWNER_LEN {
            records.push_name(key, name);
        }
    }
    if let Some(ustar) = header.as_ustar_mut() {
        for (field, name) in [(&mut ustar.uname, user), (&mut ustar.gname, group)] {
            fill(field, name.get(..OWNER_LEN).unwrap_or(name));
        }
    }
}

fn set_times(header: &mut Header, records: &mut Records, entry: &Entry<'_>) {
    let metadata = entry.metadata;
    let whole = u64::try_from(metadata.mtime.seconds).ok();
    let whole = whole.filter(|seconds| *seconds <= OCTAL_SIZE_MAX);
    header.set_mtime(whole.unwrap_or(0));
    if whole.is_none() || metadata.mtime.nanoseconds != 0 {
        records.push_time(b"mtime", metadata.mtime);
    }
    records.push_time(b"atime", metadata.atime);
    records.push_time(b"ctime", metadata.ctime);
}

fn set_device(header: &mut Header, entry: &Entry<'_>) -> Result<()> {
    let is_device = matches!(
        entry.metadata.kind,
        FileKind::CharDevice | FileKind::BlockDevice
    );
    let none = DeviceNumber { major: 0, minor: 0 };
    let number = match is_device {
        true => entry.metadata.rdev.unwrap_or(none),
        false => none,
    };
    if number.major.max(number.minor) > OCTAL_ID_MAX {
        let what = "tar has no room for its device number";
        return Err(Error::Usage(what.to_owned()));
    }
    if is_device && let Some(ustar) = header.as_ustar_mut() {
        ustar.set_device_major(number.major);
        ustar.set_device_minor(number.minor);
    }
    Ok(())
}

/// As much of `value` as fits.
fn fill(field: &mut [u8], value: &[u8]) {
    for (place, byte) in field.iter_mut().zip(value) {
        *place = *byte;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_are_split_at_a_slash_where_both_parts_fit() {
        let folder = "f".repeat(90);
        let name = format!("{folder}/{folder}");
        let (prefix, rest) = split(name.as_bytes()).unwrap();
        assert_eq!((prefix, rest), (folder.as_bytes(), folder.as_bytes()));
        // A name of exactly 100 bytes behind the slash.
        let last = "n".repeat(100);
        let name = format!("a/{last}");
        assert_eq!(
            split(name.as_bytes()).unwrap(),
            (&b"a"[..], last.as_bytes())
        );
        assert_eq!(split("n".repeat(101).as_bytes()), None);
        assert_eq!(split(format!("a/{}", "n".repeat(101)).as_bytes()), None);
        let deep = format!("{}/{}", "f".repeat(156), "n".repeat(50));
        assert_eq!(split(deep.as_bytes()), None);
        let deep = format!("{}/{}", "f".repeat(155), "n".repeat(50));
        assert!(split(deep.as_bytes()).is_some());
    }
}
