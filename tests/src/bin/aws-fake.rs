//! Serves images as snapshots of EBS, for trials by hand and benchmarks.
//!
//! `aws-fake --image FILE[=SNAPSHOT[@VOLUME]]… [--latency-ms N] [--rate N] [--port N] [--dev-root DIR]`
//!
//! Prints the variables that lead a client here, and serves until it is killed. Two images with one
//! volume are two snapshots of it. The rate is of blocks a second and snapshot. The metadata are of an
//! instance that volumes can be attached to; with a root for devices they appear below it.

use flr_tests::aws_fake::{Config, Fake, Instance, Rate, Snapshot, State, Volume};
use flr_tests::stand_in::serve::{self, Arguments, Command, Image};
use std::process::ExitCode;

const COMMAND: Command = Command {
    usage: "aws-fake --image FILE[=SNAPSHOT[@VOLUME]]... [--latency-ms N] [--rate N] [--port N] [--dev-root DIR]",
    own: Some("--rate"),
    prefixes: ["snap-", "vol-"],
    digits: 17,
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
    let mut state = fake.state();
    let instance = Instance::new(&state.metadata.instance_id);
    state.add_instance(instance);
    state.settings.snapshot_rate = arguments.own.map(|per_second| Rate {
        per_second,
        burst: (per_second / 10).max(1),
    });
    drop(state);
    fake
}

fn add(state: &mut State, image: Image) {
    let mut snapshot = Snapshot::new(&image.snapshot, image.blocks);
    snapshot.started += 60_000 * image.number;
    snapshot.volume_id.clone_from(&image.disk);
    snapshot.tags.insert("Name".to_owned(), image.name.clone());
    let mut source = Volume::new(&image.disk, snapshot.gib);
    source.tags.insert("Name".to_owned(), image.name);
    state.add_snapshot(snapshot);
    state.add_volume(source);
}
