//! Commands that serve images as snapshots, for trials by hand and benchmarks.
//!
//! `NAME --image FILE[=SNAPSHOT[@DISK]]… [--latency-ms N] [--port N] [--dev-root DIR]`, and what else one of
//! them knows. It prints the variables that lead a client there, and serves until it is killed.

use super::{Blocks, Cloud, Fake};
use std::io::{self, StdoutLock, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

/// What was asked for.
#[derive(Debug, Default)]
pub struct Arguments {
    /// `FILE[=SNAPSHOT[@DISK]]`, in their order.
    images: Vec<String>,
    /// How long an answer takes at least.
    pub latency: Duration,
    /// Port on 127.0.0.1; 0 is any free one.
    pub port: u16,
    /// Where devices of attached disks appear.
    pub dev_root: Option<PathBuf>,
    /// Chooses ids: disks of another run may have left their devices there.
    pub seed: u64,
    /// The value of the option that only this command has.
    pub own: Option<i64>,
}

/// What differs from one command to the other.
#[derive(Clone, Copy, Debug)]
pub struct Command {
    /// How it is used.
    pub usage: &'static str,
    /// An option of its own, with a number.
    pub own: Option<&'static str>,
    /// How ids of snapshots and of disks begin, where none are given.
    pub prefixes: [&'static str; 2],
    /// How many digits they have.
    pub digits: usize,
}

/// An image that is to be a snapshot.
#[derive(Debug)]
pub struct Image {
    /// Its place among the images, from 1: later ones of a disk are later.
    pub number: i64,
    /// Id of the snapshot.
    pub snapshot: String,
    /// Id of the disk that it is of.
    pub disk: String,
    /// The file's name without its ending.
    pub name: String,
    /// What is in it.
    pub blocks: Blocks,
}

/// Serves until somebody ends the process. `start` starts the stand-in, `add` puts an image into it, and
/// `environment` says how a client comes there.
#[must_use]
pub fn run<C: Cloud>(
    command: Command,
    start: impl FnOnce(&Arguments) -> Fake<C>,
    add: impl Fn(&mut C::State, Image),
    environment: impl Fn(&Fake<C>) -> Vec<(String, String)>,
) -> ExitCode {
    let served = arguments(command).and_then(|arguments| {
        let fake = start(&arguments);
        fake.set_latency(arguments.latency);
        let mut out = io::stdout().lock();
        for (number, image) in (1..).zip(&arguments.images) {
            add(&mut fake.state(), open(command, number, image, &mut out)?);
        }
        for (name, value) in environment(&fake) {
            writeln!(out, "export {name}='{value}'")?;
        }
        out.flush()?;
        Ok(fake)
    });
    match served {
        Ok(fake) => {
            // The server has threads of its own.
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

fn arguments(command: Command) -> io::Result<Arguments> {
    let usage = || io::Error::other(command.usage);
    let mut arguments = Arguments {
        seed: u64::from(std::process::id()),
        ..Arguments::default()
    };
    let mut given = std::env::args().skip(1);
    while let Some(name) = given.next() {
        let value = given.next().ok_or_else(usage)?;
        let number = || value.parse::<u64>().map_err(|_| usage());
        match name.as_str() {
            "--image" => arguments.images.push(value),
            "--latency-ms" => arguments.latency = Duration::from_millis(number()?),
            "--port" => arguments.port = value.parse().map_err(|_| usage())?,
            "--dev-root" => arguments.dev_root = Some(PathBuf::from(value)),
            own if Some(own) == command.own => {
                arguments.own = Some(value.parse().map_err(|_| usage())?);
            }
            _ => return Err(usage()),
        }
    }
    match arguments.images.is_empty() {
        true => Err(usage()),
        false => Ok(arguments),
    }
}

fn open(command: Command, number: i64, image: &str, out: &mut StdoutLock<'_>) -> io::Result<Image> {
    let (path, ids) = image.split_once('=').unwrap_or((image, ""));
    let (snapshot, disk) = ids.split_once('@').unwrap_or((ids, ""));
    let digits = command.digits;
    let or_numbered = |id: &str, prefix: &str| match id {
        "" => format!("{prefix}{number:0digits$}"),
        id => id.to_owned(),
    };
    let [of_snapshots, of_disks] = command.prefixes;
    let (snapshot, disk) = (
        or_numbered(snapshot, of_snapshots),
        or_numbered(disk, of_disks),
    );
    let blocks = Blocks::from_file(Path::new(path))?;
    writeln!(
        out,
        "# {path} is {snapshot} of {disk}, {} GiB",
        blocks.gib()
    )?;
    let stem = Path::new(path).file_stem().unwrap_or_default();
    Ok(Image {
        number,
        snapshot,
        disk,
        name: stem.to_string_lossy().into_owned(),
        blocks,
    })
}
