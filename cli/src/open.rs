//! From addresses to opened points: which object, which provider, which view.

use crate::args::Global;
use crate::exit::Exit;
use crate::output::{Failure, Outcome, Output};
use base64::Engine;
use flr_fs::filesystem::ext::codes::JOURNAL_MISSING;
use flr_fs::{ByteSource, ChecksumPolicy, FileKind, ReplayPolicy, Volume};
use flr_recover::address::{Address, Locator, Object, PointSpec, Provider};
use flr_recover::shown::for_terminal;
use flr_recover::{Error, Lost, OpenOptions, Point, Target, follow};
use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::io::Read;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Opens each object once, however many addresses name it.
pub(crate) struct Opener<'a> {
    global: &'a Global,
    options: OpenOptions,
    points: HashMap<Object, Arc<Point>>,
    noted: bool,
}

/// An address and what it led to.
#[derive(Clone, Debug)]
pub(crate) struct Opened {
    /// The address, with every `//` that was one slash merged.
    pub(crate) address: Address,
    /// What it led to.
    pub(crate) target: Target,
}

impl Opened {
    /// The address of a path in the same view, absolute and as shown.
    pub(crate) fn address_of(&self, path: &[u8]) -> Address {
        let inside = in_view(self.target.opened.volume.as_deref(), path);
        self.address.with_path(OsStr::from_bytes(&inside))
    }

    /// Puts an error about what the address led to in words.
    pub(crate) fn explain(&self, error: &Error) -> Failure {
        let mut failure = describe(error, &self.text_of(&self.target.resolved.path));
        if let Error::Fs(error) = error {
            failure.hint = hint_for(error, &self.address, &self.target.point);
        }
        failure
    }

    /// The same as text for people.
    pub(crate) fn text_of(&self, path: &[u8]) -> String {
        self.address_of(path).to_string()
    }
}

impl<'a> Opener<'a> {
    pub(crate) fn new(global: &'a Global) -> Self {
        let replay = if global.no_replay {
            ReplayPolicy::Ignore
        } else {
            ReplayPolicy::Replay
        };
        let checksums = match global.ignore_checksums {
            true => ChecksumPolicy::Ignore,
            false => ChecksumPolicy::Strict,
        };
        let options = OpenOptions {
            replay,
            checksums,
            ..OpenOptions::default()
        };
        Self {
            global,
            options,
            points: HashMap::new(),
            noted: false,
        }
    }

    /// All addresses that the command line names: its operands, or paths of `--from`, and those of
    /// `--files-from0`.
    pub(crate) fn addresses(&self, operands: &[OsString]) -> Outcome<Vec<Address>> {
        let mut texts = operands.to_vec();
        if let Some(file) = &self.global.files_from0 {
            texts.extend(read_list(file)?);
        }
        for text in &self.global.path_b64 {
            let bytes = base64::engine::general_purpose::STANDARD
                .decode(text)
                .map_err(|_| {
                    let shown = for_terminal(text.as_bytes());
                    usage(format!("--path-b64 {shown}: expected base64"))
                        .hint("printf %s /etc/fstab | base64")
                })?;
            texts.push(OsString::from_vec(bytes));
        }
        let Some(from) = &self.global.from else {
            if texts.is_empty() {
                return Err(usage("an address is needed, such as disk.img:/etc/fstab").into());
            }
            return texts.iter().map(|text| Ok(self.parse(text)?)).collect();
        };
        let object = Object::parse(from, &[]).map_err(|error| bad_address(from, &error))?;
        let at = self.global.at.as_ref().map(|text| {
            PointSpec::parse(text).map_err(|error| bad_address(OsStr::new(text), &error))
        });
        let at = at.transpose()?;
        let volume = self.global.volume.as_deref();
        if texts.is_empty() {
            return Ok(vec![Address::from_parts(object, at, volume, None)]);
        }
        let make = |path: &OsString| {
            Address::from_parts(object.clone(), at.clone(), volume, Some(path.as_os_str()))
        };
        Ok(texts.iter().map(make).collect())
    }

    /// Whether the object stands in an option, and operands are paths.
    pub(crate) const fn has_from(&self) -> bool {
        self.global.from.is_some()
    }

    /// Reads one address.
    pub(crate) fn parse(&self, text: &OsStr) -> Result<Address, Failure> {
        Address::parse(text, &[]).map_err(|error| bad_address(text, &error))
    }

    /// The point that an address's object names.
    pub(crate) fn point(&mut self, address: &Address) -> Result<Arc<Point>, Failure> {
        if let Some(point) = self.points.get(&address.object) {
            return Ok(Arc::clone(point));
        }
        let (path, raw) = local_file(address)?;
        let mut disks = vec![self.disk(&path, raw, Some(address))?];
        for path in &self.global.with {
            disks.push(self.disk(path, false, None)?);
        }
        let point = Point::open(disks, &self.options);
        tracing::info!(
            object = %path.display(),
            disks = self.global.with.len().saturating_add(1),
            volumes = point.tree().volumes().len(),
            filesystems = point.places().len(),
            "opened"
        );
        self.points
            .insert(address.object.clone(), Arc::clone(&point));
        Ok(point)
    }

    /// Follows an address to its node.
    pub(crate) fn open(
        &mut self,
        address: &Address,
        follow_last: bool,
        out: &mut Output,
    ) -> Result<Opened, Failure> {
        let point = self.point(address)?;
        let target = follow(&point, &address.locator, &self.options, follow_last)
            .map_err(|lost| explain(&lost, address, &point))?;
        if !self.noted {
            for note in target.opened.notes.iter() {
                out.note(note);
            }
            let object = Address {
                locator: Locator::None,
                ..address.clone()
            };
            for place in point.places() {
                if place.filesystem.info().state == flr_fs::FsState::NotReplayed {
                    out.warn(&format!(
                        "{}: the journal is not replayed: files may be missing, old or wrong",
                        at_volume(&object, &place.address),
                    ));
                }
            }
            self.noted = true;
        }
        let address = Address {
            locator: target.locator.clone(),
            ..address.clone()
        };
        Ok(Opened { address, target })
    }

    /// Files that the opened objects are read from.
    pub(crate) fn files(&self, address: &Address) -> Vec<PathBuf> {
        let object = local_file(address).ok().map(|(path, _)| path);
        object
            .into_iter()
            .chain(self.global.with.iter().cloned())
            .collect()
    }

    fn disk(&self, path: &Path, raw: bool, address: Option<&Address>) -> Result<Volume, Failure> {
        let source = open_file(path, self.global.live)
            .map_err(|error| explain_provider(&error, path, address))?;
        Ok(Volume {
            may_be_container: !raw && path.is_file(),
            ..Volume::disk(source)
        })
    }
}

fn open_file(path: &Path, live: bool) -> Result<Arc<dyn ByteSource>, flr_provider::Error> {
    let options = flr_provider::OpenOptions { live };
    Ok(Arc::new(flr_provider::FileSource::open(path, options)?))
}

/// The file or device of an address, and whether it is to be taken as raw bytes.
fn local_file(address: &Address) -> Result<(PathBuf, bool), Failure> {
    let refuse = |what: String| Failure::new(Exit::Unsupported, what);
    match &address.object {
        Object::Local(name) => Ok((name.into(), false)),
        Object::Provider {
            provider: Provider::File,
            name,
            keys,
        } => {
            if address.point.is_some() {
                let what = format!("{address}: points inside of an image file are not read yet");
                let now = Address {
                    object: Object::Local(name.clone()),
                    point: None,
                    ..address.clone()
                };
                return Err(refuse(what).hint(format!("its present state is {now}")));
            }
            let mut raw = false;
            for (key, value) in keys {
                match (key.as_str(), value.as_str()) {
                    ("format", "raw") => raw = true,
                    ("format", format) => {
                        return Err(refuse(format!(
                            "{address}: format {format} is not read yet"
                        )));
                    }
                    _ => return Err(usage(format!("{address}: file: has no key {key}"))),
                }
            }
            Ok((name.into(), raw))
        }
        other => {
            let provider = match other {
                Object::Cloud { provider, .. } | Object::Provider { provider, .. } => {
                    provider.name().to_owned()
                }
                Object::Arn(_) => Provider::Aws.name().to_owned(),
                Object::Url(url) => url.scheme.clone(),
                Object::Source { source, .. } => source.clone(),
                Object::Local(_) => String::new(),
            };
            let what =
                format!("{address}: the provider {provider} is not part of this version yet");
            Err(refuse(what).hint("files and block devices can be read: flr help"))
        }
    }
}

fn bad_address(text: &OsStr, error: &flr_recover::address::AddressError) -> Failure {
    let shown = quoted(&for_terminal(text.as_bytes()));
    Failure::new(Exit::Usage, format!("{shown}: {error}")).hint(error.hint())
}

fn usage(message: impl Into<String>) -> Failure {
    Failure::new(Exit::Usage, message)
}

fn read_list(file: &Path) -> Result<Vec<OsString>, Failure> {
    let mut bytes = Vec::new();
    let read = if file == Path::new("-") {
        std::io::stdin().lock().read_to_end(&mut bytes).map(|_| ())
    } else {
        std::fs::read(file).map(|read| bytes = read)
    };
    read.map_err(|error| usage(format!("--files-from0 {}: {error}", file.display())))?;
    let items = bytes
        .split(|byte| *byte == 0)
        .filter(|item| !item.is_empty());
    Ok(items
        .map(|item| OsString::from_vec(item.to_vec()))
        .collect())
}

/// The address of a volume of the disk that the address leads into.
pub(crate) fn at_volume(address: &Address, volume: &str) -> String {
    let locator = address.locator.in_volumes(OsStr::new(volume));
    Address {
        locator,
        ..address.clone()
    }
    .to_string()
}

/// What stands behind the mark of a view in the address of a path in it.
fn in_view(volume: Option<&str>, path: &[u8]) -> Vec<u8> {
    match volume {
        None => path.to_vec(),
        Some("") => path.strip_prefix(b"/").unwrap_or(path).to_vec(),
        Some(volume) => [volume.as_bytes(), path].concat(),
    }
}

/// Puts the reason why an address leads nowhere in words, with the object and the next command to
/// try.
fn explain(lost: &Lost, address: &Address, point: &Point) -> Failure {
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
    }
    failure
}

pub(crate) fn hint_for(error: &flr_fs::Error, address: &Address, point: &Point) -> Option<String> {
    let (flr_fs::Error::Unsupported(fault) | flr_fs::Error::Corrupt(fault)) = error else {
        return None;
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

/// What to try next about a fault that there is an option for.
pub(crate) fn hint_of(code: flr_fs::Code) -> Option<&'static str> {
    if code == JOURNAL_MISSING {
        return Some(
            "give that device as well: --with FILE; or --no-replay shows the state before the journal",
        );
    }
    code.as_str().starts_with("ext4.journal.").then_some(
        "--no-replay shows the state before the journal: files may be missing, old or wrong",
    )
}

fn explain_provider(
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
            failure.hint = match (near.as_slice(), mistaken) {
                _ if without_point.is_some() => without_point,
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
        error => failure.hint = error.hint().map(std::borrow::Cow::into_owned),
    }
    failure
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
