//! Serves images as snapshots of EBS, for trials by hand and benchmarks.
//!
//! `aws-fake --image FILE[=SNAPSHOT[@VOLUME]]… [--latency-ms N] [--rate N] [--port N] [--dev-root DIR]`
//!
//! Prints the variables that lead a client here, and serves until it is killed. Two images with one
//! volume are two snapshots of it. The rate is of blocks a second and snapshot. The metadata are of an
//! instance that volumes can be attached to; with a root for devices they appear below it.

use flr_tests::aws_fake::{Blocks, Config, Fake, Instance, Rate, Snapshot, Volume};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

const USAGE: &str = "aws-fake --image FILE[=SNAPSHOT[@VOLUME]]... [--latency-ms N] [--rate N] [--port N] [--dev-root DIR]";

#[derive(Default)]
struct Arguments {
    images: Vec<String>,
    latency: Duration,
    rate: Option<i64>,
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
    // Volumes of another run may have left their devices there.
    arguments.config.seed = u64::from(std::process::id());
    let mut given = std::env::args().skip(1);
    while let Some(name) = given.next() {
        let value = given.next().ok_or_else(usage)?;
        let number = || value.parse::<u64>().map_err(|_| usage());
        match name.as_str() {
            "--image" => arguments.images.push(value),
            "--latency-ms" => arguments.latency = Duration::from_millis(number()?),
            "--rate" => arguments.rate = Some(value.parse().map_err(|_| usage())?),
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
        let (snapshot, volume) = ids.split_once('@').unwrap_or((ids, ""));
        let or_numbered = |id: &str, kind: &str| match id {
            "" => format!("{kind}-{number:017x}"),
            id => id.to_owned(),
        };
        let (id, volume) = (or_numbered(snapshot, "snap"), or_numbered(volume, "vol"));
        let blocks = Blocks::from_file(Path::new(path))?;
        writeln!(out, "# {path} is {id} of {volume}, {} GiB", blocks.gib())?;
        let mut snapshot = Snapshot::new(&id, blocks);
        // Later ones of a volume are later.
        snapshot.started += 60_000 * number;
        snapshot.volume_id.clone_from(&volume);
        let stem = Path::new(path).file_stem().unwrap_or_default();
        let stem = stem.to_string_lossy().into_owned();
        snapshot.tags.insert("Name".to_owned(), stem.clone());
        let mut source = Volume::new(&volume, snapshot.gib);
        source.tags.insert("Name".to_owned(), stem);
        let mut state = fake.state();
        state.add_snapshot(snapshot);
        state.add_volume(source);
    }
    let mut state = fake.state();
    let instance = Instance::new(&state.metadata.instance_id);
    state.add_instance(instance);
    state.settings.snapshot_rate = arguments.rate.map(|per_second| Rate {
        per_second,
        burst: (per_second / 10).max(1),
    });
    drop(state);
    for (name, value) in fake.environment() {
        writeln!(out, "export {name}='{value}'")?;
    }
    out.flush()?;
    drop(out);
    Ok(fake)
}
