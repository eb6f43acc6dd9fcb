//! Snapshots of a running filesystem: an image file on an XFS that can share blocks, mounted as ext4 and
//! written to, of which `cp --reflink` takes copies meanwhile. Each is the image at one moment, as the
//! snapshot of a cloud disk or of a storage array is.

#![expect(clippy::disallowed_methods, reason = "images that are made here")]

use crate::crash::load_while;
use crate::image::scratch;
use crate::mounted::{Loop, Mount};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;
use tempfile::TempDir;

/// Room for the image and all that is written to it between snapshots.
const XFS_SIZE: u64 = 2 << 30;
/// Steps of the load in one folder, which is deleted after the next one has been filled.
const ROUND_STEPS: usize = 600;
/// Steps between two snapshots, at least.
const SPACING: usize = 37;

/// An XFS in a file, until it is dropped.
pub struct Shared {
    // In this order they have to go.
    mount: Mount,
    device: Loop,
    dir: TempDir,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let _ = (&self.mount, &self.device);
        f.debug_tuple("Shared").field(&self.dir.path()).finish()
    }
}

impl Default for Shared {
    fn default() -> Self {
        Self::new()
    }
}

impl Shared {
    /// Makes and mounts it.
    ///
    /// # Panics
    /// If that fails. Wants root, a loop device and `mkfs.xfs`.
    #[must_use]
    pub fn new() -> Self {
        let dir = tempfile::tempdir_in(scratch()).expect("a folder");
        let disk = dir.path().join("xfs");
        let file = File::create_new(&disk).expect("a file");
        file.set_len(XFS_SIZE).expect("a sparse file");
        let mut command = Command::new("mkfs.xfs");
        let made = command.args(["-q", "-m", "reflink=1"]).arg(&disk).output();
        let made = made.expect("mkfs.xfs");
        assert!(made.status.success(), "{made:?}");
        let on = dir.path().join("on");
        fs::create_dir(&on).expect("a folder");
        let device = Loop::new(&disk);
        let mount = Mount::new(&device, "xfs", &on, "defaults").expect("a mount of XFS");
        Self { mount, device, dir }
    }

    /// The folder that holds all of it.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Where it is mounted.
    #[must_use]
    pub fn on(&self) -> PathBuf {
        self.dir.path().join("on")
    }

    /// Puts `disk`, an ext filesystem, there, mounts it with `options`, writes to it without a pause,
    /// and takes `count` copies meanwhile. The answer is their paths.
    ///
    /// # Panics
    /// If a mount or a copy fails.
    #[must_use]
    pub fn snapshots(&self, disk: &[u8], options: &str, count: u64, seed: u64) -> Vec<PathBuf> {
        let image = self.on().join("image");
        fs::write(&image, disk).expect("room");
        let on = self.dir.path().join("ext");
        fs::create_dir_all(&on).expect("a folder");
        let device = Loop::new(&image);
        let mount = Mount::new(&device, "ext4", &on, options).expect(options);
        // A place for nobody: a word gets through only while somebody waits for it.
        let (moments, moment) = sync_channel(0);
        let taken = thread::scope(|scope| {
            scope.spawn(|| write(&on, seed, moments));
            self.copies(&image, count, moment)
        });
        drop(mount);
        drop(device);
        taken
    }

    /// Ends the load by dropping `moment`, also in a panic.
    fn copies(&self, image: &Path, count: u64, moment: Receiver<usize>) -> Vec<PathBuf> {
        let copy = |index| {
            moment.recv().expect("a load that goes on");
            let to = self.on().join(format!("snapshot-{index}"));
            let mut command = Command::new("cp");
            command.args(["--reflink=always", "--no-target-directory"]);
            let done = command.arg(image).arg(&to).output().expect("cp");
            assert!(done.status.success(), "{done:?}");
            to
        };
        (0..count).map(copy).collect()
    }
}

/// Writes in folder after folder until nobody wants to know any more.
fn write(root: &Path, seed: u64, moments: SyncSender<usize>) {
    let mut wanted = true;
    let mut before: Option<PathBuf> = None;
    for round in 0_u64.. {
        let dir = root.join(format!("round-{round}"));
        fs::create_dir(&dir).expect("room");
        load_while(&dir, ROUND_STEPS, seed.wrapping_add(round), &mut |step| {
            if step % SPACING == SPACING - 1 {
                wanted = moments.try_send(step) != Err(TrySendError::Disconnected(step));
            }
            wanted
        });
        if !wanted {
            return;
        }
        if let Some(before) = before.replace(dir) {
            fs::remove_dir_all(before).expect("a folder");
        }
    }
}
