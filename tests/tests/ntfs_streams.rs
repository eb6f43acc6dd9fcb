//! Named streams of NTFS by address, against what ntfs-3g read from them.

use flr_fs::{FileKind, Volume};
use flr_recover::address::Address;
use flr_recover::error::Error;
use flr_recover::{OpenOptions, Point, Target, follow};
use flr_tests::content::sha256;
use flr_tests::golden::Golden;
use flr_tests::image::{FileSource, image_path, scratch};
use flr_tests::require::require;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

fn open(image: &Path) -> Arc<Point> {
    let file = std::fs::File::open(image).expect("the image");
    let disk = Volume::disk(Arc::new(FileSource::new(file)));
    Point::open(vec![disk], &OpenOptions::default())
}

fn go(point: &Arc<Point>, path: &[u8]) -> Result<Target, Error> {
    let text = [b"x.img:", path].concat();
    let address = Address::parse(OsStr::from_bytes(&text), &[]).expect("an address");
    let options = OpenOptions::default();
    follow(point, &address.locator, &options, true).map_err(|lost| lost.error)
}

/// The hash and the length of what a path leads to.
fn content(target: &Target) -> (String, u64) {
    let source = (target.opened.view.open(target.resolved.node)).expect("content");
    let all = [(0, source.size())];
    (sha256(source.as_ref(), &all).expect("bytes"), source.size())
}

#[test]
fn every_stream_that_ntfs_3g_lists_has_an_address() {
    let mut compared = 0;
    for name in ["ntfs-streams", "ntfs-fragmented", "ntfs-lznt1"] {
        let point = open(&image_path(name));
        for (path, node) in &Golden::load(name).nodes {
            let target = go(&point, path).expect("a node");
            let listed = (target.opened.view.streams(target.resolved.node)).expect("streams");
            let mut listed: Vec<_> = listed
                .into_iter()
                .map(|stream| (String::from_utf8(stream.name).expect("text"), stream.size))
                .collect();
            listed.sort();
            let streams: Vec<_> = node.streams.iter().flatten().collect();
            let expected: Vec<_> = (streams.iter())
                .map(|(name, stream)| ((*name).clone(), stream.size))
                .collect();
            assert_eq!(listed, expected, "{name} {path:?}");
            for (stream, expected) in streams {
                let address = [path.as_slice(), b":", stream.as_bytes()].concat();
                for end in ["", ":$DATA"] {
                    let typed = [&address, end.as_bytes()].concat();
                    let found = go(&point, &typed).expect("a stream");
                    assert_eq!(found.resolved.path, address);
                    assert_eq!(found.resolved.metadata.kind, FileKind::File);
                    assert_eq!(found.resolved.metadata.size, expected.size);
                    let (sum, size) = content(&found);
                    assert_eq!(size, expected.size, "{name} {address:?}");
                    if let Some(expected) = &expected.sha256 {
                        assert_eq!(&sum, expected, "{name} {address:?}");
                        compared += 1;
                    }
                }
            }
        }
    }
    assert!(compared > 190, "{compared}");
}

#[test]
fn an_address_of_a_stream_follows_the_rules_of_windows() {
    let point = open(&image_path("ntfs-streams"));
    let same = |one: &str, other: &str| {
        let one = content(&go(&point, one.as_bytes()).expect(one));
        let other = content(&go(&point, other.as_bytes()).expect(other));
        assert_eq!(one, other);
    };
    same("/one:zone.IDENTIFIER", "/one:Zone.Identifier");
    same("/ONE:Zone.Identifier:$data", "/one:Zone.Identifier");
    same("/one::$DATA", "/one");
    same("/dir/../one:Zone.Identifier", "/one:Zone.Identifier");
    for path in [
        "/one:",
        "/one:none",
        "/none:Zone.Identifier",
        "/dir::$DATA",
        "/one:$DATA",
        "/dir:on-a-directory/in-it",
        "/one:Zone.Identifier/",
    ] {
        let error = go(&point, path.as_bytes()).expect_err(path);
        assert!(matches!(error, Error::NotFound(_)), "{path}: {error}");
    }
    let Err(Error::NotFound(missing)) = go(&point, b"/large:none") else {
        panic!("a stream that is not there");
    };
    assert_eq!(
        missing.nearest,
        [b"large:empty".to_vec(), b"large:larger".to_vec()]
    );
}

/// A file `a` with a stream `b`, and a file `a:b`.
const COLONS: &str = r#"
import os, subprocess, sys
image, mount = sys.argv[1:]
def sh(*words):
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
open(image, 'w').truncate(8 << 20)
sh('mkntfs', '-F', '-q', '-Q', image)
sh('ntfs-3g', '-o', 'streams_interface=none', image, mount)
for name in ['a', 'a:b', 'c:d']:
    with open(mount + '/' + name, 'w') as f: f.write('file ' + name)
sh('umount', mount)
sh('ntfs-3g', '-o', 'streams_interface=xattr', image, mount)
for file, name in [('a', 'b'), ('a', 'c'), ('c:d', 'e')]:
    os.setxattr(mount + '/' + file, 'user.' + name, b'stream ' + name.encode())
sh('umount', mount)
"#;

#[test]
fn a_name_with_a_colon_outranks_a_stream() {
    if !require(&["root", "fuse", "unshare", "python3", "mkntfs", "ntfs-3g"]) {
        return;
    }
    let dir = tempfile::tempdir_in(scratch()).expect("a folder");
    let (image, mount) = (dir.path().join("image"), dir.path().join("mount"));
    std::fs::create_dir(&mount).expect("a folder");
    let mut script = Command::new("unshare");
    script.args(["--mount", "python3", "-c", COLONS]);
    let made = script.args([&image, &mount]).output().expect("unshare");
    let said = String::from_utf8_lossy(&made.stderr);
    assert!(made.status.success(), "{said}");
    let point = open(&image);
    for (path, expected) in [
        ("/a", "file a"),
        ("/a:b", "file a:b"),
        ("/a:b:$DATA", "stream b"),
        ("/a:c", "stream c"),
        ("/c:d", "file c:d"),
        ("/c:d:e", "stream e"),
    ] {
        let target = go(&point, path.as_bytes()).expect(path);
        let source = (target.opened.view.open(target.resolved.node)).expect(path);
        let mut bytes = vec![0; usize::try_from(source.size()).expect("short")];
        source.read_at(0, &mut bytes).expect(path);
        assert_eq!(String::from_utf8(bytes).expect("text"), expected, "{path}");
    }
}

#[test]
fn the_compressed_form_of_a_file_is_not_listed_as_a_stream() {
    let point = open(&image_path("ntfs-wof"));
    for (path, is_stored) in [("/xpress4k", true), ("/lzx", true), ("/lost", false)] {
        let file = go(&point, path.as_bytes()).expect(path);
        let streams = (file.opened.view.streams(file.resolved.node)).expect(path);
        assert_eq!(streams, [], "{path}");
        let stored = go(&point, format!("{path}:WofCompressedData").as_bytes());
        assert_eq!(stored.is_ok(), is_stored, "{path}");
    }
}

#[test]
fn other_filesystems_have_no_streams() {
    let point = open(&image_path("ext4-4k"));
    let golden = Golden::load("ext4-4k");
    let (path, _) = (golden.nodes.iter())
        .find(|(_, node)| node.sha256.is_some())
        .expect("a file");
    for end in [":stream", "::$DATA"] {
        let error = go(&point, &[path, end.as_bytes()].concat()).expect_err("no streams");
        assert!(matches!(error, Error::NotFound(_)), "{error}");
    }
}
