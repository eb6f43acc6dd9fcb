//! What the kernel shows of an image after it has replayed its log, compared with what we show of the
//! same image.

#![expect(clippy::disallowed_methods, reason = "copies of images")]

use crate::e2fsprogs::mounted_by_kernel;
use crate::image::{fixtures, scratch};
use crate::{Golden, Rules, compare};
use flr_fs::{ByteSource, Volume};
use flr_recover::{OpenOptions, Point};
use std::process::Command;
use std::sync::Arc;

/// Every difference between our view of `source`, whose bytes are `image`, and the kernel's; `None` if
/// the kernel refuses it. `fast`: the log may hold fast commits. Wants root, Python and `unshare`.
///
/// # Panics
/// If the oracle fails.
#[must_use]
pub fn differences(source: Arc<dyn ByteSource>, image: &[u8], fast: bool) -> Option<Vec<String>> {
    let mut golden = kernels_tree(image, fast)?;
    if fast {
        without_what_the_kernel_gets_wrong(&mut golden);
    }
    let opened = Point::open(vec![Volume::disk(source)], &OpenOptions::default()).guest();
    Some(match opened {
        Ok(opened) => compare(&opened.view, &golden, Rules::default()),
        Err(error) => vec![error.to_string()],
    })
}

/// What the kernel shows of an image whose log it has replayed; `None` if it refuses to.
fn kernels_tree(image: &[u8], fast: bool) -> Option<Golden> {
    let options = if fast { "rw" } else { "ro" };
    let mounted = mounted_by_kernel(image, options)?;
    let replayed = tempfile::NamedTempFile::new_in(scratch()).expect("a file");
    std::fs::write(replayed.path(), mounted).expect("room");
    let mut command = Command::new("unshare");
    command
        .args(["--mount", "python3"])
        .arg(fixtures().join("oracle"));
    let told = command.arg("kernel").arg(replayed.path()).output();
    let told = told.expect("the oracle");
    assert!(told.status.success(), "{told:?}");
    Some(Golden::parse(
        &String::from_utf8(told.stdout).expect("text"),
    ))
}

/// Leaves out what Linux 6.18 gets wrong when it replays fast commits: the times and links of
/// directories, and of all nodes the count of blocks, in which it forgets that of attributes.
fn without_what_the_kernel_gets_wrong(golden: &mut Golden) {
    for node in golden.nodes.values_mut() {
        node.blocks = None;
        if node.r#type == "dir" {
            node.nlink = None;
            node.mtime_ns = None;
            node.ctime_ns = None;
        }
    }
}
