//! Serves images as LUNs and files of snapshots of an ONTAP cluster, for trials by hand and benchmarks.
//!
//! `ontap-fake [--lun FILE=SVM/VOLUME/LUN@SNAPSHOT]… [--file FILE=SVM/VOLUME/PATH@SNAPSHOT]…
//! [--latency-ms N] [--port N] [--version 9.14.1] [--tls FILE]`
//!
//! Prints the section of a configuration that leads flr here, and serves until it is killed. What is there
//! now, beside the snapshots, are zeros. With `--tls` it speaks HTTPS, and writes the certificate of its
//! authority to that file.

use flr_tests::ontap_fake::{Authority, Config, Content, Fake, SnapshotLun, State, Version};
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

const USAGE: &str = "ontap-fake [--lun FILE=SVM/VOLUME/LUN@SNAPSHOT]... \
[--file FILE=SVM/VOLUME/PATH@SNAPSHOT]... [--latency-ms N] [--port N] [--version 9.14.1] [--tls FILE]";

#[derive(Default)]
struct Arguments {
    luns: Vec<String>,
    files: Vec<String>,
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

fn usage() -> io::Error {
    io::Error::other(USAGE)
}

fn version(text: &str) -> Option<Version> {
    let mut numbers = text.split('.').map(|part| part.parse().ok());
    let first = numbers.next()??;
    let second = numbers.next()??;
    Some(Version(first, second, numbers.next().unwrap_or(Some(0))?))
}

#[expect(
    clippy::disallowed_methods,
    reason = "whoever calls it says where the certificate goes"
)]
fn arguments() -> io::Result<Arguments> {
    let mut arguments = Arguments::default();
    arguments.config.seed = u64::from(std::process::id());
    let mut given = std::env::args().skip(1);
    while let Some(name) = given.next() {
        let value = given.next().ok_or_else(usage)?;
        match name.as_str() {
            "--lun" => arguments.luns.push(value),
            "--file" => arguments.files.push(value),
            "--latency-ms" => {
                let latency = value.parse().map_err(|_| usage())?;
                arguments.latency = Duration::from_millis(latency);
            }
            "--port" => arguments.config.port = value.parse().map_err(|_| usage())?,
            "--version" => arguments.config.version = version(&value).ok_or_else(usage)?,
            "--tls" => {
                let authority = Authority::new();
                std::fs::write(&value, authority.pem())?;
                arguments.config.tls = Some(authority);
            }
            _ => return Err(usage()),
        }
    }
    Ok(arguments)
}

/// A file of this host, and where it is: SVM, volume, path, snapshot.
fn place(text: &str) -> Option<(&str, [&str; 4])> {
    let (file, place) = text.split_once('=')?;
    let (place, snapshot) = place.rsplit_once('@')?;
    let (svm, place) = place.split_once('/')?;
    let (volume, path) = place.split_once('/')?;
    Some((file, [svm, volume, path, snapshot]))
}

/// A volume with a snapshot, if it is not there yet.
fn prepare(state: &mut State, svm: &str, volume: &str, snapshot: &str) {
    if state.volume(svm, volume).is_none() {
        state.add_volume(svm, volume);
    }
    let there = state.volume(svm, volume).expect("it was just added");
    if there.snapshot(snapshot).is_none() {
        state.take_snapshot(svm, volume, snapshot);
    }
}

fn serve(arguments: &Arguments) -> io::Result<Fake> {
    let fake = Fake::start(arguments.config.clone());
    fake.set_latency(arguments.latency);
    let mut out = io::stdout().lock();
    let luns = arguments.luns.iter().map(|text| (true, text));
    let files = arguments.files.iter().map(|text| (false, text));
    for (is_lun, text) in luns.chain(files) {
        let (file, [svm, volume, path, snapshot]) = place(text).ok_or_else(usage)?;
        let content = Content::from_file(Path::new(file))?;
        writeln!(out, "# {file} is {svm}/{volume}/{path}@{snapshot}")?;
        let now = Content::from_bytes("").with_len(content.len());
        let mut state = fake.state();
        prepare(&mut state, svm, volume, snapshot);
        let time = state.now();
        if is_lun {
            if state.lun(svm, volume, path).is_none() {
                state.add_lun(svm, volume, path, now);
            }
        } else {
            let there = state.volume_mut(svm, volume).expect("it is prepared");
            there.files.add(path, now, time);
        }
        let there = state.volume_mut(svm, volume).expect("it is prepared");
        let there = there.snapshot_mut(snapshot).expect("it is prepared");
        if is_lun {
            let os_type = "linux".to_owned();
            let lun = SnapshotLun { content, os_type };
            there.luns.insert(path.to_owned(), lun);
        } else {
            there.files.add(path, content, time);
        }
    }
    write!(out, "{}", fake.source("fake"))?;
    out.flush()?;
    drop(out);
    Ok(fake)
}
