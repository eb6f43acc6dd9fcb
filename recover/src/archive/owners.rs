//! Names of users and groups, from the guest's own `/etc/passwd` and `/etc/group`.
//!
//! Source: passwd(5), group(5). Numbers without a name there have none in the archive.

use crate::view::View;
use flr_fs::bytes::clamp_usize;
use flr_fs::{FileKind, Metadata, Request};
use std::collections::HashMap;

/// Largest file that is read, in bytes.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// Longest name that is kept, in bytes: nothing that makes users takes a longer one.
const NAME_BYTES_MAX: usize = 256;

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

/// Names by number.
#[derive(Debug, Default)]
pub(super) struct Owners {
    users: HashMap<u32, Vec<u8>>,
    groups: HashMap<u32, Vec<u8>>,
}

impl Owners {
    /// Reads the guest's files. Where there are none, or they cannot be read, nobody has a name: the numbers are
    /// what counts, and whoever unpacks with names needs those of both machines to agree.
    pub(super) fn read(view: &View) -> Self {
        Self {
            users: names(view, b"/etc/passwd"),
            groups: names(view, b"/etc/group"),
        }
    }

    pub(super) fn user(&self, uid: u32) -> &[u8] {
        self.users.get(&uid).map_or(&[], Vec::as_slice)
    }

    pub(super) fn group(&self, gid: u32) -> &[u8] {
        self.groups.get(&gid).map_or(&[], Vec::as_slice)
    }
}

fn names(view: &View, path: &[u8]) -> HashMap<u32, Vec<u8>> {
    match read(view, path) {
        Ok(text) => parse(&text),
        Err(error) => {
            tracing::debug!(%error, "no names of owners");
            HashMap::new()
        }
    }
}

fn read(view: &View, path: &[u8]) -> crate::Result<Vec<u8>> {
    let found = view.resolve(path, true)?;
    if found.metadata.kind != FileKind::File {
        return Err(Request::NoContent.into());
    }
    let source = view.open(found.node)?;
    let mut text = vec![0; clamp_usize(source.size().min(FILE_BYTES_MAX), usize::MAX)];
    source.read_at(0, &mut text)?;
    Ok(text)
}

/// The first name of each number wins, as with getpwuid(3).
fn parse(text: &[u8]) -> HashMap<u32, Vec<u8>> {
    let mut names = HashMap::new();
    for line in text.split(|byte| *byte == b'\n') {
        let mut fields = line.split(|byte| *byte == b':');
        let (name, number) = (fields.next().unwrap_or_default(), fields.nth(1));
        let number = number.and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
        let fits = !name.is_empty() && name.len() <= NAME_BYTES_MAX && !name.contains(&0);
        if let (true, Some(number)) = (fits, number) {
            names.entry(number).or_insert_with(|| name.to_vec());
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_that_is_not_known_is_not_root() {
        assert_eq!(number(Metadata::NO_OWNER), 65_534);
        assert_eq!((number(0), number(1000)), (0, 1000));
    }

    #[test]
    fn lines_that_are_none_are_passed_over() {
        let text = b"root:x:0:0:root:/root:/bin/sh\ntoor:x:0:0::/:\n#\n\n::5:\nbob:x:1000\nx:y\n+@nis:::\nb\xfcd:x:7:7";
        let names = parse(text);
        assert_eq!(names.len(), 3);
        assert_eq!(names[&0], b"root");
        assert_eq!(names[&1000], b"bob");
        assert_eq!(names[&7], b"b\xfcd");
    }
}
