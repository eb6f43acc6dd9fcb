//! Directories that ntfs-3g makes, and what it shows of them.

use flr_fs::filesystem::ntfs::{Ntfs, codes};
use flr_fs::{
    ByteSource, DirCursor, DirItem, FileKind, Filesystem, FilesystemDriver, Memory, OpenContext,
    RawName, Want,
};
use flr_tests::image::scratch;
use flr_tests::require::require;
use std::collections::BTreeMap;
use std::fs;
use std::ops::ControlFlow;
use std::process::Command;
use std::sync::Arc;

/// Names in a folder, the records that they lead to, and what those are.
type Names = BTreeMap<Vec<u8>, (u64, FileKind)>;

/// Makes a volume, fills it by a Python program whose folder is the volume, and returns its bytes and
/// what ntfs-3g lists in the folder `d`: hexadecimal name, inode, kind.
fn made(name: &str, options: &str, program: &str) -> (Vec<u8>, Names) {
    let dir = scratch().join(format!("ntfs-directories-{name}"));
    let script = format!(
        r#"set -e
rm -rf "$0"; mkdir -p "$0/m"; cd "$0"
truncate -s 48M v.img
mkntfs -q -Q -F {options} v.img > mkntfs.log 2>&1
mount -t tmpfs none m
mkdir m/v; ntfs-3g -o streams_interface=none v.img m/v
cd m/v; mkdir d
python3 - <<'PROGRAM'
import os
{program}
PROGRAM
cd ../..; umount m/v; ntfs-3g -o ro v.img m/v
python3 - > list <<'PROGRAM'
import os
for entry in os.scandir(b'm/v/d'):
    kind = 'dir' if entry.is_dir(follow_symlinks=False) else 'file'
    print((b'x' + entry.name.hex().encode()).decode(), entry.inode(), kind)
PROGRAM
umount m/v
"#
    );
    let status = Command::new("unshare")
        .args(["--mount", "sh", "-c", &script])
        .arg(&dir)
        .status();
    assert!(status.expect("unshare").success());
    let list = fs::read_to_string(dir.join("list")).expect("a list");
    let rows = list.lines().map(|line| {
        let mut cells = line.split(' ');
        let hex = cells.next().and_then(|name| name.strip_prefix('x'));
        let hex = hex.expect("a name").as_bytes();
        let byte = |pair: &[u8]| u8::from_str_radix(str::from_utf8(pair).expect("hex"), 16);
        let name = hex.chunks(2).map(|pair| byte(pair).expect("hex")).collect();
        let inode = cells.next().and_then(|inode| inode.parse().ok());
        let kind = match cells.next() {
            Some("dir") => FileKind::Directory,
            _ => FileKind::File,
        };
        (name, (inode.expect("a number"), kind))
    });
    let bytes = fs::read(dir.join("v.img")).expect("an image");
    (bytes, rows.collect())
}

fn open(bytes: Vec<u8>) -> Arc<dyn Filesystem> {
    let source: Arc<dyn ByteSource> = Arc::new(Memory::new(bytes));
    Ntfs.open(&[source], &OpenContext::default())
        .expect("an NTFS volume")
}

/// What we list in `d`, in pieces of so many entries, and the codes of damage.
fn listed(fs: &dyn Filesystem, at_once: usize) -> (Names, Vec<&'static str>) {
    let dir = fs
        .lookup(fs.root(), RawName::new(b"d"))
        .expect("a sound root");
    let dir = dir.expect("a folder").node;
    let (mut entries, mut damage) = (BTreeMap::new(), Vec::new());
    let mut from = DirCursor::default();
    loop {
        let (mut left, mut stopped) = (at_once, false);
        let read = fs.read_dir(dir, from, Want::Names, &mut |item| {
            match item {
                DirItem::Entry(_) if left == 0 => {
                    stopped = true;
                    return ControlFlow::Break(());
                }
                DirItem::Entry(entry) => {
                    left -= 1;
                    from = entry.next;
                    let kind = entry.kind.expect("a kind");
                    let name = entry.name.as_bytes().to_vec();
                    let twice = entries.insert(name, (entry.node.0, kind));
                    assert_eq!(twice, None);
                }
                DirItem::Damaged(fault) => damage.push(fault.code.as_str()),
            }
            ControlFlow::Continue(())
        });
        read.expect("a folder");
        if !stopped {
            return (entries, damage);
        }
    }
}

/// Looks every name up, and names that are not there.
fn look_up(fs: &dyn Filesystem, expected: &Names) {
    let dir = fs
        .lookup(fs.root(), RawName::new(b"D"))
        .expect("a sound root");
    let dir = dir.expect("a folder").node;
    for (name, (record, kind)) in expected {
        let found = fs.lookup(dir, RawName::new(name)).expect("a sound folder");
        let found = found.unwrap_or_else(|| panic!("{} is missing", name.escape_ascii()));
        assert_eq!((found.node.0, &found.stored_name), (*record, name));
        assert_eq!(found.metadata.kind, *kind);
        let mut longer = name.clone();
        longer.push(b'?');
        let found = fs
            .lookup(dir, RawName::new(&longer))
            .expect("a sound folder");
        assert!(found.is_none());
    }
}

/// Mixed case, several scripts, pairs of surrogates, long and short; half of them deleted again.
const MANY: &str = r"
def name(i):
    return [b'File%05d.TXT', b'file%05d.txt', '\u00dcml\u00e4ut-%d-stra\u00dfe'.encode(),
            '\u6f22\u5b57%d'.encode(), '\U0001f600 %d'.encode(), b'x%d ' + b'long ' * (i % 40),
            '\u03a3\u03af\u03c3%d'.encode(), b'dir%d'][i % 8] % i
for i in range(3000):
    (os.mkdir if i % 8 == 7 else os.mknod)(b'd/' + name(i))
for i in range(0, 3000, 2):
    (os.rmdir if i % 8 == 7 else os.unlink)(b'd/' + name(i))
for i in range(1, 3000, 300):
    os.link(b'd/' + name(i), b'd/link%d' % i) if i % 8 != 7 else None
";

#[test]
fn directories_of_ntfs_3g_are_listed_as_it_lists_them() {
    if !require(&["root", "fuse", "mkntfs", "ntfs-3g", "python3"]) {
        return;
    }
    // Index blocks larger than a cluster, as large, and smaller.
    for (name, options) in [("512", "-c 512"), ("4k", "-c 4096"), ("64k", "-c 65536")] {
        let (bytes, expected) = made(name, options, MANY);
        assert!(expected.len() > 1500);
        let fs = open(bytes);
        for at_once in [usize::MAX, 100] {
            assert_eq!(
                listed(fs.as_ref(), at_once),
                (expected.clone(), vec![]),
                "{name}"
            );
        }
        look_up(fs.as_ref(), &expected);
    }
}

/// Damage in the index of a real volume: what it hides comes from the files.
#[test]
fn a_listing_is_rebuilt_from_the_files() {
    if !require(&["root", "fuse", "mkntfs", "ntfs-3g", "python3"]) {
        return;
    }
    let (bytes, expected) = made("rebuilt", "-c 4096", MANY);
    let blocks: Vec<usize> = (0..bytes.len() / 4096)
        .map(|block| block * 4096)
        .filter(|at| bytes[*at..].starts_with(b"INDX"))
        .collect();
    let mut told = 0;
    for at in blocks.iter().step_by(9) {
        // A torn write, and a block that was never one.
        for offset in [510, 0] {
            let mut bytes = bytes.clone();
            bytes[at + offset] ^= 0x55;
            let (entries, damage) = listed(open(bytes).as_ref(), usize::MAX);
            assert_eq!(entries, expected, "{at:#x}");
            told += usize::from(damage.contains(&codes::DIRECTORY_REBUILT.as_str()));
        }
    }
    assert!(told > 10, "{told}");
}
