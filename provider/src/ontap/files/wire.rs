//! Calls for files, typed.

use super::super::api::{timestamp_of, volume_path};
use super::super::client::Client;
use super::super::job::Ended;
use super::super::text::in_file_path;
use crate::fault::{Fault, FaultKind};
use bytes::Bytes;
use flr_fs::{FileKind, Metadata, NodeFlags, Timestamp};
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

const FIELDS: &str = "name,type,size,bytes_used,inode_number,inode_generation,hard_links_count,\
    unix_permissions,owner_id,group_id,creation_time,modified_time,accessed_time,changed_time";
/// Records of a page: few calls for a large directory, and no answer without bounds.
const PAGE: &str = "1000";

/// A file of a listing.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(in super::super) struct Record {
    pub(in super::super) name: String,
    #[serde(rename = "type")]
    pub(super) kind: String,
    size: Option<u64>,
    bytes_used: Option<u64>,
    inode_number: u64,
    inode_generation: u64,
    hard_links_count: Option<u32>,
    /// A number whose decimal digits are the octal ones.
    unix_permissions: Value,
    owner_id: Option<u32>,
    group_id: Option<u32>,
    creation_time: Option<String>,
    modified_time: Option<String>,
    accessed_time: Option<String>,
    changed_time: Option<String>,
    target: Option<String>,
}

impl Record {
    /// Bytes, if the server says so.
    pub(super) const fn size(&self) -> Option<u64> {
        self.size
    }

    /// Whether it is a stream, which has no place in a tree.
    pub(super) fn is_stream(&self) -> bool {
        self.kind == "stream"
    }

    /// What `stat` shows of it. `None`: it is a stream, or of a type that is not known.
    pub(super) fn metadata(&self) -> Option<Metadata> {
        let kind = match self.kind.as_str() {
            "file" | "lun" => FileKind::File,
            "directory" => FileKind::Directory,
            "symlink" => FileKind::Symlink,
            "blockdev" => FileKind::BlockDevice,
            "chardev" => FileKind::CharDevice,
            "fifo" => FileKind::Fifo,
            "socket" => FileKind::Socket,
            _ => return None,
        };
        let mtime = time(self.modified_time.as_deref()).unwrap_or_default();
        let target = self.target.as_ref().map(String::len);
        let target = target.and_then(|len| u64::try_from(len).ok());
        let size = match kind {
            FileKind::Symlink => target.or(self.size),
            _ => self.size,
        };
        Some(Metadata {
            kind,
            mode: mode(&self.unix_permissions, kind),
            uid: self.owner_id.unwrap_or(Metadata::NO_OWNER),
            gid: self.group_id.unwrap_or(Metadata::NO_OWNER),
            size: size.unwrap_or(0),
            nlink: self.hard_links_count.unwrap_or(1).max(1),
            inode: self.inode_number,
            blocks: self.bytes_used.unwrap_or(0).div_ceil(512),
            rdev: None,
            atime: time(self.accessed_time.as_deref()).unwrap_or(mtime),
            mtime,
            ctime: time(self.changed_time.as_deref()).unwrap_or(mtime),
            btime: time(self.creation_time.as_deref()),
            flags: NodeFlags::default(),
            generation: self.inode_generation,
            project: None,
        })
    }

    /// Whether it is a file, and nothing else.
    pub(in super::super) fn is_file(&self) -> bool {
        self.kind == "file"
    }

    /// Whether it is a LUN, which the interface for files does not read.
    pub(super) fn is_lun(&self) -> bool {
        self.kind == "lun"
    }
}

/// Whether a name can be one of a directory's.
pub(super) fn is_name(name: &str) -> bool {
    !name.is_empty() && name != "." && name != ".." && !name.contains(['/', '\0'])
}

/// `644` is `0o644`.
fn mode(digits: &Value, kind: FileKind) -> u32 {
    let text = match digits {
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        _ => String::new(),
    };
    let read = u32::from_str_radix(&text, 8).ok();
    let otherwise = match kind {
        FileKind::Directory => 0o700,
        _ => 0o600,
    };
    read.filter(|mode| *mode <= 0o7777).unwrap_or(otherwise)
}

fn time(text: Option<&str>) -> Option<Timestamp> {
    let time = timestamp_of(text?)?;
    // Nanoseconds count forward from whole seconds.
    let (seconds, nanoseconds) = (time.as_second(), time.subsec_nanosecond());
    let (seconds, nanoseconds) = match u32::try_from(nanoseconds) {
        Ok(nanoseconds) => (seconds, nanoseconds),
        Err(_) => (
            seconds.checked_sub(1)?,
            u32::try_from(nanoseconds.checked_add(1_000_000_000)?).ok()?,
        ),
    };
    Some(Timestamp {
        seconds,
        nanoseconds,
    })
}

fn path_of(volume: &str, path: &str) -> Result<String, Fault> {
    Ok(format!(
        "{}/files/{}",
        volume_path(volume)?,
        in_file_path(path)
    ))
}

/// What is in a directory, without itself and the one above.
pub(super) async fn list(client: &Client, volume: &str, path: &str) -> Result<Vec<Record>, Fault> {
    let query = [("fields", FIELDS), ("max_records", PAGE)];
    let records: Vec<Record> = client.list(&path_of(volume, path)?, &query).await?;
    let dots = |record: &Record| record.name == "." || record.name == "..";
    Ok(records.into_iter().filter(|record| !dots(record)).collect())
}

/// One file, with the target of a link.
pub(in super::super) async fn stat(
    client: &Client,
    volume: &str,
    path: &str,
) -> Result<Option<Record>, Fault> {
    let fields = format!("{FIELDS},target");
    let query = [("return_metadata", "true"), ("fields", fields.as_str())];
    match client.list(&path_of(volume, path)?, &query).await {
        Ok(records) => Ok(records.into_iter().next()),
        Err(fault) if fault.kind == FaultKind::NotFound => Ok(None),
        Err(fault) => Err(fault),
    }
}

/// The target of a link, if it is one.
pub(super) fn target(record: &Record) -> Option<&str> {
    record.target.as_deref()
}

/// Bytes of a file: at most 1 MB at a time.
pub(super) async fn bytes(
    client: &Client,
    volume: &str,
    path: &str,
    (offset, len): (u64, usize),
) -> Result<Bytes, Fault> {
    let (at, length) = (offset.to_string(), len.to_string());
    let query = [("byte_offset", at.as_str()), ("length", length.as_str())];
    client.bytes(&path_of(volume, path)?, &query, len).await
}

/// Files of a volume's root whose names fit; `*` stands for anything.
pub(in super::super) async fn named(
    client: &Client,
    volume: &str,
    pattern: &str,
) -> Result<Vec<Record>, Fault> {
    let path = format!("{}/files", volume_path(volume)?);
    let query = [
        ("name", pattern),
        ("fields", "name,type"),
        ("max_records", PAGE),
    ];
    client.list(&path, &query).await
}

/// Clones a file that is in a snapshot into the volume's root. `volume` is its id and its name: releases up
/// to 9.13 want both. It may be deleted by ONTAP when the volume runs full.
pub(in super::super) async fn clone(
    client: &Client,
    (uuid, volume): (&str, &str),
    source: &str,
    name: &str,
) -> Result<Ended, Fault> {
    let body = json!({
        "volume": {"uuid": uuid, "name": volume},
        "source_path": source,
        "destination_path": name,
        "autodelete": true,
    });
    client
        .change(Method::POST, "/storage/file/clone", &[], Some(&body))
        .await
}

/// Deletes a file of a volume; a directory only if it is empty.
pub(in super::super) async fn delete(
    client: &Client,
    volume: &str,
    path: &str,
) -> Result<Ended, Fault> {
    let path = path_of(volume, path)?;
    client.change(Method::DELETE, &path, &[], None).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_as_the_reference_shows_it() {
        // "Retrieving file information", with times as the reference writes them.
        let record: Record = serde_json::from_str(
            r#"{"path":"d1/d2/d3/f1","creation_time":"2019-06-12T21:27:28-04:00",
                "hard_links_count":1,"type":"file","modified_time":"2019-06-12T21:27:28-04:00",
                "group_id":30,"bytes_used":4096,"inode_number":1233,
                "changed_time":"2019-06-12T21:27:28-04:00","inode_generation":214488325,
                "is_vm_aligned":false,"is_junction":false,"name":"","size":200,
                "unix_permissions":644,"owner_id":54738}"#,
        )
        .unwrap();
        let metadata = record.metadata().unwrap();
        assert_eq!(metadata.kind, FileKind::File);
        assert_eq!((metadata.mode, metadata.size), (0o644, 200));
        assert_eq!((metadata.uid, metadata.gid), (54738, 30));
        assert_eq!((metadata.inode, metadata.blocks), (1233, 8));
        assert_eq!(metadata.mtime.seconds, 1_560_389_248);
        assert_eq!(metadata.btime.unwrap().seconds, 1_560_389_248);
    }

    #[test]
    fn modes_are_digits() {
        let of = |value: Value| mode(&value, FileKind::File);
        assert_eq!(of(4755.into()), 0o4755);
        assert_eq!(of("0644".into()), 0o644);
        for odd in [Value::Null, 9.into(), 77777.into(), (-1).into()] {
            assert_eq!(of(odd), 0o600);
        }
    }

    #[test]
    fn names_that_lead_elsewhere_are_none() {
        assert!(is_name("f1") && is_name("..a"));
        for name in ["", ".", "..", "a/b", "a\0b"] {
            assert!(!is_name(name), "{name:?}");
        }
        assert!(Record::default().metadata().is_none());
    }

    #[test]
    fn times_before_1970_count_forward() {
        let before = time(Some("1969-12-31T23:59:59.5Z")).unwrap();
        assert_eq!((before.seconds, before.nanoseconds), (-1, 500_000_000));
        assert_eq!(time(Some("soon")), None);
    }
}
