//! Named streams and what else ntfs-3g shows as attributes, through a mount and in an archive copy.

use crate::place::{Place, Said};
use flr_tests::require::require;

/// Mounts the image by ntfs-3g beside the mount of flr, and prints what either shows: attributes of each
/// path, a stream that is called the way ntfs-3g calls it as one of ours.
const SCRIPT: &str = r#"
import os, subprocess, sys
image, theirs, ours = sys.argv[1:]
subprocess.run(['ntfs-3g', '-o', 'ro,streams_interface=xattr', image, theirs], check=True)
system = 'acl attrib attrib_be reparse_data dos_name times times_be crtime crtime_be ea none'

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
            if one.returncode == 0 and one.stdout == other.stdout: print('same')
            elif name == 'user.larger' and b'Argument list too long' in one.stderr: print('long')
            else: print('differs', path, stream, one.stderr, len(one.stdout), len(other.stdout))
        if listed != expected: print('differs', path, listed ^ expected)
        for name in system.split():
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

#[test]
fn an_archive_keeps_streams_as_attributes() {
    if !require(&["root", "getfattr"]) {
        return;
    }
    let place = Place::new();
    let attributes = |path: &str| {
        let said = place.shell(&format!("getfattr {path} | grep -v '^#'"));
        let mut names: Vec<_> = said.out.lines().map(str::to_owned).collect();
        names.retain(|name| !name.is_empty());
        names.sort();
        names
    };
    let kept = |name: &str| format!("user.DosStream.{name}");
    let copied = place.run(&["cp", "-a", "ntfs-streams.img:/", "out"]);
    assert_eq!(
        (copied.code, copied.out.as_str()),
        (0, ""),
        "{}",
        copied.err
    );
    assert_eq!(
        place.names("out"),
        ["dir", "large", "many", "no-main", "one"]
    );
    assert_eq!(attributes("out/dir"), [kept("on-a-directory")]);
    assert_eq!(attributes("out/no-main"), [kept("only")]);
    assert_eq!(
        attributes("out/one"),
        [kept("Zone.Identifier"), kept("näme 中😀")]
    );
    let value = "getfattr --only-values -n user.DosStream.Zone.Identifier out/one";
    assert_eq!(place.shell(value).out, "[ZoneTransfer]\r\nZoneId=3\r\n");
    // One attribute holds 64 KiB, and a name 255 bytes.
    assert_eq!(attributes("out/large"), [kept("empty")]);
    for warning in [
        "/large: :larger is not kept: 90000 bytes, more than an attribute holds\n",
        "lll is not kept: no attribute can be called so\n",
    ] {
        assert!(copied.err.contains(warning), "{}", copied.err);
    }
    let plain = place.run(&["cp", "ntfs-streams.img:/one", "plain"]);
    assert_eq!(plain.quiet(), "");
    assert_eq!(attributes("plain"), [""; 0]);
}
