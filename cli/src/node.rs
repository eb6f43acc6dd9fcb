//! A node as JSON and as a line of `ls -l`.

use crate::hash;
use crate::open::Opened;
use crate::when;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use flr_fs::{FileKind, Metadata, StreamInfo, XattrName};
use flr_recover::{Error, ViewNode};
use jiff::tz::TimeZone;
use serde_json::{Map, Value};

/// What a node's JSON is to hold beside its metadata.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Extras {
    /// Extended attributes.
    pub(crate) xattrs: bool,
    /// Named streams.
    pub(crate) streams: bool,
    /// Hash of the content of regular files.
    pub(crate) hash: Option<crate::args::Algorithm>,
}

/// What a node has beside its metadata, as far as it was asked for and could be read.
#[derive(Debug, Default)]
pub(crate) struct Beside {
    /// Where a link leads.
    pub(crate) target: Option<Vec<u8>>,
    /// Extended attributes. `None`: not asked for, or their names cannot be read.
    pub(crate) xattrs: Option<Vec<(XattrName, Vec<u8>)>>,
    /// Named streams.
    pub(crate) streams: Vec<StreamInfo>,
}

impl Beside {
    /// Reads it, and tells what cannot be read.
    pub(crate) fn read(
        opened: &Opened,
        node: ViewNode,
        kind: FileKind,
        extras: Extras,
    ) -> (Self, Vec<Error>) {
        let view = &opened.target.opened.view;
        let (mut beside, mut errors) = (Self::default(), Vec::new());
        if kind == FileKind::Symlink {
            match view.read_link(node) {
                Ok(target) => beside.target = Some(target),
                Err(error) => errors.push(error),
            }
        }
        if extras.xattrs {
            match view.xattr_names(node) {
                Ok(names) => {
                    let mut xattrs = Vec::new();
                    for name in names {
                        match view.xattr(node, &name) {
                            Ok(value) => xattrs.extend(value.map(|value| (name, value))),
                            Err(error) => errors.push(error),
                        }
                    }
                    beside.xattrs = Some(xattrs);
                }
                Err(error) => errors.push(error),
            }
        }
        if extras.streams {
            match view.streams(node) {
                Ok(streams) => beside.streams = streams,
                Err(error) => errors.push(error),
            }
        }
        (beside, errors)
    }
}

/// Text, and the bytes in base64 if they are not UTF-8.
pub(crate) fn put_bytes(map: &mut Map<String, Value>, key: &str, bytes: &[u8]) {
    map.insert(
        key.to_owned(),
        String::from_utf8_lossy(bytes).into_owned().into(),
    );
    if std::str::from_utf8(bytes).is_err() {
        map.insert(format!("{key}_b64"), BASE64.encode(bytes).into());
    }
}

/// A node's JSON. What could not be read of it is left out and told as errors.
pub(crate) fn json(
    opened: &Opened,
    path: &[u8],
    node: ViewNode,
    metadata: &Metadata,
    extras: Extras,
) -> (Map<String, Value>, Vec<Error>) {
    let (beside, mut errors) = Beside::read(opened, node, metadata.kind, extras);
    let mut map = json_of(opened, path, metadata, &beside);
    if let (Some(algorithm), FileKind::File) = (extras.hash, metadata.kind) {
        match (opened.target.opened.view)
            .open(node)
            .and_then(|source| hash::of(source.as_ref(), algorithm, &mut |_| {}))
        {
            Ok(digest) => {
                map.insert(hash::key(algorithm).into(), digest.into());
            }
            Err(error) => errors.push(error),
        }
    }
    (map, errors)
}

/// The same of what has been read.
pub(crate) fn json_of(
    opened: &Opened,
    path: &[u8],
    metadata: &Metadata,
    beside: &Beside,
) -> Map<String, Value> {
    let mut map = Map::new();
    match opened.address_of(path).to_os_string() {
        Ok(address) => {
            put_bytes(
                &mut map,
                "address",
                std::os::unix::ffi::OsStrExt::as_bytes(&*address),
            );
        }
        Err(arguments) => {
            map.insert("address".into(), arguments.to_string().into());
        }
    }
    put_bytes(&mut map, "path", path);
    put_bytes(&mut map, "name", name_of(path));
    map.insert("type".into(), metadata.kind.word().into());
    map.insert("size".into(), metadata.size.into());
    map.insert("mode".into(), format!("{:04o}", metadata.mode).into());
    map.insert("uid".into(), metadata.uid.into());
    map.insert("gid".into(), metadata.gid.into());
    map.insert("nlink".into(), metadata.nlink.into());
    map.insert("inode".into(), metadata.inode.to_string().into());
    for (key, time) in [
        ("mtime", metadata.mtime),
        ("atime", metadata.atime),
        ("ctime", metadata.ctime),
    ] {
        map.insert(key.into(), when::rfc3339(time).into());
    }
    if let Some(btime) = metadata.btime {
        map.insert("btime".into(), when::rfc3339(btime).into());
    }
    if let Some(rdev) = metadata.rdev {
        map.insert(
            "rdev".into(),
            format!("{}:{}", rdev.major, rdev.minor).into(),
        );
    }
    let flags: Vec<Value> = metadata.flags.words().map(Value::from).collect();
    if !flags.is_empty() {
        map.insert("flags".into(), flags.into());
    }
    if let Some(target) = &beside.target {
        put_bytes(&mut map, "target", target);
    }
    if let Some(xattrs) = &beside.xattrs {
        let values = xattrs.iter().map(|(name, value)| {
            let name = String::from_utf8_lossy(name.as_bytes()).into_owned();
            (name, BASE64.encode(value).into())
        });
        map.insert("xattrs".into(), values.collect::<Map<_, _>>().into());
    }
    if !beside.streams.is_empty() {
        let one = |stream: &StreamInfo| {
            let mut map = Map::new();
            put_bytes(&mut map, "name", &stream.name);
            map.insert("size".into(), stream.size.into());
            Value::Object(map)
        };
        let streams: Vec<_> = beside.streams.iter().map(one).collect();
        map.insert("streams".into(), streams.into());
    }
    map
}

/// The last component of a path; `/` for the root.
pub(crate) fn name_of(path: &[u8]) -> &[u8] {
    match path.iter().rposition(|byte| *byte == b'/') {
        Some(0) if path.len() == 1 => path,
        Some(slash) => path.get(slash.saturating_add(1)..).unwrap_or_default(),
        None => path,
    }
}

/// Kind and permissions as `ls -l` shows them.
pub(crate) fn mode_text(kind: FileKind, mode: u32) -> String {
    let mut text = String::with_capacity(10);
    text.push(match kind {
        FileKind::File => '-',
        FileKind::Directory => 'd',
        FileKind::Symlink => 'l',
        FileKind::CharDevice => 'c',
        FileKind::BlockDevice => 'b',
        FileKind::Fifo => 'p',
        FileKind::Socket => 's',
    });
    let special = [(0o4000, 's', 'S'), (0o2000, 's', 'S'), (0o1000, 't', 'T')];
    for (shift, (bit, with_x, without_x)) in [6, 3, 0].into_iter().zip(special) {
        let bits = (mode >> shift) & 7;
        text.push(if bits & 4 != 0 { 'r' } else { '-' });
        text.push(if bits & 2 != 0 { 'w' } else { '-' });
        text.push(match (bits & 1 != 0, mode & bit != 0) {
            (true, true) => with_x,
            (false, true) => without_x,
            (true, false) => 'x',
            (false, false) => '-',
        });
    }
    text
}

/// An owner or group for people; one that is not known is no number.
pub(crate) fn owner_text(id: u32) -> String {
    match id {
        Metadata::NO_OWNER => "?".to_owned(),
        id => id.to_string(),
    }
}

/// The columns of `ls -l` before the name.
pub(crate) fn columns(metadata: &Metadata, zone: &TimeZone) -> [String; 6] {
    let size = match metadata.rdev {
        Some(rdev) => format!("{}, {}", rdev.major, rdev.minor),
        None => metadata.size.to_string(),
    };
    [
        mode_text(metadata.kind, metadata.mode),
        metadata.nlink.to_string(),
        owner_text(metadata.uid),
        owner_text(metadata.gid),
        size,
        when::short(metadata.mtime, zone),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes() {
        for (kind, mode, text) in [
            (FileKind::File, 0o644, "-rw-r--r--"),
            (FileKind::File, 0o4755, "-rwsr-xr-x"),
            (FileKind::File, 0o2644, "-rw-r-Sr--"),
            (FileKind::Directory, 0o1777, "drwxrwxrwt"),
            (FileKind::Directory, 0o1770, "drwxrwx--T"),
            (FileKind::Symlink, 0o777, "lrwxrwxrwx"),
        ] {
            assert_eq!(mode_text(kind, mode), text);
        }
    }

    #[test]
    fn names() {
        assert_eq!(name_of(b"/"), b"/");
        assert_eq!(name_of(b"/a/b"), b"b");
        assert_eq!(name_of(b"b"), b"b");
    }
}
