//! Comparing a view with a golden tree: everything the tree knows, node by node.

use crate::compare_ntfs;
use crate::content::{data_ranges, sha256};
use crate::golden::{Golden, Node, from_base64};
use flr_fs::filesystem::ext::codes;
use flr_fs::{DirCursor, DirItem, FileKind, Metadata, NodeFlags, Timestamp, Want};
use flr_recover::walk::{Next, Step, walk};
use flr_recover::{View, ViewNode};
use std::collections::BTreeMap;
use std::ops::ControlFlow;

/// Differences that are told of one tree.
const TOLD_MAX: usize = 20;

/// What is not compared.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rules {
    /// Paths are compared by what they lead to: names are ciphertext, which the oracle shows in a form
    /// of its own.
    pub by_inode: bool,
    /// Directories that cannot be listed because what belongs there is not read. The oracle shows what
    /// lies below.
    pub not_listed: &'static [&'static str],
}

/// Compares `view` with `golden`; the answer holds one line for every difference, at most 20.
#[must_use]
pub fn compare(view: &View, golden: &Golden, rules: Rules) -> Vec<String> {
    let mut told = Told::default();
    let found = collect(view, rules, &mut told);
    if rules.by_inode {
        by_inode(view, golden, &found, &mut told);
        return told.lines;
    }
    for path in found
        .keys()
        .filter(|path| !golden.nodes.contains_key(*path))
    {
        told.say(path, "is not in the tree");
    }
    for (path, expected) in &golden.nodes {
        match found.get(path) {
            Some((node, metadata)) => node_differences(view, *node, metadata, expected, &mut told),
            None => told.say(path, "is missing"),
        }
    }
    look_ups(view, rules, &found, &mut told);
    told.lines
}

/// Collects differences.
#[derive(Debug, Default)]
struct Told {
    lines: Vec<String>,
}

impl Told {
    fn say(&mut self, path: &[u8], what: &str) {
        if self.lines.len() < TOLD_MAX {
            self.lines.push(format!("{}: {what}", path.escape_ascii()));
        }
    }
}

type Found = BTreeMap<Vec<u8>, (ViewNode, Metadata)>;

fn collect(view: &View, rules: Rules, told: &mut Told) -> Found {
    let root = view.root();
    let mut found = Found::new();
    match view.metadata(root) {
        Ok(metadata) => {
            found.insert(b"/".to_vec(), (root, metadata));
        }
        Err(error) => told.say(b"/", &error.to_string()),
    }
    let walked = walk(view, root, None, &mut |step| {
        match step {
            Step::Node {
                path,
                node,
                metadata,
            } => {
                if found.insert(path.to_vec(), (node, metadata)).is_some() {
                    told.say(path, "is there twice");
                }
            }
            Step::Failed { path, .. } if is_not_listed(rules, path) => {}
            Step::Failed { path, error } => told.say(path, &error.to_string()),
            Step::Leave { .. } => {}
        }
        Next::Continue
    });
    if let Err(error) = walked {
        told.say(b"/", &error.to_string());
    }
    found
}

fn is_not_listed(rules: Rules, path: &[u8]) -> bool {
    rules.not_listed.iter().any(|dir| dir.as_bytes() == path)
}

/// Every path must be found by its names too, which takes other ways than listing does.
fn look_ups(view: &View, rules: Rules, found: &Found, told: &mut Told) {
    for (path, (node, metadata)) in found {
        if metadata.kind == FileKind::Directory && !is_not_listed(rules, path) {
            resume(view, *node, path, told);
            match view.lookup(*node, b"no such name here") {
                Ok(None) => {}
                other => told.say(path, &format!("a name that is not there: {other:?}")),
            }
        }
        let Some(slash) = path
            .iter()
            .rposition(|byte| *byte == b'/')
            .filter(|_| path.len() > 1)
        else {
            continue;
        };
        let parent = if slash == 0 {
            &b"/"[..]
        } else {
            &path[..slash]
        };
        let Some((parent, _)) = found.get(parent) else {
            continue;
        };
        match view.lookup(*parent, &path[slash + 1..]) {
            Ok(Some((there, _))) if there == *node => {}
            other => told.say(path, &format!("looked up: {other:?}")),
        }
    }
}

/// A directory read in small parts must be the directory read at once.
fn resume(view: &View, dir: ViewNode, path: &[u8], told: &mut Told) {
    let filesystem = view.filesystem(dir).expect("a filesystem of the view");
    let read = |from: DirCursor, max: usize| {
        let mut names = Vec::new();
        let mut next = from;
        let done = filesystem.read_dir(dir.node, from, Want::Names, &mut |item| {
            let DirItem::Entry(entry) = item else {
                return ControlFlow::Continue(());
            };
            if names.len() == max {
                return ControlFlow::Break(());
            }
            names.push(entry.name.as_bytes().to_vec());
            next = entry.next;
            ControlFlow::Continue(())
        });
        done.map(|()| (names, next))
    };
    let whole = match read(DirCursor::default(), usize::MAX) {
        Ok((names, _)) => names,
        Err(error) => return told.say(path, &error.to_string()),
    };
    let step = 1 + whole.len() / 16;
    let (mut parts, mut from) = (Vec::new(), DirCursor::default());
    while let Ok((mut names, next)) = read(from, step) {
        if names.is_empty() || parts.len() > whole.len() {
            break;
        }
        parts.append(&mut names);
        from = next;
    }
    if parts != whole {
        told.say(path, "reads differently in parts");
    }
}

fn node_differences(
    view: &View,
    node: ViewNode,
    found: &Metadata,
    expected: &Node,
    told: &mut Told,
) {
    let path = expected.path();
    let mut differs = |field: &str, found: String, expected: String| {
        told.say(&path, &format!("{field} is {found}, not {expected}"));
    };
    macro_rules! same {
        ($field:literal, $found:expr, $expected:expr) => {
            if let Some(expected) = &$expected
                && $found != *expected
            {
                differs($field, format!("{:?}", $found), format!("{expected:?}"));
            }
        };
    }
    same!("type", found.kind.word(), Some(expected.r#type.as_str()));
    same!("mode", format!("{:04o}", found.mode), expected.mode);
    same!("uid", found.uid, expected.uid);
    same!("gid", found.gid, expected.gid);
    same!("size", found.size, expected.size);
    same!("nlink", found.nlink, expected.nlink);
    same!("inode", found.inode.to_string(), expected.inode);
    same!("blocks", found.blocks, expected.blocks);
    let rdev = found
        .rdev
        .map(|rdev| format!("{}:{}", rdev.major, rdev.minor));
    same!("rdev", rdev.clone().unwrap_or_default(), expected.rdev);
    same!("generation", found.generation, expected.generation);
    if let Some(project) = expected.project {
        same!("project", found.project.unwrap_or(0), Some(project));
    }
    for (field, found, expected, raw) in [
        (
            "mtime",
            Some(found.mtime),
            expected.mtime_ns,
            expected.mtime_raw,
        ),
        (
            "atime",
            Some(found.atime),
            expected.atime_ns,
            expected.atime_raw,
        ),
        (
            "ctime",
            Some(found.ctime),
            expected.ctime_ns,
            expected.ctime_raw,
        ),
        ("btime", found.btime, expected.btime_ns, expected.btime_raw),
    ] {
        let expected = match raw {
            // The kernel passes on more nanoseconds than a second has; here they are clamped.
            Some((seconds, _)) => Some(nanoseconds(Timestamp {
                seconds,
                nanoseconds: 999_999_999,
            })),
            None => expected,
        };
        if expected.is_some() && found.map(nanoseconds) != expected {
            differs(field, format!("{found:?}"), format!("{expected:?}"));
        }
    }
    if let Some(flags) = &expected.flags {
        let (found, expected) = (known_flags(found.flags), parse_flags(flags));
        same!("flags", found, Some(expected));
    }
    xattrs(view, node, expected, &mut differs);
    compare_ntfs::differences(view, node, expected, &mut differs);
    if found.kind == FileKind::Symlink {
        link(view, node, expected, &mut differs);
    }
    if found.kind == FileKind::File {
        content(view, node, expected, &mut differs);
    }
}

fn nanoseconds(time: Timestamp) -> i128 {
    i128::from(time.seconds) * 1_000_000_000 + i128::from(time.nanoseconds)
}

/// Flags that both sides know, with ext4's bits.
const FLAGS: &[(NodeFlags, u32)] = &[
    (NodeFlags::IMMUTABLE, 0x10),
    (NodeFlags::APPEND_ONLY, 0x20),
    (NodeFlags::NO_DUMP, 0x40),
    (NodeFlags::ENCRYPTED, 0x800),
    (NodeFlags::VERITY, 0x10_0000),
    (NodeFlags::INLINE, 0x1000_0000),
    (NodeFlags::CASE_INSENSITIVE, 0x4000_0000),
];

fn known_flags(flags: NodeFlags) -> u32 {
    let set = FLAGS.iter().filter(|(flag, _)| flags.contains(*flag));
    set.fold(0, |all, (_, bit)| all | bit)
}

fn parse_flags(text: &str) -> u32 {
    let hex = text.strip_prefix("0x").expect("hexadecimal flags");
    let flags = u32::from_str_radix(hex, 16).expect("hexadecimal flags");
    let known = FLAGS.iter().fold(0, |all, (_, bit)| all | bit);
    flags & known
}

pub(crate) type Differs<'a> = dyn FnMut(&str, String, String) + 'a;

fn xattrs(view: &View, node: ViewNode, expected: &Node, differs: &mut Differs<'_>) {
    let Some(expected) = &expected.xattrs else {
        return;
    };
    let mut found = BTreeMap::new();
    match view.xattr_names(node) {
        Ok(names) => {
            for name in names {
                let text = String::from_utf8_lossy(name.as_bytes()).into_owned();
                let value = match view.xattr(node, &name) {
                    Ok(Some(value)) => value,
                    other => {
                        return differs("xattr", format!("{text} {other:?}"), "a value".into());
                    }
                };
                if found.insert(text.clone(), value).is_some() {
                    differs("xattr", format!("{text} twice"), "once".into());
                }
            }
        }
        Err(error) => return differs("xattrs", error.to_string(), "a list".into()),
    }
    let expected: BTreeMap<_, _> = expected
        .iter()
        .map(|(name, value)| (name.clone(), from_base64(value)))
        .collect();
    if found != expected {
        differs("xattrs", format!("{found:?}"), format!("{expected:?}"));
    }
}

fn link(view: &View, node: ViewNode, expected: &Node, differs: &mut Differs<'_>) {
    let Some(target) = expected.target() else {
        return;
    };
    match view.read_link(node) {
        Ok(found) if found == target => {}
        Ok(found) => differs(
            "target",
            found.escape_ascii().to_string(),
            target.escape_ascii().to_string(),
        ),
        Err(error) => differs("target", error.to_string(), "readable".into()),
    }
}

fn content(view: &View, node: ViewNode, expected: &Node, differs: &mut Differs<'_>) {
    if expected.elsewhere == Some(true) {
        match view.open(node) {
            Err(flr_recover::Error::Fs(flr_fs::Error::Unsupported(_))) => {}
            other => differs("content", format!("{other:?}"), "refused by name".into()),
        }
        return;
    }
    if let Some(error) = &expected.error {
        // The kernel would not open it.
        if view.open(node).is_ok() {
            differs("content", "readable".into(), error.clone());
        }
        return;
    }
    let source = match view.open(node) {
        Ok(source) => source,
        Err(error) => return differs("content", error.to_string(), "readable".into()),
    };
    if Some(source.size()) != expected.size {
        let found = source.size().to_string();
        differs("content's size", found, format!("{:?}", expected.size));
    }
    let ranges = match data_ranges(source.as_ref()) {
        Ok(ranges) => ranges,
        Err(error) => return differs("map", error.to_string(), "readable".into()),
    };
    if let Some(data) = &expected.data
        && *data != ranges
    {
        differs("data", format!("{ranges:?}"), format!("{data:?}"));
    }
    let ends = expected.ends_sha256.as_ref();
    compare_ntfs::hashes(source.as_ref(), None, ends, "its ends", differs);
    let whole = [(0, source.size())];
    for (expected, ranges) in [
        (&expected.sha256, &whole[..]),
        (&expected.data_sha256, &ranges[..]),
    ] {
        let Some(expected) = expected else {
            continue;
        };
        match sha256(source.as_ref(), ranges) {
            Ok(found) if found == *expected => {}
            Ok(found) => differs("sha256", found, expected.clone()),
            Err(error) => differs("sha256", error.to_string(), expected.clone()),
        }
    }
}

/// Compares a tree whose names are encrypted: every node by its inode, names by what is stored.
fn by_inode(view: &View, golden: &Golden, found: &Found, told: &mut Told) {
    let nodes: BTreeMap<String, (&Vec<u8>, &(ViewNode, Metadata))> = found
        .iter()
        .map(|(path, node)| (node.1.inode.to_string(), (path, node)))
        .collect();
    if nodes.len() != golden.nodes.len() || found.len() != golden.nodes.len() {
        told.say(
            b"/",
            &format!("{} nodes, not {}", found.len(), golden.nodes.len()),
        );
    }
    for (path, expected) in &golden.nodes {
        let inode = expected.inode.clone().expect("an inode");
        let Some((found_path, (node, metadata))) = nodes.get(&inode) else {
            told.say(path, "is missing");
            continue;
        };
        let encrypted = expected.name_b64.is_some() || expected.error.is_some();
        let mut plain = expected.clone();
        if encrypted && metadata.kind == FileKind::Symlink {
            plain.target = None;
            let error = view.read_link(*node).expect_err("an encrypted link");
            if !matches!(&error, flr_recover::Error::Fs(error) if error.code() == codes::ENCRYPTED)
            {
                told.say(path, &format!("its target: {error}"));
            }
        }
        node_differences(view, *node, metadata, &plain, told);
        if let Some(name) = &expected.name_b64 {
            let stored = from_base64(name);
            let shown = flr_fs::RawName::new(&stored).shown().into_owned();
            if !found_path.ends_with(&shown) {
                told.say(path, &format!("has the name {}", found_path.escape_ascii()));
            }
        }
    }
}
