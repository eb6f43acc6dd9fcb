//! The stand-in for Alibaba Cloud, driven by the vendor's clients: they say whether it is like the real one.

use flr_tests::ecs_fake::{
    BackupPoint, Blocks, Bus, Config, Disk, Fake, FakeFault, INSTANCE, Image, ImageDisk, Instance,
    MetadataMode, Money, OTHER_ACCOUNT, Rate, Snapshot, Violation, When, ZONE,
};
use flr_tests::stand_in::drive::{drive, python};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

const SNAPSHOT: &str = "s-bp000000000000000001";
const HOUR: Duration = Duration::from_secs(3600);
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/python/drive_ecs_fake.py");

/// Whether the vendor's clients are there. To import them takes seconds.
const LOOK: &str = "import importlib.util as u; assert all(u.find_spec('alibabacloud_' + name) for name in ('ecs20140526', 'hbr20170908', 'sts20150401'))";

struct Bench {
    fake: Fake,
    image: PathBuf,
    blocks: Blocks,
    /// Holds the image and the devices.
    _folder: TempDir,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let image = folder.path().join("image");
        write_image(&image);
        let fake = Fake::start(Config {
            dev_root: Some(folder.path().join("host")),
            ..Config::default()
        });
        let blocks = Blocks::from_file(&image).expect("an image");
        let bench = Self {
            fake,
            image,
            blocks,
            _folder: folder,
        };
        // Nothing here depends on how fast the machine is: the script sets the time forward.
        bench.fake.freeze();
        {
            let mut state = bench.fake.state();
            state.add_instance(Instance::here());
            state.add_snapshot(Snapshot::new(SNAPSHOT, bench.blocks.clone()));
            let settings = &mut state.settings;
            settings.create_time = HOUR;
            settings.initialize_time = HOUR;
            settings.attach_time = HOUR;
            settings.detach_time = HOUR;
            settings.delete_time = HOUR;
            settings.snapshot_time = HOUR;
            settings.assistant.run_time = HOUR;
        }
        bench
    }

    /// Runs a part of the script, which has to end well. Whether there was a Python to run it.
    fn drive(&self, part: &str) -> bool {
        let Some(python) = python(LOOK, "the clients of Alibaba Cloud") else {
            return false;
        };
        let mut script = Command::new(python);
        script
            .arg(SCRIPT)
            .arg(part)
            .arg(&self.image)
            .envs(self.fake.environment());
        drive(&self.fake, &mut script);
        true
    }
}

/// Three MiB, of which one is a hole.
#[expect(clippy::disallowed_methods, reason = "an image that the test makes up")]
fn write_image(path: &Path) {
    let mut file = std::fs::File::create(path).expect("an image");
    file.write_all(&b"here it is".repeat(100_000))
        .expect("data");
    file.set_len(3 << 20).expect("a sparse file");
}

/// Three disks of the instance, of which snapshots can be taken, and one that was never attached.
fn add_disks(bench: &Bench) {
    let mut state = bench.fake.state();
    for (name, device) in [("one", "b"), ("two", "c"), ("three", "d")] {
        let id = format!("d-bp-{name}");
        let mut disk = Disk::new(&id, 1);
        disk.blocks = Some(bench.blocks.clone());
        disk.tags.insert("flr:test".to_owned(), name.to_owned());
        disk.by_client = true;
        state.add_disk(disk);
        state.attach(&id, INSTANCE, &format!("/dev/xvd{device}"));
    }
    state.add_disk(Disk::new("d-bp-never", 1));
}

#[test]
fn a_disk_lives_and_ends() {
    let bench = Bench::new();
    if bench.drive("life") {
        assert_eq!(bench.fake.leftovers(), [""; 0]);
        assert_eq!(bench.fake.count("CreateDisk"), 1);
    }
}

#[test]
fn callers_are_known_by_their_signatures() {
    Bench::new().drive("sts");
}

#[test]
fn roles_are_assumed() {
    let bench = Bench::new();
    {
        let settings = &mut bench.fake.state().settings;
        let other = "acs:ram::1234567890123456:role/other".to_owned();
        settings.roles.insert(other, Some("x1".to_owned()));
        let (provider, token) = ("idp".to_owned(), "token-1".to_owned());
        settings.oidc_tokens.insert(provider, token);
    }
    if bench.drive("roles") {
        // The vendor's client writes the token into the address; ours may not.
        let violations = bench.fake.take_violations();
        let said: Vec<_> = violations.iter().map(|one| one.what.as_str()).collect();
        assert_eq!(said, ["the address holds a token"; 3]);
    }
}

#[test]
fn the_instance_has_credentials() {
    let bench = Bench::new();
    bench.drive("metadata");
    let modes = [
        (MetadataMode::Old, "old"),
        (MetadataMode::Hardened, "hardened"),
        (MetadataMode::Off, "off"),
    ];
    for (mode, part) in modes {
        bench.fake.state().metadata.mode = mode;
        bench.drive(part);
    }
}

#[test]
fn answers_vary_where_the_service_does() {
    let bench = Bench::new();
    {
        let settings = &mut bench.fake.state().settings;
        settings.short_times = true;
        settings.numbers_swapped = true;
        settings.empty_next_token = false;
        settings.no_serial = true;
    }
    bench.drive("loose");
}

#[test]
fn what_there_is_is_described() {
    let bench = Bench::new();
    {
        let mut state = bench.fake.state();
        for number in 0..25 {
            let id = format!("s-bp0000000000000more{number:02}");
            let mut snapshot = Snapshot::new(&id, bench.blocks.clone());
            snapshot.created += 60_000 * (number + 1);
            snapshot.name = format!("more {number}");
            snapshot.tags.insert("n".to_owned(), number.to_string());
            if number == 0 {
                snapshot.retention_days = Some(30);
                snapshot.kms_key = Some("key-1".to_owned());
            }
            state.add_snapshot(snapshot);
        }
        let mut half = Snapshot::new("s-bp00000000000progress", bench.blocks.clone());
        half.accomplished = i64::MAX;
        half.created -= 1000;
        state.add_snapshot(half);
        let mut old = Disk::new("d-bp000000000000000old", 1);
        "system".clone_into(&mut old.kind);
        old.serial = None;
        old.locks = vec!["financial".to_owned()];
        state.add_disk(old);
        state.attach("d-bp000000000000000old", INSTANCE, "/dev/xvda");
        let disk = ImageDisk {
            device: "/dev/xvda".to_owned(),
            snapshot_id: SNAPSHOT.to_owned(),
            gib: 1,
            kind: "system".to_owned(),
        };
        state.add_image(Image::new("m-bp1", vec![disk]));
    }
    bench.drive("described");
}

#[test]
fn disks_are_made_of_what_is_allowed() {
    let bench = Bench::new();
    {
        let mut state = bench.fake.state();
        let mut put = |id: &str, change: &dyn Fn(&mut Snapshot)| {
            let mut snapshot = Snapshot::new(id, bench.blocks.clone());
            change(&mut snapshot);
            state.add_snapshot(snapshot);
        };
        put("s-bp00000000000progress", &|one| {
            one.accomplished = i64::MAX;
        });
        put("s-bp0000000000000archive", &|one| {
            "archive".clone_into(&mut one.category);
        });
        put("s-bp0000000000000foreign", &|one| {
            OTHER_ACCOUNT.clone_into(&mut one.owner);
        });
        put("s-bp00000000000000shared", &|one| {
            OTHER_ACCOUNT.clone_into(&mut one.owner);
            one.shared_with.insert("1234567890123456".to_owned());
            one.kms_key = Some("key-1".to_owned());
        });
        let mut owed = Disk::new("d-bp-owed", 1);
        OTHER_ACCOUNT.clone_into(&mut owed.owner);
        state.add_disk(owed);
        let settings = &mut state.settings;
        let refused = [
            ("cloud_auto", 403, "InvalidDataDiskCategory.NotSupported"),
            ("cloud_ssd", 400, "InvalidDiskCategory.NotSupported"),
        ];
        for (category, status, code) in refused {
            let error = (status, code.to_owned());
            settings.refused.insert(category.to_owned(), error);
        }
        settings.not_on_sale.insert("cn-hangzhou-k".to_owned());
        settings
            .money
            .insert(OTHER_ACCOUNT.to_owned(), Money::Arrears);
        settings.disks_max = Some(4);
    }
    bench.drive("created");
}

#[test]
fn what_was_answered_may_come_to_nothing() {
    let bench = Bench::new();
    {
        let settings = &mut bench.fake.state().settings;
        settings.creations_that_fail = 1;
        settings.attachments_that_hang = 1;
        settings.deletions_lost = 1;
        settings.processing_time = Duration::from_secs(1);
    }
    bench.drive("failed");
}

#[test]
fn disks_are_attached_where_they_fit() {
    let bench = Bench::new();
    {
        let mut state = bench.fake.state();
        let mut put = |id: &str, change: &dyn Fn(&mut Instance)| {
            let mut instance = Instance::new(id);
            change(&mut instance);
            state.add_instance(instance);
        };
        put("i-elsewhere", &|one| {
            "cn-hangzhou-k".clone_into(&mut one.zone);
        });
        put("i-starting", &|one| {
            "Starting".clone_into(&mut one.status);
        });
        put("i-locked", &|one| one.locks = vec!["security".to_owned()]);
        put("i-full", &|one| one.disks_max = 0);
        put("i-picky", &|one| {
            one.not_categories.insert("cloud_essd".to_owned());
        });
        put("i-foreign", &|one| {
            OTHER_ACCOUNT.clone_into(&mut one.owner);
        });
        state.settings.bus = Bus::Nvme;
        state.settings.one_at_a_time = true;
        assert_eq!(state.instances[INSTANCE].zone, ZONE);
    }
    bench.drive("attached");
}

#[test]
fn snapshots_are_taken_and_copied() {
    let bench = Bench::new();
    add_disks(&bench);
    if bench.drive("taken") {
        assert_eq!(bench.fake.leftovers().len(), 3, "those that were there");
    }
}

#[test]
fn backup_points_are_snapshots_and_leave_their_lifecycle() {
    let bench = Bench::new();
    {
        let mut state = bench.fake.state();
        let native = "s-bp000000000000000002";
        let disks = [("d-bp-one", SNAPSHOT), ("d-bp-two", native)];
        let mut point = BackupPoint::new("s-hbr-1", &disks);
        "APP".clone_into(&mut point.consistency);
        point.group_id = Some("ssg-1".to_owned());
        state.backups.push(point);
        let mut single = BackupPoint::new("s-hbr-2", &[("d-bp-x", "s-bp000000000000000003")]);
        "UDM_DISK".clone_into(&mut single.source);
        "PARTIAL_COMPLETE".clone_into(&mut single.status);
        single.downgrade_reason = Some("agent".to_owned());
        state.backups.push(single);
    }
    assert_eq!(bench.fake.left_lifecycle(), [""; 0]);
    if bench.drive("backups") {
        assert_eq!(bench.fake.left_lifecycle(), ["s-hbr-1"]);
    }
    let refusal = ("403".to_owned(), "not allowed".to_owned());
    bench.fake.state().settings.hbr_refuses = Some(refusal);
    bench.drive("refusing");
}

#[test]
fn commands_are_run_on_instances() {
    let bench = Bench::new();
    add_disks(&bench);
    {
        let mut state = bench.fake.state();
        let scripts = ["/tmp/pre.sh", "/tmp/post.sh"].map(str::to_owned);
        let here = state.instances.get_mut(INSTANCE).expect("an instance");
        here.scripts.extend(scripts);
        let mut off = Instance::new("i-off");
        "Stopped".clone_into(&mut off.status);
        state.add_instance(off);
    }
    bench.drive("assisted");
    let bench = Bench::new();
    add_disks(&bench);
    bench.fake.state().settings.assistant.exit_code = Some(12);
    if bench.drive("thawing") {
        assert_eq!(
            bench.fake.leftovers().len(),
            5,
            "a group of two is left behind"
        );
    }
}

#[test]
fn what_is_described_may_be_behind() {
    let bench = Bench::new();
    bench.fake.state().settings.lag = Duration::from_secs(60);
    bench.drive("stale");
}

#[test]
fn calls_are_bounded_and_denied() {
    let bench = Bench::new();
    {
        let settings = &mut bench.fake.state().settings;
        let rate = Rate {
            per_second: 1,
            burst: 3,
        };
        settings.rates.insert("DescribeDisks".to_owned(), rate);
        settings.retry_after = Some(Duration::from_millis(1500));
        settings.denied.insert("ecs:DescribeRegions".to_owned());
    }
    bench.drive("throttled");
}

#[test]
fn clocks_are_compared() {
    let bench = Bench::new();
    bench.fake.set_clock_skew(16 * 60);
    bench.drive("skewed");
    bench.fake.set_clock_skew(-16 * 60);
    bench.drive("skewed");
}

#[test]
fn what_fails_is_done_once() {
    let bench = Bench::new();
    bench.fake.state().settings.create_time = Duration::ZERO;
    bench
        .fake
        .set_rule(|call| match (call.operation.as_str(), call.nth) {
            ("CreateDisk", 1) => Some(FakeFault::Status(When::AfterEffect, 500)),
            ("CreateDisk", 2) => Some(FakeFault::Throttled),
            ("CreateDisk", 3) => Some(FakeFault::Status(When::BeforeEffect, 503)),
            ("CreateDisk", 4) => Some(FakeFault::Reset(When::AfterEffect, 0)),
            ("CreateDisk", 5) => Some(FakeFault::HalfClosed(When::BeforeEffect)),
            _ => None,
        });
    if bench.drive("retried") {
        assert_eq!(bench.fake.count("CreateDisk"), 6);
        assert_eq!(bench.fake.leftovers().len(), 1);
    }
}

#[test]
fn disks_end_with_their_instance() {
    let bench = Bench::new();
    if bench.drive("released") {
        assert_eq!(bench.fake.leftovers().len(), 1);
        let now = bench.fake.now();
        bench.fake.state().release(INSTANCE, now);
        assert_eq!(bench.fake.leftovers(), [""; 0]);
    }
}

#[test]
fn what_must_never_be_done_is_written_down() {
    let bench = Bench::new();
    {
        let mut state = bench.fake.state();
        let mut disk = Disk::new("d-bp-prod", 1);
        disk.name = "prod".to_owned();
        state.add_disk(disk);
    }
    if !bench.drive("never") {
        return;
    }
    let violations = bench.fake.take_violations();
    let said: Vec<_> = violations.iter().map(|one| one.what.as_str()).collect();
    let expected = [
        "CreateDisk without ClientToken",
        "CreateDisk without DiskCategory",
        "CreateDisk without a tag of ours",
        "CreateDisk with InstanceId: a subscription, without token and tags",
        "AttachDisk without DeleteWithInstance: the disk outlives its instance",
        "AttachDisk with Force",
        "AttachDisk of d-bp-prod, which has no tag of ours",
        "DetachDisk of d-bp-prod, which has no tag of ours",
        "DetachDisk of \"d-bp-nobody\", which never was",
        "DeleteDisk of d-bp-prod, which has no tag of ours",
        "ResetDisk of d-bp-prod: it throws away what the disk holds",
        "DeleteSnapshot of s-bp000000000000000001, which the client has not made",
        "the parameter DiskName holds a secret",
        "the nonce once was used twice",
    ];
    assert_eq!(said, expected);
}

/// A violation that nobody takes away fails the test in which it was made.
#[test]
fn what_must_never_be_done_fails_the_test() {
    let fake = Fake::start(Config::default());
    let what = "DeleteDisk of somebody else's".to_owned();
    fake.state().violations.push(Violation { call: 1, what });
    let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(fake)));
    let said = ended.expect_err("a failed test");
    let said = said.downcast_ref::<String>().expect("a text");
    assert!(said.contains("somebody else's"), "{said}");
}
