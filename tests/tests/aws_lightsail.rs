//! Points of Lightsail, read through an export to EC2 that leaves nothing: by a process of its own, against
//! a stand-in, that is killed and lied to at every step.

use flr_tests::aws_fake::{
    AutoSnapshot, BLOCK_LEN, Blocks, Call, Config, Fake, FakeFault, Image, ImageDisk,
    LightsailDisk, LightsailResource, LightsailSnapshot, OTHER_ACCOUNT, Snapshot, State, When,
};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;

/// Where the bytes that are read begin: in the middle of a block, and beyond it.
const OFFSET: u64 = 700_000;
const LEN: usize = 900_000;

/// Eight blocks, two of three written; `seed` makes them those of one disk.
fn blocks(seed: u8) -> Blocks {
    let mut image = vec![0; 8 * BLOCK_LEN];
    for (index, block) in image.chunks_mut(BLOCK_LEN).enumerate() {
        if index % 3 != 1 {
            for (at, byte) in block.iter_mut().enumerate() {
                *byte = (at / 7).to_le_bytes()[0] ^ seed ^ index.to_le_bytes()[0];
            }
        }
    }
    Blocks::from_bytes(image)
}

/// What `disk` has to be told as.
fn told(blocks: &Blocks) -> String {
    let mut image = vec![0; 4 * BLOCK_LEN];
    for index in 0..4 {
        if let Some(block) = blocks.read(index) {
            let at = usize::try_from(index).unwrap() * BLOCK_LEN;
            image[at..at + BLOCK_LEN].copy_from_slice(&block);
        }
    }
    let from = usize::try_from(OFFSET).unwrap();
    let sum = Sha256::digest(&image[from..from + LEN]);
    let sum: String = sum.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("disk {} {sum}", 1 << 30)
}

fn system() -> Blocks {
    blocks(0x11)
}

fn data() -> Blocks {
    blocks(0x22)
}

fn data_disk() -> LightsailDisk {
    LightsailDisk {
        name: "data".into(),
        path: "/dev/xvdf".into(),
        blocks: data(),
    }
}

/// An instance with a disk and snapshots of both, and what others have.
fn world() -> Fake {
    let fake = Fake::start(Config::default());
    let mut state = fake.state();
    state.settings.page_max = 2;
    let disks = || vec![LightsailDisk::system("web", system()), data_disk()];
    let lightsail = &mut state.lightsail;
    lightsail.instances.push(LightsailResource::new("web", 1));
    lightsail.disks.push(LightsailResource::new("data", 1));
    let mut add = |name: &str, from: &str, of_instance, disks: Vec<LightsailDisk>, time: i64| {
        let mut snapshot = LightsailSnapshot::new(name, from, of_instance, disks);
        snapshot.resource.created = time * 1000;
        lightsail.snapshots.push(snapshot);
    };
    add("web-2", "web", true, disks(), 1_795_000_000);
    add("web-1", "web", true, disks(), 1_794_000_000);
    add("data-1", "data", false, vec![data_disk()], 1_794_500_000);
    add("db-1", "db", false, vec![data_disk()], 1_794_600_000);
    let root = vec![LightsailDisk::system("web", system())];
    add("web-root", "web", false, root, 1_794_100_000);
    let pending = lightsail.snapshots.first().cloned().map(|mut snapshot| {
        snapshot.resource.name = "web-3".into();
        snapshot.resource.created += 1_000_000;
        snapshot.ready = i64::MAX;
        snapshot
    });
    lightsail.snapshots.extend(pending);
    let mut theirs = LightsailSnapshot::new("web-9", "web", true, disks());
    theirs.resource.owner = OTHER_ACCOUNT.into();
    lightsail.snapshots.push(theirs);
    for (date, status) in [("2026-11-17", "Success"), ("2026-11-18", "Failed")] {
        lightsail.auto_snapshots.push(AutoSnapshot {
            resource: LightsailResource::new("web", 1),
            of_instance: true,
            date: date.into(),
            status: status.into(),
            disks: disks(),
        });
    }
    // An image of somebody else in the same account, who has also taken one of our tags.
    let mut snapshot = Snapshot::new("snap-0aaaaaaaaaaaaaaaa", system());
    snapshot.tags.insert("flr:session".into(), "prod".into());
    let mut image = Image::new(
        "ami-0aaaaaaaaaaaaaaaa",
        vec![ImageDisk {
            device: "/dev/xvda".into(),
            snapshot_id: snapshot.id.clone(),
            gib: 1,
        }],
    );
    image.tags.insert("flr:export".into(), "web-1".into());
    state.tables.add_snapshot(snapshot);
    state.tables.add_image(image);
    drop(state);
    fake
}

/// Everything that there is, with its tags.
type Things = BTreeMap<String, BTreeMap<String, String>>;

fn things(state: &State) -> Things {
    let copies = state.lightsail.snapshots.iter();
    let copies = copies.map(|one| {
        let name = format!("{}/{}", one.resource.owner, one.resource.name);
        (name, one.resource.tags.clone())
    });
    let snapshots = state.tables.snapshots.values();
    let snapshots = snapshots.map(|one| (one.id.clone(), one.tags.clone()));
    let images = state.tables.images.values();
    let images = images.map(|one| (one.id.clone(), one.tags.clone()));
    copies.chain(snapshots).chain(images).collect()
}

/// A victim's place: its journal is there.
fn place() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

fn command(fake: &Fake, place: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lightsail-victim"));
    command
        .args(args)
        .env_clear()
        .envs(fake.environment())
        .env("HOME", place)
        .env("XDG_STATE_HOME", place)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn run(fake: &Fake, place: &Path, args: &[&str]) -> Output {
    command(fake, place, args).output().expect("a process")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn open(point: &str) -> [String; 4] {
    [
        "open".into(),
        point.into(),
        OFFSET.to_string(),
        LEN.to_string(),
    ]
}

fn run_open(fake: &Fake, place: &Path, point: &str) -> Output {
    let args = open(point);
    run(fake, place, &args.each_ref().map(String::as_str))
}

#[track_caller]
fn assert_read(output: &Output, disks: &[&Blocks]) {
    let said = said(output);
    assert_eq!(output.status.code(), Some(0), "{said}");
    let expected: Vec<_> = disks.iter().map(|disk| told(disk)).collect();
    let actual: Vec<_> = said
        .lines()
        .filter(|line| line.starts_with("disk"))
        .collect();
    assert_eq!(actual, expected, "{said}");
}

#[test]
fn points_of_an_instance_a_disk_and_a_snapshot() {
    let (fake, place) = (world(), place());
    let points = |object: &str| said(&run(&fake, place.path(), &["points", object]));
    assert_eq!(
        points("web"),
        "web-1 web 2026-11-06T21:20:00Z available clone 2\n\
         web-root web 2026-11-08T01:06:40Z completed clone 1\n\
         web-2 web 2026-11-18T11:06:40Z available clone 2\n\
         web-3 web 2026-11-18T11:23:20Z pending none 2\n\
         web/2026-11-17 web 2026-11-20T12:00:00Z Success clone 2\n\
         web/2026-11-18 web 2026-11-20T12:00:00Z Failed none 2\n"
    );
    assert_eq!(
        points("data"),
        "data-1 data 2026-11-12T16:13:20Z completed clone 1\n"
    );
    assert!(points("web-2").starts_with("web-2 web "));
    assert!(points("web/2026-11-17").starts_with("web/2026-11-17 web "));
    // Snapshots of what is there no more are found, nothing is said of what never was.
    assert!(points("db").starts_with("db-1 db "));
    for nothing in ["shop", "web-9", "web/2026-11-16", "x y"] {
        assert!(
            points(nothing).contains("has no instance, disk or snapshot"),
            "{nothing}"
        );
    }
}

#[test]
fn a_file_of_each_kind_of_point_and_nothing_is_left() {
    let (fake, place) = (world(), place());
    let before = things(&fake.state());
    for (point, disks) in [
        ("web-1", vec![&system(), &data()]),
        ("data-1", vec![&data()]),
        ("web-root", vec![&system()]),
        ("web/2026-11-17", vec![&system(), &data()]),
    ] {
        let output = run_open(&fake, place.path(), point);
        assert_read(&output, &disks);
        assert_eq!(things(&fake.state()), before, "{point}");
    }
    let cleanup = run(&fake, place.path(), &["gc"]);
    assert_eq!(
        (cleanup.status.code(), said(&cleanup).as_str()),
        (Some(0), "")
    );
}

#[test]
fn an_export_is_not_begun_without_consent() {
    let (fake, place) = (world(), place());
    let output = run(&fake, place.path(), &["refuse", "web-1"]);
    let said = said(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("debug Cost"), "{said}");
    assert!(said.contains("hint agree with --yes"), "{said}");
    assert_eq!(fake.count("CopySnapshot") + fake.count("ExportSnapshot"), 0);
}

#[test]
fn an_export_that_fails_says_so_and_leaves_nothing() {
    let (fake, place) = (world(), place());
    let before = things(&fake.state());
    fake.state().settings.exports_that_fail = 1;
    let output = run_open(&fake, place.path(), "web-1");
    let said = said(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("to EC2 failed: OperationFailureException"),
        "{said}"
    );
    assert_eq!(things(&fake.state()), before);
    // The next one does not.
    assert_read(
        &run_open(&fake, place.path(), "web-1"),
        &[&system(), &data()],
    );
    assert_eq!(things(&fake.state()), before);
}

#[test]
fn a_copy_that_fails_says_so_and_leaves_nothing() {
    let (fake, place) = (Arc::new(world()), place());
    let before = things(&fake.state());
    fake.state().settings.copy_time = Duration::from_secs(3600);
    let weak = Arc::downgrade(&fake);
    let failing = move |call: &Call| {
        if call.operation == "GetDiskSnapshots" || call.operation == "GetInstanceSnapshots" {
            let fake = weak.upgrade().expect("a stand-in");
            let mut state = fake.state();
            let copies = state.lightsail.snapshots.iter_mut();
            copies
                .filter(|copy| copy.resource.name.starts_with("flr_"))
                .for_each(|copy| copy.failed = true);
        }
        None
    };
    fake.set_rule(failing);
    let output = run_open(&fake, place.path(), "web-1");
    let said = said(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("of web-1: the provider gave up"), "{said}");
    assert_eq!(things(&fake.state()), before);
}

/// What changes something, and the times that it is called for two disks.
const CHANGES: [(&str, usize); 7] = [
    ("CopySnapshot", 1),
    ("TagResource", 2),
    ("ExportSnapshot", 1),
    ("CreateTags", 2),
    ("DeregisterImage", 1),
    ("DeleteSnapshot", 2),
    ("DeleteInstanceSnapshot", 1),
];

/// What only looks, and some of the times that it is called.
const LOOKS: [(&str, usize); 7] = [
    ("GetCallerIdentity", 2),
    ("GetCallerIdentity", 4),
    ("GetInstanceSnapshots", 7),
    ("GetExportSnapshotRecords", 1),
    ("GetExportSnapshotRecords", 9),
    ("ListSnapshotBlocks", 1),
    ("DescribeImages", 5),
];

/// A process that can be killed by the rule of the stand-in.
type Victim = Arc<Mutex<Option<Child>>>;

/// Runs a process that is killed when it calls `operation` for the `nth` time: before that has an effect, or
/// after it. Whether it came to that.
fn killed(
    fake: &Fake,
    place: &Path,
    args: &[&str],
    (operation, nth): (&'static str, usize),
    when: When,
) -> bool {
    fake.clear_requests();
    let victim = Victim::default();
    let mut locked = victim.lock().expect("a lock");
    let hunted = Arc::clone(&victim);
    fake.set_rule(move |call| {
        if (call.operation.as_str(), call.nth) != (operation, nth) {
            return None;
        }
        let mut victim = hunted.lock().expect("a lock");
        let victim = victim.as_mut().expect("a process");
        victim.kill().expect("a process that can be killed");
        victim.wait().expect("its end");
        (when == When::BeforeEffect).then_some(FakeFault::NoAnswer(When::BeforeEffect))
    });
    let mut child = command(fake, place, args).spawn().expect("a process");
    // What it says fits into the pipes.
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    *locked = Some(child);
    drop(locked);
    for pipe in [stdout.map(read_all), stderr.map(read_all)] {
        pipe.expect("a pipe");
    }
    let mut victim = victim.lock().expect("a lock");
    let status = victim.as_mut().expect("a process").wait().expect("its end");
    fake.clear_rule();
    status.code().is_none()
}

fn read_all(mut pipe: impl std::io::Read) -> String {
    let mut text = String::new();
    pipe.read_to_string(&mut text).expect("text");
    text
}

/// Does something for each, some at a time.
fn for_each<T: Sync>(all: &[T], each: impl Fn(&T) + Sync) {
    let next = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some(one) =
                    all.get(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed))
                {
                    each(one);
                }
            });
        }
    });
}

/// Every change, before and after its effect.
fn changes() -> Vec<(&'static str, usize, When)> {
    let changes = CHANGES.into_iter();
    let changes = changes.flat_map(|(name, count)| (1..=count).map(move |nth| (name, nth)));
    let both = [When::BeforeEffect, When::AfterEffect];
    changes
        .flat_map(|(name, nth)| both.map(|when| (name, nth, when)))
        .collect()
}

/// Every step.
fn steps() -> Vec<(&'static str, usize, When)> {
    let looks = LOOKS.map(|(name, nth)| (name, nth, When::BeforeEffect));
    changes().into_iter().chain(looks).collect()
}

fn assert_clean_after_gc(fake: &Fake, place: &Path, before: &Things, when: &str) {
    let cleanup = run(fake, place, &["gc"]);
    let said = said(&cleanup);
    assert_eq!(cleanup.status.code(), Some(0), "{when}: {said}");
    assert_eq!(&things(&fake.state()), before, "{when}: {said}");
}

#[test]
fn killed_at_every_step_and_one_clean_up_later_nothing_is_left() {
    for_each(&steps(), |(operation, nth, when)| {
        let (fake, place) = (world(), place());
        let before = things(&fake.state());
        let args = open("web-1");
        let args = args.each_ref().map(String::as_str);
        let name = format!("{operation} {nth} {when:?}");
        let was = killed(&fake, place.path(), &args, (operation, *nth), *when);
        assert!(was, "{name} is never called");
        assert_clean_after_gc(&fake, place.path(), &before, &name);
    });
}

#[test]
fn killed_while_it_cleans_up_and_the_next_one_does_it() {
    let steps = [
        ("CreateTags", 1),
        ("DeregisterImage", 1),
        ("DeleteSnapshot", 1),
        ("DeleteSnapshot", 2),
        ("TagResource", 1),
        ("DeleteInstanceSnapshot", 1),
    ];
    for_each(&steps, |(operation, count)| {
        for when in [When::BeforeEffect, When::AfterEffect] {
            let (fake, place) = (world(), place());
            let before = things(&fake.state());
            let args = open("web/2026-11-17");
            let args = args.each_ref().map(String::as_str);
            // What was exported is known from the record alone.
            let first = ("CreateTags", 1);
            let was = killed(&fake, place.path(), &args, first, When::BeforeEffect);
            assert!(was, "no tags are made");
            let name = format!("gc, {operation} {count} {when:?}");
            let was = killed(&fake, place.path(), &["gc"], (operation, *count), when);
            assert!(was, "{name} is never called");
            assert_clean_after_gc(&fake, place.path(), &before, &name);
        }
    });
}

#[test]
fn what_was_exported_of_a_disk_is_known_by_the_record_too() {
    let (fake, place) = (world(), place());
    let before = things(&fake.state());
    let args = open("data-1");
    let args = args.each_ref().map(String::as_str);
    let step = ("CreateTags", 1);
    assert!(killed(&fake, place.path(), &args, step, When::BeforeEffect));
    assert_eq!(things(&fake.state()).len(), before.len() + 2);
    assert_clean_after_gc(&fake, place.path(), &before, "a disk");
}

#[test]
fn a_lost_reply_makes_no_second_one_that_stays() {
    for_each(&changes(), |(operation, nth, when)| {
        let (fake, place) = (world(), place());
        let before = things(&fake.state());
        let (lost, at, which) = (*operation, *nth, *when);
        fake.set_rule(move |call| {
            let it = (call.operation.as_str(), call.nth) == (lost, at);
            it.then_some(FakeFault::Reset(which, 0))
        });
        let output = run_open(&fake, place.path(), "web-1");
        assert_read(&output, &[&system(), &data()]);
        let name = format!("{operation} {nth} {when:?}");
        assert_eq!(things(&fake.state()), before, "{name}");
    });
}

#[test]
fn tags_that_do_not_show_yet_are_ours_all_the_same() {
    let (fake, place) = (world(), place());
    let before = things(&fake.state());
    // Longer than it takes to read, and as long as it takes to believe what does not show.
    fake.state().settings.lag = Duration::from_millis(95);
    assert_read(
        &run_open(&fake, place.path(), "web-1"),
        &[&system(), &data()],
    );
    assert_eq!(things(&fake.state()), before);
}

#[test]
fn what_somebody_took_our_tags_off_is_theirs() {
    let (fake, place) = (world(), place());
    let args = open("web-1");
    let args = args.each_ref().map(String::as_str);
    let step = ("DeregisterImage", 1);
    assert!(killed(&fake, place.path(), &args, step, When::BeforeEffect));
    for snapshot in fake.state().tables.snapshots.values_mut() {
        if snapshot.tags.remove("flr:owner").is_some() {
            snapshot.tags.insert("keep".into(), "yes".into());
        }
    }
    for image in fake.state().tables.images.values_mut() {
        image.tags.remove("flr:owner");
    }
    let kept = things(&fake.state());
    let output = run(&fake, place.path(), &["gc"]);
    let said = said(&output);
    assert_eq!(output.status.code(), Some(20), "{said}");
    assert!(said.contains("its tags are no longer ours"), "{said}");
    assert_eq!(things(&fake.state()), kept);
}

#[test]
fn reads_that_lag_behind_hide_nothing() {
    let steps = [
        ("ExportSnapshot", 1, When::AfterEffect),
        ("CreateTags", 1, When::BeforeEffect),
        ("CreateTags", 1, When::AfterEffect),
        ("DeregisterImage", 1, When::AfterEffect),
    ];
    for_each(&steps, |(operation, nth, when)| {
        let (fake, place) = (world(), place());
        let before = things(&fake.state());
        fake.state().settings.lag = Duration::from_millis(80);
        let args = open("web-1");
        let args = args.each_ref().map(String::as_str);
        let name = format!("{operation} {nth} {when:?}");
        let was = killed(&fake, place.path(), &args, (operation, *nth), *when);
        assert!(was, "{name} is never called");
        assert_clean_after_gc(&fake, place.path(), &before, &name);
    });
}

#[test]
fn from_another_host_by_names_records_and_tags_alone() {
    let steps = [
        ("CopySnapshot", 1, When::AfterEffect),
        ("ExportSnapshot", 1, When::AfterEffect),
        ("CreateTags", 1, When::BeforeEffect),
        ("CreateTags", 1, When::AfterEffect),
        ("DeregisterImage", 1, When::AfterEffect),
    ];
    for_each(&steps, |(operation, nth, when)| {
        let (fake, here, elsewhere) = (world(), place(), place());
        let before = things(&fake.state());
        let args = open("web-1");
        let args = args.each_ref().map(String::as_str);
        let name = format!("{operation} {nth} {when:?}");
        let was = killed(&fake, here.path(), &args, (operation, *nth), *when);
        assert!(was, "{name} is never called");
        // Not before it has expired: its owner may live.
        fake.clear_requests();
        let early = run(&fake, elsewhere.path(), &["gc"]);
        assert_eq!(early.status.code(), Some(0), "{name}: {}", said(&early));
        let deletes = CHANGES.map(|(operation, _)| fake.count(operation));
        assert_eq!(deletes, [0; 7], "{name}");
        fake.set_clock_skew(3 * 3600);
        // What one run marks the next deletes; what comes to light meanwhile takes another.
        let mut last = String::new();
        for _ in 0..5 {
            last = said(&run(&fake, elsewhere.path(), &["gc"]));
        }
        assert_eq!(things(&fake.state()), before, "{name}: {last}");
    });
}

#[test]
fn what_was_exported_carries_the_users_tags_and_ours() {
    let (fake, place) = (world(), place());
    let args = open("web-1");
    let args = args.each_ref().map(String::as_str);
    let step = ("DeregisterImage", 1);
    assert!(killed(&fake, place.path(), &args, step, When::BeforeEffect));
    let state = fake.state();
    let tagged = |tags: &BTreeMap<String, String>| {
        tags.get("CostCenter").map(String::as_str) == Some("it-42")
            && [
                "flr:session",
                "flr:op",
                "flr:owner",
                "flr:created",
                "flr:expires",
            ]
            .iter()
            .all(|key| tags.contains_key(*key))
    };
    let images = state.tables.images.values();
    assert_eq!(images.filter(|image| tagged(&image.tags)).count(), 1);
    let snapshots = state.tables.snapshots.values();
    assert_eq!(snapshots.filter(|one| tagged(&one.tags)).count(), 2);
    let copies = state.lightsail.snapshots.iter();
    let copies = copies.filter(|copy| copy.resource.name.starts_with("flr_"));
    assert_eq!(copies.count(), 1);
}
