//! A cluster with LUNs in snapshots, and a process that reads them.

use flr_tests::ontap_fake::{BelowSnapshot, Config, Content, Fake, VolumeType};
use sha2::{Digest, Sha256};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tempfile::TempDir;

/// Bytes of a LUN: several chunks, and the last one short.
pub(crate) const SIZE: usize = (5 << 20) + 512;
/// Where the bytes that are read begin: in the middle of a chunk, and up to the end.
pub(crate) const OFFSET: usize = 700_000;
pub(crate) const LEN: usize = SIZE - OFFSET;

/// Bytes of a LUN; `seed` makes them those of one state.
pub(crate) fn bytes(seed: u8) -> Vec<u8> {
    let one = |at: usize| (at / 7).to_le_bytes()[0] ^ (at >> 16).to_le_bytes()[0] ^ seed;
    (0..SIZE).map(one).collect()
}

fn content(seed: u8) -> Content {
    Content::from_bytes(bytes(seed))
}

/// What `disk` has to be told as.
pub(crate) fn told(seed: u8) -> String {
    let sum = Sha256::digest(&bytes(seed)[OFFSET..OFFSET + LEN]);
    let sum: String = sum.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("disk {SIZE} {sum}")
}

/// `vol1` has two LUNs and the snapshots `nightly.1` (1), `nightly.0` (2), and 3 now; `mirror` is what SnapMirror
/// writes `nightly.0` to (4).
pub(crate) fn world() -> Fake {
    world_with(Config::default())
}

pub(crate) fn world_with(config: Config) -> Fake {
    let fake = Fake::start(config);
    let mut state = fake.state();
    state.settings.page_max = Some(2);
    state.add_volume("svm1", "vol1");
    state.add_lun("svm1", "vol1", "lun0", content(1));
    state.add_lun("svm1", "vol1", "q1/lun1", content(0x11));
    // Of others, with some of our words.
    state.add_lun("svm1", "vol1", "flr", content(9));
    let decoy = state.lun_mut("svm1", "vol1", "flr").expect("a LUN");
    decoy.comment = Some("flr:session=prod".to_owned());
    state.take_snapshot("svm1", "vol1", "nightly.1");
    let set = |state: &mut flr_tests::ontap_fake::State, seed| {
        let now = state.now();
        let files = &mut state.volume_mut("svm1", "vol1").expect("a volume").files;
        files.add("vm/web.img", content(seed), now);
        let lun = state.lun_mut("svm1", "vol1", "lun0").expect("a LUN");
        lun.content = content(seed);
    };
    set(&mut state, 2);
    state.take_snapshot("svm1", "vol1", "nightly.0");
    set(&mut state, 3);
    state.add_volume("svm1", "mirror");
    state.add_lun("svm1", "mirror", "lun0", content(4));
    state.take_snapshot("svm1", "mirror", "nightly.0");
    let mirror = state.volume_mut("svm1", "mirror").expect("a volume");
    mirror.kind = VolumeType::Dp;
    drop(state);
    fake
}

/// The same, of which nothing below `.snapshot` is handed out, or no bytes.
pub(crate) fn world_of_files(below: BelowSnapshot) -> Fake {
    let fake = world();
    fake.state().settings.below_snapshot = below;
    fake
}

/// What is typed to read a file of a snapshot.
pub(crate) const FILE: [&str; 5] = ["files", "vol1", "nightly.0", "auto", "vm/web.img"];

/// That a file was read as it was.
#[track_caller]
pub(crate) fn assert_file(output: &Output, seed: u8, when: &str) {
    let said = said(output);
    assert_eq!(output.status.code(), Some(0), "{when}: {said}");
    let sum = Sha256::digest(bytes(seed));
    let sum: String = sum.iter().map(|byte| format!("{byte:02x}")).collect();
    let line = format!("file vm/web.img {SIZE} {sum}\n");
    assert!(said.contains(&line), "{when}: {said}");
}

/// A victim's place: its configuration and its journal are there.
pub(crate) fn place(fake: &Fake) -> TempDir {
    let place = tempfile::tempdir().expect("a folder");
    let mut text = fake.source("filer");
    text.push_str("svm = \"svm1\"\n");
    std::fs::write(place.path().join("config.toml"), text).expect("a file");
    place
}

pub(crate) fn command(place: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ontap-victim"));
    command
        .args(args)
        .env_clear()
        .env("HOME", place)
        .env("PATH", "/usr/bin:/bin")
        .env("FLR_CONFIG", place.join("config.toml"))
        .env("XDG_STATE_HOME", place)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

pub(crate) fn run(place: &Path, args: &[&str]) -> Output {
    command(place, args).output().expect("a process")
}

pub(crate) fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// What is typed to read a LUN of a snapshot.
pub(crate) fn open<'a>(object: &'a str, point: &'a str) -> Vec<&'a str> {
    // Leaked: there are a few, and the test ends soon.
    let number = |number: usize| -> &'static str { number.to_string().leak() };
    vec!["open", object, point, number(OFFSET), number(LEN)]
}

pub(crate) fn run_open(place: &Path, object: &str, point: &str) -> Output {
    run(place, &open(object, point))
}

#[track_caller]
pub(crate) fn assert_read(output: &Output, seed: u8, when: &str) {
    let said = said(output);
    assert_eq!(output.status.code(), Some(0), "{when}: {said}");
    let mut lines = said.lines().filter(|line| line.starts_with("disk"));
    assert_eq!(lines.next(), Some(told(seed).as_str()), "{when}: {said}");
}

#[track_caller]
pub(crate) fn assert_clean(fake: &Fake, when: &str) {
    let state = fake.state();
    assert_eq!(state.leftovers(), [""; 0], "{when}");
    assert_eq!(state.violations(), [""; 0], "{when}");
    let decoy = state.lun("svm1", "vol1", "flr").expect("others' LUN");
    assert_eq!(decoy.comment.as_deref(), Some("flr:session=prod"), "{when}");
}

/// Cleans up once, and nothing may be left.
#[track_caller]
pub(crate) fn assert_clean_after_gc(fake: &Fake, place: &Path, when: &str) {
    let cleanup = run(place, &["gc", "svm1"]);
    let said = said(&cleanup);
    assert_eq!(cleanup.status.code(), Some(0), "{when}: {said}");
    assert_clean(fake, &format!("{when}: {said}"));
}

type Victim = Arc<Mutex<Option<Child>>>;

/// Runs a process and kills it at its `at`-th request, of those that the stand-in gets from now on, before or
/// after its effect. Whether it was killed.
pub(crate) fn killed(fake: &Fake, place: &Path, args: &[&str], at: usize, before: bool) -> bool {
    use flr_tests::ontap_fake::{FakeFault, When};
    let victim = Victim::default();
    let mut locked = victim.lock().expect("a lock");
    let hunted = Arc::clone(&victim);
    let mut count = 0;
    fake.set_rule(move |_| {
        count += 1;
        if count != at {
            return None;
        }
        let mut victim = hunted.lock().expect("a lock");
        let victim = victim.as_mut().expect("a process");
        victim.kill().expect("a process that can be killed");
        victim.wait().expect("its end");
        before.then_some(FakeFault::NoAnswer(When::BeforeEffect))
    });
    let mut child = command(place, args).spawn().expect("a process");
    // What it says fits into the pipes.
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    *locked = Some(child);
    drop(locked);
    for pipe in [stdout.map(read_all), stderr.map(read_all)] {
        pipe.expect("a pipe");
    }
    let mut victim = victim.lock().expect("a lock");
    let status = victim.as_mut().expect("a process").wait().expect("its end");
    fake.clear_rule();
    status.code().is_none()
}

fn read_all(mut pipe: impl std::io::Read) -> String {
    let mut text = String::new();
    pipe.read_to_string(&mut text).expect("text");
    text
}

/// Does something for each, some at a time.
pub(crate) fn for_each<T: Sync>(all: &[T], each: impl Fn(&T) + Sync) {
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some(one) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
                    each(one);
                }
            });
        }
    });
}
