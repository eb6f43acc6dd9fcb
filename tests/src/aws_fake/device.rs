//! Disks of attached volumes, as files below a root that stands for the host's.

use super::blocks::BLOCK_LEN;
use super::model::Volume;
use super::state::State;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::{FileExt, symlink};
use std::path::PathBuf;

const GIB: u64 = 1 << 30;

/// What the kernel of the instance would show.
#[derive(Debug)]
pub(crate) struct Devices {
    root: PathBuf,
    /// Numbers of disks by volume.
    there: BTreeMap<String, usize>,
}

impl Devices {
    pub(crate) fn new(root: PathBuf) -> Self {
        let there = BTreeMap::new();
        Self { root, there }
    }

    /// Makes the disks that the instance of the metadata has, and removes those that it has no more.
    pub(crate) fn settle(&mut self, state: &State, now: i64) {
        let here = |volume: &&Volume| {
            let attachment = volume.attachment(now).filter(|to| now >= to.attached);
            let is_here = attachment.is_some_and(|to| to.instance_id == state.metadata.instance_id);
            is_here && volume.state(now) == Some("in-use")
        };
        let wanted: Vec<_> = state.volumes.values().filter(here).collect();
        let gone = |id: &&String| !wanted.iter().any(|volume| volume.id == **id);
        let gone: Vec<_> = self.there.keys().filter(gone).cloned().collect();
        for id in gone {
            let number = self.there.remove(&id).expect("it was there");
            self.remove(&id, number)
                .expect("a disk that can be removed");
        }
        for volume in wanted {
            if !self.there.contains_key(&volume.id) {
                let is_free = |number: &usize| !self.paths(&volume.id, *number).0.exists();
                let number = (1..).find(is_free).expect("a number");
                self.make(volume, number).expect("a disk that can be made");
                self.there.insert(volume.id.clone(), number);
            }
        }
    }

    fn paths(&self, id: &str, number: usize) -> (PathBuf, PathBuf, PathBuf) {
        let name = format!("nvme{number}n1");
        let link = format!(
            "nvme-Amazon_Elastic_Block_Store_{}",
            id.replacen('-', "", 1)
        );
        (
            self.root.join("dev").join(&name),
            self.root.join("dev/disk/by-id").join(link),
            self.root.join("sys/block").join(name),
        )
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "it stands for a kernel that makes devices"
    )]
    fn make(&self, volume: &Volume, number: usize) -> io::Result<()> {
        let (device, link, sys) = self.paths(&volume.id, number);
        for folder in [link.parent().expect("a folder"), &sys.join("device")] {
            fs::create_dir_all(folder)?;
        }
        let file = fs::File::create_new(&device)?;
        file.set_len(volume.gib * GIB)?;
        if let Some(blocks) = &volume.blocks {
            let mut at = 0;
            while let Some(index) = blocks.next(at) {
                let block = blocks.read(index).expect("it is listed");
                let offset = index * u64::try_from(BLOCK_LEN).expect("small");
                file.write_all_at(&block, offset)?;
                at = index + 1;
            }
        }
        let serial = volume.id.replacen('-', "", 1);
        fs::write(sys.join("device/serial"), format!("{serial}\n"))?;
        let model = format!("{:<40}\n", "Amazon Elastic Block Store");
        fs::write(sys.join("device/model"), model)?;
        fs::write(sys.join("size"), format!("{}\n", volume.gib * GIB / 512))?;
        symlink(format!("../../nvme{number}n1"), link)
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "it stands for a kernel that removes devices"
    )]
    fn remove(&self, id: &str, number: usize) -> io::Result<()> {
        let (device, link, sys) = self.paths(id, number);
        fs::remove_file(link)?;
        fs::remove_dir_all(sys)?;
        fs::remove_file(device)
    }
}
