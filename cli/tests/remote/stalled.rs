//! A network on which nothing comes any more: an error in time, never a process that hangs.

use crate::reading::Mounted;
use crate::stage::{SNAPSHOT, Stage, until};
use flr_tests::aws_fake::{FakeFault, When};
use flr_tests::require::require;
use rustix::process::Signal;
use std::time::{Duration, Instant};

/// What a read may take, and what is tried after it.
const BOUND: Duration = Duration::from_secs(60);

fn stall(stage: &Stage) {
    stage.fake.set_rule(|call| {
        let block = call.operation == "GetSnapshotBlock";
        block.then_some(FakeFault::NoAnswer(When::BeforeEffect))
    });
}

#[test]
fn a_command_ends_with_an_error_in_time() {
    let stage = Stage::new();
    stall(&stage);
    let begun = Instant::now();
    let said = stage
        .run(&["cat", &format!("{SNAPSHOT}:/etc/hostname")])
        .ended_with(5);
    let took = begun.elapsed();
    println!("{took:?} {}", said.err);
    assert!(took < BOUND, "{took:?}");
    assert_eq!(said.out, "");
    said.told(&[SNAPSHOT, "no answer", "hint: try again"]);
}

#[test]
fn an_interruption_ends_it_at_once() {
    let stage = Stage::new();
    stall(&stage);
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        stage.fake.clear_requests();
        let running = stage.start(&["cat", &format!("{SNAPSHOT}:/etc/hostname")]);
        until("it waits", || stage.fake.count("GetSnapshotBlock") > 0);
        let begun = Instant::now();
        running.signal(signal);
        let said = running.finish().ended_with(code);
        assert!(
            begun.elapsed() < Duration::from_secs(5),
            "{:?}",
            begun.elapsed()
        );
        assert!(said.err.contains("interrupted"), "{}", said.err);
    }
}

#[test]
fn a_mount_answers_with_an_error_and_can_be_taken_away() {
    if !require(&["root", "fuse"]) {
        return;
    }
    let stage = Stage::new();
    std::fs::create_dir(stage.path("m")).unwrap();
    let _mounted = Mounted(&stage);
    stage.run(&["mount", SNAPSHOT, "m"]).ended_with(0);
    stall(&stage);
    let begun = Instant::now();
    let error = std::fs::read(stage.path("m/var/log/syslog")).unwrap_err();
    let took = begun.elapsed();
    println!("{took:?} {error}");
    assert_eq!(
        error.raw_os_error(),
        Some(rustix::io::Errno::IO.raw_os_error())
    );
    assert!(took < BOUND, "{took:?}");
    // Somebody waits when it is taken away.
    let path = stage.path("m/var/lib");
    let reader = std::thread::spawn(move || drop(std::fs::read_dir(path)));
    let begun = Instant::now();
    let said = stage.run(&["umount", "--lazy", "m"]);
    let took = begun.elapsed();
    println!("{took:?} {said:?}");
    assert!(took < Duration::from_secs(5), "{took:?}");
    reader.join().unwrap();
}
