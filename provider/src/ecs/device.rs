//! How disks show on an instance: as devices of virtio or NVMe, with the serial number that
//! `DescribeDisks` says.

use crate::attached::Family;

/// Disks of Alibaba Cloud.
pub(crate) const FAMILY: Family = Family {
    links: &[
        "virtio-{}",
        "nvme-Alibaba_Cloud_Elastic_Block_Storage_{}",
        "nvme-Alibaba_Cloud_Elastic_Block_Storage_{}_1",
        "nvme-Alibaba_Cloud_Elastic_Block_Storage_{}-ns-1",
    ],
    // That of virtio, and that of NVMe.
    serials: &["serial", "device/serial"],
    names: &["vd", "xvd", "nvme"],
    // The name that a disk is attached under is not the kernel's: by that nothing is found.
    model: None,
    hint: "in a container, set FLR_DEV_ROOT to where the host's root is",
};
