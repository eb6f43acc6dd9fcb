//! An account with an instance, snapshots, and things of others that must stay as they are.

use flr_tests::ecs_fake::{
    AccessKey, BLOCK_LEN, Blocks, Config, Disk, Fake, INSTANCE, Instance, Snapshot, State,
};
pub(crate) use flr_tests::victim::harness::{Running, Said};
use sha2::{Digest, Sha256};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// What processes read.
pub(crate) const SNAPSHOT: &str = "s-bp1000000000000000s1";
/// Another one.
pub(crate) const SECOND: &str = "s-bp1000000000000000s2";
/// Another instance.
pub(crate) const OTHER_INSTANCE: &str = "i-bp1other000000000001";
/// Disks of others: of this instance, of another one, and with some of our tags.
const OTHERS: [&str; 4] = [
    "d-bp1other00000000root",
    "d-bp1other0000000000db",
    "d-bp1other00000000prod",
    "d-bp1other00000000half",
];

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

/// A snapshot of three blocks.
pub(crate) fn snapshot(id: &str, seed: u8) -> Snapshot {
    Snapshot::new(id, Blocks::from_fn(3, move |index| block(seed, index)))
}

fn populate(state: &mut State) {
    state.add_instance(Instance::here());
    state.add_instance(Instance::new(OTHER_INSTANCE));
    for (id, seed) in [(SNAPSHOT, 1), (SECOND, 2)] {
        state.add_snapshot(snapshot(id, seed));
    }
    for id in OTHERS {
        state.add_disk(Disk::new(id, 8));
    }
    state.attach(OTHERS[0], INSTANCE, "/dev/xvda");
    state.attach(OTHERS[1], OTHER_INSTANCE, "/dev/xvdb");
    // One of our tags, and several of them without being ours.
    let mut tag = |id: &str, key: &str, value: &str| {
        let disk = state.disks.get_mut(id).expect("a disk");
        disk.tags.insert(key.to_owned(), value.to_owned());
    };
    tag(OTHERS[2], "flr:session", "prod");
    tag(OTHERS[3], "flr:session", &"0".repeat(32));
    tag(OTHERS[3], "flr:op", &"1".repeat(32));
    tag(OTHERS[3], "flr:expires", "2020-01-01T00:00:00Z");
}

impl Stage {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let fake = Fake::start(Config {
            dev_root: Some(folder.path().join("root")),
            ..Config::default()
        });
        populate(&mut fake.state());
        // A disk is not to be deleted at once, as with the real service.
        fake.state().settings.initialize_time = Duration::from_millis(40);
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
        let mut command = Command::new(env!("CARGO_BIN_EXE_ecs-victim"));
        command.args(args).stdin(Stdio::null());
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy().into_owned();
            let starts = ["ALIBABA", "FLR_"];
            if starts.iter().any(|start| text.starts_with(start)) {
                command.env_remove(name);
            }
        }
        command
            .env("HOME", self.path("home"))
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

    /// Ids of disks that are there and not others'.
    pub(crate) fn ours(&self) -> Vec<String> {
        let now = self.fake.now();
        let state = self.fake.state();
        let there = state.disks.values();
        let there = there.filter(|disk| disk.status(now).is_some());
        let ours = there.filter(|disk| !OTHERS.contains(&disk.id.as_str()));
        ours.map(|disk| disk.id.clone()).collect()
    }

    /// That nothing of ours is there, and everything of others, and that nothing was done that never must
    /// be.
    #[track_caller]
    pub(crate) fn assert_clean(&self, when: &str) {
        assert_eq!(self.ours(), [""; 0], "{when}");
        self.assert_others(when);
        let violations = &self.fake.state().violations;
        assert!(violations.is_empty(), "{when}: {violations:#?}");
    }

    /// That everything of others is as it was.
    #[track_caller]
    pub(crate) fn assert_others(&self, when: &str) {
        let now = self.fake.now();
        let state = self.fake.state();
        for id in OTHERS {
            let disk = &state.disks[id];
            let attached = disk.attachment(now).map(|to| to.instance_id.as_str());
            let expected = match id {
                id if id == OTHERS[0] => (Some("In_use"), Some(INSTANCE)),
                id if id == OTHERS[1] => (Some("In_use"), Some(OTHER_INSTANCE)),
                _ => (Some("Available"), None),
            };
            assert_eq!((disk.status(now), attached), expected, "{id} {when}");
            assert!(!disk.tags.contains_key("flr:marked"), "{id} {when}");
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
