//! The disks of an export, in the order of the point's, as byte sources.

use super::export_session::ExportedDisk;
use crate::aws::{Client, EbsSnapshot, SnapshotOptions, fault};
use crate::error::{Error, Result};
use crate::point::PointInfo;
use crate::remote::{ChunkStore, block_on, retry_calls};
use std::sync::Arc;

/// Puts disks in the order of the point: the system's first, then by the device that each was attached
/// as. Refuses if that leaves a doubt, for one disk must never pass for another.
pub(super) fn in_order(
    point: &PointInfo,
    exported: Vec<ExportedDisk>,
) -> Result<Vec<ExportedDisk>> {
    let (expected, actual) = (point.disks.len(), exported.len());
    if expected != actual {
        return Err(refused(
            point,
            format!("expected {expected} disks, but {actual} were exported"),
        ));
    }
    let mut rest = exported.into_iter();
    let system = rest.next();
    let mut rest: Vec<_> = rest.collect();
    let mut ordered: Vec<_> = system.into_iter().collect();
    let single = rest.len() == 1;
    for disk in point.disks.iter().skip(1) {
        let same = |other: &ExportedDisk| {
            let pair = disk.device.as_deref().zip(other.device.as_deref());
            pair.is_some_and(|(device, other)| letter(device) == letter(other))
        };
        let index = match rest.iter().position(same) {
            Some(index) => index,
            None if single => 0,
            None => {
                let device = disk.device.as_deref().unwrap_or("a disk");
                return Err(refused(
                    point,
                    format!("which of the exported disks is {device} cannot be told"),
                ));
            }
        };
        ordered.push(rest.swap_remove(index));
    }
    for (index, (disk, exported)) in point.disks.iter().zip(&ordered).enumerate() {
        let mut sizes = vec![disk.size];
        if index == 0 {
            // Of several disks Lightsail does not say whether the size is the system's or that of all.
            let others = point.disks.iter().skip(1).map(|other| other.size);
            let others = others.fold(0, u64::saturating_add);
            sizes.push(disk.size.saturating_sub(others));
        }
        // The size of the system disk of an automatic snapshot is not known before.
        if disk.size > 0 && !sizes.contains(&exported.size) {
            return Err(refused(
                point,
                format!(
                    "expected a disk of {} bytes, but {} has {}",
                    disk.size, exported.snapshot, exported.size
                ),
            ));
        }
    }
    Ok(ordered)
}

/// What tells one device from another: `/dev/xvdf`, `/dev/sdf` and `xvdf` are one.
fn letter(device: &str) -> &str {
    let name = device.rsplit('/').next().unwrap_or(device);
    let name = name.strip_prefix("xvd").or_else(|| name.strip_prefix("sd"));
    name.unwrap_or(device)
}

fn refused(point: &PointInfo, why: String) -> Error {
    Error::Refused {
        what: format!(
            "lightsail:{} was exported to something else: {why}",
            point.id
        ),
        hint: None,
    }
}

/// A disk, read through EBS direct. Refuses one of another size than EC2 has told.
pub(super) fn open(
    client: &Client,
    account: Option<&str>,
    disk: &ExportedDisk,
) -> Result<Arc<EbsSnapshot>> {
    let name = &disk.snapshot;
    let options = SnapshotOptions {
        account: account.map(str::to_owned),
        relative: None,
    };
    let open = || EbsSnapshot::open_with(client, name, options.clone());
    let store = block_on(retry_calls(open));
    let store = store.map_err(|fault| fault::error(format!("read {name}"), fault))?;
    let (expected, actual) = (disk.size, store.size());
    match expected == actual {
        true => Ok(store),
        false => Err(Error::Refused {
            what: format!("expected {name} to have {expected} bytes, but it has {actual}"),
            hint: None,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::UnixTime;
    use crate::point::{Access, Consistency, DiskInfo};
    use std::collections::BTreeMap;

    fn point(disks: &[(Option<&str>, u64)]) -> PointInfo {
        let disks = disks.iter().map(|(device, size)| DiskInfo {
            id: "web-1".into(),
            volume: None,
            device: device.map(str::to_owned),
            size: *size,
        });
        PointInfo {
            id: "web-1".into(),
            name: None,
            object: "web".into(),
            time: UnixTime(0),
            size: 0,
            state: "available".into(),
            consistency: Consistency::Unknown,
            access: Access::Clone,
            expires: None,
            region: None,
            account: None,
            tier: None,
            encrypted: false,
            skew: None,
            disks: disks.collect(),
            tags: BTreeMap::new(),
        }
    }

    fn exported(device: &str, snapshot: &str, size: u64) -> ExportedDisk {
        ExportedDisk {
            device: Some(device.into()),
            snapshot: snapshot.into(),
            size,
        }
    }

    fn snapshots(disks: Result<Vec<ExportedDisk>>) -> Vec<String> {
        let disks = disks.unwrap().into_iter();
        disks.map(|disk| disk.snapshot).collect()
    }

    #[test]
    fn disks_come_in_the_order_of_the_point() {
        let point = point(&[(None, 20), (Some("/dev/xvdg"), 8), (Some("/dev/xvdf"), 9)]);
        let made = vec![
            exported("/dev/xvda", "snap-a", 20),
            exported("/dev/sdf", "snap-f", 9),
            exported("/dev/sdg", "snap-g", 8),
        ];
        assert_eq!(
            snapshots(in_order(&point, made)),
            ["snap-a", "snap-g", "snap-f"]
        );
    }

    #[test]
    fn one_disk_never_passes_for_another() {
        let two = point(&[(None, 20), (Some("/dev/xvdf"), 9)]);
        let system = || exported("/dev/xvda", "snap-a", 20);
        // Too few, too many, of another size.
        for made in [
            vec![system()],
            vec![
                system(),
                exported("/dev/xvdf", "b", 9),
                exported("/dev/xvdg", "c", 9),
            ],
            vec![system(), exported("/dev/xvdf", "b", 10)],
        ] {
            assert!(matches!(in_order(&two, made), Err(Error::Refused { .. })));
        }
        // Two of which neither is known.
        let three = point(&[(None, 20), (Some("/dev/xvdf"), 9), (Some("/dev/xvdg"), 9)]);
        let made = vec![
            system(),
            exported("/dev/xvdh", "b", 9),
            exported("/dev/xvdi", "c", 9),
        ];
        assert!(matches!(in_order(&three, made), Err(Error::Refused { .. })));
        // What is said to be the size may be that of all.
        let all = point(&[(None, 29), (Some("/dev/xvdf"), 9)]);
        let made = vec![system(), exported("/dev/xvdf", "b", 9)];
        assert_eq!(snapshots(in_order(&all, made)), ["snap-a", "b"]);
        // A single other one is known by being that.
        let made = vec![system(), exported("/dev/xvdh", "b", 9)];
        assert_eq!(snapshots(in_order(&two, made)), ["snap-a", "b"]);
    }

    #[test]
    fn an_unknown_size_is_no_other_size() {
        let auto = point(&[(None, 0)]);
        let made = vec![exported("/dev/xvda", "snap-a", 20)];
        assert_eq!(snapshots(in_order(&auto, made)), ["snap-a"]);
    }
}
