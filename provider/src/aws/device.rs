//! How EBS volumes show on an instance.
//!
//! On NVMe the serial number is the volume's id. Only where no volume is an NVMe device does the name that
//! it was attached under have to do, with the size.

use crate::attached::Family;

/// EBS.
pub(crate) const FAMILY: Family = Family {
    links: &[
        "nvme-Amazon_Elastic_Block_Store_{}",
        "nvme-Amazon_Elastic_Block_Store_{}_1",
        "nvme-Amazon_Elastic_Block_Store_{}-ns-1",
    ],
    serials: &["device/serial"],
    names: &["nvme"],
    // What every NVMe device of EBS says that it is.
    model: Some("Amazon Elastic Block Store"),
    hint: "in a container, set FLR_DEV_ROOT to where the host's root is, or use --access direct",
};
