//! Addresses: what users type to say which file of which volume of which disk, and when.
//!
//! ```text
//! ADDRESS := OBJECT [ "@" POINT ] [ LOCATOR ]
//!
//! vm.qcow2:/var/log/syslog
//! aws:web-1,profile=prod@yesterday:/etc/nginx
//! snap-0123456789abcdef0::part/2/etc
//! ontap:svm1/ds01@nightly.0:/web/web.vmdk//::part/2/etc
//! ```
//!
//! All rules are about the text alone; nothing is looked up, neither on the disk nor with a
//! provider. The names of the configuration's sources are handed in. Addresses are bytes, as file
//! names are, and no text makes the parser panic or take more than linear time.
//!
//! One file per part: `head` (which kind of object), [`object`](Object), `cloud` (identifiers and
//! ARNs), [`url`](Url), [`point`](PointSpec) with `moment` (dates and times), `scan` (where the
//! locator begins), [`locator`](Locator), `print` (the way back), and [`nearest()`] (what a wrong
//! name may have meant).
//!
//! # The escape hatch
//! Some things no single text names: a local file with `::` in its name, a snapshot called
//! `a:/b`. For them there is `--from OBJECT [--at POINT] [--volume VOL] -- PATH`, which
//! [`Object::parse`], [`PointSpec::parse`] and [`Address::from_parts`] read, and which
//! [`Unspellable`] prints.

mod cloud;
mod error;
mod head;
mod locator;
mod moment;
mod nearest;
mod object;
mod point;
mod print;
mod scan;
mod url;

#[cfg(test)]
mod round_trip;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod vectors;

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

pub use self::error::AddressError;
pub use self::locator::{Locator, Step, Steps, View};
pub use self::moment::{Date, DateTime, Zone};
pub use self::nearest::nearest;
pub use self::object::{Object, Provider, is_source_name};
pub use self::point::PointSpec;
pub use self::print::Unspellable;
pub use self::url::Url;

use self::head::Head;

/// What to read: an object, a point in time of it, and a place inside.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Address {
    /// What to open.
    pub object: Object,
    /// Which of its points; never with [`Object::Local`] as long as it was parsed or made by
    /// [`Address::from_parts`].
    pub point: Option<PointSpec>,
    /// Where inside.
    pub locator: Locator,
}

impl Address {
    /// Reads an address. `sources` are the names of the configuration's sources.
    ///
    /// # Errors
    /// The first thing that breaks a rule, with its byte offset in `text`. Since everything that
    /// fits no other rule is a local file, few texts are errors; see
    /// [`Object::mistaken_prefix`] for what to say when that file does not exist.
    pub fn parse(text: &OsStr, sources: &[String]) -> Result<Self, AddressError> {
        let text = text.as_bytes();
        object::refuse_unusable(text)?;
        let head = Head::of(text, sources)?;
        let end = scan::locator_start(text, head.search_from()).unwrap_or(text.len());
        let (front, locator) = text.split_at_checked(end).unwrap_or((text, &[]));
        object::refuse_unusable(front)?;
        let (object, point) = match head.point_mark(front) {
            None => (front, None),
            Some(mark) => {
                let (object, point) = front.split_at_checked(mark).unwrap_or((front, &[]));
                (object, Some(point.strip_prefix(b"@").unwrap_or(point)))
            }
        };
        // The object first: of two mistakes the left one is told.
        let object = Object::build(&head, object)?;
        let point = match point {
            None => None,
            Some(point) => {
                let start = front.len().saturating_sub(point.len());
                let keyed = matches!(object, Object::Provider { .. });
                Some(parse_point(point, keyed).map_err(|error| error.shifted(start))?)
            }
        };
        Ok(Self {
            object,
            point,
            locator: Locator::parse(locator),
        })
    }

    /// Puts together what `--from`, `--at`, `--volume` and a path behind `--` gave. In the path
    /// `//` means what it means in an address. A local file with a point becomes `file:`.
    #[must_use]
    pub fn from_parts(
        object: Object,
        point: Option<PointSpec>,
        volume: Option<&OsStr>,
        path: Option<&OsStr>,
    ) -> Self {
        let object = match (object, &point) {
            (Object::Local(name), Some(_)) => Object::Provider {
                provider: Provider::File,
                name,
                keys: Vec::new(),
            },
            (object, _) => object,
        };
        let locator = match (volume, path) {
            (None, None) => Locator::None,
            (None, Some(path)) => Locator::guest(path),
            (Some(volume), None) => Locator::volume(volume),
            (Some(volume), Some(path)) => {
                let volume = volume.as_bytes();
                let mut joined = volume.strip_suffix(b"/").unwrap_or(volume).to_vec();
                if !path.as_bytes().starts_with(b"/") {
                    joined.push(b'/');
                }
                joined.extend_from_slice(path.as_bytes());
                Locator::volume(OsStr::from_bytes(&joined))
            }
        };
        Self {
            object,
            point,
            locator,
        }
    }

    /// The address of another path in the same view; see [`Locator::with_path`].
    #[must_use]
    pub fn with_path(&self, path: &OsStr) -> Self {
        Self {
            locator: self.locator.with_path(path),
            ..self.clone()
        }
    }

    /// The address of an entry of the directory this one names; see [`Locator::child`].
    #[must_use]
    pub fn child(&self, name: &OsStr) -> Self {
        Self {
            locator: self.locator.child(name),
            ..self.clone()
        }
    }
}

/// Reads the bytes behind the `@`. `keyed`: keys before the `@` are possible, so that what looks
/// like one behind it is a slip.
fn parse_point(text: &[u8], keyed: bool) -> Result<PointSpec, AddressError> {
    let text = str::from_utf8(text).map_err(|error| {
        let hint = "`flr points OBJECT` lists the points";
        AddressError::new("expected UTF-8 in a point", error.valid_up_to(), hint)
    })?;
    if keyed && object::ends_in_keys(text.as_bytes()) {
        let comma = text.find(',').unwrap_or(text.len());
        let hint = "keys stand before the point: NAME,key=value@POINT";
        return Err(AddressError::new(
            "expected no keys behind a point",
            comma,
            hint,
        ));
    }
    PointSpec::parse(text)
}
