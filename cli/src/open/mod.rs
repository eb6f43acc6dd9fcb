//! From addresses to opened points: which object, which provider, which point, which view.

mod noticing;
mod point;
mod words;

pub(crate) use words::{describe, hint_for, hint_of, quoted};

use crate::args::Global;
use crate::commands::Context;
use crate::exit::Exit;
use crate::output::{Failure, Outcome, Output};
use crate::remote::Remote;
use base64::Engine;
use flr_fs::{ChecksumPolicy, ReplayPolicy};
use flr_provider::point::{Catalog, PointInfo};
use flr_recover::address::{Address, Locator, Object, PointSpec};
use flr_recover::shown::for_terminal;
use flr_recover::{Error, OpenOptions, Point, Target, follow};
use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::io::Read;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

/// What tells points of a command line from each other.
type PointKey = (Object, Option<PointSpec>);

/// A provider, and the points of an object that it has listed.
pub(crate) type Listed = (Arc<dyn Catalog>, Arc<[PointInfo]>);

/// Opens each object once, however many addresses name it.
pub(crate) struct Opener<'a> {
    global: &'a Global,
    remote: Rc<Remote>,
    /// Files that are disks of every object that is opened.
    with: Vec<PathBuf>,
    options: OpenOptions,
    points: HashMap<PointKey, Arc<Point>>,
    /// What did not come while it was found out what is on them.
    missed: HashMap<PointKey, flr_fs::Error>,
    /// Objects whose points have been listed.
    listed: HashMap<Object, Listed>,
    /// What those of a provider are read from.
    chosen: HashMap<PointKey, (Arc<dyn Catalog>, PointInfo)>,
    noted: bool,
    /// Nothing is made to look into directories.
    only_looks: bool,
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
    pub(crate) fn new(ctx: &Context<'a>) -> Self {
        let global = ctx.global;
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
            remote: Rc::clone(&ctx.remote),
            with: global.with.clone(),
            options,
            points: HashMap::new(),
            chosen: HashMap::new(),
            listed: HashMap::new(),
            missed: HashMap::new(),
            noted: false,
            only_looks: false,
        }
    }

    /// The same with more disks of the object.
    pub(crate) fn and_disks(mut self, with: &[PathBuf]) -> Self {
        self.with.extend_from_slice(with);
        self
    }

    /// The same, which makes nothing of what can be read directly.
    pub(crate) fn only_looking(mut self) -> Self {
        self.only_looks = true;
        self
    }

    /// The same, which knows the points of an object already.
    pub(crate) fn knowing(mut self, object: &Object, known: &Listed) -> Self {
        self.listed.insert(object.clone(), known.clone());
        self
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
        let object = Object::parse(from, &self.source_names()?)
            .map_err(|error| bad_address(from, &error))?;
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

    /// What addresses may begin with beside the providers' names.
    fn source_names(&self) -> Result<Vec<String>, Failure> {
        Ok(self.remote.config()?.source_names())
    }

    /// Reads one address.
    pub(crate) fn parse(&self, text: &OsStr) -> Result<Address, Failure> {
        Address::parse(text, &self.source_names()?).map_err(|error| bad_address(text, &error))
    }

    /// Follows an address to its node.
    pub(crate) fn open(
        &mut self,
        address: &Address,
        follow_last: bool,
        out: &mut Output,
    ) -> Result<Opened, Failure> {
        let point = self.point(address, out)?;
        self.check_whole(address)?;
        let target = follow(&point, &address.locator, &self.options, follow_last);
        // What was not read for the money would be told as damage.
        if let Some(failure) = self.remote.over_cost() {
            return Err(failure);
        }
        let target = target.map_err(|lost| words::explain(&lost, address, &point))?;
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
}

fn bad_address(text: &OsStr, error: &flr_recover::address::AddressError) -> Failure {
    let shown = quoted(&without_password(&for_terminal(text.as_bytes())));
    Failure::new(Exit::Usage, format!("{shown}: {error}")).hint(error.hint())
}

/// What was typed, without the password that a URL must not have.
fn without_password(text: &str) -> String {
    let hidden = || {
        let (scheme, rest) = text.split_once("://")?;
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at_checked(end)?;
        let (user, host) = authority.rsplit_once('@')?;
        let (user, _) = user.split_once(':')?;
        Some(format!("{scheme}://{user}:…@{host}{path}"))
    };
    hidden().unwrap_or_else(|| text.to_owned())
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
