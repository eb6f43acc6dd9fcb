//! Who keeps a mount busy, as far as `/proc` lets us see.

use std::fs;
use std::path::Path;

/// Holders named in an error; the first few tell enough.
const HOLDER_COUNT_MAX: usize = 5;

/// Processes with their working directory, root, an open file or a mapping below `point`, as
/// `name (pid)`.
pub(crate) fn of(point: &Path) -> Vec<String> {
    let own = std::process::id().to_string();
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .filter_map(|entry| Some(entry.ok()?.file_name().to_str()?.to_owned()))
        .filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()) && *name != own)
        .filter(|pid| holds(Path::new("/proc").join(pid).as_path(), point))
        .take(HOLDER_COUNT_MAX)
        .map(|pid| {
            let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
            format!("{} ({pid})", name.trim().escape_debug())
        })
        .collect()
}

/// The links of `/proc` are names that the kernel keeps: following none of them asks the mount.
fn holds(process: &Path, point: &Path) -> bool {
    let below = |link: &Path| fs::read_link(link).is_ok_and(|target| target.starts_with(point));
    let any_below = |dir: &str| {
        let entries = fs::read_dir(process.join(dir));
        entries.is_ok_and(|entries| entries.flatten().any(|entry| below(&entry.path())))
    };
    below(&process.join("cwd"))
        || below(&process.join("root"))
        || any_below("fd")
        || any_below("map_files")
}
