//! A cluster with a volume, and a folder in which commands are run.

use flr_tests::image::image_path;
use flr_tests::ontap_fake::{Config, Content, Fake, State};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

/// Disks of guests, as LUNs of `vol1`: one that was in use, one of Windows, one of a server.
const DISKS: [(&str, &str); 3] = [
    ("dirty", "ext4-journal"),
    ("win", "windows-gpt"),
    ("web", "web01"),
];

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
    fn of(output: &Output) -> Self {
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
}

/// `vol1` of `svm1`: LUNs, files, and the snapshots `nightly.1` and `nightly.0`. What is there now differs.
fn populate(state: &mut State) {
    state.settings.page_max = Some(3);
    state.add_volume("svm1", "vol1");
    for (lun, image) in DISKS {
        let content = Content::from_file(&image_path(image)).unwrap();
        state.add_lun("svm1", "vol1", lun, content);
    }
    let now = state.now();
    let files = &mut state.volume_mut("svm1", "vol1").unwrap().files;
    files.add("www/index.html", Content::from_bytes("one\n"), now);
    files.add("www/empty", Content::from_bytes(""), now);
    files.add_symlink("www/start", "index.html", now);
    files.add_directory("www/logs", now);
    let disk = Content::from_file(&image_path("web01")).unwrap();
    files.add("vm/web01.img", disk, now);
    state.take_snapshot("svm1", "vol1", "nightly.1");
    let files = &mut state.volume_mut("svm1", "vol1").unwrap().files;
    files.add("www/index.html", Content::from_bytes("two\n"), now);
    state.take_snapshot("svm1", "vol1", "nightly.0");
    let files = &mut state.volume_mut("svm1", "vol1").unwrap().files;
    files.add("www/index.html", Content::from_bytes("now\n"), now);
    for (lun, _) in DISKS {
        let lun = state.lun_mut("svm1", "vol1", lun).unwrap();
        lun.content = Content::from_bytes("").with_len(lun.content.len());
    }
}

impl Stage {
    /// With a source `filer`, which names its SVM.
    pub(crate) fn new() -> Self {
        Self::with(Config::default())
    }

    pub(crate) fn with(config: Config) -> Self {
        let fake = Fake::start(config);
        populate(&mut fake.state());
        let folder = TempDir::new().unwrap();
        for (_, image) in DISKS {
            let link = folder.path().join(format!("{image}.img"));
            std::os::unix::fs::symlink(image_path(image), link).unwrap();
        }
        let stage = Self { fake, folder };
        stage.configure(&format!("{}svm = \"svm1\"\n", stage.fake.source("filer")));
        stage
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes the configuration.
    pub(crate) fn configure(&self, text: &str) {
        let folder = self.path("config/flr");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("config.toml"), text).unwrap();
    }

    pub(crate) fn flr(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_flr"));
        command.current_dir(self.folder.path()).stdin(Stdio::null());
        command.env_clear();
        command.env("PATH", "/usr/bin:/bin");
        command.env("TZ", "UTC").env("LC_ALL", "C.UTF-8");
        command.env("HOME", self.path("home"));
        command.env("XDG_STATE_HOME", self.path("state"));
        command.env("XDG_CONFIG_HOME", self.path("config"));
        command.env("XDG_CACHE_HOME", self.path("cache"));
        command.env("FLR_CONSISTENCY_WINDOW", "1");
        command.args(args);
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Said {
        Said::of(&self.flr(args).output().unwrap())
    }

    pub(crate) fn shell(&self, line: &str) -> Said {
        let mut command = Command::new("sh");
        command.current_dir(self.folder.path()).args(["-c", line]);
        Said::of(&command.output().unwrap())
    }

    /// What the command prints of the image itself.
    #[track_caller]
    pub(crate) fn locally(&self, args: &[&str]) -> String {
        self.run(args).ended_with(0).out
    }

    /// That nothing of ours is there, here and in the cluster.
    #[track_caller]
    pub(crate) fn assert_clean(&self) {
        let state = self.fake.state();
        assert_eq!(state.leftovers(), [""; 0]);
        assert_eq!(state.violations(), [""; 0]);
        drop(state);
        let said = self.run(&["session", "ls"]);
        assert_eq!((said.code, said.out.as_str()), (0, ""), "{}", said.err);
    }
}
