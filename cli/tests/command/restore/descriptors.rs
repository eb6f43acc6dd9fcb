//! Descriptors of NTFS that find no room among the attributes of the destination: they are files beside the node.

use super::faithful::as_root;
use super::of_type;
use crate::place::Place;
use flr_tests::require::require;
use serde_json::Value;

const NEEDED: [&str; 8] = [
    "root",
    "fuse",
    "mount",
    "losetup",
    "mkfs.ext4",
    "ntfs-3g",
    "getfattr",
    "python3",
];

/// An ext4 with a block for the attributes of a node: the descriptor of a volume's root is larger.
const BUILD: &str =
    "truncate -s 32M small.img; mkfs.ext4 -q -b 4096 -I 256 -O ^ea_inode small.img; mkdir m";

/// Takes one partition out of the image, mounts it with ntfs-3g, and compares every attribute of every node with
/// what the restored tree has: an attribute, or a file beside it that only its owner may read.
const COMPARE: &str = r#"
import os, struct, subprocess, sys
image, number, out = sys.argv[1], int(sys.argv[2]), sys.argv[3]
with open(image, 'rb') as disk:
    disk.seek(1024 + 128 * (number - 1) + 32)
    first, last = struct.unpack('<QQ', disk.read(16))
    disk.seek(first * 512)
    open('part.img', 'wb').write(disk.read((last - first + 1) * 512))
os.makedirs('ntfs', exist_ok=True)
subprocess.run(['ntfs-3g', '-o', 'ro,streams_interface=none', 'part.img', 'ntfs'], check=True)
kinds = ['acl', 'attrib', 'times', 'reparse_data', 'object_id', 'dos_name']
held = beside = links = 0
def check(there, here, sidecar):
    global held, beside, links
    for kind in kinds:
        # Python guesses a size first, and ntfs-3g answers EIO to one that is too small.
        command = ['getfattr', '-h', '--absolute-names', '--only-values']
        command += ['-n', 'system.ntfs_' + kind, there]
        asked = subprocess.run(command, capture_output=True)
        if asked.returncode != 0:
            why = asked.stderr.decode().rsplit(': ', 1)[1].strip()
            # No name of DOS is told of a root.
            none = ['No such attribute', 'Operation not supported']
            none += ['Operation not permitted'] * (kind == 'dos_name')
            assert why in none, (there, kind, why)
            continue
        expected = asked.stdout
        file = sidecar + '.flr-ntfs_' + kind
        try:
            found = os.getxattr(here, 'user.ntfs_' + kind, follow_symlinks=False)
            held += 1
            assert not os.path.exists(file), file
        except OSError:
            found = open(file, 'rb').read()
            assert os.stat(file).st_mode & 0o7777 == 0o600, file
            beside += 1
            links += os.path.islink(here)
        assert found == expected, (there, kind, len(found), len(expected))
try:
    inside = sys.argv[4:] == ['inside']
    check('ntfs', out, out + '/' if inside else out)
    for dir, dirs, files in os.walk('ntfs'):
        for name in dirs + files:
            there = os.path.join(dir, name)
            here = os.path.join(out, os.path.relpath(there, 'ntfs'))
            if os.path.lexists(here): check(there, here, here)
finally:
    subprocess.run(['umount', 'ntfs'], check=True)
print(held, beside, links)
"#;

fn compared(said: &str) -> Vec<[u32; 3]> {
    let numbers = |line: &str| {
        let mut numbers = line.split(' ').map(|it| it.parse().unwrap());
        [(); 3].map(|()| numbers.next().unwrap())
    };
    said.lines().map(numbers).collect()
}

fn told(place: &Place, name: &str) -> Vec<Value> {
    let text = place.read(name);
    text.lines().map(crate::schema::check).collect()
}

/// Where the descriptors went, of lines of one type.
fn beside(lines: &[Value], kind: &str) -> Vec<String> {
    let destinations = of_type(lines, kind)
        .into_iter()
        .filter_map(|line| line["destination"].as_str().map(str::to_owned));
    let mut found: Vec<_> = destinations
        .filter(|it| it.contains(".flr-ntfs_"))
        .collect();
    found.sort();
    found
}

#[test]
fn every_descriptor_is_an_attribute_or_a_file_beside() {
    if !require(&NEEDED) {
        return;
    }
    let place = Place::new();
    std::fs::write(place.path("compare.py"), COMPARE).unwrap();
    let script = format!(
        "{BUILD}; mount -o loop small.img m; trap 'umount m' EXIT
        # F: is on another disk.
        flr --json restore windows-gpt.img:/ --to m/out > first 2> notes || [ $? = 3 ]
        python3 compare.py windows-gpt.img 3 m/out/C:
        python3 compare.py windows-gpt.img 5 m/out/E:
        flr restore windows-gpt.img:/C:/ --to m/c 2> inside || echo $? >&2
        python3 compare.py windows-gpt.img 3 m/c inside"
    );
    let said = as_root(&place, &script);
    assert_eq!((said.err.as_str(), said.code), ("", 0));
    let counts = compared(&said.out);
    assert_eq!(counts.len(), 3, "{}", said.out);
    for [held, beside, _] in &counts {
        assert!(*held > 5 && *beside > 0, "{}", said.out);
    }
    assert!(counts[0][2] > 0, "links have no room: {}", said.out);
    // Each is told, with its hash, and every one has its note; nothing is said to be lost.
    let first = told(&place, "first");
    let files = beside(&first, "restored");
    assert!(
        files.contains(&"m/out/C:.flr-ntfs_acl".to_owned()),
        "{files:?}"
    );
    for line in of_type(&first, "restored") {
        let destination = line["destination"].as_str().unwrap_or_default();
        if destination.contains(".flr-ntfs_") {
            assert_eq!(
                (&line["type"], &line["verified"]),
                (&"file".into(), &true.into()),
                "{line}"
            );
            assert_eq!(line["sha256"].as_str().map(str::len), Some(64), "{line}");
        }
    }
    let notes = told(&place, "notes");
    let named = notes.iter().filter(|it| it["code"] == "beside").count();
    assert_eq!(named, files.len());
    assert!(!notes.iter().any(|it| it["code"] == "xattr"), "{notes:?}");
    let inside = place.read("inside");
    let words =
        "system.ntfs_acl finds no room among the attributes there: it is in .flr-ntfs_acl\n";
    assert!(inside.contains(words), "{inside}");
}

#[test]
fn what_stands_beside_is_kept_mended_or_left() {
    if !require(&NEEDED) {
        return;
    }
    let place = Place::new();
    let script = format!(
        "{BUILD}; mount -o loop small.img m; trap 'umount m' EXIT
        restore='flr --json restore windows-gpt.img:/C: --to m'
        state() {{ (cd m; find . -name '*flr-ntfs_*' -exec sha256sum {{}} + | sort -k 2); }}
        $restore > first 2> log; state > whole; [ -s whole ]
        $restore > again 2> log; state | cmp whole -
        $restore --resume > resumed 2> log; state | cmp whole -
        rm m/C:.flr-ntfs_acl; $restore --resume > mended 2> log; state | cmp whole -
        printf x > m/C:.flr-ntfs_acl
        $restore > left 2> log || echo $?; cat m/C:.flr-ntfs_acl; echo
        $restore --overwrite always --backup .old > replaced 2> log
        cat m/C:.flr-ntfs_acl.old; echo; find m -name '*.old' -delete
        state | cmp whole -
        find m -name '.flr-*.tmp'"
    );
    let said = as_root(&place, &script);
    assert_eq!(
        (said.out.as_str(), said.err.as_str(), said.code),
        ("3\nx\nx\n", "", 0)
    );
    let first = beside(&told(&place, "first"), "restored");
    let acl = "m/C:.flr-ntfs_acl".to_owned();
    assert!(first.contains(&acl), "{first:?}");
    for name in ["again", "resumed"] {
        let lines = told(&place, name);
        assert_eq!(beside(&lines, "restored"), [""; 0], "{name}");
        assert!(beside(&lines, "skipped").contains(&acl), "{name}");
    }
    // Going on looks at every one of them.
    assert_eq!(beside(&told(&place, "resumed"), "skipped"), first);
    assert_eq!(
        beside(&told(&place, "mended"), "restored"),
        std::slice::from_ref(&acl)
    );
    let left = told(&place, "left");
    let conflict = of_type(&left, "skipped")
        .into_iter()
        .find(|line| line["destination"] == acl.as_str());
    assert_eq!(conflict.unwrap()["code"], "differs");
}
