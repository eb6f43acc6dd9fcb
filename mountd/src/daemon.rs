//! Serving a mount from beginning to end in the process that calls.

use crate::error::{Error, ErrorKind, Result};
use crate::holders;
use crate::mount::{self, Mounted};
use crate::mounted::MountedView;
use crate::mountinfo;
use crate::options::MountOptions;
use crate::overlap;
use crate::process::Process;
use crate::registry::Record;
use flr_recover::View;
use fuser::{Config, Session, SessionACL};
use rustix::fs::{Mode, OFlags};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, SystemTime};

/// How long programs may go on with files they have open after a signal asked us to end.
const GRACE: Duration = Duration::from_secs(5);

/// A mount that can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ready {
    /// The mount point, absolute and without links.
    pub mount_point: PathBuf,
    /// The process that serves it.
    pub pid: u32,
}

/// Why serving ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The mount was taken away.
    Unmounted,
    /// This signal asked for the end, and the mount has been taken away.
    Signal(i32),
}

enum Event {
    Signal(i32),
    Ended(io::Result<()>),
}

/// Mounts `view` and serves it until it is unmounted or SIGINT, SIGTERM or SIGHUP arrives. `on_ready`
/// is called once the mount can be used; if it fails, the mount is taken away again.
///
/// # Errors
/// The mount point cannot be used, the mount cannot be made, or `on_ready` failed.
pub fn serve(
    view: Arc<View>,
    options: &MountOptions,
    on_ready: impl FnOnce(&Ready) -> io::Result<()>,
) -> Result<End> {
    let (events, inbox) = channel();
    // From here on no signal ends the process without the mount being taken away.
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])
        .map_err(|error| Error::system("cannot catch signals for", &options.mount_point, error))?;
    let signals_end = signals.handle();
    let signal_events = events.clone();
    let signal_thread = thread::spawn(move || {
        for signal in signals.forever() {
            if signal_events.send(Event::Signal(signal)).is_err() {
                break;
            }
        }
    });
    let end = serve_until(view, options, on_ready, events, &inbox);
    signals_end.close();
    // OK to ignore: the thread only passes signals on.
    let _ = signal_thread.join();
    end
}

fn serve_until(
    view: Arc<View>,
    options: &MountOptions,
    on_ready: impl FnOnce(&Ready) -> io::Result<()>,
    events: Sender<Event>,
    inbox: &Receiver<Event>,
) -> Result<End> {
    let point = overlap::prepare(options)?;
    let failed = |error| Error::system("cannot serve", &point, error);
    let filesystem = MountedView::new(view, options)
        .ok_or_else(|| Error::new(ErrorKind::Failed, "the root has a number beyond 48 bits"))?;
    let mut record = record(&point, options).map_err(failed)?;
    // Dropped after the mount: no mount is ever without its record.
    let entry = options.registry.add(&record)?;
    let (fd, mounted) = mount::mount(&point, options)?;
    record.device = Some(mounted.device.clone());
    entry.write(&record).map_err(failed)?;
    // Whom the kernel lets in is let in: fuser's own check by user would only repeat it, and cannot
    // tell a process of another user that inherited an open file from an intruder.
    let session = Session::from_fd(filesystem, fd, SessionACL::All, config(options));
    let session = session.map_err(failed)?;
    if mount::is_root() {
        mounted.set_read_ahead(options.tuning.read_ahead_kib);
    }
    thread::Builder::new()
        .name("flr-mount".into())
        .spawn(move || {
            // OK to ignore: nobody listens any more if the process is about to end.
            let _ = events.send(Event::Ended(session.run()));
        })
        .map_err(failed)?;
    let ready = Ready {
        mount_point: point.clone(),
        pid: std::process::id(),
    };
    let told = on_ready(&ready);
    if let Err(error) = told {
        stop(&mounted, inbox);
        return Err(failed(error));
    }
    match inbox.recv() {
        Ok(Event::Signal(signal)) => {
            tracing::info!(signal, "unmounting");
            stop(&mounted, inbox);
            Ok(End::Signal(signal))
        }
        Ok(Event::Ended(Ok(()))) | Err(_) => Ok(End::Unmounted),
        Ok(Event::Ended(Err(error))) => Err(failed(error)),
    }
}

/// Takes the mount away and waits until the kernel has let go of it. Programs that hold files get
/// some time; a second signal or the end of that time cuts them off.
fn stop(mounted: &Mounted, inbox: &Receiver<Event>) {
    match mounted.unmount(false) {
        Ok(()) => {}
        Err(error) if error.kind == ErrorKind::Busy => {
            let by = holders::of(mounted.point()).join(", ");
            tracing::warn!(by, "the mount is in use; it ends with its users");
            if let Err(error) = mounted.unmount(true) {
                tracing::warn!(%error, "the mount stays");
            }
        }
        Err(error) => tracing::warn!(%error, "the mount stays"),
    }
    match inbox.recv_timeout(GRACE) {
        Ok(Event::Ended(_)) | Err(RecvTimeoutError::Disconnected) => return,
        Ok(Event::Signal(_)) | Err(RecvTimeoutError::Timeout) => {}
    }
    // Without the file to say it in, the end of this process says the same.
    if let Err(error) = mounted.abort() {
        tracing::debug!(%error, "connection cannot be ended by hand");
        return;
    }
    // OK to ignore: what does not end now ends with the process.
    let _ = inbox.recv_timeout(GRACE);
}

fn record(point: &Path, options: &MountOptions) -> io::Result<Record> {
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    Ok(Record {
        v: 1,
        mount_point: mountinfo::escape(point),
        address: options.address.clone(),
        process: Process::current()?,
        device: None,
        created: since_1970.unwrap_or_default().as_secs(),
        allow_other: options.allow_other,
        uid: options.uid,
        gid: options.gid,
        sessions: options.sessions.clone(),
    })
}

fn config(options: &MountOptions) -> Config {
    let processors = || thread::available_parallelism().map_or(2, usize::from);
    let mut config = Config::default();
    // At least two, so that one slow read does not stop everything.
    config.n_threads = Some(options.tuning.threads.unwrap_or_else(processors).max(2));
    // A descriptor per thread spares them a common lock. Only who may open the device can have it;
    // behind fusermount3 that is often root alone.
    let flags = OFlags::RDWR | OFlags::CLOEXEC;
    config.clone_fd = rustix::fs::open("/dev/fuse", flags, Mode::empty()).is_ok();
    config
}
