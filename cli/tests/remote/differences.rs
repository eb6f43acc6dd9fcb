//! Differences between two snapshots of a volume whose disks a kernel wrote: against what rsync says of both, and
//! what was fetched for it, as the server counted.

use crate::schema::check;
use crate::stage::{HOUR, NOON, Said, Stage};
use flr_tests::aws_fake::{Blocks, Snapshot, Volume};
use flr_tests::require::require;
use std::collections::BTreeSet;
use std::io::Read;

const NEEDS: [&str; 8] = [
    "root", "loop", "unshare", "mke2fs", "sfdisk", "python3", "rsync", "filefrag",
];

const VOLUME: &str = "vol-0ddddddddddddddd1";
const OLD: &str = "snap-0ddddddddddddddd1";
const NEW: &str = "snap-0ddddddddddddddd2";

/// Where the partition begins.
const AT: u64 = 1 << 20;
const BLOCK: usize = 512 << 10;

/// Two thousand files of 20 KiB.
const FILL: &str = r#"
import os, random
for i in range(2000):
    path = f"mnt/srv/{i // 100:02}/{i:04}"
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(random.Random(i).randbytes(20480))
"#;

/// Of these three get another content, one keeping its size and its time, and all get another time of change.
const CHANGE: &str = r#"
import os, random
def times(path):
    stat = os.stat(path)
    return (stat.st_atime_ns, stat.st_mtime_ns)
def write(path, data, mode="r+b"):
    with open(path, mode) as file:
        file.write(data)
kept = times("mnt/srv/00/0007")
write("mnt/srv/00/0007", b"in secret")
os.utime("mnt/srv/00/0007", ns=kept)
write("mnt/srv/07/0777", b"and more", "ab")
write("mnt/srv/new", random.Random(-1).randbytes(20480), "wb")
os.rename("mnt/srv/new", "mnt/srv/19/1999")
write("mnt/srv/added", b"added", "wb")
os.remove("mnt/srv/03/0300")
os.utime("mnt/srv/04/0400", ns=(0, 1_700_000_000_123_456_789))
os.chmod("mnt/srv/05/0500", 0o600)
for top, _, names in os.walk("mnt/srv"):
    for name in names:
        path = os.path.join(top, name)
        os.chmod(path, os.stat(path).st_mode & 0o7777)
"#;

/// Runs lines of shell in a mount namespace of their own. `mnt` is where the partition is mounted by `m`.
#[track_caller]
fn apart(stage: &Stage, lines: &str) -> Said {
    let lines = format!("m() {{ mount -o \"loop,offset={AT}$2\" \"$1\" mnt; }}\n{lines}");
    let mut command = stage.program("unshare");
    command.env("FILL", FILL).env("CHANGE", CHANGE);
    let said = Said::of(
        &command
            .args(["-m", "bash", "-ec", &lines])
            .output()
            .unwrap(),
    );
    assert_eq!(said.code, 0, "{lines}\n{}\n{}", said.out, said.err);
    said
}

/// A disk with one partition in `old.img`, filled. `make` is more for mke2fs.
fn fill(stage: &Stage, make: &str) {
    apart(
        stage,
        &format!(
            "mkdir mnt; truncate -s 192M old.img; echo start=2048,type=83 | sfdisk -q old.img
             mke2fs -q -t ext4 -b 4096 {make} -E offset={AT},lazy_itable_init=0 old.img 190M
             m old.img; python3 -c \"$FILL\"; umount mnt"
        ),
    );
}

/// Puts the images into the account, as snapshots of one volume.
fn publish(stage: &Stage, images: [(&str, &str); 2]) {
    let mut state = stage.fake.state();
    state.add_volume(Volume::new(VOLUME, 1));
    for (day, (id, image)) in (0_i64..).zip(images) {
        let mut snapshot = Snapshot::new(id, Blocks::from_file(&stage.path(image)).unwrap());
        VOLUME.clone_into(&mut snapshot.volume_id);
        snapshot.started = NOON + (day - 3) * 24 * HOUR;
        state.add_snapshot(snapshot);
    }
}

fn at(snapshot: &str) -> String {
    format!("{VOLUME}@{snapshot}:/srv")
}

/// Letter and path of each line.
fn printed(said: &Said) -> BTreeSet<String> {
    let lines = said.out.lines().map(|line| {
        let mut columns = line.split('\t');
        format!("{} {}", columns.next().unwrap(), columns.next().unwrap())
    });
    lines.collect()
}

/// The same of what rsync would do to make the one of the other; it tells nothing of times of change.
fn by_rsync(stage: &Stage, old: &str, new: &str) -> BTreeSet<String> {
    let said = apart(
        stage,
        &format!(
            "mkdir -p was; cp --sparse=always {old} o.img; cp --sparse=always {new} n.img
             mount -o loop,offset={AT} o.img was; m n.img
             rsync -ani --checksum --delete mnt/srv/ was/srv/; umount was mnt; rm o.img n.img"
        ),
    );
    let lines = said.out.lines().filter_map(|line| {
        let (what, path) = line.split_once(' ')?;
        let path = path.trim_start();
        let letter = match what.as_bytes() {
            b"*deleting" => 'D',
            [_, b'd', ..] => return None,
            [_, _, b'+', ..] => 'A',
            [_, _, b'c', ..] | [_, _, _, b's', ..] => 'M',
            _ => 'm',
        };
        Some(format!("{letter} /{path}"))
    });
    lines.collect()
}

/// Blocks that were fetched: of which snapshot, and which.
fn fetched(stage: &Stage) -> BTreeSet<(String, u64)> {
    let calls = stage.fake.requests().into_iter();
    let gets = calls.filter(|call| call.operation == "GetSnapshotBlock");
    let block = gets.map(|call| {
        let parameter = |name| call.parameter(name).unwrap().to_owned();
        (
            parameter("snapshotId"),
            parameter("blockIndex").parse().unwrap(),
        )
    });
    block.collect()
}

/// What a command fetches, beginning with nothing.
fn fetched_by(stage: &Stage, args: &[&str]) -> (Said, BTreeSet<(String, u64)>) {
    stage.fake.clear_requests();
    let said = stage.run(args).ended_with(0);
    (said, fetched(stage))
}

/// Blocks that differ between two images.
fn changed(stage: &Stage, one: &str, other: &str) -> BTreeSet<u64> {
    let open = |name| std::fs::File::open(stage.path(name)).unwrap();
    let (mut one, mut other) = (open(one), open(other));
    let (mut here, mut there) = (vec![0; BLOCK], vec![0; BLOCK]);
    let mut changed = BTreeSet::new();
    for index in 0..(192 << 20) / u64::try_from(BLOCK).unwrap() {
        one.read_exact(&mut here).unwrap();
        other.read_exact(&mut there).unwrap();
        if here != there {
            changed.insert(index);
        }
    }
    changed
}

/// Blocks of the disk that a file lies in, as the kernel says.
fn blocks_of(stage: &Stage, image: &str, path: &str) -> BTreeSet<u64> {
    let said = apart(
        stage,
        &format!("m {image} ,ro; filefrag -v -b4096 mnt{path}; umount mnt"),
    );
    let block = u64::try_from(BLOCK).unwrap();
    let extents = said.out.lines().filter_map(|line| {
        // Number, logical first and last, physical first and last, length.
        let numbers: Vec<u64> = (line.split(|c: char| !c.is_ascii_digit()))
            .filter_map(|number| number.parse().ok())
            .collect();
        let is_extent = line.trim_start().starts_with(|c: char| c.is_ascii_digit());
        (is_extent && line.contains("..")).then(|| (numbers[3], numbers[4]))
    });
    let bytes = extents.map(|(first, last)| (AT + first * 4096, AT + last * 4096 + 4095));
    bytes
        .flat_map(|(first, last)| first / block..=last / block)
        .collect()
}

/// Compares the quick way with all others, and what it fetched with what it had to.
fn only_what_changed_is_fetched(make: &str) {
    if !require(&NEEDS) {
        return;
    }
    let stage = Stage::new();
    fill(&stage, make);
    apart(
        &stage,
        "cp --sparse=always old.img new.img; m new.img; python3 -c \"$CHANGE\"; umount mnt",
    );
    publish(&stage, [(OLD, "old.img"), (NEW, "new.img")]);
    let (old, new) = (at(OLD), at(NEW));
    let (quick, blocks) = fetched_by(&stage, &["diff", &old, &new]);
    assert_eq!(stage.fake.count("ListChangedBlocks"), 1);
    let quick = quick.told(&["of content was read, ", "did not change"]);

    // What it says.
    let expected = by_rsync(&stage, "old.img", "new.img");
    for line in [
        "M /00/0007",
        "M /07/0777",
        "M /19/1999",
        "D /03/0300",
        "A /added",
    ] {
        assert!(expected.contains(line), "{line}: {expected:?}");
    }
    assert_eq!(printed(&quick), expected);
    let (all, all_blocks) = fetched_by(&stage, &["diff", "--checksum", &old, &new]);
    assert_eq!(stage.fake.count("ListChangedBlocks"), 0);
    assert_eq!(all.out, quick.out);
    let locally = stage
        .run(&["diff", "old.img:/srv", "new.img:/srv"])
        .ended_with(0);
    assert_eq!(locally.out, quick.out);

    little_was_fetched(&stage, &blocks, &all_blocks);

    // What it says of that.
    let said = stage.run(&["--json", "diff", &old, &new]).ended_with(0);
    let summary = check(said.out.lines().last().unwrap());
    let bytes = |name: &str| summary[name].as_u64().unwrap();
    assert!(bytes("bytes_unchanged") > 30 << 20, "{summary}");
    assert!(bytes("bytes_read") < 10 << 20, "{summary}");
    let said = stage.run(&["--json", "diff", "--checksum", &old, &new]);
    let summary = check(said.ended_with(0).out.lines().last().unwrap());
    assert_eq!(summary["bytes_unchanged"], 0);
    assert!(
        summary["bytes_read"].as_u64().unwrap() > 70 << 20,
        "{summary}"
    );
    assert_eq!(stage.changes(), [""; 0]);

    // Whichever comes first.
    let turned = stage.run(&["diff", &new, &old]).ended_with(0);
    assert_eq!(printed(&turned).len(), expected.len());
    without_the_list(&stage, &quick.out);
}

/// What the quick way fetched: what both points take without any content, and of the rest what changed. `all` is
/// what reading everything fetched.
fn little_was_fetched(
    stage: &Stage,
    blocks: &BTreeSet<(String, u64)>,
    all: &BTreeSet<(String, u64)>,
) {
    let (old, new) = (at(OLD), at(NEW));
    let (_, mut needed) = fetched_by(stage, &["diff", &old, &old]);
    needed.extend(fetched_by(stage, &["diff", &new, &new]).1);
    let content: BTreeSet<_> = blocks.difference(&needed).collect();
    let changed = changed(stage, "old.img", "new.img");
    // A file that was replaced lay where nothing changed, and is read there.
    let replaced = blocks_of(stage, "old.img", "/srv/19/1999");
    assert!((1..=2).contains(&replaced.len()), "{replaced:?}");
    assert!(
        content.len() <= 2 * changed.len(),
        "{content:?} {changed:?}"
    );
    for (snapshot, index) in content {
        let is_needed = changed.contains(index)
            || (snapshot == OLD && replaced.contains(index))
            // What lies behind a block that is read may be read ahead.
            || (1..=8).any(|behind| changed.contains(&(index - behind)));
        assert!(
            is_needed,
            "{index} of {snapshot}: {changed:?}, {replaced:?}"
        );
    }
    assert!(all.len() > blocks.len() + 100, "{}", all.len());
}

/// Where nobody says what changed, content tells.
fn without_the_list(stage: &Stage, expected: &str) {
    let (old, new) = (at(OLD), at(NEW));
    let denied = "ebs:ListChangedBlocks".to_owned();
    stage.fake.state().settings.denied.insert(denied);
    let said = stage.run(&["-v", "diff", &old, &new]).ended_with(0);
    assert_eq!(said.out, expected);
    said.told(&["cannot list what changed from snap-0ddddddddddddddd1 to snap-0ddddddddddddddd2"]);
    stage.fake.state().settings.denied.clear();
    // Of another volume, which is not even asked.
    let other = "vol-0ddddddddddddddd9".to_owned();
    stage.fake.state().snapshots.get_mut(NEW).unwrap().volume_id = other.clone();
    stage.fake.state().add_volume(Volume::new(&other, 1));
    stage.fake.clear_requests();
    let new = format!("{other}@{NEW}:/srv");
    let said = stage.run(&["diff", &old, &new]).ended_with(0);
    assert_eq!(said.out, expected);
    assert_eq!(stage.fake.count("ListChangedBlocks"), 0);
}

#[test]
fn files_of_which_only_the_node_was_written_are_not_fetched() {
    only_what_changed_is_fetched("-I 256");
}

#[test]
fn where_times_are_whole_seconds_blocks_tell_what_did_not_change() {
    only_what_changed_is_fetched("-I 128");
}

#[test]
fn what_stands_only_in_the_journal_is_a_change() {
    if !require(&NEEDS) {
        return;
    }
    let stage = Stage::new();
    fill(&stage, "-I 256");
    // The blocks of the file are where and as they were; the new content is in the log.
    apart(
        &stage,
        "cp --sparse=always old.img live.img; m live.img ,data=journal
         python3 -c 'import os
for path in (\"mnt/srv/00/0007\", \"mnt/srv/11/1111\"):
    file = os.open(path, os.O_WRONLY)
    os.write(file, b\"in the log\")
# To write a directory through is to commit all there is, and to write none of it back.
os.fsync(os.open(\"mnt/srv\", os.O_RDONLY))'
         cp --sparse=always live.img new.img; umount mnt",
    );
    publish(&stage, [(OLD, "old.img"), (NEW, "new.img")]);
    let expected = by_rsync(&stage, "old.img", "new.img");
    let told = ["M /00/0007", "M /11/1111"].map(str::to_owned);
    assert_eq!(expected, BTreeSet::from(told));
    let (old, new) = (at(OLD), at(NEW));
    let before = ["diff", "--no-replay", "--checksum", &old, &new];
    let said = stage.run(&before).ended_with(0);
    assert_eq!(said.out, "", "the test wants it in the log alone");
    for args in [
        &["diff", &old, &new][..],
        &["diff", "--checksum", &old, &new],
    ] {
        assert_eq!(
            printed(&stage.run(args).ended_with(0)),
            expected,
            "{args:?}"
        );
    }
}
