//! Disks of a host, as files below a root that stands for it.

use super::blocks::{BLOCK_LEN, Blocks};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::{FileExt, symlink};
use std::path::{Path, PathBuf};

/// How the kernel names a disk, and where it says its serial number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bus {
    /// `nvme1n1`, with `device/serial` and `device/model`.
    Nvme,
    /// `vdb`, with `serial`.
    Virtio,
}

/// A disk that the kernel shows.
#[derive(Clone, Debug)]
pub struct Disk {
    /// What the service calls it.
    pub id: String,
    /// How it is connected.
    pub bus: Bus,
    /// Size in bytes.
    pub bytes: u64,
    /// What is in it at first.
    pub blocks: Option<Blocks>,
    /// Its name below `dev/disk/by-id`, if it has one.
    pub link: Option<String>,
    /// Its serial number, if it has one.
    pub serial: Option<String>,
    /// Its model, where the bus has one.
    pub model: Option<String>,
}

/// What the kernel of the host shows.
#[derive(Debug)]
pub(super) struct Devices {
    root: PathBuf,
    /// By id.
    there: BTreeMap<String, Paths>,
}

#[derive(Debug)]
struct Paths {
    device: PathBuf,
    sys: PathBuf,
    link: Option<PathBuf>,
}

impl Devices {
    pub(super) fn new(root: PathBuf) -> Self {
        let there = BTreeMap::new();
        Self { root, there }
    }

    /// Makes the disks that the host has, and removes those that it has no more.
    pub(super) fn settle(&mut self, wanted: &[Disk]) {
        let gone = |id: &&String| !wanted.iter().any(|disk| disk.id == **id);
        let gone: Vec<_> = self.there.keys().filter(gone).cloned().collect();
        for id in gone {
            let paths = self.there.remove(&id).expect("it was there");
            remove(&paths).expect("a disk that can be removed");
        }
        for disk in wanted {
            if !self.there.contains_key(&disk.id) {
                let paths = (1..).map(|number| self.paths(disk, number));
                let paths = paths.into_iter().find(|paths| !paths.device.exists());
                let paths = paths.expect("a number");
                make(disk, &paths).expect("a disk that can be made");
                self.there.insert(disk.id.clone(), paths);
            }
        }
    }

    fn paths(&self, disk: &Disk, number: usize) -> Paths {
        let name = match disk.bus {
            Bus::Nvme => format!("nvme{number}n1"),
            Bus::Virtio => format!("vd{}", letters(number)),
        };
        let link = disk.link.as_ref();
        Paths {
            device: self.root.join("dev").join(&name),
            sys: self.root.join("sys/block").join(name),
            link: link.map(|link| self.root.join("dev/disk/by-id").join(link)),
        }
    }
}

/// `a` to `z`, then `aa`, …, as the kernel counts disks.
fn letters(number: usize) -> String {
    let last = u8::try_from(number % 26).expect("below 26");
    let last = char::from(b'a' + last);
    match number / 26 {
        0 => last.to_string(),
        rest => format!("{}{last}", letters(rest - 1)),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "it stands for a kernel that makes devices"
)]
fn make(disk: &Disk, paths: &Paths) -> io::Result<()> {
    let Paths { device, sys, link } = paths;
    fs::create_dir_all(device.parent().expect("a folder"))?;
    fs::create_dir_all(sys.join("device"))?;
    let file = fs::File::create_new(device)?;
    file.set_len(disk.bytes)?;
    if let Some(blocks) = &disk.blocks {
        let mut at = 0;
        while let Some(index) = blocks.next(at) {
            let block = blocks.read(index).expect("it is listed");
            let offset = index * u64::try_from(BLOCK_LEN).expect("small");
            file.write_all_at(&block, offset)?;
            at = index + 1;
        }
    }
    let of_bus = match disk.bus {
        Bus::Nvme => sys.join("device"),
        Bus::Virtio => sys.clone(),
    };
    let serial = disk.serial.as_deref();
    let say = |serial: &str| fs::write(of_bus.join("serial"), format!("{serial}\n"));
    serial.map(say).transpose()?;
    let model = disk.model.as_deref();
    let say = |model: &str| fs::write(of_bus.join("model"), format!("{model:<40}\n"));
    model.map(say).transpose()?;
    fs::write(sys.join("size"), format!("{}\n", disk.bytes / 512))?;
    let Some(link) = link else {
        return Ok(());
    };
    fs::create_dir_all(link.parent().expect("a folder"))?;
    let name = device.file_name().expect("a name");
    symlink(Path::new("../..").join(name), link)
}

#[expect(
    clippy::disallowed_methods,
    reason = "it stands for a kernel that removes devices"
)]
fn remove(paths: &Paths) -> io::Result<()> {
    paths.link.as_ref().map(fs::remove_file).transpose()?;
    fs::remove_dir_all(&paths.sys)?;
    fs::remove_file(&paths.device)
}
