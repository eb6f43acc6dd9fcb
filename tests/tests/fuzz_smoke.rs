//! Every fuzz target over mutations of a fixed seed and over all inputs that broke it once.

use flr_tests::Heap;
use flr_tests::fuzz::run::{Bounds, Spent, attempt, fuzz, regressions};
use flr_tests::fuzz::{TARGETS, Target, target};
use flr_tests::heap::assert_counted;
use std::time::Duration;

#[global_allocator]
static HEAP: Heap = Heap;

/// Executions of every target.
const COUNT: u64 = 10_000;

fn smoke(name: &str) {
    assert_counted();
    let target = target(name).expect("a target");
    let (spent, findings) = fuzz(target, 0..COUNT, Bounds::default());
    println!("{name}: {spent:?}");
    let told: Vec<_> = findings
        .iter()
        .map(|finding| format!("{}: {}", finding.what, hex(&finding.input)))
        .collect();
    assert!(told.is_empty(), "{name}: {told:#?}");
    assert_eq!(spent.count, COUNT);
    // A target whose inputs end at the door tests the door only.
    assert!(spent.reached > COUNT / 4, "{name}: {spent:?}");
}

fn hex(input: &[u8]) -> String {
    let shown = input.iter().take(100);
    shown.map(|byte| format!("{byte:02x}")).collect()
}

macro_rules! smoke {
    ($($name:ident)*) => {
        $(#[test] fn $name() { smoke(stringify!($name)); })*

        #[test]
        fn every_target_has_a_smoke_run() {
            let names: Vec<_> = TARGETS.iter().map(|target| target.0).collect();
            assert_eq!(names, [$(stringify!($name)),*]);
        }
    };
}

smoke! {
    partitions image journal directory map xattr address fstab lznt1 xpress lzx wof
    ntfs_image ntfs_record ntfs_runs ntfs_index registry
}

#[test]
fn what_broke_a_target_once_does_not_do_so_again() {
    for ((name, run, _), path, input) in regressions() {
        let mut spent = Spent::default();
        if let Err(finding) = attempt(*run, &input, Bounds::default(), &mut spent) {
            panic!("{name} {path}: {}", finding.what);
        }
    }
}

/// Targets that must fail: a harness that never finds anything is worth nothing.
#[test]
fn canaries_are_found() {
    fn panics(input: &[u8]) {
        assert!(input.len() < 5 || input[3] != 0x80, "the canary");
    }
    fn takes_memory(input: &[u8]) {
        if input.len() >= 5 && input[3] == 0x80 {
            std::hint::black_box(vec![1_u8; 2 << 20]);
        }
    }
    fn takes_time(input: &[u8]) {
        if input.len() >= 5 && input[3] == 0x80 {
            let start = flr_tests::fuzz::run::cpu();
            while flr_tests::fuzz::run::cpu() - start < Duration::from_millis(60) {}
        }
    }
    let bounds = Bounds {
        heap_bytes: 1 << 20,
        cpu: Duration::from_millis(50),
    };
    let canaries: [(Target, &str); 3] = [
        (("panics", panics, || vec![vec![0; 8]]), "panic: the canary"),
        (
            ("memory", takes_memory, || vec![vec![0; 8]]),
            "bytes of heap",
        ),
        (
            ("time", takes_time, || vec![vec![0; 8]]),
            "of the processor",
        ),
    ];
    for (target, what) in canaries {
        let (spent, findings) = fuzz(&target, 0..5_000, bounds);
        assert_eq!(findings.len(), 10, "{} after {}", target.0, spent.count);
        assert!(
            findings.iter().all(|finding| finding.what.contains(what)),
            "{findings:?}"
        );
    }
}
