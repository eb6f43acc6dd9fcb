//! Spare copies beside sound originals: the last sector of the volume and the `$MFTMirr`.

use super::super::attribute::types;
use super::super::boot::{BootSector, SIZE};
use super::super::mft::MIRRORED_COUNT;
use super::super::upcase::UPCASE_LEN_MAX;
use super::super::{codes, filesystem};
use super::Checker;
use crate::bytes::len_u64;
use crate::error::{Error, Fault};
use crate::node::NodeId;

impl Checker<'_> {
    pub(super) fn copies(&mut self) {
        self.boot_sectors();
        for number in 0..MIRRORED_COUNT {
            self.mirror(number);
        }
        self.upcase();
    }

    /// The boot sector and its copy. Which of them is in use has been noted.
    fn boot_sectors(&mut self) {
        let disk = &self.mft.disk;
        let boot = &disk.boot;
        let read = |at| {
            let mut raw = [0; SIZE];
            disk.source.read_at(at, &mut raw)?;
            BootSector::parse(&raw, at)
        };
        if let Err(error) = read(0) {
            self.failed(&error);
        }
        // The copy ends with the sector behind the volume, and is no shorter than it has fields. An
        // image of the volume alone ends before it.
        let sector = u64::from(boot.sector_size);
        let end = boot.volume_size.saturating_add(sector);
        if end > disk.source.size() {
            return;
        }
        let at = end.saturating_sub(sector.max(len_u64(SIZE)));
        let found = match read(at) {
            Ok(copy) if copy == *boot => return,
            Ok(_) => "it describes another volume".to_owned(),
            Err(error) => error.to_string(),
        };
        let detail = format!("the copy of the boot sector: {found}");
        self.damaged(Fault::new(codes::BOOT_SPARE, at, detail));
    }

    /// A record and its copy.
    fn mirror(&mut self, number: u64) {
        let Some((at, copy)) = self.mft.copy_of(number) else {
            if number == 0 {
                let detail = "the $MFTMirr lies outside of the volume";
                self.damaged(Fault::new(codes::MIRROR_SPARE, 0, detail));
            }
            return;
        };
        let original = match self.mft.original(number) {
            Ok(original) => original,
            Err(error) => return self.failed(&error),
        };
        let found = match copy {
            Ok(copy) if copy.same(&original) => return,
            Ok(_) => "it differs from the record".to_owned(),
            Err(Error::Request(_)) => "it is not in use".to_owned(),
            Err(error) => error.to_string(),
        };
        let detail = format!("the copy of record {number}: {found}");
        self.unsettled(Fault::new(codes::MIRROR_SPARE, at, detail));
    }

    /// Linux mounts no volume whose table has another length.
    fn upcase(&mut self) {
        let Ok(file) = self.volume.file(NodeId(filesystem::UPCASE)) else {
            return;
        };
        if let Ok(Some(stream)) = file.stream(types::DATA, &[])
            && stream.data_size != len_u64(UPCASE_LEN_MAX)
        {
            let detail = format!("$UpCase has {} bytes", stream.data_size);
            self.damaged(Fault::new(codes::UPCASE, file.base.at, detail));
        }
    }
}
