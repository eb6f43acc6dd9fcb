//! An account with an instance, a snapshot, and things of others that must stay as they are.

use flr_tests::aws_fake::{
    AccessKey, Aws as Fakes, Call, Config, Fake, Instance, Service, Snapshot, State, Volume,
};
use flr_tests::victim::stage::{self as staged, Other, Scene, Shown, snapshot_blocks};
use std::path::PathBuf;
use std::time::Duration;

/// The instance that the processes run on.
pub(crate) const INSTANCE: &str = "i-0123456789abcdef0";
/// What they read.
pub(crate) const SNAPSHOT: &str = "snap-0123456789abcdef0";
/// Another one.
pub(crate) const SECOND: &str = "snap-0123456789abcdef1";
/// Another instance.
const OTHER_INSTANCE: &str = "i-0fffffffffffffff0";

/// The stand-in, and folders of hosts.
pub(crate) type Stage = staged::Stage<Aws>;

/// AWS, as these tests meet it.
#[derive(Debug)]
pub(crate) struct Aws;

impl Scene for Aws {
    type Cloud = Fakes;

    const VICTIM: &'static str = env!("CARGO_BIN_EXE_aws-victim");
    const VARIABLES: &'static [&'static str] = &["AWS_"];
    const KEY: [&'static str; 2] = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"];
    const KIND: &'static str = "ebs-volume";
    const DETACH: &'static str = "DetachVolume";
    const DELETE: &'static str = "DeleteVolume";
    const CREATE: &'static str = "CreateVolume";
    const TAG: &'static str = "CreateTags";
    const SNAPSHOTS: [&'static str; 2] = [SNAPSHOT, SECOND];
    /// Of this instance, of another one, and with some of our tags.
    const OTHERS: [Other; 4] = [
        ("vol-0root", "in-use", Some(INSTANCE)),
        ("vol-0db", "in-use", Some(OTHER_INSTANCE)),
        ("vol-0prod", "available", None),
        ("vol-0half", "available", None),
    ];

    fn config(dev_root: PathBuf) -> Config {
        Config {
            dev_root: Some(dev_root),
            ..Config::default()
        }
    }

    fn fill(state: &mut State) {
        state.add_instance(Instance::new(INSTANCE));
        state.add_instance(Instance::new(OTHER_INSTANCE));
        for (id, seed) in [(SNAPSHOT, 1), (SECOND, 2)] {
            state.add_snapshot(Snapshot::new(id, snapshot_blocks(seed)));
        }
        for (id, ..) in Self::OTHERS {
            state.add_volume(Volume::new(id, 8));
        }
        state.attach("vol-0root", INSTANCE, "/dev/xvda");
        state.attach("vol-0db", OTHER_INSTANCE, "/dev/xvdf");
        // One of our tags, and several of them without being ours.
        let mut tag = |id: &str, key: &str, value: &str| {
            let volume = state.volumes.get_mut(id).expect("a volume");
            volume.tags.insert(key.to_owned(), value.to_owned());
        };
        tag("vol-0prod", "flr:session", "prod");
        tag("vol-0half", "flr:session", &"0".repeat(32));
        tag("vol-0half", "flr:op", &"1".repeat(32));
        tag("vol-0half", "flr:expires", "2020-01-01T00:00:00Z");
        // Long enough to be seen on its way out, which is what is waited for.
        state.settings.delete_time = Duration::from_millis(150);
    }

    fn environment(fake: &Fake) -> Vec<(String, String)> {
        fake.environment()
    }

    fn other_key() -> [String; 2] {
        let AccessKey { id, secret, .. } = other_key();
        [id, secret]
    }

    fn shown(state: &State, now: i64) -> Vec<Shown> {
        let shown = state.volumes.values().filter_map(|volume| {
            let instance = volume.attachment(now).map(|to| to.instance_id.clone());
            Some(Shown {
                id: volume.id.clone(),
                status: volume.state(now)?.to_owned(),
                instance,
                marked: volume.tags.contains_key("flr:marked"),
            })
        });
        shown.collect()
    }

    /// This stand-in writes none down.
    fn violations(_state: &State) -> Vec<String> {
        Vec::new()
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
