//! An account with an instance, snapshots, and things of others that must stay as they are.

use flr_tests::ecs_fake::{
    AccessKey, Alibaba, Call, Config, Disk, Fake, INSTANCE, Instance, Service, Snapshot, State,
};
use flr_tests::victim::stage::{self as staged, Other, Scene, Shown, snapshot_blocks};
use std::path::PathBuf;
use std::time::Duration;

/// What processes read.
pub(crate) const SNAPSHOT: &str = "s-bp1000000000000000s1";
/// Another one.
pub(crate) const SECOND: &str = "s-bp1000000000000000s2";
/// Another instance.
pub(crate) const OTHER_INSTANCE: &str = "i-bp1other000000000001";

/// The stand-in, and folders of hosts.
pub(crate) type Stage = staged::Stage<Ecs>;

/// Alibaba Cloud, as these tests meet it.
#[derive(Debug)]
pub(crate) struct Ecs;

/// A snapshot of three blocks.
pub(crate) fn snapshot(id: &str, seed: u8) -> Snapshot {
    Snapshot::new(id, snapshot_blocks(seed))
}

impl Scene for Ecs {
    type Cloud = Alibaba;

    const VICTIM: &'static str = env!("CARGO_BIN_EXE_ecs-victim");
    const VARIABLES: &'static [&'static str] = &["ALIBABA"];
    const KEY: [&'static str; 2] = [
        "ALIBABA_CLOUD_ACCESS_KEY_ID",
        "ALIBABA_CLOUD_ACCESS_KEY_SECRET",
    ];
    const KIND: &'static str = "ecs-disk";
    const DETACH: &'static str = "DetachDisk";
    const DELETE: &'static str = "DeleteDisk";
    const CREATE: &'static str = "CreateDisk";
    const TAG: &'static str = "TagResources";
    const SNAPSHOTS: [&'static str; 2] = [SNAPSHOT, SECOND];
    /// Of this instance, of another one, and with some of our tags.
    const OTHERS: [Other; 4] = [
        ("d-bp1other00000000root", "In_use", Some(INSTANCE)),
        ("d-bp1other0000000000db", "In_use", Some(OTHER_INSTANCE)),
        ("d-bp1other00000000prod", "Available", None),
        ("d-bp1other00000000half", "Available", None),
    ];

    fn config(dev_root: PathBuf) -> Config {
        Config {
            dev_root: Some(dev_root),
            ..Config::default()
        }
    }

    fn fill(state: &mut State) {
        state.add_instance(Instance::here());
        state.add_instance(Instance::new(OTHER_INSTANCE));
        for (id, seed) in [(SNAPSHOT, 1), (SECOND, 2)] {
            state.add_snapshot(snapshot(id, seed));
        }
        let [root, database, product, half] = Self::OTHERS.map(|(id, ..)| id);
        for id in [root, database, product, half] {
            state.add_disk(Disk::new(id, 8));
        }
        state.attach(root, INSTANCE, "/dev/xvda");
        state.attach(database, OTHER_INSTANCE, "/dev/xvdb");
        // One of our tags, and several of them without being ours.
        let mut tag = |id: &str, key: &str, value: &str| {
            let disk = state.disks.get_mut(id).expect("a disk");
            disk.tags.insert(key.to_owned(), value.to_owned());
        };
        tag(product, "flr:session", "prod");
        tag(half, "flr:session", &"0".repeat(32));
        tag(half, "flr:op", &"1".repeat(32));
        tag(half, "flr:expires", "2020-01-01T00:00:00Z");
        // A disk is not to be deleted at once, as with the real service.
        state.settings.initialize_time = Duration::from_millis(40);
    }

    fn environment(fake: &Fake) -> Vec<(String, String)> {
        fake.environment()
    }

    fn other_key() -> [String; 2] {
        let AccessKey { id, secret, .. } = other_key();
        [id, secret]
    }

    fn shown(state: &State, now: i64) -> Vec<Shown> {
        let shown = state.disks.values().filter_map(|disk| {
            let instance = disk.attachment(now).map(|to| to.instance_id.clone());
            Some(Shown {
                id: disk.id.clone(),
                status: disk.status(now)?.to_owned(),
                instance,
                marked: disk.tags.contains_key("flr:marked"),
            })
        });
        shown.collect()
    }

    fn violations(state: &State) -> Vec<String> {
        let violations = state.violations.iter();
        violations
            .map(|violation| format!("{violation:?}"))
            .collect()
    }

    fn is_metadata(call: &Call) -> bool {
        call.service == Service::Metadata
    }

    fn lag(state: &mut State, lag: Duration) {
        state.settings.lag = lag;
    }

    fn fail_next(state: &mut State) {
        state.settings.creations_that_fail = 1;
    }
}

/// The key of another account.
pub(crate) fn other_key() -> AccessKey {
    Config::default().keys[1].clone()
}
