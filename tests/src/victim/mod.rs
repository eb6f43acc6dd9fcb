//! A process that reads snapshots through temporary volumes, or cleans up, and may be killed in the
//! middle by whoever answers its requests; and what the test does that runs it.
//!
//! `PROGRAM use|hold GIB SNAPSHOT…` and `PROGRAM gc`. Where the provider is and who asks stands in the
//! environment, as for flr. `FLR_TEST_USUAL` takes flr's own patience instead of the tests' haste;
//! `FLR_TEST_WINDOW_MS`, `FLR_TEST_LIMIT_MS` (of each step), `FLR_TEST_CALL_MS`, `FLR_TEST_TTL`,
//! `FLR_TEST_KEEP` change a part of it. `FLR_TEST_TRACE` logs all that flr would, and says of errors all
//! that can be said. `hold` waits for the end of its input before it closes.

pub mod faults;
pub mod harness;
pub mod kills;
pub mod life;
pub mod stage;

use flr_provider::engine::{
    Cleanup, Cloud, Engine, GcOptions, Parts, Settings, SqliteStore, SystemProcesses, SystemRand,
    UnixTime, state_dir,
};
use flr_provider::point::{Access, Consistency, Disk, DiskInfo, Held, OpenHow, PointInfo};
use flr_provider::remote::{TokioClock, block_on};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io::Read;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const CHUNK: usize = 1 << 20;

/// The disks of a point, and what holds them.
pub type Opened = flr_provider::Result<(Vec<Disk>, Box<dyn Held>)>;

/// What a provider does in its own way.
#[derive(Clone, Copy, Debug)]
pub struct Victim {
    /// The account of the environment.
    pub cloud: fn() -> Arc<dyn Cloud>,
    /// Opens a point, with this engine or with one of flr's own.
    pub open: fn(Option<&Engine>, &PointInfo, &OpenHow) -> Opened,
}

/// Sees to it that what is logged goes to standard error.
pub fn log() {
    let level = if flag("FLR_TEST_TRACE") {
        "trace"
    } else {
        "info"
    };
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .with_env_filter(format!("flr={level},flr_provider={level},flr_fs={level}"))
        .init();
}

/// Does what the arguments say.
///
/// # Panics
/// They make no sense.
#[must_use]
pub fn run(victim: Victim, args: &[String]) -> ExitCode {
    match args[0].as_str() {
        "gc" => gc(victim),
        what => read(
            victim,
            what == "hold",
            args[1].parse().expect("GiB"),
            &args[2..],
        ),
    }
}

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().expect("a number"))
}

/// Whether a variable is set.
#[must_use]
pub fn flag(name: &str) -> bool {
    std::env::var_os(name).is_some()
}

fn settings() -> Settings {
    let ms = Duration::from_millis;
    let limit = ms(number("FLR_TEST_LIMIT_MS").unwrap_or(8000));
    Settings {
        consistency_window: ms(number("FLR_TEST_WINDOW_MS").unwrap_or(50)),
        call_limit: ms(number("FLR_TEST_CALL_MS").unwrap_or(1500)),
        create_limit: limit,
        ready_limit: limit,
        attach_limit: limit,
        stuck_after: ms(400),
        release_limit: limit,
        ttl: Duration::from_secs(number("FLR_TEST_TTL").unwrap_or(600)),
        mark_delay: Duration::ZERO,
        look_gap: ms(10),
        gone_gap: ms(20),
        backoff_min: ms(5),
        backoff_max: ms(100),
        ..Settings::default()
    }
}

/// An engine with the limits of the environment, and a journal there.
///
/// # Panics
/// There can be none.
#[must_use]
pub fn engine(cloud: Arc<dyn Cloud>, interrupt: Arc<AtomicBool>) -> Engine {
    let store = SqliteStore::open(&state_dir().expect("a folder")).expect("a journal");
    Engine::new(Parts {
        cloud,
        store: Arc::new(store),
        clock: Arc::new(TokioClock),
        rand: Arc::new(SystemRand),
        processes: Arc::new(SystemProcesses::new().expect("/proc")),
        settings: settings(),
        interrupt,
    })
}

/// Prints what came of a clean-up.
#[must_use]
pub fn told(cleanup: &Cleanup) -> ExitCode {
    for item in &cleanup.gone {
        println!("gone {item}");
    }
    for (item, _) in &cleanup.kept {
        println!("kept {item}");
    }
    for (item, why) in &cleanup.left {
        println!("left {item}: {why}");
        println!("debug {why:?}");
    }
    if flag("FLR_TEST_TRACE") {
        println!("debug {cleanup:?}");
    }
    cleanup.exit_code(true).into()
}

fn gc(victim: Victim) -> ExitCode {
    let engine = engine((victim.cloud)(), Arc::default());
    let options = GcOptions {
        older_than: number("FLR_TEST_OLDER_THAN").map(Duration::from_secs),
        ..GcOptions::default()
    };
    match block_on(engine.gc(options)) {
        Ok(cleanup) => told(&cleanup),
        Err(error) => {
            println!("{error}");
            println!("debug {error:?}");
            ExitCode::from(1)
        }
    }
}

fn point(gib: u64, snapshots: &[String]) -> PointInfo {
    let disk = |id: &String| DiskInfo {
        id: id.clone(),
        volume: None,
        device: None,
        size: gib << 30,
    };
    PointInfo {
        id: snapshots[0].clone(),
        name: None,
        object: "vol-1".to_owned(),
        time: UnixTime(1_795_176_000),
        size: gib << 30,
        state: "completed".to_owned(),
        consistency: Consistency::Crash,
        access: Access::Clone,
        expires: None,
        region: None,
        account: None,
        tier: None,
        encrypted: false,
        skew: None,
        disks: snapshots.iter().map(disk).collect(),
        tags: BTreeMap::new(),
    }
}

fn read(victim: Victim, hold: bool, gib: u64, snapshots: &[String]) -> ExitCode {
    let interrupt = Arc::new(AtomicBool::new(false));
    let how = OpenHow {
        keep: flag("FLR_TEST_KEEP"),
        tags: vec![("CostCenter".to_owned(), "it-42".to_owned())],
        interrupt: Some(Arc::clone(&interrupt)),
        ..OpenHow::default()
    };
    if flag("FLR_TEST_INTERRUPT") {
        // The input's end stands for a signal.
        let interrupt = Arc::clone(&interrupt);
        std::thread::spawn(move || {
            wait_for_input();
            interrupt.store(true, Ordering::Relaxed);
        });
    }
    let opened = open(victim, gib, snapshots, &how);
    let (disks, held) = match opened {
        Ok(opened) => opened,
        Err(error) => {
            println!("{error}");
            println!("debug {error:?}");
            let left = matches!(error, flr_provider::Error::Leftover { .. });
            return ExitCode::from(if left { 21 } else { 1 });
        }
    };
    for disk in disks {
        println!("{}", digest(&disk));
    }
    println!("session {}", held.session());
    if flag("FLR_TEST_TRACE") {
        println!("debug {held:?}");
    }
    if hold {
        wait_for_input();
    }
    let cleanup = held.close();
    assert_eq!(held.close(), cleanup, "closed twice");
    told(&cleanup)
}

fn open(victim: Victim, gib: u64, snapshots: &[String], how: &OpenHow) -> Opened {
    let point = point(gib, snapshots);
    if flag("FLR_TEST_TRACE") {
        println!("debug {point:?} {how:?}");
    }
    if flag("FLR_TEST_USUAL") {
        return (victim.open)(None, &point, how);
    }
    let interrupt = how.interrupt.clone().expect("a flag");
    let engine = engine((victim.cloud)(), interrupt);
    (victim.open)(Some(&engine), &point, how)
}

/// Waits until nothing more is to be read.
///
/// # Panics
/// It cannot be read.
pub fn wait_for_input() {
    let mut nothing = Vec::new();
    std::io::stdin().read_to_end(&mut nothing).expect("input");
}

/// SHA-256 of a disk's beginning.
fn digest(disk: &Disk) -> String {
    let mut bytes = vec![0; CHUNK];
    disk.source.read_at(0, &mut bytes).expect("bytes");
    let digest = Sha256::digest(&bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
