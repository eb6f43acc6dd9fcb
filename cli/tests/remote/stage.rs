//! An account with snapshots in it, and a folder in which commands are run.

use flr_tests::aws_fake::{Blocks, Config, Fake, Instance, Snapshot, State, Volume};
use flr_tests::image::image_path;
use rustix::process::{Pid, Signal, kill_process};
use std::ffi::OsStr;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// No test waits longer for anything.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// The instance that commands run on, if they run on one.
pub(crate) const INSTANCE: &str = "i-0123456789abcdef0";
/// A snapshot of `web01` on a disk of 20 GiB, of 20 November 2026, 12:00.
pub(crate) const SNAPSHOT: &str = "snap-0123456789abcdef0";
/// The volume that it is of.
pub(crate) const VOLUME: &str = "vol-0123456789abcdef0";
/// When it was taken, in milliseconds since 1970.
pub(crate) const NOON: i64 = 1_795_176_000_000;
/// An hour in milliseconds.
pub(crate) const HOUR: i64 = 3_600_000;

/// Volumes of others: in use, free, and with some of our tags.
const OTHERS: [&str; 4] = ["vol-0root", "vol-0db", "vol-0prod", "vol-0half"];

/// The stand-in, and the folder.
pub(crate) struct Stage {
    pub(crate) fake: Fake,
    folder: TempDir,
}

/// What a command said and ended with.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) out: String,
    pub(crate) err: String,
    pub(crate) code: i32,
}

impl Said {
    pub(crate) fn of(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let signal = output.status.signal().map(|signal| 128 + signal);
        Self {
            out: text(&output.stdout),
            err: text(&output.stderr),
            code: output.status.code().or(signal).unwrap(),
        }
    }

    /// Fails the test if it has ended otherwise.
    #[track_caller]
    pub(crate) fn ended_with(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{}\n{}", self.out, self.err);
        self
    }

    /// Fails the test if standard error lacks a word.
    #[track_caller]
    pub(crate) fn told(self, words: &[&str]) -> Self {
        for word in words {
            assert!(self.err.contains(word), "no {word:?} in {}", self.err);
        }
        self
    }

    /// The last word of a command that failed with `--json`.
    #[track_caller]
    pub(crate) fn exit_error(&self) -> serde_json::Value {
        let last = self.err.lines().last().expect("an exit_error");
        let value = crate::schema::check(last);
        assert_eq!(value["message_type"], "exit_error", "{last}");
        value
    }
}

/// The blocks of a disk of the fixtures.
pub(crate) fn disk(name: &str) -> Blocks {
    Blocks::from_file(&image_path(name)).unwrap()
}

/// A snapshot of `web01` on a disk of 20 GiB.
pub(crate) fn snapshot(id: &str, volume: &str, started: i64) -> Snapshot {
    let mut snapshot = Snapshot::new(id, disk("web01"));
    snapshot.gib = 20;
    volume.clone_into(&mut snapshot.volume_id);
    snapshot.started = started;
    snapshot
}

fn populate(state: &mut State) {
    state.add_instance(Instance::new(INSTANCE));
    state.add_instance(Instance::new("i-0fffffffffffffff0"));
    state.add_snapshot(snapshot(SNAPSHOT, VOLUME, NOON));
    for id in OTHERS {
        state.add_volume(Volume::new(id, 8));
    }
    state.attach("vol-0root", INSTANCE, "/dev/xvda");
    state.attach("vol-0db", "i-0fffffffffffffff0", "/dev/xvdf");
    // One of our tags, and several of them without being ours.
    let mut tag = |id: &str, key: &str, value: &str| {
        let volume = state.volumes.get_mut(id).unwrap();
        volume.tags.insert(key.to_owned(), value.to_owned());
    };
    tag("vol-0prod", "flr:session", "prod");
    tag("vol-0half", "flr:session", &"0".repeat(32));
    tag("vol-0half", "flr:op", &"1".repeat(32));
    tag("vol-0half", "flr:expires", "2020-01-01T00:00:00Z");
}

impl Stage {
    pub(crate) fn new() -> Self {
        Self::with(Config::default())
    }

    /// One on an instance, whose disks appear in a folder.
    pub(crate) fn on_an_instance() -> Self {
        let folder = TempDir::new().unwrap();
        let config = Config {
            dev_root: Some(folder.path().join("root")),
            ..Config::default()
        };
        Self::over(folder, config)
    }

    pub(crate) fn with(config: Config) -> Self {
        Self::over(TempDir::new().unwrap(), config)
    }

    pub(crate) fn over(folder: TempDir, config: Config) -> Self {
        let fake = Fake::start(config);
        populate(&mut fake.state());
        // Long enough to be seen on its way out: what was never seen so is waited for half a minute.
        fake.state().settings.delete_time = Duration::from_secs(3);
        std::os::unix::fs::symlink(image_path("web01"), folder.path().join("web01.img")).unwrap();
        Self { fake, folder }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Its own name.
    pub(crate) fn name(&self) -> &str {
        self.folder.path().to_str().unwrap()
    }

    /// A program, run here, with nothing of the surroundings that changes what flr says.
    pub(crate) fn program(&self, program: impl AsRef<OsStr>) -> Command {
        let bin = Path::new(env!("CARGO_BIN_EXE_flr")).parent().unwrap();
        let path = std::env::var("PATH").unwrap_or_default();
        let mut command = Command::new(program);
        command.current_dir(self.folder.path()).stdin(Stdio::null());
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy().to_uppercase();
            let starts = ["AWS_", "FLR_", "SSL_"];
            let changes = starts.iter().any(|start| text.starts_with(start));
            if changes || text.ends_with("_PROXY") || text == "NO_COLOR" || text == "RUST_LOG" {
                command.env_remove(name);
            }
        }
        command.env("PATH", format!("{}:{path}", bin.display()));
        command.env("TZ", "UTC").env("LC_ALL", "C.UTF-8");
        command.env("HOME", self.path("home"));
        command.env("XDG_STATE_HOME", self.path("state"));
        command.env("XDG_CONFIG_HOME", self.path("config"));
        command.env("XDG_CACHE_HOME", self.path("cache"));
        command.env("FLR_CONSISTENCY_WINDOW", "1");
        command.envs(self.fake.environment());
        command
    }

    pub(crate) fn flr(&self, args: &[&str]) -> Command {
        let mut command = self.program(env!("CARGO_BIN_EXE_flr"));
        command.args(args);
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Said {
        Said::of(&self.flr(args).output().unwrap())
    }

    /// Runs a line of shell.
    pub(crate) fn shell(&self, line: &str) -> Said {
        Said::of(&self.program("sh").args(["-c", line]).output().unwrap())
    }

    /// A command that runs meanwhile, in a process group of its own.
    pub(crate) fn start(&self, args: &[&str]) -> Running {
        let mut command = self.flr(args);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        Running(Some(command.spawn().unwrap()))
    }

    /// Writes the configuration.
    pub(crate) fn configure(&self, text: &str) {
        let folder = self.path("config/flr");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("config.toml"), text).unwrap();
    }

    /// What the command prints of the image itself.
    pub(crate) fn locally(&self, args: &[&str]) -> String {
        let said = self.run(args).ended_with(0);
        assert_eq!(said.err, "");
        said.out
    }

    /// Operations that change something which were asked for.
    pub(crate) fn changes(&self) -> Vec<String> {
        let calls = self.fake.requests().into_iter();
        let calls = calls.filter(|call| call.parameter("DryRun") != Some("true"));
        let calls = calls.map(|call| call.operation);
        let reads = ["Describe", "GetS", "List", "GET ", "PUT /latest/api/token"];
        calls
            .filter(|operation| !reads.iter().any(|read| operation.starts_with(read)))
            .collect()
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

    /// That nothing of ours is there, here and in the account, and everything of others is as it was.
    #[track_caller]
    pub(crate) fn assert_clean(&self) {
        assert_eq!(self.ours(), [""; 0]);
        let said = self.run(&["session", "ls"]);
        assert_eq!((said.code, said.out.as_str()), (0, ""), "{}", said.err);
        self.assert_others();
    }

    /// That everything of others is as it was.
    #[track_caller]
    pub(crate) fn assert_others(&self) {
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
            assert_eq!((volume.state(now), attached), expected, "{id}");
            assert!(!volume.tags.contains_key("flr:marked"), "{id}");
        }
    }
}

/// Waits until `done`, by looking often; fails after [`DEADLINE`].
#[track_caller]
pub(crate) fn until(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < DEADLINE, "{what}: not in time");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// A process that is ended with the test.
pub(crate) struct Running(Option<Child>);

impl Running {
    pub(crate) fn of(command: &mut Command) -> Self {
        Self(Some(command.spawn().unwrap()))
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(self.0.as_ref().unwrap())
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    /// Waits for its end.
    pub(crate) fn finish(mut self) -> Said {
        Said::of(&self.0.take().unwrap().wait_with_output().unwrap())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(mut child) = self.0.take() {
            // OK to ignore: it has ended.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
