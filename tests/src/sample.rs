//! A tree with one of everything, and trees for measuring.

use crate::faulty::{Patch, Patchwork};
use crate::memory::{DAMAGE, Health, MemoryFs, device, file, file_of, link, node, unopenable};
use flr_fs::{Error, Fault, FileKind, Filesystem, Timestamp, XattrName};
use flr_recover::{View, ViewNode};
use std::sync::Arc;

/// Bytes of `hello.txt`.
pub const HELLO: &[u8] = b"hello, world\n";

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

/// One of everything.
#[must_use]
pub fn tree() -> MemoryFs {
    let mut fs = MemoryFs::new();
    files(&mut fs);
    kinds(&mut fs);
    names(&mut fs);
    broken(&mut fs);
    let root = fs.root();
    let many = fs.mkdir(root, b"many");
    for i in 0..10_000 {
        fs.put(many, format!("file-{i:05}").as_bytes(), file(HELLO));
    }
    let sub = fs.mkdir(root, b"sub");
    let dir = fs.mkdir(sub, b"dir");
    fs.put(dir, b"deep", file(b"deep\n"));
    fs
}

/// The tree with another filesystem joined at `mnt`, and one that cannot be opened at `mnt-broken`.
///
/// # Errors
/// None in practice.
pub fn view() -> flr_recover::Result<View> {
    let mut fs = tree();
    let root = fs.root();
    let at = |node| ViewNode {
        filesystem: 0,
        node,
    };
    let mnt = at(fs.mkdir(root, b"mnt"));
    let broken = at(fs.mkdir(root, b"mnt-broken"));
    let mut other = MemoryFs::new();
    other.put(other.root(), b"inside", file(b"inside\n"));
    let mut view = View::new(Arc::new(fs));
    view.join(mnt, Arc::new(other))?;
    view.join_broken(broken, Error::corrupt(DAMAGE, 0, "no superblock"));
    Ok(view)
}

fn files(fs: &mut MemoryFs) {
    let root = fs.root();
    let mut hello = file(HELLO);
    let xattr = |name: &str, value: &[u8]| (XattrName::new(name.as_bytes()), value.to_vec());
    hello.xattrs = vec![
        xattr("user.comment", b"a greeting"),
        xattr("user.empty", b""),
        xattr("user.long", &[b'x'; 65536]),
        xattr("user.too-long", &[b'x'; 65537]),
        xattr("", b"no name"),
    ];
    fs.put(root, b"hello.txt", hello);
    fs.put(root, b"empty", file(b""));
    fs.put(
        root,
        b"big.bin",
        file_of(Patchwork::new(8 * MIB + 5, Vec::new())),
    );
    let sparse = vec![
        (MIB..3 * MIB, Patch::Hole),
        (3 * MIB..4 * MIB, Patch::Unwritten),
        (5 * MIB..6 * MIB, Patch::Hole),
    ];
    fs.put(root, b"sparse", file_of(Patchwork::new(6 * MIB, sparse)));
    let bad = vec![(256 * KIB..260 * KIB, Patch::Bad)];
    fs.put(root, b"bad", file_of(Patchwork::new(MIB, bad)));
    let stall = vec![(0..KIB, Patch::Stall)];
    fs.put(root, b"stall", file_of(Patchwork::new(KIB, stall)));
    let mut named = node(FileKind::File);
    named.xattrs = (0..400)
        .map(|i| xattr(&format!("user.{i:0>200}"), b"1"))
        .collect();
    fs.put(root, b"many-xattrs", named);
    let mut old = file(b"old\n");
    old.metadata.mtime = Timestamp {
        seconds: -2,
        nanoseconds: 500_000_000,
    };
    old.metadata.atime = Timestamp {
        seconds: 10_000_000_000,
        nanoseconds: 1,
    };
    old.metadata.mode = 0o4751;
    old.metadata.uid = 1000;
    old.metadata.gid = 100_000;
    fs.put(root, b"old", old);
    let mut secret = file(b"secret\n");
    secret.metadata.mode = 0o600;
    fs.put(root, b"secret", secret);
    let mut listed = file(b"listed\n");
    listed.metadata.mode = 0o640;
    listed.xattrs = vec![xattr("system.posix_acl_access", &acl(65534))];
    fs.put(root, b"acl", listed);
}

/// `u::rw-,u:USER:r--,g::---,m::r--,o::---` in the form that the kernel hands out.
fn acl(user: u32) -> Vec<u8> {
    let nobody = u32::MAX;
    let entries: [(u16, u16, u32); 5] = [
        (0x01, 6, nobody),
        (0x02, 4, user),
        (0x04, 0, nobody),
        (0x10, 4, nobody),
        (0x20, 0, nobody),
    ];
    let mut bytes = 2_u32.to_le_bytes().to_vec();
    for (tag, perm, id) in entries {
        bytes.extend(tag.to_le_bytes());
        bytes.extend(perm.to_le_bytes());
        bytes.extend(id.to_le_bytes());
    }
    bytes
}

fn kinds(fs: &mut MemoryFs) {
    let root = fs.root();
    let hard = fs.put(root, b"hard-1", file(b"hard\n"));
    fs.name(root, b"hard-2", hard);
    fs.put(root, b"link", link(b"hello.txt"));
    fs.put(root, b"dangling", link(b"/no/such/file"));
    fs.put(root, b"fifo", node(FileKind::Fifo));
    fs.put(root, b"socket", node(FileKind::Socket));
    fs.put(root, b"null", device(FileKind::CharDevice, 1, 3));
    fs.put(root, b"disk", device(FileKind::BlockDevice, 259, 0x12345));
    let unknown = fs.add(node(FileKind::Directory));
    fs.entry(root, b"dir-of-unknown-kind", unknown, None);
}

fn names(fs: &mut MemoryFs) {
    let root = fs.root();
    let dir = fs.mkdir(root, b"names");
    let names: [&[u8]; 12] = [
        b"a/b",
        b"\xff\xfe not text",
        b"new\nline",
        b"twice",
        b"twice",
        b"",
        b".",
        b"..",
        b"nul\0",
        b"\x1b[31mred",
        &[b'n'; 255],
        // Escaped this would be 1600 bytes, which the kernel does not take.
        &[0; 400],
    ];
    for name in names {
        fs.put(dir, name, file(name));
    }
}

fn broken(fs: &mut MemoryFs) {
    let root = fs.root();
    let dir = fs.mkdir(root, b"broken");
    fs.put(dir, b"before", file(b"before\n"));
    let mut node = file(b"unreachable");
    node.health = Health::Broken;
    fs.put(dir, b"broken-node", node.clone());
    node.health = Health::Panics;
    fs.put(dir, b"panic-node", node);
    let panics = vec![(0..KIB, Patch::Panic)];
    fs.put(dir, b"panic-read", file_of(Patchwork::new(KIB, panics)));
    let fault = Fault::new(DAMAGE, 0, "");
    fs.put(dir, b"locked", unopenable(Error::Locked(fault.clone())));
    fs.put(dir, b"unsupported", unopenable(Error::Unsupported(fault)));
    let mut short = file(b"short");
    short.metadata.size = 4096;
    fs.put(dir, b"two-sizes", short);
    fs.put(dir, b"after", file(b"after\n"));
    let damaged = fs.mkdir(root, b"damaged");
    fs.put(damaged, b"before", file(b"before\n"));
    fs.damage(damaged);
    fs.put(damaged, b"after", file(b"after\n"));
}

/// For measuring: one file of 1 GiB, a directory of 100 000 entries, 2000 directories of ten.
#[must_use]
pub fn large() -> MemoryFs {
    let mut fs = MemoryFs::new();
    let root = fs.root();
    fs.put(
        root,
        b"big",
        file_of(Patchwork::new(1024 * MIB, Vec::new())),
    );
    let flat = fs.mkdir(root, b"flat");
    for i in 0..100_000 {
        fs.put(flat, format!("file-{i:06}").as_bytes(), file(HELLO));
    }
    let tree = fs.mkdir(root, b"tree");
    for i in 0..2000 {
        let dir = fs.mkdir(tree, format!("dir-{i:04}").as_bytes());
        for j in 0..10 {
            let content = Patchwork::new(2 * KIB, Vec::new());
            fs.put(dir, format!("file-{j}").as_bytes(), file_of(content));
        }
    }
    fs
}
