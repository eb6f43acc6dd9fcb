//! The stand-in for AWS, driven by boto3: other people's client says whether it is like the real one.

use flr_tests::aws_fake::{
    AccessKey, AutoSnapshot, BLOCK_LEN, Blocks, Config, Fake, FakeFault, Image, ImageDisk,
    Instance, LightsailDisk, LightsailResource, LightsailSnapshot, Pages, Rate, Snapshot, Volume,
    When,
};
use flr_tests::stand_in::drive::{drive, python};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

const SNAPSHOT: &str = "snap-00000000000000001";
const LATER: &str = "snap-00000000000000002";
const HOUR: Duration = Duration::from_secs(3600);
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/python/drive_aws_fake.py");

/// Snapshots in other states, and the variables that tell the script of them.
const STATES: [(&str, &str); 6] = [
    ("FAKE_ARCHIVED", "snap-00000000000000011"),
    ("FAKE_PENDING", "snap-00000000000000012"),
    ("FAKE_PUBLIC", "snap-00000000000000013"),
    ("FAKE_KEYLESS", "snap-00000000000000014"),
    ("FAKE_FOREIGN", "snap-00000000000000015"),
    ("FAKE_SHARED", "snap-00000000000000016"),
];

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
        bench.fill();
        // Nothing here depends on how fast the machine is: the script sets the time forward.
        bench.fake.freeze();
        {
            let settings = &mut bench.fake.state().settings;
            settings.create_time = HOUR;
            settings.attach_time = HOUR;
            settings.detach_time = HOUR;
            settings.delete_time = HOUR;
            settings.copy_time = HOUR;
            settings.export_time = HOUR;
        }
        bench
    }

    fn fill(&self) {
        let mut state = self.fake.state();
        let mut first = Snapshot::new(SNAPSHOT, self.blocks.clone());
        first.tags.insert("Name".to_owned(), "web <1>".to_owned());
        let one = self.blocks.next(0).expect("a block");
        let two = self.blocks.next(one + 1).expect("a block");
        let changes = [(one, Some(vec![9; 10])), (two, None), (2047, Some(vec![8]))];
        let changed = self.blocks.changed(BTreeMap::from(changes));
        let mut later = Snapshot::new(LATER, changed);
        later.volume_id.clone_from(&first.volume_id);
        state.add_snapshot(first);
        state.add_snapshot(later);
        state.add_snapshot(Snapshot::new("snap-00000000000000003", self.blocks.clone()));
        for (variable, id) in STATES {
            let mut snapshot = Snapshot::new(id, self.blocks.clone());
            match variable {
                "FAKE_ARCHIVED" => snapshot.archived = true,
                "FAKE_PENDING" => snapshot.completes = i64::MAX,
                "FAKE_PUBLIC" => snapshot.public = true,
                "FAKE_KEYLESS" => {
                    snapshot.kms_key = Some("alias/secret".to_owned());
                    snapshot.kms_denied = true;
                }
                _ => "444455556666".clone_into(&mut snapshot.owner),
            }
            if variable == "FAKE_SHARED" {
                snapshot.shared_with.insert("111122223333".to_owned());
            }
            state.add_snapshot(snapshot);
        }
        state.add_instance(Instance::new("i-0123456789abcdef0"));
        state.add_volume(Volume::new("vol-00000000000000001", 1));
        state.attach("vol-00000000000000001", "i-0123456789abcdef0", "/dev/xvda");
        let disk = ImageDisk {
            device: "/dev/xvda".to_owned(),
            snapshot_id: SNAPSHOT.to_owned(),
            gib: 1,
        };
        state.add_image(Image::new("ami-00000000000000001", vec![disk]));
    }

    /// Runs a part of the script, which has to end well.
    fn drive(&self, part: &str) {
        self.drive_as(part, &[]);
    }

    fn drive_as(&self, part: &str, more: &[(&str, &str)]) {
        let Some(python) = python("import boto3", "boto3") else {
            return;
        };
        let mut script = Command::new(python);
        script
            .arg(SCRIPT)
            .arg(part)
            .arg(&self.image)
            .envs(self.fake.environment())
            .envs(STATES)
            .env("AWS_CONFIG_FILE", "/dev/null")
            .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
            .envs(more.iter().copied());
        drive(&self.fake, &mut script);
    }
}

/// 100 MiB in which two of three blocks are holes of the file, and 121 and more are not.
#[expect(clippy::disallowed_methods, reason = "an image that the test makes up")]
fn write_image(path: &Path) {
    let mut file = std::fs::File::create(path).expect("an image");
    let len = u64::try_from(BLOCK_LEN).expect("small");
    file.set_len(len * 400 - 1000).expect("a sparse file");
    for index in (1..400).step_by(3) {
        use std::io::{Seek, SeekFrom};
        file.seek(SeekFrom::Start(index * len)).expect("a place");
        let text = format!("block {index} ");
        file.write_all(text.repeat(500).as_bytes())
            .expect("a block");
    }
}

#[test]
fn callers_are_known_by_their_signatures() {
    Bench::new().drive("sts");
}

#[test]
fn blocks_are_listed_read_and_compared() {
    Bench::new().drive("ebs");
}

#[test]
fn pages_may_be_short_and_empty() {
    let bench = Bench::new();
    bench.fake.state().settings.pages = Pages {
        max: Some(9),
        empty_every: Some(3),
    };
    bench.drive("pages");
}

#[test]
fn requests_for_one_snapshot_are_bounded() {
    let bench = Bench::new();
    bench.fake.state().settings.snapshot_rate = Some(Rate {
        per_second: 10,
        burst: 2,
    });
    bench.drive("throttled");
}

#[test]
fn what_there_is_is_described() {
    Bench::new().drive("described");
}

#[test]
fn a_volume_lives_and_ends() {
    Bench::new().drive("life");
}

#[test]
fn quotas_failures_and_what_hangs() {
    let bench = Bench::new();
    {
        let mut state = bench.fake.state();
        state.settings.creations_that_fail = 1;
        state.settings.attachments_that_hang = 1;
        state.settings.deletions_that_hang = 1;
    }
    bench.drive("failing");
    bench.fake.state().settings.volumes_max = Some(3);
    bench.drive("quota");
}

#[test]
fn what_is_described_may_be_behind() {
    let bench = Bench::new();
    bench.fake.state().settings.lag = Duration::from_secs(60);
    bench.drive("stale");
}

#[test]
fn the_instance_has_credentials() {
    Bench::new().drive("metadata");
}

#[test]
fn sessions_end() {
    let bench = Bench::new();
    let mut key = AccessKey::new("ASIAFAKE000000000003", "secret", "111122223333");
    key.token = Some("IQoJ+/==".to_owned());
    key.expires = Some(bench.fake.now() + 3_600_000);
    bench.fake.state().keys.push(key);
    bench.fake.advance(Duration::from_secs(3601));
    let variables = [
        ("AWS_ACCESS_KEY_ID", "ASIAFAKE000000000003"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        ("AWS_SESSION_TOKEN", "IQoJ+/=="),
    ];
    bench.drive_as("expired", &variables);
}

#[test]
fn clocks_are_compared() {
    let bench = Bench::new();
    bench.fake.set_clock_skew(3600);
    bench.drive("skewed");
}

#[test]
fn what_fails_is_tried_again() {
    let bench = Bench::new();
    bench.fake.set_rule(|call| match call.nth {
        1 => Some(FakeFault::Status(When::BeforeEffect, 500)),
        2 => Some(FakeFault::Throttled),
        3 => Some(FakeFault::Reset(When::AfterEffect, 0)),
        4 => Some(FakeFault::HalfClosed(When::BeforeEffect)),
        5 => Some(FakeFault::NoAnswer(When::AfterEffect)),
        6 => Some(FakeFault::Status(When::AfterEffect, 503)),
        _ => None,
    });
    bench.drive("retried");
    if bench.fake.count("GetSnapshotBlock") > 0 {
        assert_eq!(bench.fake.count("GetSnapshotBlock"), 7);
        assert_eq!(bench.fake.count("CreateVolume"), 7);
        // botocore makes up a client token, so all of these are one.
        assert_eq!(bench.fake.state().volumes.len(), 2);
    }
}

#[test]
fn what_lightsail_has_comes_out_through_ec2() {
    let bench = Bench::new();
    {
        let mut state = bench.fake.state();
        let lightsail = &mut state.lightsail;
        lightsail.instances.push(LightsailResource::new("web", 20));
        let mut disk = LightsailResource::new("data", 8);
        disk.attached_to = Some("web".to_owned());
        lightsail.disks.push(disk);
        let data = LightsailDisk {
            name: "data".to_owned(),
            path: "/dev/xvdf".to_owned(),
            blocks: bench.blocks.clone(),
        };
        let both = vec![
            LightsailDisk::system("web", bench.blocks.clone()),
            data.clone(),
        ];
        let of_web = LightsailSnapshot::new("web-1", "web", true, both.clone());
        let of_data = LightsailSnapshot::new("data-1", "data", false, vec![data]);
        lightsail.snapshots.extend([of_web, of_data]);
        let days = [("19", "Success"), ("20", "Success"), ("21", "InProgress")];
        for (day, status) in days {
            lightsail.auto_snapshots.push(AutoSnapshot {
                resource: LightsailResource::new("web", 20),
                of_instance: true,
                date: format!("2026-11-{day}"),
                status: status.to_owned(),
                disks: both.clone(),
            });
        }
    }
    bench.drive("lightsail");
}
