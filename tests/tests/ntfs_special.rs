//! Links, devices, owners and attributes of NTFS: written through ntfs-3g, and read by both.

use flr_fs::{FileKind, Volume, XattrName};
use flr_recover::{OpenOptions, Point, Resolved, View};
use flr_tests::FileSource;
use flr_tests::image::scratch;
use flr_tests::require::require;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

/// Fills a volume in two mounts, one for each way in which ntfs-3g writes special files, and prints
/// what a third one shows.
const SCRIPT: &str = r#"
import os, socket, stat, struct, subprocess, sys

image, mount = sys.argv[1:]
def sh(*words):
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
def units(text): return text.encode('utf-16-le')
def point(tag, data): return struct.pack('<IHH', tag, len(data), 0) + data
def names(tag, target, flags=b''):
    sub, shown = units(target), units('shown')
    head = struct.pack('<HHHH', 0, len(sub), len(sub) + 2, len(shown))
    return point(tag, head + flags + sub + b'\0\0' + shown + b'\0\0')
def symlink(target, relative): return names(0xa000000c, target, struct.pack('<I', relative))
def eas(*pairs):
    out = b''
    for name, value in pairs:
        entry = struct.pack('<BBH', 0, len(name), len(value)) + name + b'\0' + value
        size = (4 + len(entry) + 3) & ~3
        out += (struct.pack('<I', size) + entry).ljust(size, b'\0')
    return out
def put(path, name, value): os.setxattr(path, 'system.ntfs_' + name, value, follow_symlinks=False)
def mounted(options, work):
    sh('ntfs-3g', '-o', options, image, mount)
    here = os.getcwd()
    try:
        os.chdir(mount)
        work()
    finally:
        os.chdir(here)
        sh('umount', mount)

def nodes(prefix):
    os.symlink('../some/ä/target', prefix + 'link')
    os.mknod(prefix + 'char', 0o644 | stat.S_IFCHR, os.makedev(5, 7))
    os.mknod(prefix + 'block', 0o600 | stat.S_IFBLK, os.makedev(8, 300))
    os.mkfifo(prefix + 'fifo')
    socket.socket(socket.AF_UNIX).bind(prefix + 'socket')

def fill():
    nodes('interix-')
    for name in ['plain', 'owned', 'rel', 'root', 'abs', 'volume', 'lx', 'cloud', 'appexec',
                 'dedup', 'unknown', 'hidden', 'Long name.text', 'bigea', 'own ea']:
        with open(name, 'w') as f: f.write(name)
    os.makedirs('dir/sub'); os.mkdir('junction'); os.mkdir('cloud folder')
    open('dir/sub/root', 'w').close()
    os.chown('owned', 1234, 5678); os.chmod('owned', 0o640)
    put('rel', 'reparse_data', symlink('.\\dir\\x', 1))
    put('dir/sub/root', 'reparse_data', symlink('\\plain', 1))
    put('root', 'reparse_data', symlink('\\dir\\sub', 1))
    put('abs', 'reparse_data', symlink('\\??\\c:\\plain', 0))
    put('volume', 'reparse_data', symlink('\\??\\Volume{a-b}\\x', 0))
    put('junction', 'reparse_data', names(0xa0000003, '\\??\\C:\\dir\\'))
    put('lx', 'reparse_data', point(0xa000001d, struct.pack('<I', 2) + b'../l\\x'))
    put('cloud', 'reparse_data', point(0x9000601a, b'made up'))
    put('cloud folder', 'reparse_data', point(0x9000601a, b'made up'))
    put('appexec', 'reparse_data', point(0x8000001b, b'\3\0\0\0'))
    put('dedup', 'reparse_data', point(0x80000013, b'made up'))
    put('unknown', 'reparse_data', point(0x8000ffff, b'made up'))
    put('plain', 'object_id', bytes(range(16)))
    put('plain', 'ea', eas((b'$LXUID', struct.pack('<I', 1000)),
                           (b'$LXGID', struct.pack('<I', 1001)),
                           (b'$LXMOD', struct.pack('<I', 0o100751))))
    put('own ea', 'ea', eas((b'FOO', b'bar'), (b'user.x', b''), (b'security.y', b'z'),
                            (b'user.FOO', b'no')))
    put('bigea', 'ea', eas(*[(b'N%d' % i, b'v' * 5000) for i in range(10)]))
    put('Long name.text', 'dos_name', b'LONGNA~1.TXT')
    put('hidden', 'attrib', struct.pack('<I', 0x2 | 0x1))
    put('dir', 'attrib', struct.pack('<I', 0x2 | 0x10))

asked = 'acl attrib attrib_be reparse_data dos_name times times_be crtime crtime_be ea'.split()
def show():
    paths = [os.path.join(top, name)[2:]
             for top, dirs, files in os.walk('.') for name in dirs + files]
    for path in sorted(paths):
        st = os.lstat(path)
        device = os.major(st.st_rdev), os.minor(st.st_rdev)
        print('node', path, format(st.st_mode, 'o'), *device, st.st_size, sep='\t')
        if stat.S_ISLNK(st.st_mode): print('link', path, os.readlink(path), sep='\t')
        for name in asked:
            # One call with room: ntfs-3g fails where the room is too small.
            ask = ['getfattr', '-h', '--only-values', '-n', 'system.ntfs_' + name, path]
            try: value = subprocess.run(ask, capture_output=True, check=True).stdout.hex()
            except subprocess.CalledProcessError: value = '-'
            print('attr', path, name, value, sep='\t')
        print('list', path, *os.listxattr(path, follow_symlinks=False), sep='\t')

open(image, 'w').truncate(16 << 20)
sh('mkntfs', '-F', '-q', '-Q', '-c', '4096', image)
mounted('special_files=interix,permissions', fill)
mounted('special_files=wsl,permissions', lambda: nodes('wsl-'))
mounted('permissions', show)
"#;

/// What ntfs-3g showed, and the view of the same volume.
struct Both {
    lines: Vec<Vec<String>>,
    view: Arc<View>,
}

/// `None`: this machine cannot make it.
fn both() -> Option<Both> {
    if !require(&[
        "root", "fuse", "unshare", "python3", "mkntfs", "ntfs-3g", "getfattr",
    ]) {
        return None;
    }
    let dir = tempfile::tempdir_in(scratch()).expect("a folder");
    let (image, mount) = (dir.path().join("image"), dir.path().join("mount"));
    std::fs::create_dir(&mount).expect("a folder");
    let shown = Command::new("unshare")
        .args(["--mount", "python3", "-c", SCRIPT])
        .args([&image, &mount])
        .env("LC_ALL", "C.UTF-8")
        .output()
        .expect("unshare");
    assert!(
        shown.status.success(),
        "{}",
        String::from_utf8_lossy(&shown.stderr)
    );
    let lines = String::from_utf8(shown.stdout).expect("text");
    let lines = lines
        .lines()
        .map(|line| line.split('\t').map(str::to_owned).collect());
    Some(Both {
        lines: lines.collect(),
        view: view_of(&image),
    })
}

fn view_of(image: &Path) -> Arc<View> {
    let file = std::fs::File::open(image).expect("the image");
    let disk = Volume::disk(Arc::new(FileSource::new(file)));
    let opened = Point::open(vec![disk], &OpenOptions::default());
    opened.guest().expect("the volume").view
}

impl Both {
    fn resolve(&self, path: &str) -> Resolved {
        let path = format!("/{path}");
        self.view.resolve(path.as_bytes(), false).expect(&path)
    }

    fn of_kind(&self, kind: &str) -> impl Iterator<Item = (&str, &[String])> {
        let lines = self.lines.iter().filter(move |line| line[0] == kind);
        lines.map(|line| (line[1].as_str(), &line[2..]))
    }

    fn target(&self, path: &str) -> String {
        let target = self.view.read_link(self.resolve(path).node).expect(path);
        String::from_utf8(target).expect("text")
    }

    fn xattr(&self, path: &str, name: &str) -> Option<Vec<u8>> {
        let name = XattrName::new(name.as_bytes());
        self.view.xattr(self.resolve(path).node, &name).expect(path)
    }
}

fn kind_of(mode: &str) -> FileKind {
    match u32::from_str_radix(mode, 8).expect("a mode") >> 12 {
        0o1 => FileKind::Fifo,
        0o2 => FileKind::CharDevice,
        0o4 => FileKind::Directory,
        0o6 => FileKind::BlockDevice,
        0o10 => FileKind::File,
        0o12 => FileKind::Symlink,
        0o14 => FileKind::Socket,
        other => panic!("{other:o}"),
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("room");
        text
    })
}

#[test]
fn special_files_and_attributes_are_what_ntfs_3g_shows() {
    let Some(both) = both() else { return };
    for (path, shown) in both.of_kind("node") {
        let metadata = both.resolve(path).metadata;
        // Tags that ntfs-3g has no plugin for are links to "unsupported reparse tag" there.
        if !matches!(
            path,
            "cloud" | "cloud folder" | "appexec" | "dedup" | "unknown"
        ) {
            assert_eq!(metadata.kind, kind_of(&shown[0]), "{path}");
        }
        let rdev = metadata
            .rdev
            .map_or((0, 0), |rdev| (rdev.major, rdev.minor));
        assert_eq!(
            format!("{} {}", rdev.0, rdev.1),
            shown[1..3].join(" "),
            "{path}"
        );
    }
    let links: BTreeMap<_, _> = both.of_kind("link").collect();
    for path in ["interix-link", "wsl-link", "lx"] {
        assert_eq!(both.target(path), links[path][0], "{path}");
    }
    let mut compared = 0;
    for (path, shown) in both.of_kind("attr") {
        let [name, expected] = shown else {
            panic!("{shown:?}")
        };
        let value = both.xattr(path, &format!("system.ntfs_{name}"));
        let value = value.map_or_else(|| "-".to_owned(), |value| hex(&value));
        assert_eq!(value, *expected, "{name} of {path}");
        compared += usize::from(*expected != "-");
    }
    assert!(compared > 150, "{compared}");
}

#[test]
fn targets_lead_inside_of_the_view() {
    let Some(both) = both() else { return };
    for (path, expected) in [
        ("rel", "./dir/x"),
        ("root", "dir/sub"),
        ("dir/sub/root", "../../plain"),
        ("abs", "/C:/plain"),
        ("volume", "/Volume{a-b}/x"),
        ("junction", "/C:/dir"),
    ] {
        assert_eq!(both.target(path), expected, "{path}");
        let size = both.resolve(path).metadata.size;
        assert_eq!(size, u64::try_from(expected.len()).expect("short"));
    }
    // Those without a drive are followed.
    let followed = both.view.resolve(b"/dir/sub/root", true).expect("a file");
    assert_eq!(followed.path, b"/plain");
}

#[test]
fn owners_of_wsl_and_attributes_of_windows() {
    let Some(both) = both() else { return };
    let plain = both.resolve("plain").metadata;
    assert_eq!((plain.uid, plain.gid, plain.mode), (1000, 1001, 0o751));
    // ntfs-3g keeps what mknod(1) would give, whatever mode it is asked for.
    assert_eq!(both.resolve("wsl-block").metadata.mode, 0o644);
    let flags = |path: &str| {
        both.resolve(path)
            .metadata
            .flags
            .words()
            .collect::<Vec<_>>()
    };
    assert_eq!(flags("hidden"), ["readonly", "hidden"]);
    let modes = ["hidden", "dir", "rel", "own ea"].map(|path| both.resolve(path).metadata.mode);
    assert_eq!(modes, [0o444, 0o755, 0o777, 0o644]);
    assert_eq!(flags("rel"), ["archive", "reparse"]);

    let names = |path: &str| {
        let names = both.view.xattr_names(both.resolve(path).node).expect(path);
        let names = names
            .iter()
            .map(|name| String::from_utf8_lossy(name.as_bytes()).into_owned());
        names.collect::<Vec<_>>()
    };
    assert_eq!(names("plain"), [""; 0]);
    assert_eq!(names("own ea"), ["user.FOO", "user.x", "security.y"]);
    assert_eq!(names("bigea").len(), 10);
    for (name, value) in [
        ("user.FOO", &b"bar"[..]),
        ("user.x", b""),
        ("security.y", b"z"),
    ] {
        assert_eq!(both.xattr("own ea", name).as_deref(), Some(value), "{name}");
    }
    assert_eq!(both.xattr("own ea", "user.none"), None);
    assert_eq!(both.xattr("own ea", "system.ntfs_none"), None);
    // ntfs-3g fills up what is not stored with zeros.
    let id: Vec<u8> = (0..16).collect();
    assert_eq!(both.xattr("plain", "system.ntfs_object_id"), Some(id));
}

#[test]
fn what_only_ntfs_knows_is_told() {
    let Some(both) = both() else { return };
    let told = |path: &str| {
        let all = both.view.particulars(both.resolve(path).node).expect(path);
        let pairs = all
            .into_iter()
            .map(|one| (one.name, String::from_utf8(one.text).expect("text")));
        pairs.collect::<BTreeMap<_, _>>()
    };
    // What ntfs-3g makes of user 1234 and group 5678 without a map of users.
    let owned = told("owned");
    assert_eq!(
        owned["owner_sid"],
        "S-1-5-21-3141592653-589793238-462843383-12468"
    );
    assert_eq!(
        owned["group_sid"],
        "S-1-5-21-3141592653-589793238-462843383-21357"
    );
    assert!(owned["security_id"].parse::<u32>().expect("a number") >= 256);
    assert_eq!(told("junction")["reparse_tag"], "MOUNT_POINT");
    assert_eq!(told("unknown")["reparse_tag"], "0x8000ffff");
    assert_eq!(told("Long name.text")["dos_name"], "LONGNA~1.TXT");
    assert_eq!(
        told("plain")["object_id"],
        "03020100-0504-0706-0809-0a0b0c0d0e0f"
    );
    assert!(!told("plain").contains_key("dos_name"));
}

#[test]
fn content_that_may_be_elsewhere_is_refused_by_name() {
    let Some(both) = both() else { return };
    let read = |path: &str| {
        let source = both.view.open(both.resolve(path).node)?;
        let mut bytes = vec![0; usize::try_from(source.size()).expect("small")];
        source.read_at(0, &mut bytes)?;
        Ok::<_, flr_recover::Error>(bytes)
    };
    // A cloud file that is here whole, and a file that only carries data for an app.
    assert_eq!(read("cloud").expect("whole"), b"cloud");
    assert_eq!(read("appexec").expect("whole"), b"appexec");
    for (path, text) in [("dedup", "DEDUP"), ("unknown", "0x8000ffff")] {
        let error = read(path).expect_err(path).to_string();
        assert!(error.contains(text), "{error}");
    }
    for path in ["rel", "wsl-fifo", "interix-char"] {
        assert!(read(path).is_err(), "{path}");
    }
    let folder = both.resolve("cloud folder").metadata;
    assert_eq!(folder.kind, FileKind::Directory);
}
