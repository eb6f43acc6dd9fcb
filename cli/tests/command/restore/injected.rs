//! Every call that a restore makes in its destination fails once with `EIO`, `ENOSPC` and `EDQUOT`: nothing half
//! stands under its name, the exit code is the documented one, and the next run makes the whole tree.

use super::faithful::as_root;
use crate::place::{Place, Said};
use flr_tests::require::require;

/// A tree of 32 files in four directories, with what needs each of the calls. Calls are counted in each thread by
/// itself: of at most four that copy, one has eight files at least.
const BUILD: &str = r#"
mkdir -p tree/a tree/b tree/c; cd tree
for n in $(seq 8); do for dir in . a b c; do
    printf "$dir $n" > $dir/file-$n; chmod 640 $dir/file-$n; chown 12:34 $dir/file-$n
    setfattr -n user.number -v $n $dir/file-$n; touch -d "2001-02-03 04:05:0$n" $dir/file-$n
done; done
ln -s file-1 a/link; ln -s nowhere b/link; ln file-1 c/again
cd ..; truncate -s 16M tree.img; mke2fs -q -t ext4 -d tree tree.img
"#;

/// Without these there is no file, and nothing more can be written: the restore ends with 1.
const ENDING: [(&str, u32); 6] = [
    ("openat", 8),
    ("pwrite64", 8),
    ("fdatasync", 8),
    ("renameat2", 8),
    ("mkdirat", 3),
    ("symlinkat", 2),
];

/// What these do is a part of what a file has: the file is there, its content too, and a warning tells.
const WARNING: [(&str, u32, &str); 5] = [
    ("fchmod", 8, "the mode is not kept"),
    ("fchown", 8, "owners are not kept"),
    ("fsetxattr", 8, "user.number is not kept"),
    ("utimensat", 8, "the times are not kept"),
    ("linkat", 1, "copied once more instead of a hard link"),
];

const WHAT: [&str; 5] = ["restore", "tree.img", "--to", "out", "--verify=disk"];

fn injected(place: &Place, call: &str, error: &str, nth: u32) -> Said {
    let mut command = place.program("strace");
    command.args(["-f", "-qq", "-o", "trace"]);
    command.args(["-e", &format!("trace={call}")]);
    command.args(["-e", &format!("inject={call}:error={error}:when={nth}")]);
    if call == "openat" {
        // Only what is opened in a directory of the destination.
        for dir in ["out", "out/a", "out/b", "out/c"] {
            command.args(["-P", &format!("{}/{dir}", place.name())]);
        }
    }
    command.arg(env!("CARGO_BIN_EXE_flr")).args(WHAT);
    let said = Said::of(&command.output().unwrap());
    let trace = place.read("trace");
    assert!(trace.contains("(INJECTED)"), "{call} {nth}: {}", said.err);
    said
}

/// Compares what stands there with the whole tree.
fn check(place: &Place, what: &str, script: &str) {
    let said = place.shell(script);
    let found = (said.out.as_str(), said.err.as_str(), said.code);
    assert_eq!(found, ("", "", 0), "{what}");
}

const NOTHING_HALF: &str = "[ ! -e out ] || { cd out; find . -name '.flr-*'; find . -type f -exec \
    sh -c 'cmp -s \"$1\" ../whole/\"$1\" || echo \"$1\"' _ {} \\; ; }";

const WHOLE: &str = "touch -r whole out; \
    rsync -aHAXn --checksum --modify-window=-1 --delete --itemize-changes whole/ out/";

/// Returns how many calls have failed.
fn every_call_fails_once(error: &str) -> u32 {
    let place = Place::new();
    let made = as_root(&place, BUILD);
    assert_eq!(made.code, 0, "{}", made.err);
    let said = place.run(&["restore", "tree.img", "--to", "whole"]);
    assert_eq!(
        (said.code, said.err.lines().count()),
        (0, 1),
        "{}",
        said.err
    );
    let mut failed = 0;
    let mut point = |call: &str, nth: u32, code: i32, words: &str, again: &[&str]| {
        let what = format!("{error} at {call} {nth}");
        let said = injected(&place, call, error, nth);
        assert_eq!(said.code, code, "{what}: {}", said.err);
        assert!(said.err.contains(words), "{what}: {}", said.err);
        check(&place, &what, NOTHING_HALF);
        let said = place.run(&[&WHAT[..4], again].concat());
        assert_eq!(said.code, 0, "{what}: {}", said.err);
        check(&place, &what, WHOLE);
        std::fs::remove_dir_all(place.path("out")).unwrap();
        failed += 1;
    };
    for (call, count) in ENDING {
        for nth in 1..=count {
            // The first directory is the destination itself: nothing has begun.
            let words = match (error, call, nth) {
                ("EIO", ..) | (_, "mkdirat", 1) => "flr: ",
                _ => "--resume",
            };
            point(call, nth, 1, words, &["--resume"]);
        }
    }
    for (call, count, words) in WARNING {
        for nth in 1..=count {
            point(call, nth, 0, words, &["--overwrite", "always"]);
        }
    }
    failed
}

const NEEDED: [&str; 5] = ["root", "strace", "rsync", "mke2fs", "setfattr"];

#[test]
fn errors_of_the_disk_leave_nothing_half() {
    if require(&NEEDED) {
        assert_eq!(every_call_fails_once("EIO"), 70);
    }
}

#[test]
fn a_full_disk_leaves_nothing_half() {
    if require(&NEEDED) {
        assert_eq!(every_call_fails_once("ENOSPC"), 70);
    }
}

#[test]
fn a_quota_that_is_used_up_leaves_nothing_half() {
    if require(&NEEDED) {
        assert_eq!(every_call_fails_once("EDQUOT"), 70);
    }
}

/// A filesystem behind FUSE or a network may tell only of a sync that what it took found no room.
#[test]
fn behind_fuse_a_file_is_synced_before_it_is_read_back() {
    if !require(&["root", "fuse", "mount", "strace", "mkfs.ntfs", "ntfs-3g"]) {
        return;
    }
    let place = Place::new();
    let script = "truncate -s 16M w.img; mkfs.ntfs -F -Q -q w.img; mkdir m
        ntfs-3g w.img m; trap 'umount m' EXIT
        restore='flr restore web01.img:/etc --to'
        trace() { strace -f -qq -y -o $1 -e trace=fdatasync,pread64 $2 $restore m/$1 2> told; }
        trace kept ''; find m/kept -type f | wc -l
        trace full '-e inject=fdatasync:error=ENOSPC' || echo $?
        find m/full -type f; grep -q -e '--resume' told && echo told";
    let said = as_root(&place, script);
    let lines: Vec<_> = said.out.lines().collect();
    let [files, "1", "told"] = lines[..] else {
        panic!("{} {}", said.out, said.err);
    };
    // The first that is done with a file once it is written.
    let trace = place.read("kept");
    let mut synced = std::collections::HashSet::new();
    for line in trace.lines().filter(|line| line.contains("/.flr-")) {
        let (call, rest) = line.split_once('<').unwrap();
        let (file, _) = rest.split_once('>').unwrap();
        match call.contains("fdatasync") {
            true => assert!(synced.insert(file), "{line}"),
            false => assert!(synced.contains(file), "{line}"),
        }
    }
    assert_eq!(synced.len(), files.parse::<usize>().unwrap());
}
