//! Serves images as snapshots of Alibaba Cloud, for trials by hand and benchmarks.
//!
//! `ecs-fake --image FILE[=SNAPSHOT[@DISK]]… [--latency-ms N] [--port N] [--dev-root DIR]`
//!
//! Prints the variables that lead a client here, and serves until it is killed. Two images with one disk
//! are two snapshots of it. The metadata are of an instance that disks can be attached to; with a root
//! for devices they appear below it.

use flr_tests::ecs_fake::{Blocks, Config, Disk, Fake, Instance, Snapshot};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

const USAGE: &str =
    "ecs-fake --image FILE[=SNAPSHOT[@DISK]]... [--latency-ms N] [--port N] [--dev-root DIR]";

#[derive(Default)]
struct Arguments {
    images: Vec<String>,
    latency: Duration,
    config: Config,
}

fn main() -> ExitCode {
    match arguments().and_then(|arguments| serve(&arguments)) {
        Ok(fake) => {
            // Until somebody ends the process; the server has threads of its own.
            loop {
                std::thread::park();
                let _ = &fake;
            }
        }
        Err(error) => {
            // OK to ignore: without standard error there is nobody to tell.
            let _ = writeln!(io::stderr(), "{error}");
            ExitCode::from(2)
        }
    }
}

fn arguments() -> io::Result<Arguments> {
    let usage = || io::Error::other(USAGE);
    let mut arguments = Arguments::default();
    // Disks of another run may have left their devices there.
    arguments.config.seed = u64::from(std::process::id());
    let mut given = std::env::args().skip(1);
    while let Some(name) = given.next() {
        let value = given.next().ok_or_else(usage)?;
        let number = || value.parse::<u64>().map_err(|_| usage());
        match name.as_str() {
            "--image" => arguments.images.push(value),
            "--latency-ms" => arguments.latency = Duration::from_millis(number()?),
            "--port" => arguments.config.port = value.parse().map_err(|_| usage())?,
            "--dev-root" => arguments.config.dev_root = Some(PathBuf::from(value)),
            _ => return Err(usage()),
        }
    }
    match arguments.images.is_empty() {
        true => Err(usage()),
        false => Ok(arguments),
    }
}

fn serve(arguments: &Arguments) -> io::Result<Fake> {
    let fake = Fake::start(arguments.config.clone());
    fake.set_latency(arguments.latency);
    let mut out = io::stdout().lock();
    for (number, image) in (1..).zip(&arguments.images) {
        let (path, ids) = image.split_once('=').unwrap_or((image, ""));
        let (snapshot, disk) = ids.split_once('@').unwrap_or((ids, ""));
        let or_numbered = |id: &str, kind: &str| match id {
            "" => format!("{kind}-bp{number:018x}"),
            id => id.to_owned(),
        };
        let (id, disk) = (or_numbered(snapshot, "s"), or_numbered(disk, "d"));
        let blocks = Blocks::from_file(Path::new(path))?;
        writeln!(out, "# {path} is {id} of {disk}, {} GiB", blocks.gib())?;
        let mut snapshot = Snapshot::new(&id, blocks);
        // Later ones of a disk are later.
        snapshot.created += 60_000 * number;
        snapshot.disk_id.clone_from(&disk);
        let stem = Path::new(path).file_stem().unwrap_or_default();
        snapshot.name = stem.to_string_lossy().into_owned();
        let mut source = Disk::new(&disk, snapshot.gib);
        source.name.clone_from(&snapshot.name);
        let mut state = fake.state();
        state.add_snapshot(snapshot);
        state.add_disk(source);
    }
    fake.state().add_instance(Instance::here());
    for (name, value) in fake.environment() {
        writeln!(out, "export {name}='{value}'")?;
    }
    out.flush()?;
    drop(out);
    Ok(fake)
}
