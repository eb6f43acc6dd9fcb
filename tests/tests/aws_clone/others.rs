//! What another host left, known by its tags alone.

use crate::stage::{SNAPSHOT, Stage};
use flr_tests::aws_fake::{FakeFault, When};
use flr_tests::victim::harness::Said;
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;
use std::time::Duration;

/// Leaves a volume of another host, which expires after so many seconds: its process ends at the nth
/// call of `operation`, as if its machine was switched off.
fn leave(stage: &Stage, operation: &'static str, ttl: u32) -> String {
    let mut command = stage.victim_on("elsewhere", &["use", "1", SNAPSHOT]);
    command.env("FLR_TEST_TTL", ttl.to_string());
    let mut child = command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("a process");
    let pid = rustix::process::Pid::from_child(&child);
    stage.fake.set_rule(move |call| {
        let is_it = call.operation == operation;
        if is_it {
            // OK to ignore: it may be dead.
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
        is_it.then_some(FakeFault::Reset(When::BeforeEffect, 0))
    });
    let status = child.wait().expect("its end");
    assert_eq!(status.signal(), Some(9), "{status}");
    stage.fake.clear_rule();
    let ours = stage.ours();
    assert_eq!(ours.len(), 1, "{ours:?}");
    ours[0].clone()
}

fn gc_after(stage: &Stage, older_than: u32) -> Said {
    let mut command = stage.victim_on("other-host", &["gc"]);
    command.env("FLR_TEST_OLDER_THAN", older_than.to_string());
    Said::of(&command.output().expect("a process"))
}

#[test]
fn what_has_expired_is_marked_first_and_deleted_then() {
    let stage = Stage::new();
    let id = leave(&stage, "AttachVolume", 3);
    // It may still be needed.
    let said = gc_after(&stage, 0).ended_with(0);
    assert_eq!(said.out, "");
    // The provider's clock is what counts.
    stage.fake.set_clock_skew(10);
    let said = gc_after(&stage, 3600).ended_with(0);
    assert_eq!(said.out, "", "the grace is not over");
    let said = gc_after(&stage, 0).ended_with(20);
    assert!(said.out.contains("marked as left behind"), "{}", said.out);
    assert!(
        stage.ours().contains(&id),
        "nothing is deleted at first sight"
    );
    let said = gc_after(&stage, 0).ended_with(0);
    assert!(
        said.out.contains(&format!("gone ebs-volume {id}")),
        "{}",
        said.out
    );
    stage.assert_clean("after two runs");
}

#[test]
fn what_is_attached_is_named_and_not_touched() {
    let stage = Stage::new();
    let id = leave(&stage, "DetachVolume", 3);
    stage.fake.set_clock_skew(10);
    for _ in 0..2 {
        let said = gc_after(&stage, 0).ended_with(20);
        assert!(said.out.contains("it is attached to i-"), "{}", said.out);
        assert!(stage.ours().contains(&id));
    }
    // The belt: it goes with its instance.
    let now = stage.fake.now();
    stage.fake.state().terminate(crate::stage::INSTANCE, now);
    std::thread::sleep(Duration::from_millis(5));
    assert_eq!(stage.ours(), [""; 0]);
}

#[test]
fn somebody_who_keeps_it_for_good_can() {
    let stage = Stage::new();
    let id = leave(&stage, "AttachVolume", 3);
    stage.fake.set_clock_skew(10);
    {
        let mut state = stage.fake.state();
        let volume = state.volumes.get_mut(&id).expect("it");
        volume
            .tags
            .insert("flr:marked".to_owned(), "keep".to_owned());
    }
    for _ in 0..3 {
        let said = gc_after(&stage, 0).ended_with(0);
        assert_eq!(said.out, "");
    }
    assert_eq!(stage.ours(), [id]);
}
