//! `flr mount` and `flr umount`.
//!
//! A mount in the background is this program started once more: a process with threads cannot be
//! forked. The child opens the address itself and says on its standard output when it is ready.

use super::{Context, gc, session};
use crate::args::{Mount, Umount};
use crate::exit::Exit;
use crate::node::put_bytes;
use crate::open::{Opener, quoted};
use crate::output::{Failure, Outcome, Stop, fields};
use flr_fs::FileKind;
use flr_mountd::background::{self, Start};
use flr_mountd::{
    End, Error, ErrorKind, MountOptions, OwnerTable, Ready, Registry, Tuning, UnmountOptions,
    serve, unmount, unmount_all,
};
use flr_recover::address::Address;
use flr_recover::shown::for_terminal;
use serde_json::json;
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

/// How long `umount` waits for the process behind a mount.
const UNMOUNT_WAIT: Duration = Duration::from_secs(30);

/// Runs `mount`.
pub(crate) fn run(ctx: &mut Context<'_>, args: &Mount) -> Outcome {
    if args.foreground || args.child {
        return foreground(ctx, args);
    }
    let program = std::env::current_exe()
        .map_err(|error| Failure::new(Exit::Failed, format!("this program's own path: {error}")))?;
    let mut command = Command::new(program);
    command.args(std::env::args_os().skip(1)).arg("--child");
    let started = background::spawn(command)
        .map_err(|error| Failure::new(Exit::Failed, format!("mount: {error}")))?;
    match started {
        Start::Ready(ready) => {
            ctx.tally.done();
            announce(ctx, &ready)?;
            Ok(Exit::Done)
        }
        Start::Failed(failure) => Err(Failure {
            exit: exit_of(failure.exit),
            message: failure.error,
            hint: failure.hint,
            code: None,
            resources: Vec::new(),
        }
        .into()),
        Start::Ended(status) => {
            let what = format!("mount: the serving process ended early: {status}");
            Err(Failure::new(Exit::Failed, what).into())
        }
    }
}

fn announce(ctx: &mut Context<'_>, ready: &Ready) -> Outcome<()> {
    if ctx.out.json {
        let mut map = fields(json!({"pid": ready.pid, "state": "mounted"}));
        put_bytes(
            &mut map,
            "mount_point",
            ready.mount_point.as_os_str().as_bytes(),
        );
        return ctx.out.message("session", &map);
    }
    let point = for_terminal(ready.mount_point.as_os_str().as_bytes());
    ctx.out.note(&format!(
        "mounted at {point}; to take it away: flr umount {}",
        quoted(&point)
    ));
    Ok(())
}

/// The code behind a number that the child sent.
fn exit_of(code: u8) -> Exit {
    let all = [
        Exit::Usage,
        Exit::Partial,
        Exit::NoSuchPath,
        Exit::Temporary,
        Exit::Unsupported,
        Exit::Damaged,
        Exit::NoSuchSource,
        Exit::Busy,
        Exit::Denied,
        Exit::Cost,
        Exit::Leftover,
        Exit::PartialLeftover,
        Exit::Interrupted,
        Exit::Terminated,
    ];
    all.into_iter()
        .find(|exit| exit.code() == code)
        .unwrap_or(Exit::Failed)
}

/// Serves the mount in this process.
fn foreground(ctx: &mut Context<'_>, args: &Mount) -> Outcome {
    match serve_here(ctx, args) {
        Ok(End::Unmounted | End::Signal(_)) => {
            ctx.tally.done();
            Ok(Exit::Done)
        }
        // What was made for it goes first: the parent tells the user how it ended.
        Err(stop) if args.child => {
            let failure = match crate::ending::clean_up(ctx, Err(stop)) {
                Err(Stop::Failure(failure) | Stop::Item(failure)) => failure,
                outcome => return outcome,
            };
            let told = background::report(background::Failure {
                error: failure.message.clone(),
                hint: failure.hint.clone(),
                exit: failure.exit.code(),
            });
            match told {
                // The parent tells the user.
                Ok(()) => std::process::exit(i32::from(failure.exit.code())),
                Err(_) => Err(failure.into()),
            }
        }
        Err(stop) => Err(stop),
    }
}

fn serve_here(ctx: &mut Context<'_>, args: &Mount) -> Outcome<End> {
    let (address, dir) = operands(ctx, args)?;
    let mut opener = Opener::new(ctx);
    let opened = opener.open(&address, true, &mut ctx.out)?;
    let resolved = &opened.target.resolved;
    if resolved.metadata.kind != FileKind::Directory {
        let what = format!("{address}: not a directory, so it cannot be mounted");
        return Err(Failure::new(Exit::Usage, what)
            .hint(format!(
                "to copy the file: flr cp {} .",
                quoted(&address.to_string())
            ))
            .into());
    }
    let mut view = Arc::clone(&opened.target.opened.view);
    // A mount whose root cannot be listed is of no use to anybody.
    view.listing(resolved.node)
        .map_err(|error| opened.explain(&error))?;
    if resolved.node != view.root() {
        view = Arc::new(view.rooted_at(resolved.node));
    }
    let mut options = options(&opener, args, &address, dir)?;
    options.sessions = ctx.remote.sessions();
    drop((opened, opener));
    ctx.remote.disarm();
    if let Some(exit) = ctx.remote.signal() {
        return Err(Failure::new(exit, "interrupted").into());
    }
    let served = serve(view, &options, |ready| {
        if args.child {
            // It was opened when the log began, so it can be.
            let log = ctx.global.log_file.as_ref();
            let log = log.and_then(|path| crate::log::open(path).ok());
            return background::detach(ready, log);
        }
        announce(ctx, ready).map_err(|_| std::io::ErrorKind::BrokenPipe.into())
    });
    served.map_err(|error| failure_of(&error).into())
}

fn operands(ctx: &Context<'_>, args: &Mount) -> Outcome<(Address, PathBuf)> {
    let usage = || {
        Failure::new(Exit::Usage, "mount needs an address and a directory")
            .hint("flr mount disk.img /mnt/disk")
    };
    // With --from the only operand is the directory.
    let (operands, dir) = match (&args.address, &args.dir) {
        (Some(address), Some(dir)) => (vec![address.clone()], dir.clone()),
        (Some(dir), None) if ctx.global.from.is_some() => (Vec::new(), PathBuf::from(dir)),
        _ => return Err(usage().into()),
    };
    let address = Opener::new(ctx).addresses(&operands)?.into_iter().next();
    Ok((address.ok_or_else(usage)?, dir))
}

fn options(
    opener: &Opener<'_>,
    args: &Mount,
    address: &Address,
    mount_point: PathBuf,
) -> Result<MountOptions, Failure> {
    let registry = Registry::of_user();
    let mut options = MountOptions {
        mount_point,
        address: address.to_string(),
        images: opener.files(address),
        sessions: Vec::new(),
        state_dirs: Vec::new(),
        allow_other: args.allow_other,
        uid: None,
        gid: None,
        owners: None,
        registry,
        tuning: Tuning::measured(),
    };
    for option in &args.options {
        let (key, value) = option.split_once('=').unwrap_or((option, ""));
        let number = || {
            value
                .parse()
                .map(Some)
                .map_err(|_| Failure::new(Exit::Usage, format!("-o {option}: expected a number")))
        };
        match key {
            "uid" => options.uid = number()?,
            "gid" => options.gid = number()?,
            "allow_other" => options.allow_other = true,
            // What fstab and mount(8) pass on, and what is so anyway.
            "ro" | "nosuid" | "nodev" | "noexec" | "noauto" | "auto" | "nofail" | "_netdev"
            | "defaults" | "user" | "users" | "noatime" | "relatime" | "" => {}
            key if key.starts_with("x-") => {}
            "map" => options.owners = Some(Arc::new(owner_table(Path::new(value))?)),
            _ => {
                let what = format!("-o {option}: not an option of flr mount");
                let hint = "options are uid=N, gid=N, map=FILE and allow_other; a mount is always read-only";
                return Err(Failure::new(Exit::Usage, what).hint(hint));
            }
        }
    }
    Ok(options)
}

/// Reads the table of owners, which must be a file of the usual size for one.
fn owner_table(path: &Path) -> Result<OwnerTable, Failure> {
    let shown = for_terminal(path.as_os_str().as_bytes());
    let refused =
        |what: &dyn std::fmt::Display| Failure::new(Exit::Usage, format!("-o map={shown}: {what}"));
    let mut text = Vec::new();
    // One byte more than a table can have shows that it is too large.
    let bytes_max = OwnerTable::BYTES_MAX.saturating_add(1);
    let bytes_max = u64::try_from(bytes_max).unwrap_or(u64::MAX);
    File::open(path)
        .and_then(|file| file.take(bytes_max).read_to_end(&mut text))
        .map_err(|error| refused(&error))?;
    OwnerTable::parse(&text).map_err(|error| {
        let hint = "each line is uid:gid:SID, uid::SID or :gid:SID; flr stat shows a file's SIDs";
        refused(&error).hint(hint)
    })
}

fn failure_of(error: &Error) -> Failure {
    let exit = match error.kind {
        ErrorKind::Usage | ErrorKind::NotMounted => Exit::Usage,
        ErrorKind::Denied => Exit::Denied,
        ErrorKind::Busy => Exit::Busy,
        ErrorKind::Timeout | ErrorKind::Failed => Exit::Failed,
        ErrorKind::Unavailable => Exit::Unsupported,
    };
    Failure {
        exit,
        message: error.to_string(),
        hint: error.hint.clone(),
        code: None,
        resources: Vec::new(),
    }
}

/// Runs `umount`.
pub(crate) fn umount(ctx: &mut Context<'_>, args: &Umount) -> Outcome {
    let options = UnmountOptions {
        lazy: args.lazy,
        wait: (!args.no_wait).then_some(UNMOUNT_WAIT),
        registry: Registry::of_user(),
    };
    let outcomes = if args.all {
        unmount_all(&options).map_err(|error| failure_of(&error))?
    } else {
        args.dirs
            .iter()
            .map(|dir: &PathBuf| unmount(Path::new(dir), &options))
            .collect()
    };
    let single = outcomes.len() == 1;
    let mut sessions = Vec::new();
    let named = args
        .dirs
        .iter()
        .map(|dir| for_terminal(dir.as_os_str().as_bytes()));
    let named = named.chain(std::iter::repeat(String::new()));
    for (dir, outcome) in named.zip(outcomes) {
        match outcome {
            Ok(outcome) => {
                ctx.tally.done();
                if outcome.ended == Some(true) {
                    sessions.extend(outcome.sessions.clone());
                }
                if ctx.out.json {
                    let mut map = fields(json!({
                        "state": "unmounted", "address": outcome.address,
                        "ended": outcome.ended, "was_dead": outcome.was_dead,
                    }));
                    put_bytes(
                        &mut map,
                        "mount_point",
                        outcome.mount_point.as_os_str().as_bytes(),
                    );
                    ctx.out.message("session", &map)?;
                }
            }
            Err(error) if single => return Err(failure_of(&error).into()),
            Err(error) => {
                let failure = failure_of(&error);
                ctx.fail(&dir, &failure)?;
            }
        }
    }
    let remains = session::remains(&sessions)?;
    gc::lines(ctx, &remains)?;
    gc::finish(ctx, &remains)
}
