//! What reading over a network takes, measured against the stand-in for AWS on loopback: requests, round trips,
//! throughput, memory. Run it from a release build on a quiet machine; no test depends on it.
//!
//! `remote-bench IMAGE [--latency-ms 50] [--rate 200] [--mib 1024]`
//!
//! IMAGE is a disk of ext4 filesystems or one of them; it is served as a sparse snapshot of 20 GiB.

use flr_fs::ByteSource;
use flr_provider::aws::client::Keys;
use flr_provider::aws::{Client, ClientSettings, EbsSnapshot, SnapshotOptions};
use flr_provider::remote::{Chunked, DiskSettings, Rate, Settings, block_on, settle};
use flr_recover::address::Locator;
use flr_recover::{OpenOptions, Point, follow};
use flr_tests::aws_fake::{self, Blocks, Config, Fake, Snapshot};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

const SNAPSHOT: &str = "snap-0123456789abcdef0";
const SECOND: &str = "snap-0123456789abcdef1";
const VOLUME: &str = "vol-0123456789abcdef0";
const GIB_20: u64 = 20 << 30;

fn main() -> std::io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let image = arguments.next().expect("an image");
    let mut numbers: BTreeMap<String, u64> = BTreeMap::new();
    while let (Some(name), Some(value)) = (arguments.next(), arguments.next()) {
        numbers.insert(name, value.parse().expect("a number"));
    }
    let number = |name: &str, default| numbers.get(name).copied().unwrap_or(default);
    let latency = Duration::from_millis(number("--latency-ms", 50));
    let work = tempfile::tempdir()?;
    let disk = work.path().join("disk.img");
    sparse_copy(Path::new(&image), &disk)?;
    first_file(&disk, latency, "/etc/fstab")?;
    large_file(number("--mib", 1024), number("--rate", 200), latency)?;
    second_point(&disk, work.path(), latency)
}

/// The image with its holes, as large as a disk of a cloud.
fn sparse_copy(from: &Path, to: &Path) -> std::io::Result<()> {
    let status = std::process::Command::new("cp")
        .arg("--sparse=always")
        .args([from, to])
        .status()?;
    assert!(status.success());
    let status = std::process::Command::new("truncate")
        .arg(format!("--size={GIB_20}"))
        .arg(to)
        .status()?;
    assert!(status.success());
    Ok(())
}

fn serve(blocks: Vec<(&str, Blocks)>, latency: Duration) -> Fake {
    let fake = Fake::start(Config::default());
    for (id, blocks) in blocks {
        let mut snapshot = Snapshot::new(id, blocks);
        snapshot.volume_id = VOLUME.to_owned();
        fake.state().add_snapshot(snapshot);
    }
    fake.set_latency(latency);
    fake
}

fn open(fake: &Fake, id: &str, settings: &Settings, relative: Option<&str>) -> Arc<Chunked> {
    let variables: BTreeMap<_, _> = fake.environment().into_iter().collect();
    let client = ClientSettings {
        profile: None,
        region: Some(aws_fake::REGION.to_owned()),
        endpoint_url: Some(fake.url()),
    };
    let keys = Keys {
        id: variables["AWS_ACCESS_KEY_ID"].clone(),
        secret: variables["AWS_SECRET_ACCESS_KEY"].clone(),
        token: None,
    };
    let client = Client::with_keys(&client, keys).expect("a client");
    let options = SnapshotOptions {
        account: None,
        relative: relative.map(str::to_owned),
    };
    let store = block_on(EbsSnapshot::open_with(&client, id, options)).expect("a snapshot");
    Chunked::new(store, settings)
}

/// Finds and reads one file of a guest.
fn read_file(source: Arc<dyn ByteSource>, path: &str) -> usize {
    let options = OpenOptions::default();
    let point = Point::open(vec![flr_fs::Volume::disk(source)], &options);
    let locator = Locator::guest(OsStr::new(path));
    let target = follow(&point, &locator, &options, true).expect("the file");
    let content = target
        .opened
        .view
        .open(target.resolved.node)
        .expect("content");
    let len = usize::try_from(content.size()).expect("a small file");
    let mut bytes = vec![0; len];
    content.read_at(0, &mut bytes).expect("bytes");
    len
}

fn first_file(disk: &Path, latency: Duration, path: &str) -> std::io::Result<()> {
    let fake = serve(vec![(SNAPSHOT, Blocks::from_file(disk)?)], latency);
    let mut times = Vec::new();
    for _ in 0..5 {
        fake.clear_requests();
        let begun = Instant::now();
        let source = open(&fake, SNAPSHOT, &Settings::default(), None);
        let len = read_file(source, path);
        times.push(begun.elapsed());
        assert!(len > 0);
    }
    times.sort();
    say(&format!(
        "first file of 20 GiB: {} blocks, {} listings, {:.2} s at {} ms",
        fake.count("GetSnapshotBlock"),
        fake.count("ListSnapshotBlocks"),
        times[2].as_secs_f64(),
        latency.as_millis()
    ));
    Ok(())
}

fn large_file(mib: u64, rate: u64, latency: Duration) -> std::io::Result<()> {
    let block = |index: u64| Some(vec![u8::try_from(index % 251).expect("small"); 512 << 10]);
    let fake = serve(vec![(SNAPSHOT, Blocks::from_fn(mib * 2, block))], latency);
    let per_second = i64::try_from(rate).expect("a rate");
    fake.state().settings.snapshot_rate = Some(aws_fake::Rate {
        per_second,
        burst: per_second / 10,
    });
    let settings = Settings {
        rate: Some(Rate {
            start: 100,
            max: 1000,
        }),
        ..Settings::default()
    };
    let source = open(&fake, SNAPSHOT, &settings, None);
    let mut buf = vec![0; 1 << 20];
    let begun = Instant::now();
    for piece in 0..mib {
        source.read_at(piece << 20, &mut buf).expect("bytes");
    }
    let took = begun.elapsed().as_secs_f64();
    #[expect(clippy::as_conversions, reason = "for people")]
    let (ideal, mib) = (mib as f64 * 2.0 / rate as f64, mib as f64);
    let stats = source.stats();
    say(&format!(
        "{mib} MiB at {rate} blocks/s: {took:.1} s, {:.0} MiB/s, {:.0} % of the budget; {} throttles, {} retries, {} MiB held at most",
        mib / took,
        100.0 * ideal / took,
        stats.throttles,
        stats.retries,
        stats.held_bytes_max >> 20
    ));
    say(&format!(
        "  peak of this process, the server included: {}",
        peak()?
    ));
    Ok(())
}

fn second_point(disk: &Path, work: &Path, latency: Duration) -> std::io::Result<()> {
    let first = Blocks::from_file(disk)?;
    let stored: Vec<_> = std::iter::successors(first.next(0), |at| first.next(at + 1)).collect();
    let changed = stored.iter().copied().step_by(20);
    let changes: BTreeMap<_, _> = changed
        .map(|index| {
            let mut block = first.read(index).expect("a block");
            // Behind everything that a filesystem looks at.
            let last = block.len() - 1;
            block[last] ^= 1;
            (index, Some(block))
        })
        .collect();
    let count = changes.len();
    let second = first.changed(changes);
    let fake = serve(vec![(SNAPSHOT, first), (SECOND, second)], latency);
    let folder: PathBuf = work.join("cache");
    let settings = Settings {
        disk: Some(DiskSettings {
            folder,
            bytes_max: 4 << 30,
        }),
        ..Settings::default()
    };
    let read_all = |id: &str, relative: Option<&str>| {
        fake.clear_requests();
        let source = open(&fake, id, &settings, relative);
        let mut buf = vec![0; 512 << 10];
        let begun = Instant::now();
        for index in &stored {
            source.read_at(index << 19, &mut buf).expect("bytes");
        }
        let took = begun.elapsed().as_secs_f64();
        settle(Duration::from_secs(30));
        (
            took,
            fake.count("GetSnapshotBlock"),
            fake.count("ListChangedBlocks"),
        )
    };
    let (took, gets, _) = read_all(SNAPSHOT, None);
    say(&format!(
        "all {} blocks of a point: {took:.1} s, {gets} blocks fetched",
        stored.len()
    ));
    let (took, gets, lists) = read_all(SECOND, Some(SNAPSHOT));
    say(&format!(
        "the next point, {count} blocks changed: {took:.1} s, {gets} blocks fetched, {lists} listings of changes"
    ));
    Ok(())
}

fn peak() -> std::io::Result<String> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with("VmHWM"));
    Ok(line.unwrap_or("unknown").to_owned())
}

fn say(text: &str) {
    // OK to ignore: without standard output there is nobody to tell.
    let _ = writeln!(std::io::stdout(), "{text}");
}
