//! The stand-in for Alibaba Cloud, driven by the vendor's clients: they say whether it is like the real one.

use flr_tests::ecs_fake::{Blocks, Config, Fake, Instance, Snapshot};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

const SNAPSHOT: &str = "s-bp000000000000000001";
const HOUR: Duration = Duration::from_secs(3600);
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/python/drive_ecs_fake.py");

/// A Python with the vendor's clients: that of the test command, or the system's.
fn python() -> Option<PathBuf> {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools/venv/bin/python");
    let import =
        "import alibabacloud_ecs20140526, alibabacloud_hbr20170908, alibabacloud_sts20150401";
    let has_clients = |python: &PathBuf| {
        let mut command = Command::new(python);
        let output = command.args(["-c", import]).output();
        output.is_ok_and(|output| output.status.success())
    };
    let found = [tools, PathBuf::from("python3")]
        .into_iter()
        .find(has_clients);
    if found.is_none() {
        assert!(
            std::env::var_os("CI").is_none(),
            "this test needs the clients of Alibaba Cloud, which CI has to have"
        );
        println!("skipped: this test needs the clients of Alibaba Cloud");
    }
    found
}

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
        // Nothing here depends on how fast the machine is: the script sets the time forward.
        bench.fake.freeze();
        {
            let mut state = bench.fake.state();
            state.add_instance(Instance::here());
            state.add_snapshot(Snapshot::new(SNAPSHOT, bench.blocks.clone()));
            let settings = &mut state.settings;
            settings.create_time = HOUR;
            settings.initialize_time = HOUR;
            settings.attach_time = HOUR;
            settings.detach_time = HOUR;
            settings.delete_time = HOUR;
            settings.snapshot_time = HOUR;
            settings.assistant.run_time = HOUR;
        }
        bench
    }

    /// Runs a part of the script, which has to end well. Whether there was a Python to run it.
    fn drive(&self, part: &str) -> bool {
        let Some(python) = python() else {
            return false;
        };
        let output = Command::new(python)
            .arg(SCRIPT)
            .arg(part)
            .arg(&self.image)
            .envs(self.fake.environment())
            .output()
            .expect("a script is run");
        let said = String::from_utf8_lossy(&output.stderr);
        let calls = self.fake.requests();
        let last = calls.iter().rev().take(3).collect::<Vec<_>>();
        assert!(
            output.status.success(),
            "{part}: {said}\nlast calls: {last:#?}"
        );
        true
    }
}

/// Three MiB, of which one is a hole.
#[expect(clippy::disallowed_methods, reason = "an image that the test makes up")]
fn write_image(path: &Path) {
    let mut file = std::fs::File::create(path).expect("an image");
    file.write_all(&b"here it is".repeat(100_000))
        .expect("data");
    file.set_len(3 << 20).expect("a sparse file");
}

#[test]
fn a_disk_lives_and_ends() {
    let bench = Bench::new();
    if bench.drive("life") {
        assert_eq!(bench.fake.leftovers(), [""; 0]);
        assert_eq!(bench.fake.count("CreateDisk"), 1);
    }
}

#[test]
fn callers_are_known_by_their_signatures() {
    Bench::new().drive("sts");
}

#[test]
fn the_instance_has_credentials() {
    Bench::new().drive("metadata");
}
