//! An account with an instance of two disks, which Cloud Backup backs up, and a plain snapshot.

use flr_provider::ecs::{Client, ClientSettings, EcsCatalog, Keys};
use flr_provider::point::{Catalog, PointInfo};
use flr_tests::ecs_fake::{
    BackupPoint, Blocks, Config, Disk, Fake, INSTANCE, Instance, REGION, Snapshot, State,
};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

/// The disk that the instance boots from, and another.
pub(crate) const SYSTEM: &str = "d-bp100000000000000sys";
pub(crate) const DATA: &str = "d-bp100000000000000dat";
/// What Cloud Backup keeps of them.
pub(crate) const OF_SYSTEM: &str = "s-bp100000000000000sys";
pub(crate) const OF_DATA: &str = "s-bp100000000000000dat";
/// Its own id of that.
pub(crate) const BACKUP: &str = "s-000100000000000000bk";
/// A snapshot of the user's.
pub(crate) const PLAIN: &str = "s-bp100000000000000pln";
/// When the backup ends.
pub(crate) const EXPIRES: &str = "2026-11-27T12:00:00Z";

pub(crate) struct Stage {
    pub(crate) fake: Fake,
    folder: TempDir,
}

fn blocks(seed: u8) -> Blocks {
    Blocks::from_fn(1, move |_| Some(vec![seed; 4096]))
}

fn of(id: &str, disk: &str, seed: u8, minutes: i64) -> Snapshot {
    let mut snapshot = Snapshot::new(id, blocks(seed));
    disk.clone_into(&mut snapshot.disk_id);
    snapshot.created += minutes * 60_000;
    snapshot
}

fn populate(state: &mut State) {
    state.add_instance(Instance::here());
    for (id, kind, device) in [(SYSTEM, "system", "/dev/xvda"), (DATA, "data", "/dev/xvdb")] {
        let mut disk = Disk::new(id, 20);
        kind.clone_into(&mut disk.kind);
        state.add_disk(disk);
        state.attach(id, INSTANCE, device);
    }
    // They were not taken at one moment.
    state.add_snapshot(of(OF_SYSTEM, SYSTEM, 1, 0));
    state.add_snapshot(of(OF_DATA, DATA, 2, 1));
    state.add_snapshot(of(PLAIN, DATA, 3, 120));
    let disks = [(SYSTEM, OF_SYSTEM), (DATA, OF_DATA)];
    state.backups.push(BackupPoint::new(BACKUP, &disks));
}

impl Stage {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let fake = Fake::start(Config {
            dev_root: Some(folder.path().join("root")),
            ..Config::default()
        });
        populate(&mut fake.state());
        Self { fake, folder }
    }

    pub(crate) fn client(&self) -> Client {
        let settings = ClientSettings {
            region: Some(REGION.to_owned()),
            endpoint_url: Some(self.fake.url()),
            ..ClientSettings::default()
        };
        let key = Config::default().keys[0].clone();
        Client::with_keys(&settings, Keys::new(key.id, key.secret, None)).expect("a client")
    }

    pub(crate) fn catalog(&self) -> EcsCatalog {
        EcsCatalog::with_client(self.client())
    }

    #[track_caller]
    pub(crate) fn points(&self, object: &str) -> Vec<PointInfo> {
        self.catalog().points(object).expect("points")
    }

    /// A process, with a journal.
    pub(crate) fn victim(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_backup-victim"));
        command.args(args).stdin(Stdio::null());
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy().into_owned();
            if text.starts_with("ALIBABA") || text.starts_with("FLR_") {
                command.env_remove(name);
            }
        }
        command
            .env("HOME", self.path("no-home"))
            .env("XDG_STATE_HOME", self.path("state"))
            .envs(self.fake.environment());
        command
    }

    /// What a process printed, if it ended so.
    #[track_caller]
    pub(crate) fn run(&self, args: &[&str], code: i32) -> String {
        let output: Output = self.victim(args).output().expect("a process");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let said = text(&output.stdout);
        let err = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {said}{err}");
        said
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Disks that were made and are there.
    pub(crate) fn disks(&self) -> Vec<String> {
        let mut left = self.fake.leftovers();
        left.retain(|id| id.starts_with("d-"));
        left
    }
}
