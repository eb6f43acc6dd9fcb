//! An opened point in time of an object: its disks, what is on them, and the views of it.

use crate::address;
use crate::error::{Error, Result};
use crate::guest;
use crate::streams;
use crate::view::{Resolved, View};
use crate::volumes::{self, Place};
use crate::windows;
use flr_fs::{
    ByteSource, ChecksumPolicy, FileKind, Filesystem, Limits, OpenContext, ReplayPolicy, Tree,
    Volume, discover, registry,
};
use std::collections::HashMap;
use std::os::unix::ffi::OsStrExt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// Images in images that are opened.
pub const NESTING_MAX: usize = 8;

/// How a point is opened.
#[derive(Clone, Debug, Default)]
pub struct OpenOptions {
    /// What to do with a log that holds changes.
    pub replay: ReplayPolicy,
    /// What to do with checksums that do not fit.
    pub checksums: ChecksumPolicy,
    /// Bounds on work and memory.
    pub limits: Limits,
}

/// An opened point.
#[derive(Debug)]
pub struct Point {
    tree: Tree,
    places: Vec<Place>,
    files: Option<Arc<dyn Filesystem>>,
    guest: OnceLock<Result<Opened>>,
    drives: OnceLock<Result<Opened>>,
    volumes: OnceLock<Result<Opened>>,
    /// Views of single volumes that were asked for, by address.
    views: Mutex<HashMap<String, Arc<View>>>,
}

/// A view of a point, or of one of its volumes.
#[derive(Clone, Debug)]
pub struct Opened {
    /// The tree.
    pub view: Arc<View>,
    /// What the user should know of how it came about.
    pub notes: Arc<[String]>,
    /// The volume's address, if the view is that of one volume; what stands between `::` and the
    /// view's own paths.
    pub volume: Option<String>,
}

impl From<guest::Guest> for Opened {
    fn from(guest: guest::Guest) -> Self {
        Self {
            view: Arc::new(guest.view),
            notes: guest.notes.into(),
            volume: None,
        }
    }
}

/// What an address led to.
#[derive(Clone, Debug)]
pub struct Target {
    /// The point in which it ended: the object's, or that of an image inside of it.
    pub point: Arc<Point>,
    /// The view in which the path was resolved.
    pub opened: Opened,
    /// The node.
    pub resolved: Resolved,
    /// The locator that was followed, with every `//` that was one slash merged.
    pub locator: address::Locator,
}

impl Point {
    /// Looks at disks and finds what is on them. Never fails: what cannot be read is in the tree.
    #[must_use]
    pub fn open(disks: Vec<Volume>, options: &OpenOptions) -> Arc<Self> {
        let ctx = OpenContext {
            limits: options.limits.clone(),
            replay: options.replay,
            checksums: options.checksums,
            others: &[],
            cancelled: &|| false,
        };
        let tree = discover(disks, registry::LAYERS, registry::FILESYSTEMS, &ctx);
        Arc::new(Self::new(tree, None))
    }

    fn new(tree: Tree, files: Option<Arc<dyn Filesystem>>) -> Self {
        Self {
            places: volumes::places(&tree),
            tree,
            files,
            guest: OnceLock::new(),
            drives: OnceLock::new(),
            volumes: OnceLock::new(),
            views: Mutex::default(),
        }
    }

    /// Files that a provider shows itself, without a disk: they are all of its views.
    #[must_use]
    pub fn of_files(filesystem: Arc<dyn Filesystem>) -> Arc<Self> {
        let view = Opened {
            view: Arc::new(View::new(Arc::clone(&filesystem))),
            notes: Arc::default(),
            volume: None,
        };
        let point = Self::new(Tree::default(), Some(filesystem));
        // Nobody has asked for it yet.
        let _ = point.guest.set(Ok(view));
        Arc::new(point)
    }

    /// The files that a provider shows itself, if that is what the point has instead of disks.
    #[must_use]
    pub const fn files(&self) -> Option<&Arc<dyn Filesystem>> {
        self.files.as_ref()
    }

    /// Opens a file's content as a disk image.
    #[must_use]
    pub fn open_image(source: Arc<dyn ByteSource>, options: &OpenOptions) -> Arc<Self> {
        let disk = Volume {
            may_be_container: true,
            ..Volume::disk(source)
        };
        Self::open(vec![disk], options)
    }

    /// Everything that was found.
    #[must_use]
    pub const fn tree(&self) -> &Tree {
        &self.tree
    }

    /// The disks, in the order in which they were opened; those without bytes are left out.
    pub fn disks(&self) -> impl Iterator<Item = &Arc<dyn ByteSource>> {
        let disks = self.tree.volumes().iter();
        let disks = disks.filter(|node| node.parent.is_none());
        disks.filter_map(|node| node.volume.source.as_ref().ok())
    }

    /// Every filesystem that can be read, with its address.
    #[must_use]
    pub fn places(&self) -> &[Place] {
        &self.places
    }

    /// The guest's own view.
    ///
    /// # Errors
    /// As [`guest::guest`].
    pub fn guest(&self) -> Result<Opened> {
        let made = (self.guest).get_or_init(|| Ok(guest::guest(&self.tree, &self.places)?.into()));
        made.clone()
    }

    /// The guest's view in which `path` is meant: on disks with several systems, a path that begins
    /// with a drive can only be one of Windows.
    fn guest_of(&self, path: &[u8]) -> Result<Opened> {
        match self.guest() {
            Err(Error::Ambiguous(_)) if windows::begins_with_drive(path) => {
                let made = (self.drives)
                    .get_or_init(|| Ok(guest::drives(&self.tree, &self.places)?.into()));
                made.clone()
            }
            guest => guest,
        }
    }

    /// The view of all volumes.
    ///
    /// # Errors
    /// As [`volumes::view`].
    pub fn volumes(&self) -> Result<Opened> {
        let made = self.volumes.get_or_init(|| {
            let view = Arc::new(volumes::view(&self.tree, &self.places)?);
            Ok(Opened {
                view,
                notes: Arc::default(),
                volume: Some(String::new()),
            })
        });
        made.clone()
    }

    /// The view that a step of a locator names, and the path in it.
    fn select(&self, view: address::View, path: &[u8]) -> Result<(Opened, Vec<u8>)> {
        if view == address::View::Guest {
            return Ok((self.guest_of(path)?, path.to_vec()));
        }
        let Some((place, inside)) = volumes::place_of(&self.places, path) else {
            return Ok((self.volumes()?, [b"/", path].concat()));
        };
        let view = self.view_of(place);
        let volume = Some(place.address.clone());
        Ok((
            Opened {
                view,
                notes: Arc::default(),
                volume,
            },
            inside,
        ))
    }

    /// The view of one volume: the same for all addresses in it, since it remembers listings.
    fn view_of(&self, place: &Place) -> Arc<View> {
        let mut views = self.views.lock().unwrap_or_else(PoisonError::into_inner);
        let view = views
            .entry(place.address.clone())
            .or_insert_with(|| Arc::new(View::new(Arc::clone(&place.filesystem))));
        Arc::clone(view)
    }
}

/// Why a locator leads nowhere, and how far it led.
#[derive(Debug)]
pub struct Lost {
    /// Why.
    pub error: Error,
    /// The locator as far as the view in which the way ends, with every `//` that was one slash
    /// merged.
    pub locator: address::Locator,
    /// That view, if there is one.
    pub opened: Option<Opened>,
    /// The path that was looked for in it.
    pub path: Vec<u8>,
}

/// Follows a locator: through the views of `point`, and into the images inside of it.
///
/// `follow_last` is for the last component only; an image behind `//` is always followed to.
///
/// # Errors
/// As [`View::resolve`] and [`Point::guest`]; [`Error::TooDeep`] past [`NESTING_MAX`] images.
pub fn follow(
    point: &Arc<Point>,
    locator: &address::Locator,
    options: &OpenOptions,
    follow_last: bool,
) -> Result<Target, Box<Lost>> {
    let mut locator = match locator {
        address::Locator::None => address::Locator::guest(std::ffi::OsStr::new("/")),
        locator => locator.clone(),
    };
    let mut point = Arc::clone(point);
    // Boundaries that have been crossed into an image.
    let mut crossed = 0_usize;
    loop {
        let (view, path, last) = step(&locator, crossed);
        let lost = |error, opened: Option<&Opened>, path: &[u8]| {
            Box::new(Lost {
                error,
                locator: locator.truncated(crossed),
                opened: opened.cloned(),
                path: path.to_vec(),
            })
        };
        let (mut opened, inside) =
            (point.select(view, &path)).map_err(|error| lost(error, None, &path))?;
        let mut is_stream = false;
        let resolved = match resolve(&opened.view, &inside, follow_last || !last) {
            Ok(Found::Node(resolved)) => resolved,
            Ok(Found::Stream(view, resolved)) => {
                opened.view = view;
                is_stream = true;
                resolved
            }
            Err(error) => return Err(lost(error, Some(&opened), &inside)),
        };
        if last {
            if is_stream {
                locator = without_type(&locator);
            }
            return Ok(Target {
                point,
                opened,
                resolved,
                locator,
            });
        }
        if resolved.metadata.kind == FileKind::Directory {
            locator = locator.merged(crossed);
            continue;
        }
        if crossed >= NESTING_MAX {
            let deep = format!("more than {NESTING_MAX} images inside of images");
            return Err(lost(Error::TooDeep(deep), Some(&opened), &inside));
        }
        let source = (opened.view.open(resolved.node))
            .map_err(|error| lost(error, Some(&opened), &inside))?;
        point = Point::open_image(source, options);
        crossed = crossed.saturating_add(1);
    }
}

/// What a path leads to.
enum Found {
    /// A node of the view.
    Node(Resolved),
    /// A stream of a node, which is a file in a view of its own.
    Stream(Arc<View>, Resolved),
}

fn resolve(view: &Arc<View>, path: &[u8], follow_last: bool) -> Result<Found> {
    let missing = match view.resolve(path, follow_last) {
        Ok(resolved) => return Ok(Found::Node(resolved)),
        Err(error) => error,
    };
    match streams::resolve(view, path, &missing)? {
        Some((view, resolved)) => Ok(Found::Stream(view, resolved)),
        None => Err(missing),
    }
}

/// The locator whose last path names a stream, without the type of that: what is copied is called so.
fn without_type(locator: &address::Locator) -> address::Locator {
    let path = locator.last().map_or(&b""[..], |(_, path)| path.as_bytes());
    locator.with_path(std::ffi::OsStr::from_bytes(streams::without_type(path)))
}

/// The view and the path behind boundary number `index`, and whether it is the last one.
fn step(locator: &address::Locator, index: usize) -> (address::View, Vec<u8>, bool) {
    let truncated = locator.truncated(index);
    let (view, path) = match truncated.last() {
        Some((view, path)) => (view, path.as_bytes().to_vec()),
        None => (address::View::Guest, b"/".to_vec()),
    };
    (view, path, truncated == *locator)
}
