//! Attached disks, as the kernel of the instance shows them.

use super::model::Disk;
use super::state::State;
use crate::stand_in;
use crate::stand_in::device::Bus;

const GIB: u64 = 1 << 30;

/// The disks that the instance of the metadata has.
pub(crate) fn disks(state: &State, now: i64) -> Vec<stand_in::Disk> {
    let here = |disk: &&Disk| {
        let attachment = disk.attachment(now);
        let is_here = attachment.is_some_and(|to| to.instance_id == state.metadata.instance_id);
        is_here && disk.status(now) == Some("In_use")
    };
    let bus = state.settings.bus;
    let disk = |disk: &Disk| {
        let link = |serial: &String| match bus {
            Bus::Virtio => format!("virtio-{serial}"),
            Bus::Nvme => format!("nvme-Alibaba_Cloud_Elastic_Block_Storage_{serial}"),
        };
        let model = "Alibaba Cloud Elastic Block Storage";
        stand_in::Disk {
            id: disk.id.clone(),
            bus,
            bytes: disk.gib * GIB,
            blocks: disk.blocks.clone(),
            link: disk.serial.as_ref().map(link),
            serial: disk.serial.clone(),
            model: (bus == Bus::Nvme).then(|| model.to_owned()),
        }
    };
    state.disks.values().filter(here).map(disk).collect()
}
