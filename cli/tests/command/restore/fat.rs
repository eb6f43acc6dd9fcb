//! FAT as the destination, by the kernel's own driver; where the kernel has none, by that of a User-mode Linux
//! (`scripts/test-servers`).

use super::faithful::as_root;
use crate::place::{Place, Said};
use flr_tests::require::{has, require};
use std::path::Path;

/// A tree with what FAT has no place for.
const BUILD: &str = r"
mkdir tree; cd tree
printf 1 > 'a:b'; printf 2 > 'what?'; mkdir 'dir.'; printf 3 > 'dir./in'
printf upper > NAME; printf lower > name
mkdir Docs docs; printf one > Docs/file; printf other > docs/FILE
printf p > secret; chmod 600 secret
printf o > old; touch -d '1914-07-28 11:10:00' old
printf o > odd; touch -d '2021-03-04 05:06:07.891234567' odd
ln -s odd link; ln odd again
truncate -s 4G large
head -c 300000 /dev/urandom > data
cd ..
truncate -s 128M source.img; mke2fs -q -t ext4 -d tree source.img
truncate -s 64M fat.img; mkfs.vfat -F 32 fat.img > log; mkdir m
";

/// Runs lines of shell as root in a kernel with FAT; `None`: there is none.
fn with_fat(place: &Place, script: &str) -> Option<Said> {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools/uml/usr");
    let kernel = tools.join("bin/linux.uml");
    if has("vfat") || !kernel.exists() {
        return require(&["vfat"]).then(|| as_root(place, script));
    }
    let (folder, modules) = (place.name(), tools.join("lib/uml/modules"));
    let said = place.path("said");
    let bin = Path::new(env!("CARGO_BIN_EXE_flr")).parent().unwrap();
    let init = format!(
        "#!/bin/sh
export PATH={}:/usr/sbin:/usr/bin:/sbin:/bin TZ=UTC LC_ALL=C.UTF-8 XDG_STATE_HOME={folder}/state
mount -t proc proc /proc; mount -t sysfs sys /sys; cd {folder}
python3 load.py {}/*/kernel
sh -ec \"$(cat script)\" > out.txt 2> err.txt; echo $? > code.txt
echo o > /proc/sysrq-trigger; sleep 60\n",
        bin.display(),
        modules.display(),
    );
    let _gone = std::fs::remove_file(&said);
    for (name, text) in [
        ("init", init.as_str()),
        ("script", script),
        ("load.py", LOAD),
    ] {
        std::fs::write(place.path(name), text).unwrap();
    }
    std::fs::set_permissions(
        place.path("init"),
        std::os::unix::fs::PermissionsExt::from_mode(0o755),
    )
    .unwrap();
    let init = format!("init={folder}/init");
    let args = [
        "120",
        kernel.to_str().unwrap(),
        "mem=256M",
        "rootfstype=hostfs",
        "rw",
        "con=null",
        "con0=null",
        &init,
    ];
    let ended = place.program("timeout").args(args).output().unwrap();
    let code = std::fs::read_to_string(place.path("code.txt"));
    let code = code.unwrap_or_else(|error| panic!("{error}: {ended:?}"));
    std::fs::remove_file(place.path("code.txt")).unwrap();
    Some(Said {
        out: place.read("out.txt"),
        err: place.read("err.txt"),
        code: code.trim().parse().unwrap(),
    })
}

/// Loads modules, as insmod(8), which not every machine has.
const LOAD: &str = r#"
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
names = 'fs/fat/fat fs/fat/vfat fs/nls/nls_cp437 fs/nls/nls_iso8859-1 fs/nls/nls_ascii'
for name in (names + ' drivers/block/loop').split():
    path = os.path.join(sys.argv[1], name + '.ko')
    if os.path.exists(path):
        libc.syscall(313, os.open(path, os.O_RDONLY), b'', 0)
"#;

/// Restores five times: to an empty place, over that, going on after another mount, over what has changed, and
/// one file alone. `show` says how files stand; only the first time anything may change.
const RUN: &str = r"
show() { (cd m/out; find . -type f | sort | while read -r name; do
    printf '%s %s\n' $name $(head -c 40 $name | sha256sum | head -c 8); done); }
restore='flr restore source.img --to m/out'
mount -o loop fat.img m
$restore 2> first || echo $?
show > shown; cat shown; ls -A m/out | grep flr || true
$restore --overwrite always 2> second || echo $?
show | cmp shown -; umount m; mount -o loop fat.img m
flr --json restore source.img --to m/out --resume > third 2> told || echo $?
show | cmp shown -
$restore --overwrite if-changed 2> fourth || echo $?
show | cmp shown -
flr --json restore source.img --to m/out -n --overwrite if-changed > plan 2> told || echo $?
flr restore source.img:/large --to m/alone 2> alone || echo $?
ls -A m/alone; umount m
";

/// What stands there at the end, in small letters.
const EXPECTED: [&str; 10] = [
    "./a%3ab",
    "./again",
    "./data",
    "./dir%2e/in",
    "./docs/file",
    "./name",
    "./odd",
    "./old",
    "./secret",
    "./what%3f",
];

#[test]
fn fat_takes_what_it_can_and_the_rest_is_told() {
    let needed = [
        "root",
        "mke2fs",
        "mkfs.vfat",
        "losetup",
        "timeout",
        "python3",
    ];
    if !require(&needed) {
        return;
    }
    let place = Place::new();
    let made = place.shell(BUILD);
    assert_eq!(made.code, 0, "{}", made.err);
    let Some(said) = with_fat(&place, RUN) else {
        return;
    };
    assert_eq!((said.err.as_str(), said.code), ("", 0));
    // Four times something is missing, and the large file alone is a failure.
    let (shown, codes): (Vec<_>, Vec<_>) = said.out.lines().partition(|line| line.contains(' '));
    assert_eq!(codes, ["3", "3", "3", "3", "1"], "{}", said.out);
    let shown: Vec<_> = shown
        .iter()
        .filter_map(|line| line.split_once(' '))
        .collect();
    let mut names: Vec<_> = shown.iter().map(|(name, _)| name.to_lowercase()).collect();
    names.sort();
    assert_eq!(names, EXPECTED);
    // Of two that are one here, the first one stands, whole.
    for (name, content) in [
        ("./NAME", "upper"),
        ("./name", "lower"),
        ("./Docs/file", "one"),
        ("./docs/FILE", "other"),
    ] {
        let hash = place
            .shell(&format!("printf {content} | sha256sum | head -c 8"))
            .quiet();
        for (_, found) in shown.iter().filter(|(shown, _)| *shown == name) {
            assert_eq!(*found, hash, "{name}");
        }
    }
    let third = place.read("third");
    let third: Vec<_> = third.lines().map(crate::schema::check).collect();
    let verified = third
        .iter()
        .filter(|line| line["code"] == "verified")
        .count();
    // What was cut to two seconds is the same file; the time of `old` could not be kept.
    assert_eq!(verified, EXPECTED.len() - 1, "{third:#?}");
    told_once(&place.read("first"));
    // What has another name here is known by that to a plan.
    let plan = place.read("plan");
    let plan: Vec<_> = plan.lines().map(crate::schema::check).collect();
    for name in ["a%3Ab", "what%3F", "dir%2E/in"] {
        let destination = format!("m/out/{name}");
        let told = plan.iter().find(|line| line["destination"] == *destination);
        assert_eq!(told.unwrap()["code"], "unchanged", "{name}");
    }
}

fn told_once(told: &str) {
    for (words, count) in [
        ("the same to this filesystem", 2),
        ("no file on this filesystem more than 4294967295", 1),
        ("there are no symbolic links on this filesystem", 1),
        ("this filesystem has no such permission bits", 1),
        ("this filesystem has no such time", 1),
        ("copied once more instead of a hard link", 1),
        ("has another name here", 3),
    ] {
        assert_eq!(told.matches(words).count(), count, "{words}: {told}");
    }
}
