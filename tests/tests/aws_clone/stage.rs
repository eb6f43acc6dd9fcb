//! An account with an instance, a snapshot, and things of others that must stay as they are.

use flr_tests::aws_fake::{
    AccessKey, BLOCK_LEN, Blocks, Config, Fake, Instance, REGION, Snapshot, State, Volume,
};
pub(crate) use flr_tests::victim::harness::Said;
use sha2::{Digest, Sha256};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// The instance that the processes run on.
pub(crate) const INSTANCE: &str = "i-0123456789abcdef0";
/// What they read.
pub(crate) const SNAPSHOT: &str = "snap-0123456789abcdef0";
/// Another one.
pub(crate) const SECOND: &str = "snap-0123456789abcdef1";
/// Volumes of others.
const OTHERS: [&str; 4] = ["vol-0root", "vol-0db", "vol-0prod", "vol-0half"];

/// No test waits longer for anything.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// The stand-in, and folders of hosts.
pub(crate) struct Stage {
    pub(crate) fake: Fake,
    folder: TempDir,
}

fn block(seed: u8, index: u64) -> Option<Vec<u8>> {
    let seed = usize::from(seed) + usize::try_from(index).expect("small");
    let byte = |at: usize| u8::try_from((at * 31 + at / 251 + seed) % 256).expect("below 256");
    // The second block was never written.
    (index != 1).then(|| (0..BLOCK_LEN).map(byte).collect())
}

/// The digest of what a process reads of a snapshot.
pub(crate) fn digest(seed: u8) -> String {
    let mut bytes = block(seed, 0).expect("it is stored");
    bytes.resize(1 << 20, 0);
    let digest = Sha256::digest(&bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn populate(state: &mut State) {
    state.add_instance(Instance::new(INSTANCE));
    state.add_instance(Instance::new("i-0fffffffffffffff0"));
    for (id, seed) in [(SNAPSHOT, 1), (SECOND, 2)] {
        let blocks = Blocks::from_fn(3, move |index| block(seed, index));
        state.add_snapshot(Snapshot::new(id, blocks));
    }
    for id in OTHERS {
        state.add_volume(Volume::new(id, 8));
    }
    state.attach("vol-0root", INSTANCE, "/dev/xvda");
    state.attach("vol-0db", "i-0fffffffffffffff0", "/dev/xvdf");
    // One of our tags, and several of them without being ours.
    let mut tag = |id: &str, key: &str, value: &str| {
        let volume = state.volumes.get_mut(id).expect("a volume");
        volume.tags.insert(key.to_owned(), value.to_owned());
    };
    tag("vol-0prod", "flr:session", "prod");
    tag("vol-0half", "flr:session", &"0".repeat(32));
    tag("vol-0half", "flr:op", &"1".repeat(32));
    tag("vol-0half", "flr:expires", "2020-01-01T00:00:00Z");
}

impl Stage {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let fake = Fake::start(Config {
            dev_root: Some(folder.path().join("root")),
            ..Config::default()
        });
        populate(&mut fake.state());
        // Long enough to be seen on its way out, which is what is waited for.
        fake.state().settings.delete_time = Duration::from_millis(150);
        Self { fake, folder }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A process on the usual host.
    pub(crate) fn victim(&self, args: &[&str]) -> Command {
        self.victim_on("here", args)
    }

    /// A process with a journal of its own: as if on another host.
    pub(crate) fn victim_on(&self, host: &str, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_aws-victim"));
        command.args(args).stdin(Stdio::null());
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("AWS_") {
                command.env_remove(name);
            }
        }
        command
            .env("HOME", self.path("no-home"))
            .env("XDG_STATE_HOME", self.path(host))
            .envs(self.fake.environment());
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Said {
        Said::of(&self.victim(args).output().expect("a process"))
    }

    /// Reads the snapshot and cleans up.
    pub(crate) fn read(&self) -> Said {
        self.run(&["use", "1", SNAPSHOT])
    }

    pub(crate) fn gc(&self) -> Said {
        self.run(&["gc"])
    }

    /// Ids of volumes that are there and not others'.
    pub(crate) fn ours(&self) -> Vec<String> {
        let now = self.fake.now();
        let state = self.fake.state();
        let there = state.volumes.values();
        let there = there.filter(|volume| volume.state(now).is_some());
        let ours = there.filter(|volume| !OTHERS.contains(&volume.id.as_str()));
        ours.map(|volume| volume.id.clone()).collect()
    }

    /// That nothing of ours is there, and everything of others.
    #[track_caller]
    pub(crate) fn assert_clean(&self, when: &str) {
        assert_eq!(self.ours(), [""; 0], "{when}");
        self.assert_others(when);
    }

    /// That everything of others is as it was.
    #[track_caller]
    pub(crate) fn assert_others(&self, when: &str) {
        let now = self.fake.now();
        let state = self.fake.state();
        for id in OTHERS {
            let volume = &state.volumes[id];
            let attached = volume.attachment(now).map(|to| to.instance_id.as_str());
            let expected = match id {
                "vol-0root" => (Some("in-use"), Some(INSTANCE)),
                "vol-0db" => (Some("in-use"), Some("i-0fffffffffffffff0")),
                _ => (Some("available"), None),
            };
            assert_eq!((volume.state(now), attached), expected, "{id} {when}");
            assert!(!volume.tags.contains_key("flr:marked"), "{id} {when}");
        }
    }

    /// Waits until something is so.
    #[track_caller]
    pub(crate) fn wait_until(&self, what: &str, mut is_so: impl FnMut(&Fake) -> bool) {
        let begun = Instant::now();
        while !is_so(&self.fake) {
            assert!(begun.elapsed() < DEADLINE, "{what} did not come about");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// The key of another account.
pub(crate) fn other_key() -> AccessKey {
    Config::default().keys[1].clone()
}

/// The region that everything is in.
pub(crate) const HERE: &str = REGION;
