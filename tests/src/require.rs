//! What a test needs of the machine. Where it is missing the test says so and passes; under `CI` it
//! fails, so that nothing is skipped there unnoticed.

use std::path::Path;
use std::process::Command;

/// Whether all that is wanted is there. `wanted` holds the words `root`, `fuse`, `loop`
/// (devices), `xfs`, `vfat` (in the kernel), or the names of commands.
///
/// # Panics
/// If something is missing and the variable `CI` is set.
#[must_use]
pub fn require(wanted: &[&str]) -> bool {
    let Some(missing) = wanted.iter().find(|what| !has(what)) else {
        return true;
    };
    assert!(
        std::env::var_os("CI").is_none(),
        "this test needs {missing}, which CI has to have"
    );
    println!("skipped: this test needs {missing}");
    false
}

/// The same question about one of them, without the word.
#[must_use]
pub fn has(what: &str) -> bool {
    match what {
        "root" => is_root(),
        "fuse" => Path::new("/dev/fuse").exists(),
        "loop" => Path::new("/dev/loop-control").exists(),
        "xfs" | "vfat" => kernel_mounts(what),
        command => Command::new("sh")
            .args(["-c", "command -v -- \"$0\" > /dev/null", command])
            .status()
            .is_ok_and(|status| status.success()),
    }
}

/// Whether the kernel has this filesystem, or a module of it.
fn kernel_mounts(name: &str) -> bool {
    let known = || {
        let known = std::fs::read_to_string("/proc/filesystems").unwrap_or_default();
        known.split_whitespace().any(|word| word == name)
    };
    let load = || Command::new("modprobe").arg("--quiet").arg(name).status();
    known() || (load().is_ok_and(|status| status.success()) && known())
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    // The owner of a process's own folder in /proc is its effective user.
    std::fs::metadata("/proc/self").is_ok_and(|meta| meta.uid() == 0)
}
