//! A target of `tests/src/fuzz` under libFuzzer: `FLR_TARGET=journal cargo fuzz run targets`.

#![no_main]

use flr_tests::fuzz::target;
use libfuzzer_sys::fuzz_target;
use std::sync::OnceLock;

static RUN: OnceLock<fn(&[u8])> = OnceLock::new();

fuzz_target!(
    init: {
        let name = std::env::var("FLR_TARGET").expect("FLR_TARGET is the name of a target");
        let (_, run, seeds) = target(&name).expect("a target of this name");
        RUN.get_or_init(|| *run);
        // The seeds for libFuzzer to begin with, once.
        if let Some(folder) = std::env::var_os("FLR_SEEDS") {
            let folder = std::path::Path::new(&folder);
            std::fs::create_dir_all(folder).expect("a folder for seeds");
            for (index, seed) in seeds().iter().enumerate() {
                std::fs::write(folder.join(format!("seed-{index}")), seed).expect("a seed");
            }
        }
    },
    |input: &[u8]| {
        if let Some(run) = RUN.get() {
            run(input);
        }
    }
);
