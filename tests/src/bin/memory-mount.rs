//! Mounts a tree held in memory, for the tests of mounts and for measuring them.
//!
//! `memory-mount TREE DIR [NAME=VALUE…]` with TREE `sample` or `large` (`umount` unmounts), and the names `registry`,
//! `image`, `state`, `background`, `allow_other`, `uid`, `gid`, and those of the tuning.

use flr_mountd::background::{self, Failure, Start};
use flr_mountd::{End, MountOptions, Registry, Tuning, UnmountOptions, serve, unmount};
use flr_recover::View;
use rustix::fs::{FlockOperation, Mode, OFlags};
use std::io::{self, Write};
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::time::Duration;
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::from_default_env())
        .with_writer(io::stderr)
        .init();
    // The panics on purpose are in the log already.
    std::panic::set_hook(Box::new(|_| {}));
    let args: Vec<String> = std::env::args().skip(1).collect();
    let background = args.iter().any(|arg| arg == "background=parent");
    let done = if background { start(&args) } else { run(&args) };
    match done {
        Ok(code) => code,
        Err(error) => {
            // OK to ignore: without standard error there is nobody to tell.
            let _ = writeln!(io::stderr(), "{error}");
            ExitCode::from(2)
        }
    }
}

/// Starts itself anew and prints what the child says.
fn start(args: &[String]) -> io::Result<ExitCode> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(args.iter().filter(|arg| *arg != "background=parent"));
    command.arg("background=child");
    match background::spawn(command)? {
        Start::Ready(ready) => {
            writeln!(io::stdout(), "{}", ready.pid)?;
            Ok(ExitCode::SUCCESS)
        }
        Start::Failed(failure) => {
            let hint = failure.hint.unwrap_or_default();
            writeln!(io::stderr(), "{}\nhint: {hint}", failure.error)?;
            Ok(ExitCode::from(failure.exit))
        }
        Start::Ended(status) => Err(io::Error::other(format!("child ended: {status}"))),
    }
}

fn run(args: &[String]) -> io::Result<ExitCode> {
    let usage = || io::Error::other("memory-mount TREE DIR [NAME=VALUE…]");
    let [tree, dir, settings @ ..] = args else {
        return Err(usage());
    };
    let child = settings.iter().any(|arg| arg == "background=child");
    let (options, image) = options(dir, settings)?;
    let view = match tree.as_str() {
        "sample" => flr_tests::sample::view().map_err(io::Error::other)?,
        "large" => View::new(Arc::new(flr_tests::sample::large())),
        "umount" => return take_away(dir, settings, options.registry),
        _ => return Err(usage()),
    };
    let served = serve(Arc::new(view), &options, |ready| match child {
        true => background::detach(ready, None::<std::fs::File>),
        false => writeln!(io::stdout(), "{}", ready.pid),
    });
    drop(image);
    match served {
        Ok(End::Unmounted) => Ok(ExitCode::SUCCESS),
        Ok(End::Signal(signal)) => {
            let code = u8::try_from(signal).unwrap_or(0).saturating_add(128);
            Ok(ExitCode::from(code))
        }
        Err(error) if child => {
            background::report(Failure {
                error: error.to_string(),
                hint: error.hint,
                exit: 7,
            })?;
            Ok(ExitCode::from(7))
        }
        Err(error) => {
            let hint = error.hint.as_deref().unwrap_or_default();
            writeln!(io::stderr(), "{:?}: {error}\nhint: {hint}", error.kind)?;
            Ok(ExitCode::from(7))
        }
    }
}

/// For users who are not the one that runs the tests.
fn take_away(dir: &str, settings: &[String], registry: Registry) -> io::Result<ExitCode> {
    let options = UnmountOptions {
        lazy: settings.iter().any(|setting| setting == "lazy=1"),
        wait: Some(Duration::from_secs(20)),
        registry,
    };
    match unmount(dir.as_ref(), &options) {
        Ok(outcome) => writeln!(io::stdout(), "{outcome:?}").map(|()| ExitCode::SUCCESS),
        Err(error) => Err(io::Error::other(format!("{:?}: {error}", error.kind))),
    }
}

type Image = Option<std::os::fd::OwnedFd>;

fn options(dir: &str, settings: &[String]) -> io::Result<(MountOptions, Image)> {
    let mut options = MountOptions {
        mount_point: dir.into(),
        address: "memory, for tests".into(),
        images: Vec::new(),
        sessions: Vec::new(),
        state_dirs: Vec::new(),
        allow_other: false,
        uid: None,
        gid: None,
        owners: None,
        registry: Registry::of_user(),
        tuning: Tuning::measured(),
    };
    let mut image = None;
    for setting in settings {
        let (name, value) = setting
            .split_once('=')
            .ok_or_else(|| io::Error::other(format!("{setting}: not NAME=VALUE")))?;
        let number = || value.parse::<u32>().map_err(io::Error::other);
        let tuning = &mut options.tuning;
        match name {
            "registry" => options.registry = Registry::below(value.as_ref()),
            "image" => {
                // Held and locked as long as the process lives, as a reader of an image would.
                let flags = OFlags::RDONLY | OFlags::CLOEXEC;
                let file = rustix::fs::open(value, flags, Mode::empty())?;
                rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive)?;
                image = Some(file);
                options.images.push(value.into());
            }
            "state" => options.state_dirs.push(value.into()),
            "address" => options.address = value.into(),
            "background" | "lazy" => {}
            "allow_other" => options.allow_other = value == "1",
            "uid" => options.uid = Some(number()?),
            "gid" => options.gid = Some(number()?),
            "threads" => tuning.threads = value.parse().ok(),
            "read_ahead_kib" => tuning.read_ahead_kib = number()?,
            "request_kib" => tuning.request_kib = number()?,
            "no_open" => tuning.no_open = value == "1",
            "no_opendir" => tuning.no_opendir = value == "1",
            "direct_io" => tuning.direct_io = value == "1",
            "readdirplus_auto" => tuning.readdirplus_auto = value == "1",
            _ => return Err(io::Error::other(format!("{name}: no such setting"))),
        }
    }
    Ok((options, image))
}
