//! A node as JSON and as a line of `ls -l`.

use crate::hash;
use crate::open::Opened;
use crate::when;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use flr_fs::{FileKind, Metadata};
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
    let mut map = Map::new();
    let mut errors = Vec::new();
    let view = &opened.target.opened.view;
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
    if metadata.kind == FileKind::Symlink {
        match view.read_link(node) {
            Ok(target) => put_bytes(&mut map, "target", &target),
            Err(error) => errors.push(error),
        }
    }
    if extras.xattrs {
        match xattrs(opened, node) {
            Ok(xattrs) => {
                map.insert("xattrs".into(), xattrs.into());
            }
            Err(error) => errors.push(error),
        }
    }
    if extras.streams {
        match view.streams(node) {
            Ok(streams) if streams.is_empty() => {}
            Ok(streams) => {
                let one = |stream: &flr_fs::StreamInfo| {
                    let mut map = Map::new();
                    put_bytes(&mut map, "name", &stream.name);
                    map.insert("size".into(), stream.size.into());
                    Value::Object(map)
                };
                map.insert(
                    "streams".into(),
                    streams.iter().map(one).collect::<Vec<_>>().into(),
                );
            }
            Err(error) => errors.push(error),
        }
    }
    if let (Some(algorithm), FileKind::File) = (extras.hash, metadata.kind) {
        match view
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

fn xattrs(opened: &Opened, node: ViewNode) -> Result<Map<String, Value>, Error> {
    let view = &opened.target.opened.view;
    let mut map = Map::new();
    for name in view.xattr_names(node)? {
        if let Some(value) = view.xattr(node, &name)? {
            let name = String::from_utf8_lossy(name.as_bytes()).into_owned();
            map.insert(name, BASE64.encode(value).into());
        }
    }
    Ok(map)
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
