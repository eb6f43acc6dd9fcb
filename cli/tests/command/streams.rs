//! Named streams and what else ntfs-3g shows as attributes, through a mount.

use crate::place::{Place, Said};
use flr_tests::require::require;

/// Mounts the image by ntfs-3g beside the mount of flr, and prints what either shows: attributes of each
/// path, a stream that is called the way ntfs-3g calls it as one of ours.
const SCRIPT: &str = r#"
import os, subprocess, sys
image, theirs, ours = sys.argv[1:]
subprocess.run(['ntfs-3g', '-o', 'ro,streams_interface=xattr', image, theirs], check=True)
system = 'acl attrib attrib_be reparse_data dos_name times times_be crtime crtime_be ea none'.split()

def ask(path, name):
    # One call with room: ntfs-3g fails where the room is too small.
    words = ['getfattr', '-h', '--only-values', '-n', name, path]
    return subprocess.run(words, capture_output=True)

for top, dirs, files in os.walk(ours):
    for path in [os.path.join(top, name) for name in dirs + files]:
        beside = theirs + path[len(ours):]
        listed = set(os.listxattr(path, follow_symlinks=False))
        expected = set()
        for name in os.listxattr(beside, follow_symlinks=False):
            stream = 'user.DosStream.' + name.removeprefix('user.')
            if len(os.fsencode(stream)) > 255: continue
            expected.add(stream)
            one, other = ask(path, stream), ask(beside, name)
            size = os.stat(beside).st_size
            if one.returncode == 0 and one.stdout == other.stdout: print('same')
            elif b'Argument list too long' in one.stderr and len(other.stdout) in (0, 90000): print('long')
            else: print('differs', path, stream, one.stderr, len(one.stdout), len(other.stdout))
        if listed != expected: print('differs', path, listed ^ expected)
        for name in system:
            one, other = ask(path, 'system.ntfs_' + name), ask(beside, 'system.ntfs_' + name)
            same = one.returncode == other.returncode and one.stdout == other.stdout
            print('same' if same else 'differs', *([] if same else [path, name, one, other]))
subprocess.run(['umount', theirs], check=True)
"#;

#[test]
fn a_mount_shows_the_attributes_that_ntfs_3g_shows() {
    if !require(&["root", "fuse", "unshare", "python3", "ntfs-3g", "getfattr"]) {
        return;
    }
    let place = Place::new();
    for dir in ["ours", "theirs"] {
        std::fs::create_dir(place.path(dir)).unwrap();
    }
    let mounted = place.run(&["mount", "ntfs-streams.img", "ours"]);
    assert_eq!(mounted.code, 0, "{}", mounted.err);
    let mut script = place.program("unshare");
    script.args(["--mount", "python3", "-c", SCRIPT]);
    script.arg(std::fs::canonicalize(place.path("ntfs-streams.img")).unwrap());
    let said = script
        .args([place.path("theirs"), place.path("ours")])
        .output();
    let said = Said::of(&said.unwrap());
    let gone = place.run(&["umount", "ours"]);
    assert_eq!((said.code, gone.code), (0, 0), "{} {}", said.err, gone.err);
    let count = |what: &str| {
        said.out
            .lines()
            .filter(|line| line.starts_with(what))
            .count()
    };
    assert_eq!(count("differs"), 0, "{}", said.out);
    assert_eq!(count("long"), 1, "{}", said.out);
    assert!(count("same") > 150, "{}", said.out);
}
