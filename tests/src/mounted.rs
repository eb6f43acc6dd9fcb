//! Loop devices and mounts of the kernel's, which vanish with their guards, also where a test panics.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A loop device, until it is dropped.
pub(crate) struct Loop(PathBuf);

impl Loop {
    pub(crate) fn new(file: &Path) -> Self {
        // Two at once may be told the same free device.
        for _ in 0..10 {
            let mut command = Command::new("losetup");
            let made = command.args(["--find", "--show"]).arg(file);
            let made = made.output().expect("losetup");
            if made.status.success() {
                let device = String::from_utf8(made.stdout).expect("text");
                return Self(device.trim().into());
            }
        }
        panic!("no loop device");
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        run(Command::new("losetup").arg("--detach").arg(&self.0));
    }
}

/// A mount of the kernel's, until it is dropped.
pub(crate) struct Mount(PathBuf);

impl Mount {
    /// `None` if the kernel does not want to.
    pub(crate) fn new(device: &Loop, kind: &str, on: &Path, options: &str) -> Option<Self> {
        let mut command = Command::new("mount");
        command.args(["-t", kind, "-o", options]);
        run(command.arg(&device.0).arg(on)).then(|| Self(on.into()))
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // Busy only if a test left something open: then it goes with that.
        let umount = || Command::new("umount");
        let _ = run(umount().arg(&self.0)) || run(umount().arg("--lazy").arg(&self.0));
    }
}

fn run(command: &mut Command) -> bool {
    let done = command.output();
    done.is_ok_and(|done| done.status.success())
}
