//! Names of users and groups, as `/etc/passwd` and `/etc/group` list them.
//!
//! Source: passwd(5), group(5).

use crate::error::{Error, Result};
use crate::view::View;
use flr_fs::FileKind;
use flr_fs::bytes::clamp_usize;
use std::collections::HashMap;

/// Where users have their names.
pub const PASSWD: &str = "/etc/passwd";

/// Where groups have their names.
pub const GROUP: &str = "/etc/group";

/// Longest name that is kept, in bytes: nothing that makes users takes a longer one.
const NAME_BYTES_MAX: usize = 256;

/// Names of users or of groups.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IdNames {
    names: HashMap<u32, Vec<u8>>,
    ids: HashMap<Vec<u8>, u32>,
}

impl IdNames {
    /// Larger lists are not read, in bytes.
    pub const LIST_BYTES_MAX: u64 = 16 << 20;

    /// Reads `name:password:number:…` lines. Of several lines with one name or one number the first
    /// counts, as for the C library; lines of another form say nothing.
    #[must_use]
    pub fn parse(text: &[u8]) -> Self {
        let mut found = Self::default();
        for line in text.split(|byte| *byte == b'\n') {
            let mut fields = line.split(|byte| *byte == b':');
            let (Some(name), Some(id)) = (fields.next(), fields.nth(1)) else {
                continue;
            };
            let id = std::str::from_utf8(id).ok().and_then(|id| id.parse().ok());
            let fits = (1..=NAME_BYTES_MAX).contains(&name.len())
                && !name.starts_with(b"#")
                && !name.contains(&0);
            if let (true, Some(id)) = (fits, id) {
                found.names.entry(id).or_insert_with(|| name.to_vec());
                found.ids.entry(name.to_vec()).or_insert(id);
            }
        }
        found
    }

    /// Reads a list of the guest. One that is not there, or is no file, names nobody. Reads the whole
    /// list, so it may block.
    ///
    /// # Errors
    /// Those of the view, but for [`Error::NotFound`]; [`Error::Usage`] for a list of more than
    /// [`Self::LIST_BYTES_MAX`].
    pub fn of_guest(view: &View, path: &str) -> Result<Self> {
        let found = match view.resolve(path.as_bytes(), true) {
            Ok(found) => found,
            Err(Error::NotFound(_)) => return Ok(Self::default()),
            Err(error) => return Err(error),
        };
        if found.metadata.kind != FileKind::File {
            return Ok(Self::default());
        }
        let source = view.open(found.node)?;
        let size = source.size();
        if size > Self::LIST_BYTES_MAX {
            let max = Self::LIST_BYTES_MAX;
            return Err(Error::Usage(format!("{size} bytes are more than {max}")));
        }
        let mut text = vec![0; clamp_usize(size, usize::MAX)];
        source.read_at(0, &mut text)?;
        Ok(Self::parse(&text))
    }

    /// The name of a number.
    #[must_use]
    pub fn name_of(&self, id: u32) -> Option<&[u8]> {
        self.names.get(&id).map(Vec::as_slice)
    }

    /// The number of a name.
    #[must_use]
    pub fn id_of(&self, name: &[u8]) -> Option<u32> {
        self.ids.get(name).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_are_none_are_passed_over() {
        let text =
            b"root:x:0:0:root:/root:/bin/sh\ntoor:x:0:0::/:\n#c:x:5:\n\n::5:\nbob:x:1000\nx:y\n\
            +@nis:::\nb\xfcd:x:7:7\nbob:x:1001:1\nn\0l:x:9:\n";
        let long = [&[b'a'; 257][..], b":x:8:"].concat();
        let names = IdNames::parse(&[&text[..], &long].concat());
        let found: Vec<_> = [0, 5, 7, 8, 9, 1000, 1001]
            .map(|id| names.name_of(id))
            .into();
        let expected = [
            Some(&b"root"[..]),
            None,
            Some(b"b\xfcd"),
            None,
            None,
            Some(b"bob"),
            Some(b"bob"),
        ];
        assert_eq!(found, expected);
        assert_eq!(names.id_of(b"toor"), Some(0));
        assert_eq!(names.id_of(b"bob"), Some(1000));
        assert_eq!(names.id_of(b"x"), None);
    }
}
