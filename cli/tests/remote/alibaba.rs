//! Snapshots of Alibaba Cloud, as users meet them: files of them, and what is said where there are none.
//!
//! Each command that makes a disk takes half a minute: so long "not found" is not believed of it.

use crate::schema::check;
use crate::stage::{Said, until};
use flr_tests::ecs_fake::{
    ACCOUNT, AccessKey, Blocks, Config, Disk, Fake, INSTANCE, Instance, Money, Snapshot,
};
use flr_tests::image::image_path;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

const SECRET: &str = "CANARYKEYaaaaaaaaaaaaaaaaaaaaa";
const TOKEN: &str = "CANARYTOKENbbbbbbbbbbbbbbbbbbb==";

/// Its journal has to be replayed.
const EXT4: &str = "s-bp1snapshot0000ext40";
const NTFS: &str = "s-bp1snapshot0000ntfs0";

struct Stage {
    fake: Fake,
    folder: TempDir,
}

fn blocks(name: &str) -> Blocks {
    Blocks::from_file(&image_path(name)).unwrap()
}

impl Stage {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let mut key = AccessKey::new("STS.fake0000000000000001", SECRET, ACCOUNT);
        key.token = Some(TOKEN.to_owned());
        let fake = Fake::start(Config {
            keys: vec![key],
            dev_root: Some(folder.path().join("root")),
            ..Config::default()
        });
        {
            let mut state = fake.state();
            state.add_instance(Instance::here());
            for (id, name) in [(EXT4, "ext4-journal"), (NTFS, "windows-gpt")] {
                let mut snapshot = Snapshot::new(id, blocks(name));
                snapshot.name = name.to_owned();
                state.add_snapshot(snapshot);
            }
            state.add_disk(Disk::new("d-bp1other000000000001", 8));
            state.attach("d-bp1other000000000001", INSTANCE, "/dev/xvda");
        }
        for name in ["ext4-journal", "windows-gpt"] {
            let link = folder.path().join(format!("{name}.img"));
            std::os::unix::fs::symlink(image_path(name), link).unwrap();
        }
        Self { fake, folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_flr"));
        command
            .args(args)
            .current_dir(self.folder.path())
            .stdin(Stdio::null());
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy().to_uppercase();
            let starts = ["AWS_", "ALIBABA", "FLR_", "SSL_"];
            let changes = starts.iter().any(|start| text.starts_with(start));
            if changes || text.ends_with("_PROXY") || text == "NO_COLOR" || text == "RUST_LOG" {
                command.env_remove(name);
            }
        }
        command
            .env("TZ", "UTC")
            .env("LC_ALL", "C.UTF-8")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("HOME", self.path("home"))
            .env("XDG_STATE_HOME", self.path("state"))
            .env("XDG_CONFIG_HOME", self.path("config"))
            .env("XDG_CACHE_HOME", self.path("cache"))
            .env("FLR_CONSISTENCY_WINDOW", "0")
            .env("ALIBABA_CLOUD_SECURITY_TOKEN", TOKEN)
            .envs(self.fake.environment());
        command
    }

    /// Runs a command that logs all it can, and looks for secrets in what it says and writes.
    fn run(&self, args: &[&str]) -> Said {
        let mut command = self.command(args);
        command.args(["-vv", "--log-file", "log"]);
        let said = Said::of(&command.output().unwrap());
        no_secrets(&format!("what {args:?} says"), said.out.as_bytes());
        no_secrets(&format!("what {args:?} says"), said.err.as_bytes());
        for folder in ["state", "cache", "config"] {
            no_secrets_below(&self.path(folder));
        }
        no_secrets(
            "the log",
            &std::fs::read(self.path("log")).unwrap_or_default(),
        );
        said
    }

    fn assert_clean(&self) {
        assert_eq!(self.fake.leftovers(), [""; 0]);
        let violations = &self.fake.state().violations;
        assert!(violations.is_empty(), "{violations:#?}");
        let said = self.run(&["session", "ls"]);
        assert_eq!((said.code, said.out.as_str()), (0, ""), "{}", said.err);
    }
}

#[track_caller]
fn no_secrets(place: &str, bytes: &[u8]) {
    for secret in [SECRET, TOKEN] {
        let mut pieces = bytes.windows(secret.len());
        assert!(
            !pieces.any(|piece| piece == secret.as_bytes()),
            "{secret} in {place}"
        );
    }
}

fn no_secrets_below(folder: &Path) {
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => no_secrets_below(&path),
            false => no_secrets(&path.display().to_string(), &std::fs::read(&path).unwrap()),
        }
    }
}

/// Copies all of a snapshot, and compares it with what is copied of its image.
fn copies_alike(snapshot: &str, image: &str) {
    let stage = Stage::new();
    let from = |object: &str, to: &str| stage.run(&["cp", &format!("{object}:/"), to]);
    let said = from(snapshot, "to");
    let local = from(image, "here");
    assert_eq!(said.code, local.code, "{}\n{}", said.err, local.err);
    let made = format!("made 1 temporary disk of {snapshot} in session ");
    assert!(said.err.contains(&made), "{}", said.err);
    let mut diff = Command::new("diff");
    diff.args(["-r", "--no-dereference", "here", "to"]);
    let diff = diff.current_dir(stage.folder.path()).output().unwrap();
    assert!(
        diff.status.success(),
        "{}",
        String::from_utf8_lossy(&diff.stdout)
    );
    let count = std::fs::read_dir(stage.path("to")).unwrap().count();
    assert!(count >= 2, "{count} entries");
    let calls = stage.fake.calls("CreateDisk");
    assert_eq!(calls.len(), 1);
    stage.assert_clean();
}

#[test]
fn files_of_a_disk_whose_journal_is_replayed() {
    copies_alike(EXT4, "ext4-journal.img");
}

#[test]
fn files_of_a_windows() {
    copies_alike(NTFS, "windows-gpt.img");
}

#[test]
fn a_command_that_is_interrupted_leaves_nothing() {
    let stage = Stage::new();
    let mut command = stage.command(&["cp", &format!("{EXT4}:/"), "to"]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    stage.fake.state().settings.attach_time = std::time::Duration::from_secs(600);
    let child = command.spawn().unwrap();
    until("the disk", || stage.fake.count("AttachDisk") == 1);
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    stage.fake.advance(std::time::Duration::from_secs(601));
    let said = Said::of(&child.wait_with_output().unwrap());
    assert_eq!(said.code, 143, "{}", said.err);
    stage.assert_clean();
}

#[test]
fn points_and_what_they_cost() {
    let stage = Stage::new();
    let said = stage.run(&["points", EXT4, "--json"]).ended_with(0);
    let lines: Vec<_> = said.out.lines().map(check).collect();
    let point = &lines[0];
    assert_eq!(point["message_type"], "point");
    assert_eq!(point["id"], EXT4);
    assert_eq!(point["name"], "ext4-journal");
    assert_eq!(point["state"], "accomplished");
    assert_eq!(point["access"], "clone");
    assert_eq!(point["region"], "cn-hangzhou");
    let said = stage.run(&["points", "ecs:ext4-journal"]).ended_with(0);
    assert!(said.out.contains(EXT4), "{}", said.out);
    let said = stage.run(&["cost", &format!("{EXT4}:/")]).ended_with(0);
    assert!(said.out.contains("CreateDisk"), "{}", said.out);
    assert!(said.out.contains("makes disks of 1 GiB"), "{}", said.out);
    assert_eq!(stage.fake.count("CreateDisk"), 0);
    stage.assert_clean();
}

#[test]
fn what_cannot_be_had_has_its_exit_code_and_a_next_step() {
    let stage = Stage::new();
    let file = format!("{EXT4}:/etc");
    let fails = |args: &[&str], code: i32, words: &[&str]| {
        let said = stage.run(args).ended_with(code);
        for word in words {
            assert!(said.err.contains(word), "no {word:?} in {}", said.err);
        }
    };
    let direct = ["ls", "--access", "direct", &file];
    fails(
        &direct,
        7,
        &["no way to read a snapshot's blocks", "hint: "],
    );
    let none = "s-bp1nothing0000000001:/";
    fails(&["ls", none], 10, &["cn-hangzhou", "--region"]);
    let dear = ["ls", "--max-cost", "0", &file];
    fails(&dear, 13, &["would cost", "--yes"]);
    let tagged = ["ls", "--endpoint-url", "http://example.com", &file];
    fails(&tagged, 2, &["expected https"]);
    let money = |money: Money| {
        let money_of = &mut stage.fake.state().settings.money;
        money_of.insert(ACCOUNT.to_owned(), money);
    };
    money(Money::NotEnough);
    fails(&["ls", &file], 12, &["NotEnoughBalance", "bill"]);
    money(Money::Paid);
    stage.fake.state().settings.disks_max = Some(0);
    fails(&["ls", &file], 11, &["Quota", "Quota Center"]);
    stage.fake.state().settings.disks_max = None;
    let denied = "ecs:DescribeSnapshots".to_owned();
    stage.fake.state().settings.denied.insert(denied);
    fails(&["points", EXT4], 12, &["flr policy aliyun"]);
    stage.fake.state().settings.denied.clear();
    stage.fake.state().metadata.mode = flr_tests::ecs_fake::MetadataMode::Off;
    fails(
        &["ls", &file],
        7,
        &["ECS instance", "hint: run flr on an instance"],
    );
    stage.assert_clean();
}

#[test]
fn accounts_are_looked_into_without_making_anything() {
    let stage = Stage::new();
    let said = stage.run(&["doctor"]);
    for line in [
        &format!("ok       ecs account: {ACCOUNT}, region cn-hangzhou"),
        "ok       ecs points: 2 snapshots",
        "ok       ecs disks: they can be looked at",
        &format!("attached to {INSTANCE}"),
    ] {
        assert!(said.out.contains(line), "no {line:?} in {}", said.out);
    }
    stage
        .run(&[
            "source",
            "add",
            "prod",
            "--type",
            "ecs",
            "region=cn-hangzhou",
        ])
        .ended_with(0);
    let said = stage.run(&["source", "test", "prod"]).ended_with(0);
    let expected = format!("prod: account {ACCOUNT}, region cn-hangzhou\n");
    assert_eq!(said.out, expected);
    let said = stage.run(&["points", "prod:ext4-journal"]).ended_with(0);
    assert!(said.out.contains(EXT4), "{}", said.out);
    assert_eq!(stage.fake.count("CreateDisk"), 0);
    let policy = |args: &[&str]| -> Value {
        let said = stage.run(&[&["policy", "aliyun"], args].concat());
        serde_json::from_str(&said.ended_with(0).out).unwrap()
    };
    let actions = |policy: &Value| policy["Statement"].to_string();
    let (read, clone) = (policy(&[]), policy(&["--clone"]));
    assert!(!actions(&read).contains("CreateDisk"), "{read}");
    assert!(actions(&clone).contains("ecs:CreateDisk"), "{clone}");
    assert_eq!(policy(&["--read"]), read);
    let said = stage.run(&["policy", "aliyun", "--json"]).ended_with(0);
    let line = check(said.out.lines().next().unwrap());
    assert_eq!(line["provider"], "aliyun");
}
