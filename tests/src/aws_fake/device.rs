//! Disks of attached volumes, as the kernel of the instance shows them.

use super::model::Volume;
use super::state::State;
use crate::stand_in::Disk;
use crate::stand_in::device::Bus;

const GIB: u64 = 1 << 30;

/// The disks that the instance of the metadata has.
pub(crate) fn disks(state: &State, now: i64) -> Vec<Disk> {
    let here = |volume: &&Volume| {
        let attachment = volume.attachment(now).filter(|to| now >= to.attached);
        let is_here = attachment.is_some_and(|to| to.instance_id == state.metadata.instance_id);
        is_here && volume.state(now) == Some("in-use")
    };
    let disk = |volume: &Volume| {
        let serial = volume.id.replacen('-', "", 1);
        Disk {
            id: volume.id.clone(),
            bus: Bus::Nvme,
            bytes: volume.gib * GIB,
            blocks: volume.blocks.clone(),
            link: Some(format!("nvme-Amazon_Elastic_Block_Store_{serial}")),
            serial: Some(serial),
            model: Some("Amazon Elastic Block Store".to_owned()),
        }
    };
    state.volumes.values().filter(here).map(disk).collect()
}
