//! What is restored is what was there, as other programs see it.

use crate::place::{Place, Said};
use flr_tests::require::require;

/// Makes a filesystem with one of everything that a restore has to keep.
const BUILD: &str = r#"
truncate -s 64M all.img
mkfs.ext4 -q -b 4096 -I 256 all.img
mkdir m
mount -o loop all.img m
cd m
mkdir -p plain/deep/er closed sticky default times links holes
head -c 200000 /dev/urandom > plain/random
printf 'text\n' > plain/deep/er/text
: > plain/empty
printf a > 'plain/new
line'
printf a > "$(printf 'plain/not-\377-utf8')"
printf a > plain/$(printf 'n%.0s' $(seq 255))
ln -s /etc/passwd links/absolute
ln -s ../plain/random links/relative
ln -s nowhere links/dangling
chown -h 12:34 links/dangling
for n in 1 2 3 4; do ln plain/random links/hard-$n; done
ln plain/empty closed/same-empty
mkfifo links/fifo
mknod links/null c 1 3
mknod links/disk b 259 300
printf p > plain/program
chown 1000:100000 plain/program
chmod 6751 plain/program
printf c > plain/capable
setcap cap_net_raw+ep plain/capable
chmod 1777 sticky
chmod 000 closed
chown 65534:4294967290 closed
setfattr -n user.comment -v 'a comment' plain/random
setfattr -n user.binary -v 0x00ff00 plain/deep
setfattr -n trusted.overlay.opaque -v y plain/deep
label=0x73797374656d5f753a6f626a6563745f723a6574635f743a733000
setfattr -n security.selinux -v $label plain/deep/er/text
setfattr -h -n trusted.link -v y links/relative
setfacl -m u:1234:rwx,g:4321:r--,m::rw- plain/deep/er/text
setfacl -d -m u:77:r-x default
printf a > default/inherits
truncate -s 5M holes/all-hole
dd if=/dev/urandom of=holes/some bs=4k count=2 seek=100 status=none
truncate -s 3M holes/some
dd if=/dev/zero of=holes/stored-zeros bs=4k count=9 status=none
fallocate -l 1M holes/reserved
printf x > times/old; touch -d '1914-07-28 11:10:00.123456789' times/old
printf x > times/late; touch -d '2345-06-07 08:09:10.999999999' times/late
touch -h -d '2001-02-03 04:05:06.000000007' links/absolute
touch -d '2002-02-02 02:02:02.020202020' plain/deep/er times closed default
touch -d '2003-03-03 03:03:03.030303030' .
cd ..
umount m
"#;

/// Where data and holes begin, as the kernel says.
const HOLES: &str = r"
import os, sys
def edges(path):
    found, at, end = [], 0, os.stat(path).st_size
    fd = os.open(path, os.O_RDONLY)
    while at < end:
        try: start = os.lseek(fd, at, os.SEEK_DATA)
        except OSError: break
        at = os.lseek(fd, start, os.SEEK_HOLE)
        found.append((start, at))
    os.close(fd)
    return found
top = sys.argv[1]
for dir, dirs, files in os.walk(top):
    for name in files:
        path = os.path.join(dir, name)
        if os.path.isfile(path) and not os.path.islink(path):
            print(ascii(os.path.relpath(path, top)), edges(path))
";

/// Runs lines of shell in a mount namespace of their own, up to the first that fails.
pub(super) fn as_root(place: &Place, script: &str) -> Said {
    let said = place
        .program("unshare")
        .args(["-m", "sh", "-ec", script])
        .output()
        .unwrap();
    Said::of(&said)
}

#[test]
fn rsync_finds_nothing_to_change() {
    let needed = [
        "root",
        "mount",
        "losetup",
        "rsync",
        "setfacl",
        "setcap",
        "setfattr",
        "python3",
        "mkfs.ext4",
    ];
    if !require(&needed) {
        return;
    }
    let place = Place::new();
    let made = as_root(&place, BUILD);
    assert_eq!(made.code, 0, "{}", made.err);
    let args = [
        "restore",
        "all.img",
        "--to",
        "out",
        "--numeric",
        "--devices",
        "--setid",
    ];
    let said = place.run(&args);
    assert_eq!(said.code, 0, "{}", said.err);
    assert_eq!(said.err.lines().count(), 1, "no warning: {}", said.err);
    std::fs::write(place.path("holes.py"), HOLES).unwrap();
    let compare = "mount -o ro,loop all.img m
        rsync -aHAXSn --checksum --modify-window=-1 --delete --itemize-changes m/ out/
        python3 holes.py m | sort > holes-there; umount m
        python3 holes.py out | sort > holes-here";
    let said = as_root(&place, compare);
    assert_eq!(
        (said.out.as_str(), said.err.as_str(), said.code),
        ("", "", 0)
    );
    let there = place.read("holes-there");
    assert!(
        there.lines().count() >= 20 && there.contains("'holes/all-hole' []"),
        "{there}"
    );
    // Space that is reserved reads as zeros and holds nothing: it is a hole in the copy.
    let reserved = |text: &str| {
        let lines = text
            .lines()
            .filter(|line| !line.contains("'holes/reserved'"));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(reserved(&there), reserved(&place.read("holes-here")));
    // The comparison would have found a nanosecond, a bit and an attribute.
    for (change, found) in [
        ("touch -d '2003-03-03 03:03:03.030303031' out", ".d..t"),
        ("chmod 0700 out/plain", ".d...p"),
        (
            "setfattr -x user.comment out/plain/random",
            "x plain/random",
        ),
    ] {
        assert_eq!(place.shell(change).code, 0, "{change}");
        let said = as_root(&place, compare);
        assert!(said.out.contains(found), "{change}: {}", said.out);
    }
    // What was changed is in conflict, and going on mends what is ours.
    let said = place.run(&[&args[..], &["--overwrite", "always"]].concat());
    assert_eq!(said.code, 0, "{}", said.err);
}

#[test]
fn without_the_wish_for_them_no_rights_are_lent() {
    if !require(&[
        "root", "mount", "losetup", "setcap", "getcap", "setfacl", "setfattr",
    ]) {
        return;
    }
    let place = Place::new();
    assert_eq!(as_root(&place, BUILD).code, 0);
    let said = place.run(&["restore", "all.img", "--to", "out"]);
    assert_eq!(said.code, 3, "{}", said.err);
    for word in ["set-id bits 6000", "file capabilities", "a device or FIFO"] {
        assert!(said.err.contains(word), "{word}: {}", said.err);
    }
    let found = place.shell("stat -c %a out/plain/program; getcap out/plain/capable; ls out/links");
    assert!(found.out.starts_with("751\n"), "{}", found.out);
    assert!(
        !found.out.contains("cap_net_raw") && !found.out.contains("fifo"),
        "{}",
        found.out
    );
}

#[test]
fn owners_go_by_name_by_number_or_by_table() {
    if !require(&["root"]) {
        return;
    }
    let place = Place::new();
    // The image has bob as 1001; this machine has no bob, but others.
    let owner = |args: &[&str]| {
        let _gone = std::fs::remove_dir_all(place.path("out"));
        let fixed = ["restore", "web01.img:/home/bob", "--to", "out"];
        let said = place.run(&[&fixed[..], args].concat());
        assert_eq!(said.code, 0, "{}", said.err);
        let said = place.shell("stat -c '%u:%g' out/bob/Documents");
        said.out.trim().to_owned()
    };
    let stat = place.run(&["stat", "--json", "web01.img:/home/bob/Documents"]);
    let node: serde_json::Value = serde_json::from_str(stat.out.lines().next().unwrap()).unwrap();
    let (uid, gid) = (node["uid"].as_u64().unwrap(), node["gid"].as_u64().unwrap());
    assert_eq!(owner(&["--numeric"]), format!("{uid}:{gid}"));
    assert_eq!(owner(&["--owner", "none"]), "0:0");
    let table = format!("# Bob has gone.\nuser:{uid}:nobody\ngroup:*:4711\n");
    std::fs::write(place.path("table"), table).unwrap();
    assert_eq!(owner(&["--owner", "map", "--map", "table"]), "65534:4711");
    std::fs::write(place.path("table"), "user:bob:12\n").unwrap();
    assert!(owner(&["--owner", "map", "--map", "table"]).starts_with("12:"));
    for (table, why) in [
        ("user:1\n", "three fields"),
        ("users:1:2\n", "user or group"),
        ("user:1:no-such-user-here\n", "nobody here"),
        ("user:no-such-user-there:1\n", "nobody in the image"),
        ("user:1:2\nuser:1:3\n", "said otherwise"),
    ] {
        std::fs::write(place.path("table"), table).unwrap();
        let args = [
            "restore",
            "web01.img:/home",
            "--to",
            "x",
            "--owner",
            "map",
            "--map",
            "table",
        ];
        let said = place.run(&args);
        assert_eq!(said.code, 2, "{table}: {}", said.err);
        assert!(said.err.contains(why), "{table}: {}", said.err);
    }
}

#[test]
fn streams_and_descriptors_of_ntfs_come_along() {
    if !require(&["root", "python3"]) {
        return;
    }
    let place = Place::new();
    let said = place.run(&["restore", "ntfs-streams.img", "--to", "out"]);
    assert!(matches!(said.code, 0 | 3), "{}", said.err);
    // Every stream is an attribute, or a file beside, and has the content that ntfs-3g shows; so are
    // descriptors, attributes of DOS, and times to 100 nanoseconds.
    let script = r#"
import base64, hashlib, json, os, sys
def sha256(content): return hashlib.sha256(content).hexdigest()
kept = beside = descriptors = 0
for line in open(sys.argv[1]).readlines()[1:]:
    node = json.loads(line)
    path = node['path'].encode() if 'path' in node else base64.b64decode(node['path_b64'])
    path = b'out' + path
    if not os.path.lexists(path) or os.path.islink(path): continue
    for name, stream in node.get('streams', {}).items():
        name = name.encode()
        try: found, kept = os.getxattr(path, b'user.DosStream.' + name), kept + 1
        except OSError:
            if node['type'] != 'file': continue
            dir, last = os.path.split(path + b':' + name)
            if len(last) > 255:
                # Shortened, with a hash of the whole.
                last, = (it for it in os.listdir(dir) if it.startswith(last[:200]) and b'~' in it)
            found, beside = open(os.path.join(dir, last), 'rb').read(), beside + 1
        assert len(found) == stream['size'] and sha256(found) == stream['sha256'], (path, name)
    # Where there was room for it.
    try: acl = os.getxattr(path, 'user.ntfs_acl')
    except OSError: continue
    if 'acl_sha256' in node:
        assert sha256(acl).startswith(node['acl_sha256']), path
        descriptors += 1
    attrib = int.from_bytes(os.getxattr(path, 'user.ntfs_attrib'), 'little')
    assert attrib == int(node['attrib'], 16), path
    times = os.getxattr(path, 'user.ntfs_times')
    found = [int.from_bytes(times[at:at + 8], 'little') for at in range(0, 24, 8)]
    keys = ['btime_ns', 'mtime_ns', 'atime_ns']
    expected = [node[key] // 100 + 116444736000000000 for key in keys]
    assert found == expected, (path, found, expected)
assert descriptors > 2, descriptors
print(kept, beside)
"#;
    let golden = flr_tests::image::fixtures().join("trees/ntfs-streams.jsonl");
    let said = place
        .program("python3")
        .args(["-c", script])
        .arg(golden)
        .output()
        .unwrap();
    let said = Said::of(&said);
    assert_eq!(said.code, 0, "{}", said.err);
    let counts: Vec<u32> = said
        .out
        .split_whitespace()
        .map(|it| it.parse().unwrap())
        .collect();
    assert!(counts[0] > 20 && counts[1] > 0, "{}", said.out);
}

#[test]
fn streams_beside_a_file_are_read_back_and_made_again() {
    let place = Place::new();
    let text =
        "version = 1\n[defaults]\nowner = 'none'\n[[job]]\nfrom = 'ntfs-streams.img'\nto = 'out'\n";
    std::fs::write(place.path("jobs.toml"), text).unwrap();
    let run = || {
        let said = place.run(&["--json", "restore", "-f", "jobs.toml"]);
        assert!(matches!(said.code, 0 | 3), "{}", said.err);
        let told: Vec<_> = said.out.lines().map(crate::schema::check).collect();
        let files = super::of_type(&told, "restored").into_iter();
        let files = files.filter(|line| line["type"] == "file");
        let mut made: Vec<_> = files
            .map(|line| {
                assert!(
                    line["verified"] == true || line["hard_link"] == true,
                    "{line}"
                );
                line["destination"].as_str().unwrap_or_default().to_owned()
            })
            .collect();
        made.sort();
        let sums = place.read("SHA256SUMS");
        let mut sums: Vec<_> = sums.lines().map(str::to_owned).collect();
        sums.sort();
        (made, sums)
    };
    let (made, sums) = run();
    let larger = "out/large:larger".to_owned();
    assert!(made.contains(&larger) && sums.iter().any(|line| line.ends_with(&larger)));
    let (again, same) = run();
    assert_eq!(again, [""; 0]);
    assert_eq!(same, sums);
    // One bit of a stream, and a stream that is gone.
    place
        .shell("printf X | dd of=out/large:larger conv=notrunc status=none")
        .quiet();
    assert_eq!(run(), (vec![larger.clone()], sums.clone()));
    std::fs::remove_file(place.path(&larger)).unwrap();
    assert_eq!(run(), (vec![larger], sums));
}

#[test]
fn names_that_the_destination_refuses_get_others() {
    if !require(&[
        "root",
        "fuse",
        "mount",
        "losetup",
        "mkfs.ext4",
        "mkfs.ntfs",
        "ntfs-3g",
    ]) {
        return;
    }
    let place = Place::new();
    let build = r#"
truncate -s 16M names.img; mkfs.ext4 -q names.img; mkdir m; mount -o loop names.img m
printf 1 > 'm/a:b'; printf 3 > 'm/what?'; printf 4 > m/plain
mkdir 'm/dir.'; printf 5 > 'm/dir./in'
umount m
truncate -s 16M windows.img; mkfs.ntfs -F -Q -q windows.img
ntfs-3g -o windows_names,permissions windows.img m
flr --json restore names.img --to m/out > lines || echo "ended with $?"
cd m/out; for f in *; do [ -d "$f" ] || printf '%s %s\n' "$f" "$(cat "$f")"; done
cat dir%2E/in; cd ../..; umount m
"#;
    let said = as_root(&place, build);
    assert_eq!(said.out, "a%3Ab 1\nplain 4\nwhat%3F 3\n5", "{}", said.err);
}
