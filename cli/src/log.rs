//! The log: warnings on standard error, or in a file if one is named; more with `-v`.

use crate::args::{Global, LogFormat};
use crate::exit::Exit;
use crate::output::Failure;
use std::fs::File;
use std::sync::Mutex;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt;

/// Starts the log for the rest of the process.
pub(crate) fn start(global: &Global) -> Result<(), Failure> {
    let level = match global.verbose {
        _ if global.quiet => LevelFilter::ERROR,
        0 => LevelFilter::WARN,
        1 => LevelFilter::INFO,
        _ => LevelFilter::TRACE,
    };
    let builder = fmt().with_max_level(level).with_target(false);
    match &global.log_file {
        None => {
            let builder = builder
                .with_writer(std::io::stderr)
                .with_ansi(false)
                .without_time();
            match global.log_format {
                LogFormat::Text => builder.init(),
                LogFormat::Json => builder.json().init(),
            }
        }
        Some(path) => {
            let file = open(path).map_err(|error| {
                Failure::new(
                    Exit::Usage,
                    format!("--log-file {}: {error}", path.display()),
                )
            })?;
            let builder = builder.with_writer(Mutex::new(file)).with_ansi(false);
            match global.log_format {
                LogFormat::Text => builder.init(),
                LogFormat::Json => builder.json().init(),
            }
        }
    }
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
