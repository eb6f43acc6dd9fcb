//! Serves images as snapshots of Alibaba Cloud, for trials by hand and benchmarks.
//!
//! `ecs-fake --image FILE[=SNAPSHOT[@DISK]]… [--latency-ms N] [--port N] [--dev-root DIR]`
//!
//! Prints the variables that lead a client here, and serves until it is killed. Two images with one disk
//! are two snapshots of it. The metadata are of an instance that disks can be attached to; with a root
//! for devices they appear below it.

use flr_tests::ecs_fake::{Config, Disk, Fake, Instance, Snapshot, State};
use flr_tests::stand_in::serve::{self, Arguments, Command, Image};
use std::process::ExitCode;

const COMMAND: Command = Command {
    usage: "ecs-fake --image FILE[=SNAPSHOT[@DISK]]... [--latency-ms N] [--port N] [--dev-root DIR]",
    own: None,
    prefixes: ["s-bp", "d-bp"],
    digits: 18,
};

fn main() -> ExitCode {
    serve::run(COMMAND, start, add, Fake::environment)
}

fn start(arguments: &Arguments) -> Fake {
    let fake = Fake::start(Config {
        port: arguments.port,
        dev_root: arguments.dev_root.clone(),
        seed: arguments.seed,
        ..Config::default()
    });
    fake.state().add_instance(Instance::here());
    fake
}

fn add(state: &mut State, image: Image) {
    let mut snapshot = Snapshot::new(&image.snapshot, image.blocks);
    snapshot.created += 60_000 * image.number;
    snapshot.disk_id.clone_from(&image.disk);
    snapshot.name.clone_from(&image.name);
    let mut source = Disk::new(&image.disk, snapshot.gib);
    source.name = image.name;
    state.add_snapshot(snapshot);
    state.add_disk(source);
}
