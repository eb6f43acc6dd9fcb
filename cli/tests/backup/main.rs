//! Cloud Backup's points, and snapshots on request, as users of Alibaba Cloud meet them.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test may fail"
)]

#[path = "../command/schema.rs"]
mod schema;

use flr_tests::ecs_fake::{BackupPoint, Blocks, Config, Disk, Fake, INSTANCE, Instance, Snapshot};
use flr_tests::image::image_path;
use schema::check;
use serde_json::Value;
use std::process::{Command, Stdio};
use tempfile::TempDir;

const DISK: &str = "d-bp100000000000000dat";
const OF_BACKUP: &str = "s-bp100000000000000dat";
const BACKUP: &str = "s-000100000000000000bk";
const EXPIRES: &str = "2026-11-27T12:00:00";

struct Stage {
    fake: Fake,
    folder: TempDir,
}

struct Said {
    out: String,
    err: String,
    code: Option<i32>,
}

impl Said {
    #[track_caller]
    fn ended_with(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}\n{}", self.out, self.err);
        self
    }

    /// What it printed, as JSON.
    fn lines(&self) -> Vec<Value> {
        self.out.lines().map(check).collect()
    }

    fn of_type(&self, message_type: &str) -> Vec<Value> {
        let mut lines = self.lines();
        lines.retain(|line| line["message_type"] == message_type);
        lines
    }
}

impl Stage {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let fake = Fake::start(Config {
            dev_root: Some(folder.path().join("root")),
            ..Config::default()
        });
        {
            let mut state = fake.state();
            state.add_instance(Instance::here());
            state.add_disk(Disk::new(DISK, 20));
            state.attach(DISK, INSTANCE, "/dev/xvdb");
            let blocks = Blocks::from_file(&image_path("ext4-journal")).unwrap();
            let mut snapshot = Snapshot::new(OF_BACKUP, blocks);
            DISK.clone_into(&mut snapshot.disk_id);
            state.add_snapshot(snapshot);
            let point = BackupPoint::new(BACKUP, &[(DISK, OF_BACKUP)]);
            state.backups.push(point);
        }
        Self { fake, folder }
    }

    fn run(&self, args: &[&str]) -> Said {
        let mut command = Command::new(env!("CARGO_BIN_EXE_flr"));
        command.args(args).current_dir(self.folder.path());
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy().to_uppercase();
            let starts = ["AWS_", "ALIBABA", "FLR_", "SSL_"];
            let changes = starts.iter().any(|start| text.starts_with(start));
            if changes || text.ends_with("_PROXY") || text == "RUST_LOG" {
                command.env_remove(name);
            }
        }
        let path = |name: &str| self.folder.path().join(name);
        command
            .stdin(Stdio::null())
            .env("TZ", "UTC")
            .env("LC_ALL", "C.UTF-8")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("HOME", path("home"))
            .env("XDG_STATE_HOME", path("state"))
            .env("XDG_CONFIG_HOME", path("config"))
            .env("XDG_CACHE_HOME", path("cache"))
            .env("FLR_CONSISTENCY_WINDOW", "0")
            .envs(self.fake.environment());
        let output = command.output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Said {
            out: text(&output.stdout),
            err: text(&output.stderr),
            code: output.status.code(),
        }
    }

    fn deny_backup(&self) {
        let action = "hbr:DescribeUdmSnapshots".to_owned();
        self.fake.state().settings.denied.insert(action);
    }
}

#[test]
fn points_have_the_end_that_only_cloud_backup_knows() {
    let stage = Stage::new();
    let said = stage.run(&["points", INSTANCE, "--json"]).ended_with(0);
    let points = said.of_type("point");
    assert_eq!(points.len(), 1, "{}", said.out);
    let expires = points[0]["expires"].as_str().unwrap();
    assert!(expires.starts_with(EXPIRES), "{expires}");
    assert_eq!(points[0]["tags"]["cloud-backup:point"], BACKUP);
    assert_eq!(said.err, "");
    stage.deny_backup();
    let said = stage
        .run(&["points", INSTANCE, DISK, OF_BACKUP, "--json"])
        .ended_with(0);
    let points = said.of_type("point");
    assert_eq!(points.len(), 3, "{}", said.out);
    assert!(points.iter().all(|point| point.get("expires").is_none()));
    // Once, for three of them.
    assert_eq!(said.err.matches("Cloud Backup was not asked").count(), 1);
}

#[test]
fn a_point_of_cloud_backup_is_read_only_with_the_users_word_and_then_owed() {
    let stage = Stage::new();
    let address = format!("{OF_BACKUP}:/");
    let said = stage.run(&["ls", &address, "--json"]).ended_with(13);
    let error = check(said.err.lines().last().unwrap());
    assert_eq!(error["code"], 13);
    let message = error["message"].as_str().unwrap();
    assert!(
        message.contains(EXPIRES) && message.contains(BACKUP),
        "{message}"
    );
    assert!(error["hint"].as_str().unwrap().contains("--yes"), "{error}");
    assert_eq!(stage.fake.count("CreateDisk"), 0);
    assert_eq!(stage.run(&["gc"]).ended_with(0).out, "");
    // What it would do is said before.
    let cost = stage.run(&["cost", &address, "--yes", "--json"]);
    assert!(cost.out.contains("lets go of it"), "{}", cost.out);
    let said = stage.run(&["ls", &address, "--yes"]).ended_with(0);
    assert!(
        said.err.contains("leaves the care of Cloud Backup"),
        "{}",
        said.err
    );
    assert_eq!(stage.fake.left_lifecycle(), [BACKUP]);
    let said = stage.run(&["gc", "--json"]).ended_with(0);
    let owed = said.of_type("resource");
    assert_eq!(owed.len(), 1, "{}", said.out);
    assert_eq!(
        (&owed[0]["kind"], &owed[0]["id"]),
        (&"snapshot".into(), &OF_BACKUP.into())
    );
    // It is over by the clock of the stand-in's hosts, or not: it is owed either way.
    let state = owed[0]["state"].as_str().unwrap();
    assert!(["owed", "due"].contains(&state), "{state}");
    assert!(owed[0]["due"].as_str().unwrap().starts_with(EXPIRES));
    let settle = owed[0]["settle"].as_str().unwrap();
    assert!(settle.starts_with("aliyun ecs DeleteSnapshot "), "{settle}");
    stage.fake.state().tables.snapshots.remove(OF_BACKUP);
    let said = stage.run(&["gc"]).ended_with(0);
    assert!(said.out.starts_with("settled snapshot "), "{}", said.out);
    assert_eq!(stage.run(&["gc"]).ended_with(0).out, "");
    assert_eq!(stage.fake.count("DeleteSnapshot"), 0);
}

#[test]
fn a_snapshot_is_a_point_and_says_what_it_has_come_to() {
    let stage = Stage::new();
    let said = stage
        .run(&["snapshot", INSTANCE, "--json", "--tag", "team=it"])
        .ended_with(0);
    let points = said.of_type("point");
    assert_eq!(points.len(), 1, "{}", said.out);
    assert_eq!(points[0]["consistency"], "crash");
    assert_eq!(points[0]["tags"]["team"], "it");
    let args = [
        "snapshot",
        INSTANCE,
        "--app-consistent",
        "--pre",
        "/root/a.sh",
        "--post",
        "/root/b.sh",
    ];
    // The scripts are not there.
    let said = stage.run(&[&args[..], &["--json"]].concat()).ended_with(3);
    assert_eq!(said.of_type("point")[0]["consistency"], "filesystem");
    assert!(said.err.contains("filesystems only"), "{}", said.err);
    {
        let mut state = stage.fake.state();
        let instance = state.tables.instances.get_mut(INSTANCE).unwrap();
        instance.scripts = ["/root/a.sh", "/root/b.sh"].map(str::to_owned).into();
    }
    let said = stage.run(&args).ended_with(0);
    assert!(said.out.contains(" application consistent"), "{}", said.out);
    // They stay, whatever is cleaned up.
    assert_eq!(stage.run(&["gc"]).ended_with(0).out, "");
    assert_eq!(stage.fake.state().tables.groups.len(), 3);
}

#[test]
fn an_alarm_stands_out_and_codes_have_their_exits() {
    let stage = Stage::new();
    for (code, exit) in [
        (1, 7),
        (3, 12),
        (6, 5),
        (12, 1),
        (13, 12),
        (14, 11),
        (16, 11),
        (255, 1),
    ] {
        stage.fake.state().settings.assistant.exit_code = Some(code);
        let said = stage
            .run(&["snapshot", INSTANCE, "--app-consistent"])
            .ended_with(exit);
        let alarms = said.err.matches("ALARM").count();
        assert_eq!(alarms >= 2, code == 12, "{}", said.err);
    }
}

#[test]
fn what_makes_no_sense_is_refused_before_anything_is_asked() {
    let stage = Stage::new();
    for args in [
        &["snapshot"][..],
        &["snapshot", INSTANCE, DISK],
        &["snapshot", INSTANCE, "--pre", "/a", "--post", "/b"],
        &["snapshot", INSTANCE, "--app-consistent", "--pre", "/a"],
        &["snapshot", INSTANCE, "--tag", "x"],
        &["snapshot", &format!("{INSTANCE}@latest")],
        &["snapshot", &format!("{INSTANCE}:/etc")],
        &["snapshot", INSTANCE, "--name", "a;b"],
    ] {
        stage.run(args).ended_with(2);
    }
    stage.run(&["snapshot", DISK]).ended_with(7);
    let said = stage
        .run(&["snapshot", "i-0123456789abcdef0", "--region", "eu-west-1"])
        .ended_with(7);
    assert!(
        said.err.contains("aws ec2 create-snapshots"),
        "{}",
        said.err
    );
    stage.run(&["snapshot", "file:disk.img"]).ended_with(7);
    assert_eq!(stage.fake.count("CreateSnapshotGroup"), 0);
}

#[test]
fn the_doctor_tells_whether_cloud_backup_can_be_asked() {
    let stage = Stage::new();
    let line = || {
        let said = stage.run(&["doctor"]);
        let found = said
            .out
            .lines()
            .find(|line| line.contains("ecs cloud backup:"));
        found
            .map(str::to_owned)
            .unwrap_or_else(|| panic!("{}{}", said.out, said.err))
    };
    let fine = line();
    assert_eq!(fine, "ok       ecs cloud backup: it tells of its points");
    let refusal = ("ServiceNotActivated".to_owned(), "activate it".to_owned());
    stage.fake.state().settings.hbr_refuses = Some(refusal);
    let not_activated = line();
    assert!(not_activated.starts_with("lacking "), "{not_activated}");
    assert!(
        not_activated.contains("it is not activated"),
        "{not_activated}"
    );
    stage.fake.state().settings.hbr_refuses = None;
    stage.deny_backup();
    let denied = line();
    assert!(denied.starts_with("lacking "), "{denied}");
    let action = "hbr:DescribeUdmSnapshots is not allowed";
    assert!(
        denied.contains(action) && denied.contains("flr policy aliyun"),
        "{denied}"
    );
    // It asks, and changes nothing.
    let asking = [
        "Describe",
        "GetCallerIdentity",
        "GET /latest/",
        "PUT /latest/api/token",
    ];
    for call in stage.fake.requests() {
        let asks = asking.iter().any(|start| call.operation.starts_with(start));
        assert!(asks, "{}", call.operation);
    }
}

#[test]
fn a_backup_that_nobody_tells_the_size_of_is_named_and_not_listed() {
    let stage = Stage::new();
    {
        let mut state = stage.fake.state();
        state.tables.snapshots.clear();
    }
    // Of one that ECS does not show, the size of the disk is nowhere said.
    let said = stage.run(&["points", INSTANCE, "--json"]).ended_with(0);
    let points = said.of_type("point");
    assert_eq!(points[0]["state"], "missing");
    assert!(points[0]["size"].as_u64().unwrap() > 0, "{points:#?}");
    assert_eq!(points[0]["disks"][0].get("size"), None, "{points:#?}");
    stage.fake.state().backups[0].untold = vec!["BytesTotal", "CreatedTime"];
    let said = stage.run(&["points", INSTANCE]).ended_with(0);
    assert!(
        !said.out.contains("1970") && !said.out.contains(OF_BACKUP),
        "{}",
        said.out
    );
    let note = format!("1 backup point of {INSTANCE} cannot be listed");
    assert!(said.err.contains(&note), "{}", said.err);
    assert!(said.err.contains(BACKUP), "{}", said.err);
}
