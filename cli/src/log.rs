//! The log: warnings on standard error, or in a file if one is named; more with `-v`.

use crate::args::{Global, LogFormat};
use crate::exit::Exit;
use crate::output::Failure;
use std::fs::File;
use std::sync::Mutex;
use tracing_subscriber::filter::{LevelFilter, filter_fn};
use tracing_subscriber::fmt;
use tracing_subscriber::fmt::writer::BoxMakeWriter;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

/// Starts the log for the rest of the process.
pub(crate) fn start(global: &Global) -> Result<(), Failure> {
    let level = match global.verbose {
        _ if global.quiet => LevelFilter::ERROR,
        0 => LevelFilter::WARN,
        1 => LevelFilter::INFO,
        _ => LevelFilter::TRACE,
    };
    // Only what is our own: libraries log headers, and secrets are in them.
    let ours = filter_fn(move |metadata| {
        let target = metadata.target();
        // What comes through the `log` crate is asked about under its own name first.
        let ours = target.starts_with("flr") || target.starts_with("fuser") || target == "log";
        ours && *metadata.level() <= level
    });
    let file = match &global.log_file {
        None => None,
        Some(path) => Some(open(path).map_err(|error| {
            let what = format!("--log-file {}: {error}", path.display());
            Failure::new(Exit::Usage, what)
        })?),
    };
    // On a terminal the time is known to whoever reads it.
    let timed = file.is_some();
    let layer = fmt::layer().with_target(false).with_ansi(false);
    let layer = layer.with_writer(match file {
        Some(file) => BoxMakeWriter::new(Mutex::new(file)),
        None => BoxMakeWriter::new(std::io::stderr),
    });
    let layer = match (global.log_format, timed) {
        (LogFormat::Text, true) => layer.boxed(),
        (LogFormat::Text, false) => layer.without_time().boxed(),
        (LogFormat::Json, true) => layer.json().boxed(),
        (LogFormat::Json, false) => layer.json().without_time().boxed(),
    };
    tracing_subscriber::registry()
        .with(layer.with_filter(ours))
        .init();
    Ok(())
}

/// Opens a log to be written at its end.
#[expect(
    clippy::disallowed_methods,
    reason = "the log is ours, and named by the user"
)]
pub(crate) fn open(path: &std::path::Path) -> std::io::Result<File> {
    File::options().create(true).append(true).open(path)
}
