use super::*;
use crate::engine::UnixTime;
use crate::point::{Consistency, DiskInfo};
use std::collections::BTreeMap;

fn point(sizes: &[u64], access: Access) -> PointInfo {
    let disk = |size: &u64| DiskInfo {
        id: "web-1".into(),
        volume: None,
        device: None,
        size: *size,
    };
    PointInfo {
        id: "web-1".into(),
        name: None,
        object: "web".into(),
        time: UnixTime(0),
        size: sizes.iter().sum(),
        state: "available".into(),
        consistency: Consistency::Crash,
        access,
        expires: None,
        region: None,
        account: None,
        tier: None,
        encrypted: false,
        skew: None,
        disks: sizes.iter().map(disk).collect(),
        tags: BTreeMap::new(),
    }
}

fn agreed() -> OpenHow {
    OpenHow {
        yes: true,
        ..OpenHow::default()
    }
}

#[test]
fn an_export_has_to_be_agreed_to() {
    let point = point(&[40 << 30, 8 << 30], Access::Clone);
    let error = check(&point, &OpenHow::default()).unwrap_err();
    assert!(matches!(error, Error::Cost { .. }), "{error}");
    assert_eq!(error.hint().as_deref(), Some("agree with --yes"));
    // 2 copies of 48 GB, 5 cents a GB and month of 720 hours.
    assert!(
        error.to_string().contains("about $0.007 an hour"),
        "{error}"
    );
    check(&point, &agreed()).unwrap();
}

#[test]
fn it_cannot_be_read_directly_nor_before_it_is_complete() {
    let direct = OpenHow {
        access: AccessMode::Direct,
        ..agreed()
    };
    let error = check(&point(&[1 << 30], Access::Clone), &direct).unwrap_err();
    assert!(
        error.to_string().contains("cannot be read directly"),
        "{error}"
    );
    let pending = point(&[1 << 30], Access::None("it is still being taken".into()));
    let error = check(&pending, &agreed()).unwrap_err();
    assert!(
        error.to_string().contains("it is still being taken"),
        "{error}"
    );
}

#[test]
fn what_it_costs() {
    let known = estimate(&point(&[40 << 30, 8 << 30], Access::Clone), 1 << 30);
    let count = |name: &str| known.requests.iter().find(|(it, _)| it == name).unwrap().1;
    assert_eq!(
        (count("GetSnapshotBlock"), count("DeleteSnapshot")),
        (2048, 2)
    );
    assert_eq!(known.bytes, 1 << 30);
    let dollars = known.dollars.unwrap();
    assert!((0.012..0.014).contains(&dollars), "{dollars}");
    // The system disk of an automatic snapshot.
    let unknown = estimate(&point(&[0, 8 << 30], Access::Clone), 1);
    assert_eq!(unknown.dollars, None);
}
