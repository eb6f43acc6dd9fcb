//! Mounting without being root: `fusermount3`, the set-uid helper of libfuse.
//!
//! It makes the mount and sends the open `/dev/fuse` back through a socket. The socket is its
//! standard input, so that no descriptor has to be made inheritable by hand.

use crate::error::{Error, ErrorKind, Result};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags};
use std::io::{self, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Output, Stdio};

const PROGRAM: &str = "fusermount3";

/// Mounts on `point` and returns the connection to the kernel. `source` is shown as what is mounted.
pub(crate) fn mount(point: &Path, source: &str, allow_other: bool) -> Result<OwnedFd> {
    let (ours, theirs) = UnixStream::pair().map_err(|error| failed(point, error))?;
    // The helper takes a comma for the next option unless there is a backslash before it.
    let source = source.replace('\\', r"\\").replace(',', r"\,");
    let mut options = format!("ro,nosuid,nodev,noexec,subtype=flr,fsname={source}");
    if allow_other {
        options.push_str(",allow_other,default_permissions");
    }
    let child = Command::new(PROGRAM)
        .args(["-o", &options, "--"])
        .arg(point)
        .env("_FUSE_COMMFD", "0")
        .env("LC_ALL", "C")
        .stdin(OwnedFd::from(theirs))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| failed(point, error))?;
    let received = receive(&ours);
    drop(ours);
    let output = child
        .wait_with_output()
        .map_err(|error| failed(point, error))?;
    match received {
        Ok(Some(fd)) => Ok(fd),
        Ok(None) => Err(refused(point, &output)),
        Err(error) => Err(failed(point, error)),
    }
}

/// Takes the mount at `point` away. `lazy`: also if it is in use.
pub(crate) fn unmount(point: &Path, lazy: bool) -> Result<()> {
    let output = Command::new(PROGRAM)
        .args(if lazy {
            ["-u", "-z"].as_slice()
        } else {
            &["-u"]
        })
        .arg("--")
        .arg(point)
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| failed(point, error))?;
    if output.status.success() {
        return Ok(());
    }
    Err(refused(point, &output))
}

/// The descriptor that the helper sends, or `None` if it ended without sending one.
fn receive(socket: &UnixStream) -> io::Result<Option<OwnedFd>> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0_u8];
    loop {
        let mut parts = [IoSliceMut::new(&mut byte)];
        match rustix::net::recvmsg(socket, &mut parts, &mut control, RecvFlags::CMSG_CLOEXEC) {
            Ok(_) => break,
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let mut fds = control.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut fds) => fds.next(),
        _ => None,
    });
    Ok(fds.next())
}

/// The helper said no; its words tell which of the known reasons it is.
fn refused(point: &Path, output: &Output) -> Error {
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.trim().trim_start_matches("fusermount3: ");
    let error = |kind| Error::new(kind, format!("{}: {said}", point.display()));
    if said.contains("user_allow_other") {
        return Error::new(
            ErrorKind::Denied,
            format!("{}: allow_other is not permitted here", point.display()),
        )
        .hint("as root, add the line user_allow_other to /etc/fuse.conf");
    }
    if said.contains("busy") {
        return error(ErrorKind::Busy);
    }
    if said.contains("not found in /etc/mtab") || said.contains("not mounted") {
        return error(ErrorKind::NotMounted);
    }
    if said.contains("too many FUSE filesystems") {
        return error(ErrorKind::Busy).hint("raise mount_max in /etc/fuse.conf");
    }
    if said.contains("/dev/fuse") {
        return error(ErrorKind::Denied).hint("as root, chmod 666 /dev/fuse, as udev has it");
    }
    if said.contains("ermission denied") || said.contains("not owned") || said.contains("no write")
    {
        return error(ErrorKind::Denied).hint("mount on a directory of your own");
    }
    error(ErrorKind::Failed)
}

fn failed(point: &Path, error: io::Error) -> Error {
    if error.kind() == io::ErrorKind::NotFound {
        return Error::new(
            ErrorKind::Unavailable,
            format!("{}: {PROGRAM} is not installed", point.display()),
        )
        .hint("install the package fuse3, or mount as root");
    }
    Error::system("cannot mount with fusermount3 on", point, error)
}
