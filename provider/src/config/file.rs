//! Where the files of the configuration are, and reading them.

use crate::error::{Error, Result};
use rustix::fs::{CWD, FileType, Mode, OFlags, fstat, openat};
use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// A configuration is some pages at most; what is larger is something else.
const BYTES_MAX: u64 = 1 << 20;
/// So many files of `conf.d` are read.
const FILE_COUNT_MAX: usize = 1000;

/// A look into the environment.
pub type Env<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// Where the configuration is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places {
    /// This file and no other: `FLR_CONFIG`. It must be there.
    pub only: Option<PathBuf>,
    /// The user's file.
    pub user: Option<PathBuf>,
    /// The folder of the machine's: `config.toml` and `conf.d`.
    pub system: Option<PathBuf>,
}

impl Places {
    /// The places that the environment names.
    #[must_use]
    pub fn of(env: Env<'_>) -> Self {
        let set = |name| {
            env(name)
                .filter(|value| !value.is_empty())
                .map(PathBuf::from)
        };
        let absolute = |name| set(name).filter(|path| path.is_absolute());
        let base = absolute("XDG_CONFIG_HOME")
            .or_else(|| absolute("HOME").map(|home| home.join(".config")));
        Self {
            only: set("FLR_CONFIG"),
            user: base.map(|base| base.join("flr/config.toml")),
            system: Some("/etc/flr".into()),
        }
    }

    /// The file that `flr source add` writes to.
    #[must_use]
    pub fn own(&self) -> Option<&Path> {
        self.only.as_deref().or(self.user.as_deref())
    }

    /// The files that are there and their texts, the one that wins last.
    pub(super) fn read(&self) -> Result<Vec<(PathBuf, String)>> {
        if let Some(path) = &self.only {
            let text = read(path)?.ok_or_else(|| Error::Usage {
                what: format!("FLR_CONFIG: there is no file {}", path.display()),
                hint: Some("unset FLR_CONFIG, or name a file that is there".into()),
            })?;
            return Ok(vec![(path.clone(), text)]);
        }
        let mut paths = Vec::new();
        if let Some(system) = &self.system {
            paths.push(system.join("config.toml"));
            paths.extend(parts(&system.join("conf.d"))?);
        }
        paths.extend(self.user.clone());
        let mut files = Vec::new();
        for path in paths {
            if let Some(text) = read(&path)? {
                files.push((path, text));
            }
        }
        Ok(files)
    }
}

/// The files `*.toml` of a folder, by name.
fn parts(folder: &Path) -> Result<Vec<PathBuf>> {
    let listed = match std::fs::read_dir(folder) {
        Ok(listed) => listed,
        Err(error) => return absent(folder, error).map(Option::unwrap_or_default),
    };
    let mut paths = Vec::new();
    for entry in listed {
        let entry = entry.map_err(|error| Error::from_open(folder, error))?;
        let name = entry.file_name();
        let hidden = name.as_encoded_bytes().starts_with(b".");
        if !hidden
            && Path::new(&name)
                .extension()
                .is_some_and(|end| end == "toml")
        {
            paths.push(entry.path());
        }
        if paths.len() > FILE_COUNT_MAX {
            return Err(Error::Usage {
                what: format!(
                    "{}: expected at most {FILE_COUNT_MAX} files",
                    folder.display()
                ),
                hint: None,
            });
        }
    }
    paths.sort();
    Ok(paths)
}

/// Nothing is there, or the error.
fn absent<T>(path: &Path, error: std::io::Error) -> Result<Option<T>> {
    match Error::from_open(path, error) {
        Error::NotFound { .. } => Ok(None),
        error => Err(error),
    }
}

/// The text of a file, if there is one.
pub(super) fn read(path: &Path) -> Result<Option<String>> {
    let refuse = |what: &str, hint: &str| Error::Usage {
        what: format!("{}: {what}", path.display()),
        hint: Some(hint.to_owned()),
    };
    // Without waiting: what is a FIFO is seen to be one.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = match openat(CWD, path, flags, Mode::empty()) {
        Ok(file) => File::from(file),
        Err(error) => return absent(path, error.into()),
    };
    let stat = fstat(&file).map_err(|error| Error::from_open(path, error.into()))?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(refuse("expected a regular file", "move it away"));
    }
    let as_root = rustix::process::geteuid().is_root();
    if as_root && writable_by_all(stat.st_mode) {
        let hint = format!("chmod o-w {}", path.display());
        return Err(refuse("everybody may write to this configuration", &hint));
    }
    let mut bytes = Vec::new();
    let limit = BYTES_MAX.saturating_add(1);
    let read = file.take(limit).read_to_end(&mut bytes);
    let len = read.map_err(|error| Error::from_open(path, error))?;
    check_len(path, len)?;
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Some(text)),
        Err(_) => Err(refuse(
            "expected UTF-8",
            "the form is TOML: https://toml.io",
        )),
    }
}

/// Refuses what is too large for a configuration.
pub(super) fn check_len(path: &Path, len: usize) -> Result<()> {
    match u64::try_from(len) {
        Ok(len) if len <= BYTES_MAX => Ok(()),
        _ => Err(Error::Usage {
            what: format!("{}: expected at most 1 MiB", path.display()),
            hint: Some("split it into conf.d".to_owned()),
        }),
    }
}

const fn writable_by_all(mode: u32) -> bool {
    mode & 0o002 != 0
}
