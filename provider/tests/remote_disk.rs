//! The disk cache: what it has is not fetched, what is wrong with it is, and no read ever suffers from it.

#![expect(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "tests compute with numbers of their own, spoil the files that they made, and fail by a panic"
)]

mod remote_fake;

use flr_fs::source::ByteSource;
use flr_provider::remote::{ChunkStore, Chunked, DiskSettings, Settings, settle};
use remote_fake::{Fake, read, settings, shared};
use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant, SystemTime};
use tempfile::TempDir;

const CHUNK: u32 = 4096;
const COUNT: u64 = 40;
const HEADER: usize = 160;

/// A folder that nobody else may look into.
fn private() -> TempDir {
    let dir = TempDir::new().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o700)).unwrap();
    dir
}

fn with_disk(folder: &Path) -> Settings {
    Settings {
        disk: Some(DiskSettings {
            folder: folder.to_owned(),
            bytes_max: 64 << 20,
        }),
        ..settings()
    }
}

fn chunked(fake: &Arc<Fake>, settings: &Settings) -> Arc<Chunked> {
    Chunked::new(Arc::clone(fake) as Arc<dyn ChunkStore>, settings)
}

fn named(name: &str) -> Fake {
    let mut fake = Fake::new(COUNT as usize * CHUNK as usize - 1000, CHUNK);
    fake.cache_names = vec![name.to_owned()];
    fake
}

/// Waits for something that another thread is about to do.
fn until(mut done: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !done() {
        assert!(Instant::now() < end, "it did not happen in time");
        thread::yield_now();
    }
}

/// Reads all of it, which must be right, and waits until so many chunks are in the cache.
fn fill(fake: &Arc<Fake>, settings: &Settings, stores: u64) -> Arc<Chunked> {
    let source = chunked(fake, settings);
    assert!(read(&*source, 0, fake.content.len()).unwrap() == fake.content);
    until(|| source.stats().disk_stores == stores);
    source
}

/// All blocks, in a stable order.
fn blocks(folder: &Path) -> Vec<PathBuf> {
    let mut blocks = Vec::new();
    for shard in fs::read_dir(folder.join("v1")).unwrap() {
        let shard = shard.unwrap().path();
        if shard.is_dir() {
            blocks.extend(
                fs::read_dir(shard)
                    .unwrap()
                    .map(|file| file.unwrap().path()),
            );
        }
    }
    blocks.sort();
    blocks
}

/// What the files take, as the bound counts it.
fn taken(folder: &Path) -> u64 {
    let sizes = blocks(folder)
        .into_iter()
        .map(|path| fs::metadata(path).unwrap().len());
    sizes.map(|size| size.next_multiple_of(4096)).sum()
}

#[test]
fn the_second_time_all_comes_from_the_disk() {
    for coalesce in [1, 8] {
        let dir = private();
        let folder = dir.path().join("deep/cache");
        let mut fake = named("snap-1").with_holes([7, 8]);
        fake.coalesce = coalesce;
        let fake = shared(fake);
        let first = fill(&fake, &with_disk(&folder), COUNT - 2);
        assert_eq!(first.stats().disk_hits, 0);
        let calls = fake.fetch_calls.load(Ordering::SeqCst);
        drop(first);
        for readahead in [false, true] {
            let settings = Settings {
                readahead,
                cache_bytes: 10 * CHUNK as usize,
                ..with_disk(&folder)
            };
            let second = fill(&fake, &settings, 0);
            assert_eq!(fake.fetch_calls.load(Ordering::SeqCst), calls);
            let stats = second.stats();
            assert_eq!((stats.disk_hits, stats.disk_errors), (COUNT - 2, 0));
            assert!(stats.held_bytes_max <= 10 * u64::from(CHUNK));
        }
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
        assert_eq!(mode(&folder), 0o700);
        assert_eq!(mode(&folder.join("v1")), 0o700);
        for block in blocks(&folder) {
            assert_eq!(
                (mode(&block), mode(block.parent().unwrap())),
                (0o600, 0o700)
            );
        }
    }
}

#[test]
fn a_chunk_is_found_under_the_name_of_another_snapshot() {
    let dir = private();
    fill(&shared(named("snap-1")), &with_disk(dir.path()), COUNT);
    let mut child = named("snap-2");
    child.cache_names.push("snap-1".to_owned());
    let child = shared(child);
    let source = fill(&child, &with_disk(dir.path()), 0);
    assert_eq!(source.stats().disk_hits, COUNT);
    // Of others nothing is known, and without a name nothing is kept.
    let mut stranger = named("snap-3");
    stranger.cache_names.clear();
    let source = fill(&shared(stranger), &with_disk(dir.path()), 0);
    assert_eq!(source.stats().disk_hits, 0);
    assert_eq!(blocks(dir.path()).len() as u64, COUNT);
}

/// A way to spoil a block, given another one.
type Spoil = Box<dyn Fn(&Path, &Path)>;

fn flipped(at: usize) -> Spoil {
    Box::new(move |block, _| {
        let mut bytes = fs::read(block).unwrap();
        bytes[at] ^= 0x10;
        fs::write(block, bytes).unwrap();
    })
}

fn resized(to: impl Fn(u64) -> u64 + 'static) -> Spoil {
    Box::new(move |block, _| {
        let file = File::options().write(true).open(block).unwrap();
        file.set_len(to(file.metadata().unwrap().len())).unwrap();
    })
}

#[test]
fn whatever_is_wrong_with_a_block_it_is_dropped_and_fetched_again() {
    let fields = [0, 8, 12, 16, 47, 48, 56, 60, 64, 72, 80, 111, 112, 128, 159];
    let mut spoils: Vec<Spoil> = fields.into_iter().map(flipped).collect();
    spoils.extend([HEADER, HEADER + 1000].map(flipped));
    spoils.extend([
        resized(|_| 0),
        resized(|_| HEADER as u64 - 1),
        resized(|_| HEADER as u64),
        resized(|len| len - 1),
        resized(|len| len + 1),
    ]);
    spoils.push(Box::new(|block, other| {
        // A whole block, of another chunk.
        fs::copy(other, block).unwrap();
    }));
    spoils.push(Box::new(|block, other| {
        fs::remove_file(block).unwrap();
        std::os::unix::fs::symlink(other, block).unwrap();
    }));
    spoils.push(Box::new(|block, _| {
        fs::remove_file(block).unwrap();
        let made = Command::new("mkfifo").arg(block).status().unwrap();
        assert!(made.success());
    }));
    let dir = private();
    let fake = shared(named("snap-1"));
    let settings = with_disk(dir.path());
    fill(&fake, &settings, COUNT);
    for (number, spoil) in spoils.iter().enumerate() {
        let all = blocks(dir.path());
        assert_eq!(all.len() as u64, COUNT);
        let before = fake.fetch_calls.load(Ordering::SeqCst);
        // One of whole length, so that it is not told by its length alone.
        let whole = |path: &PathBuf| fs::metadata(path).unwrap().len() == (HEADER as u64 + 4096);
        let whole: Vec<&PathBuf> = all.iter().filter(|path| whole(path)).collect();
        spoil(whole[number % 30], whole[(number + 1) % 30]);
        let source = fill(&fake, &settings, 1);
        let stats = source.stats();
        assert_eq!(
            (stats.disk_dropped, stats.disk_hits),
            (1, COUNT - 1),
            "{number}"
        );
        assert_eq!(
            fake.fetch_calls.load(Ordering::SeqCst),
            before + 1,
            "{number}"
        );
    }
}

#[test]
fn a_folder_in_the_place_of_a_block_costs_a_fetch() {
    let dir = private();
    let fake = shared(named("snap-1"));
    let settings = with_disk(dir.path());
    fill(&fake, &settings, COUNT);
    let block = blocks(dir.path()).remove(0);
    fs::remove_file(&block).unwrap();
    fs::create_dir(&block).unwrap();
    fs::write(block.join("precious"), "data").unwrap();
    let source = fill(&fake, &settings, 0);
    until(|| source.stats().disk_errors >= 2);
    assert_eq!(fs::read(block.join("precious")).unwrap(), b"data");
}

#[test]
fn the_oldest_go_and_the_bound_is_kept() {
    let dir = private();
    let mut settings = with_disk(dir.path());
    fill(&shared(named("snap-1")), &settings, COUNT);
    let old = SystemTime::now() - Duration::from_secs(1000);
    for (index, block) in blocks(dir.path()).iter().enumerate() {
        let age = Duration::from_secs(index as u64);
        File::open(block).unwrap().set_modified(old + age).unwrap();
    }
    let oldest = blocks(dir.path()).remove(0);
    // Each takes two blocks of 4 KiB; so there is room for twenty more.
    let max = (COUNT + 20) * 8192;
    settings.disk.as_mut().unwrap().bytes_max = max;
    let source = chunked(&shared(named("snap-2")), &settings);
    for chunk in 0..COUNT {
        read(&*source, chunk * u64::from(CHUNK), 1).unwrap();
        until(|| source.stats().disk_stores == chunk + 1);
        assert!(taken(dir.path()) <= max);
    }
    assert!(!oldest.exists());
    // What was just written is there, and what was used is kept longer than what was not.
    let again = fill(&shared(named("snap-2")), &settings, 0);
    assert_eq!(again.stats().disk_hits, COUNT);
    settings.disk.as_mut().unwrap().bytes_max = 100;
    fill(&shared(named("snap-3")), &settings, 0);
}

#[test]
fn a_block_that_is_read_becomes_young_again() {
    let dir = private();
    let settings = with_disk(dir.path());
    fill(&shared(named("snap-1")), &settings, COUNT);
    let long_ago = SystemTime::now() - Duration::from_secs(10_000);
    for block in blocks(dir.path()) {
        File::open(block).unwrap().set_modified(long_ago).unwrap();
    }
    fill(&shared(named("snap-1")), &settings, 0);
    for block in blocks(dir.path()) {
        let age = fs::metadata(block).unwrap().modified().unwrap().elapsed();
        assert!(age.unwrap() < Duration::from_secs(1000));
    }
}

#[test]
fn a_folder_that_cannot_be_used_is_not() {
    let dir = private();
    let file = dir.path().join("file");
    fs::write(&file, "x").unwrap();
    let open = dir.path().join("open");
    fs::create_dir(&open).unwrap();
    fs::set_permissions(&open, fs::Permissions::from_mode(0o755)).unwrap();
    let link = dir.path().join("link");
    std::os::unix::fs::symlink(dir.path(), &link).unwrap();
    for folder in [file.clone(), file.join("below"), open.clone(), link] {
        let source = fill(&shared(named("snap-1")), &with_disk(&folder), 0);
        assert_eq!(source.stats().disk_hits, 0);
    }
    assert_eq!(fs::read(&file).unwrap(), b"x");
    assert!(fs::read_dir(&open).unwrap().next().is_none());
    // Gone while it is used.
    let gone = dir.path().join("gone");
    let source = chunked(&shared(named("snap-1")), &with_disk(&gone));
    read(&*source, 0, 1).unwrap();
    until(|| source.stats().disk_stores == 1);
    fs::remove_dir_all(&gone).unwrap();
    let whole = read(&*source, 0, source.size() as usize).unwrap();
    assert!(whole == named("snap-1").content);
    until(|| source.stats().disk_errors > 0);
}

/// Ends a mount.
struct Mounted(PathBuf);

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_is_no_error_of_a_read() {
    let dir = private();
    let mount = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=1m,mode=0700", "flr-test"])
        .arg(dir.path())
        .stderr(Stdio::null())
        .status();
    if !mount.is_ok_and(|status| status.success()) {
        eprintln!("skipped: a small disk can only be mounted by root");
        return;
    }
    let mounted = Mounted(dir.path().to_owned());
    let mut fake = Fake::new(2 << 20, 64 << 10);
    fake.cache_names = vec!["snap-1".to_owned()];
    let fake = shared(fake);
    // Two are written at a time: of the last two that there is room for, both may find none.
    let source = chunked(&fake, &with_disk(dir.path()));
    assert!(read(&*source, 0, fake.content.len()).unwrap() == fake.content);
    until(|| source.stats().disk_errors >= 1);
    settle(Duration::from_secs(10));
    let stored = source.stats().disk_stores;
    assert!((13..=15).contains(&stored), "{stored}");
    // Nothing half-written is left, and what is there is right.
    let names = fs::read_dir(dir.path().join("v1")).unwrap();
    let names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
    assert!(names.iter().all(|name| name.len() == 2), "{names:?}");
    drop(source);
    let again = chunked(&fake, &with_disk(dir.path()));
    assert!(read(&*again, 0, fake.content.len()).unwrap() == fake.content);
    assert_eq!(again.stats().disk_hits, stored);
    drop((again, mounted));
}

/// Set for a process that this test starts of itself.
const CHILD: &str = "FLR_TEST_DISK_FOLDER";

#[test]
fn processes_share_it() {
    if let Some(folder) = std::env::var_os(CHILD) {
        return share(Path::new(&folder));
    }
    let dir = private();
    let exe = std::env::current_exe().unwrap();
    let start = || {
        Command::new(&exe)
            .args(["--exact", "processes_share_it", "--nocapture"])
            .env(CHILD, dir.path())
            .stdout(Stdio::null())
            .spawn()
            .unwrap()
    };
    let mut children: Vec<_> = (0..3).map(|_| start()).collect();
    for child in &mut children {
        assert!(child.wait().unwrap().success());
    }
    // Three that evict at once overshoot by a sixteenth each at most.
    assert!(taken(dir.path()) <= SHARED_MAX + 3 * SHARED_MAX / 16);
    assert!(!blocks(dir.path()).is_empty());
    let uid = fs::metadata(dir.path()).unwrap().uid();
    assert!(
        blocks(dir.path())
            .iter()
            .all(|path| fs::metadata(path).unwrap().uid() == uid)
    );
}

const SHARED_MAX: u64 = 60 * 8192;

/// Reads three snapshots over and over through a cache that does not hold them all.
fn share(folder: &Path) {
    let mut settings = with_disk(folder);
    settings.disk.as_mut().unwrap().bytes_max = SHARED_MAX;
    for round in 0..12 {
        let mut fake = Fake::new(COUNT as usize * CHUNK as usize - round % 3, CHUNK);
        fake.cache_names = vec![format!("snap-{}", round % 3)];
        let fake = shared(fake);
        let source = chunked(&fake, &settings);
        assert!(read(&*source, 0, fake.content.len()).unwrap() == fake.content);
        assert_eq!(source.stats().disk_dropped, 0);
    }
}
