//! Calls that fail: right bytes or a fault of the right kind, and right bytes afterwards.

use super::{client, fake, noise};
use flr_provider::FaultKind;
use flr_provider::aws::{Client, EbsSnapshot};
use flr_provider::remote::{ChunkStore, block_on};
use flr_tests::aws_fake::{
    ACCOUNT, AccessKey, BLOCK_LEN, Blocks, Call, Fake, FakeFault, Snapshot, When,
};
use std::time::{Duration, Instant};

const ID: &str = "snap-0123456789abcdef0";
const LIST: &str = "ListSnapshotBlocks";
const GET: &str = "GetSnapshotBlock";

fn with_snapshot() -> (Fake, Client) {
    let (fake, client) = fake();
    let blocks = Blocks::from_fn(2048, |index| (index < 50).then(|| noise(index, BLOCK_LEN)));
    fake.state().add_snapshot(Snapshot::new(ID, blocks));
    (fake, client)
}

/// The first call of an operation fails in this way.
fn fail_once(fake: &Fake, operation: &'static str, fault: FakeFault) {
    let mut fault = Some(fault);
    fake.set_rule(move |call: &Call| match call.operation == operation {
        true => fault.take(),
        false => None,
    });
}

#[test]
fn every_fault_is_a_fault_and_passes() {
    let kinds = [
        (
            FakeFault::Status(When::BeforeEffect, 500),
            FaultKind::Unknown,
        ),
        (
            FakeFault::Status(When::AfterEffect, 503),
            FaultKind::Unknown,
        ),
        (FakeFault::Throttled, FaultKind::Throttled),
        (FakeFault::AccountThrottled, FaultKind::Throttled),
        (FakeFault::HalfClosed(When::AfterEffect), FaultKind::Unknown),
        (FakeFault::Reset(When::AfterEffect, 0), FaultKind::Unknown),
        (FakeFault::Reset(When::AfterEffect, 100), FaultKind::Unknown),
        (FakeFault::Reset(When::AfterEffect, 900), FaultKind::Unknown),
        (FakeFault::TruncatedBody(60), FaultKind::Unknown),
        (FakeFault::TruncatedBody(0), FaultKind::Unknown),
        (FakeFault::FlippedByte(0), FaultKind::Unknown),
        (FakeFault::ExpiredToken, FaultKind::Expired),
        (FakeFault::ClockSkew(3600), FaultKind::Expired),
        (FakeFault::ClockSkew(-3600), FaultKind::Expired),
        (FakeFault::Quota, FaultKind::Quota),
    ];
    for (fault, kind) in kinds {
        for operation in [LIST, GET] {
            let (fake, client) = with_snapshot();
            fail_once(&fake, operation, fault.clone());
            let read = || {
                let snapshot = block_on(EbsSnapshot::open(&client, ID))?;
                block_on(snapshot.fetch(3..4))
            };
            let error = read().map(|_| ()).unwrap_err();
            assert_eq!(error.kind, kind, "{operation} {fault:?}: {error}");
            // The wrong clock of one answer is undone by the next one.
            let again = match fault {
                FakeFault::ClockSkew(_) => read().or_else(|_| read()),
                _ => read(),
            };
            assert!(
                again.unwrap() == noise(3, BLOCK_LEN),
                "{operation} {fault:?}"
            );
        }
    }
}

#[test]
fn a_server_that_says_nothing_does_not_hold_us() {
    let handles: Vec<_> = [LIST, GET]
        .into_iter()
        .map(|operation| {
            std::thread::spawn(move || {
                let (fake, client) = with_snapshot();
                fail_once(&fake, operation, FakeFault::NoAnswer(When::AfterEffect));
                let start = Instant::now();
                let read = || {
                    let snapshot = block_on(EbsSnapshot::open(&client, ID))?;
                    block_on(snapshot.fetch(3..4))
                };
                assert_eq!(read().map(|_| ()).unwrap_err().kind, FaultKind::Unknown);
                assert!(start.elapsed() < Duration::from_secs(25));
                assert!(read().unwrap() == noise(3, BLOCK_LEN));
            })
        })
        .collect();
    for handle in handles {
        handle.join().unwrap();
    }
}

#[test]
fn a_clock_that_is_wrong_is_corrected() {
    for skew in [-7 * 24 * 3600, -400, 400, 3600] {
        let (fake, client) = with_snapshot();
        fake.set_clock_skew(skew);
        let fault = block_on(EbsSnapshot::open(&client, ID))
            .map(|_| ())
            .unwrap_err();
        assert_eq!(fault.kind, FaultKind::Expired);
        assert!(fault.message.contains("clock"), "{fault}");
        let snapshot = block_on(EbsSnapshot::open(&client, ID)).unwrap();
        block_on(snapshot.fetch(1..2)).unwrap();
        block_on(client.account()).unwrap();
        let theirs = client.time().unwrap().0;
        let wire = fake.now() / 1000 + skew;
        assert!(theirs.abs_diff(u64::try_from(wire).unwrap()) <= 2);
    }
}

#[test]
fn whoever_may_not_is_told_so() {
    let (fake, good) = with_snapshot();
    let wrong = AccessKey::new("AKIAFAKE000000000001", &"z".repeat(40), ACCOUNT);
    let wrong = client(&fake.url(), &wrong);
    let fault = block_on(EbsSnapshot::open(&wrong, ID))
        .map(|_| ())
        .unwrap_err();
    assert_eq!(fault.kind, FaultKind::Denied, "{fault}");
    assert!(!format!("{fault:?}{wrong:?}").contains("zzzz"));
    let missing = "snap-0aaaaaaaaaaaaaaaa";
    let fault = block_on(EbsSnapshot::open(&good, missing))
        .map(|_| ())
        .unwrap_err();
    assert_eq!(fault.kind, FaultKind::NotFound);
    assert!(fault.is("ResourceNotFoundException.SNAPSHOT_NOT_FOUND"));
    fake.state().snapshots.get_mut(ID).unwrap().kms_denied = true;
    let fault = block_on(EbsSnapshot::open(&good, ID))
        .map(|_| ())
        .unwrap_err();
    assert_eq!(fault.kind, FaultKind::Denied);
    let hint = flr_provider::aws::fault::hint(&fault).unwrap();
    assert!(hint.contains("kms:Decrypt"), "{hint}");
    let region = good.in_region("evil.example/#");
    let fault = block_on(EbsSnapshot::open(&region, ID))
        .map(|_| ())
        .unwrap_err();
    assert_eq!(fault.kind, FaultKind::Refused);
}
