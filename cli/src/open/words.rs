//! Why an address leads nowhere, in words: what failed, on which object, why, and what to try next.

use super::{at_volume, in_view};
use crate::exit::Exit;
use crate::output::Failure;
use flr_fs::FileKind;
use flr_fs::filesystem::ext::codes::JOURNAL_MISSING;
use flr_recover::address::{Address, Locator, Object};
use flr_recover::shown::for_terminal;
use flr_recover::{Error, Lost, Point};
use std::borrow::Cow;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Puts the reason why an address leads nowhere in words, with the object and the next command to
/// try.
pub(super) fn explain(lost: &Lost, address: &Address, point: &Point) -> Failure {
    let mut failure = describe(&lost.error, &address.to_string());
    let lost_in = Address {
        locator: lost.locator.clone(),
        ..address.clone()
    };
    let here = |path: &[u8]| {
        let volume = (lost.opened.as_ref()).and_then(|opened| opened.volume.as_deref());
        let inside = in_view(volume, path);
        lost_in.with_path(OsStr::from_bytes(&inside)).to_string()
    };
    match &lost.error {
        Error::NotFound(missing) => {
            let (found, _) = missing
                .path
                .split_at_checked(missing.found_len)
                .unwrap_or_default();
            let dir = if found.is_empty() { b"/" } else { found };
            let near: Vec<_> = missing
                .nearest
                .iter()
                .map(|name| here(&[found, b"/", name].concat()))
                .collect();
            if leads_elsewhere(&lost.path, &missing.path) {
                failure.message += &format!(": a link leads to {}", here(&missing.path));
            }
            let list = format!("flr ls {}", quoted(&here(dir)));
            failure.hint = Some(match near.is_empty() {
                true => format!("list what is there: {list}"),
                false => format!(
                    "did you mean {}? list what is there: {list}",
                    near.join(" or ")
                ),
            });
        }
        Error::Ambiguous(ambiguous) => {
            let choices: Vec<_> = ambiguous
                .volumes
                .iter()
                .map(|v| format!("{}/", at_volume(&lost_in, v)))
                .collect();
            failure.hint = Some(format!("choose one: {}", choices.join("  ")));
        }
        Error::Fs(flr_fs::Error::Request(flr_fs::Request::NotADirectory)) => {
            if let Some((path, kind)) = first_that_is_no_directory(lost) {
                let it = here(&path);
                let word = kind.word();
                failure.message = match it == address.to_string().trim_end_matches('/') {
                    true => format!("{address}: not a directory but a {word}"),
                    false => format!("{address}: no such path: {it} is a {word}"),
                };
                failure.hint = Some(format!("flr ls -l {}", quoted(&it)));
                if kind == FileKind::File {
                    let more = format!("; if it is a disk image: flr ls {}", quoted(&(it + "//")));
                    failure.hint = failure.hint.map(|hint| hint + &more);
                }
            }
        }
        Error::Fs(error) => failure.hint = hint_for(error, address, point),
        _ => {}
    }
    failure
}

/// Whether links made another path of the one that was asked for.
fn leads_elsewhere(asked: &[u8], missing: &[u8]) -> bool {
    let names = |path: &[u8]| -> Vec<Vec<u8>> {
        let names = path.split(|byte| *byte == b'/');
        names
            .filter(|name| !matches!(*name, b"" | b"."))
            .map(<[u8]>::to_vec)
            .collect()
    };
    let asked = names(asked);
    !asked.iter().any(|name| name == b"..") && asked != names(missing)
}

/// The part of the path that stands where a directory is needed, and what it is.
fn first_that_is_no_directory(lost: &Lost) -> Option<(Vec<u8>, FileKind)> {
    let view = &lost.opened.as_ref()?.view;
    let ends = lost.path.iter().enumerate().skip(1);
    let ends = ends.filter(|(_, byte)| **byte == b'/').map(|(end, _)| end);
    ends.chain([lost.path.len()]).find_map(|end| {
        let path = lost.path.get(..end)?;
        let metadata = view.resolve(path, true).ok()?.metadata;
        (metadata.kind != FileKind::Directory).then(|| (path.to_vec(), metadata.kind))
    })
}

/// Text as one argument of a shell.
pub(crate) fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/:._-+=@%,".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// What failed on which object and why, without a hint.
pub(crate) fn describe(error: &Error, what: &str) -> Failure {
    let message = match error {
        Error::NotFound(_) => format!("{what}: no such file or directory"),
        Error::Write { path, source } => {
            format!("{}: {source}", for_terminal(path.as_os_str().as_bytes()))
        }
        error => format!("{what}: {error}"),
    };
    let mut failure = Failure::new(Exit::of(error), message);
    if let Error::Fs(error) = error {
        failure.code = error.fault().map(|fault| fault.code.to_string());
        let of_provider = error.fault().map(|fault| fault.code);
        let of_provider = of_provider.filter(|code| code.as_str().starts_with("ontap."));
        let hint = of_provider.and_then(hint_of);
        failure.hint = hint.or(read_hint(failure.exit)).map(str::to_owned);
    }
    failure
}

pub(crate) fn hint_for(error: &flr_fs::Error, address: &Address, point: &Point) -> Option<String> {
    let (flr_fs::Error::Unsupported(fault) | flr_fs::Error::Corrupt(fault)) = error else {
        return read_hint(Exit::of_fs(error)).map(str::to_owned);
    };
    let object = Address {
        locator: Locator::None,
        ..address.clone()
    };
    let volumes = format!(
        "see what was found: flr volumes {}",
        quoted(&object.to_string())
    );
    let alone = point.tree().volumes().len() == 1;
    Some(match hint_of(fault.code) {
        Some(hint) => hint.to_owned(),
        None if fault.code == flr_fs::signature::codes::FORMAT && alone => {
            format!("to read it as raw bytes all the same: file:NAME,format=raw; {volumes}")
        }
        None => volumes,
    })
}

/// What to try next about bytes that did not come over a network.
const fn read_hint(exit: Exit) -> Option<&'static str> {
    match exit {
        Exit::Temporary => Some("try again; -v tells about the calls that failed"),
        Exit::Cost => Some("a higher --max-cost, or --yes; flr cost tells what it would take"),
        Exit::Denied => Some("flr doctor tells what the credentials may do"),
        _ => None,
    }
}

/// What to try next about a fault that there is an option for.
pub(crate) fn hint_of(code: flr_fs::Code) -> Option<&'static str> {
    if code == JOURNAL_MISSING {
        return Some(
            "give that device as well: --with FILE; or --no-replay shows the state before the journal",
        );
    }
    match code.as_str() {
        "ontap.direct" => return Some("have files cloned for a while: --access clone"),
        "ontap.many" => return Some("--access clone if all of them are meant, or --yes"),
        "ontap.listing" => {
            return Some("name a file by its whole path, or read the volume over NFS or SMB");
        }
        "ontap.flexgroup" | "ontap.snapmirror" | "ontap.clone" | "ontap.link" => {
            return Some("read the volume over NFS or SMB, in its .snapshot directory");
        }
        _ => {}
    }
    code.as_str().starts_with("ext4.journal.").then_some(
        "--no-replay shows the state before the journal: files may be missing, old or wrong",
    )
}

/// Puts the reason why a file cannot be opened in words.
pub(super) fn explain_file(
    error: &flr_provider::Error,
    path: &Path,
    address: Option<&Address>,
) -> Failure {
    let mut failure = Failure::new(Exit::of_provider(error), error.to_string());
    match error {
        flr_provider::Error::NotFound { .. } => {
            let near = nearest_files(path);
            let mistaken = address.and_then(|address| address.object.mistaken_prefix());
            let without_point = address.and_then(without_point);
            let image = address.and_then(image_of_aws);
            failure.hint = match (near.as_slice(), mistaken) {
                _ if without_point.is_some() => without_point,
                ([], _) if image.is_some() => image,
                ([], None) => {
                    let dir = quoted(&for_terminal(existing(path).as_os_str().as_bytes()));
                    Some(format!("look for it: ls {dir}"))
                }
                ([], Some(prefix)) => Some(format!(
                    "there is no provider and no source called {prefix} either"
                )),
                (near, _) => Some(format!("did you mean {}?", near.join(" or "))),
            };
        }
        error => failure.hint = error.hint().map(Cow::into_owned),
    }
    failure
}

/// What to say of `ami-0123456789abcdef0`, which is no file and has no form of its own among addresses.
fn image_of_aws(address: &Address) -> Option<String> {
    let Object::Local(name) = &address.object else {
        return None;
    };
    let digits = name.to_str()?.strip_prefix("ami-")?;
    let is_id = digits.len() >= 8 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_id.then(|| format!("an image of AWS is written aws:ami-{digits}"))
}

/// What to say of `disk.img@yesterday:/etc`, if there is a `disk.img`.
fn without_point(address: &Address) -> Option<String> {
    let Object::Local(name) = &address.object else {
        return None;
    };
    let at = name.as_bytes().iter().rposition(|byte| *byte == b'@')?;
    let file = OsStr::from_bytes(name.as_bytes().get(..at)?);
    if !Path::new(file).is_file() {
        return None;
    }
    let without = Address {
        object: Object::Local(file.to_owned()),
        ..address.clone()
    };
    Some(format!(
        "a file has no points in time: did you mean {without}?"
    ))
}

/// The nearest directory above that exists.
fn existing(path: &Path) -> &Path {
    let mut dir = parent(path);
    while !dir.is_dir() && dir != parent(dir) {
        dir = parent(dir);
    }
    dir
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Files beside the one that does not exist, whose names are near its name.
fn nearest_files(path: &Path) -> Vec<String> {
    let Some(wanted) = path.file_name() else {
        return Vec::new();
    };
    let Ok(entries) = std::fs::read_dir(parent(path)) else {
        return Vec::new();
    };
    let names: Vec<_> = entries
        .filter_map(|entry| Some(entry.ok()?.file_name()))
        .collect();
    let near = flr_recover::address::nearest(
        wanted.as_bytes(),
        names.iter().map(|name| name.as_bytes()),
        3,
    );
    near.into_iter()
        .map(|name| {
            for_terminal(
                path.with_file_name(OsStr::from_bytes(name))
                    .as_os_str()
                    .as_bytes(),
            )
        })
        .collect()
}
