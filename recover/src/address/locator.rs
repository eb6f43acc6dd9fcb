//! What stands behind the object: which view of it, and the path in that view.
//!
//! ```text
//! :/etc/hosts                    guest view
//! :C:\Users\bob                  guest view, /C:/Users/bob
//! ::part/2/etc/hosts             volume view; empty lists the volumes
//! :/web/web.vmdk//etc/hosts      guest view, then perhaps an image's guest view
//! :/web/web.vmdk//::part/2/etc   guest view, then perhaps an image's volume view
//! ```
//!
//! Whether the thing left of `//` is a file (opened as a disk image) or a directory (`//` is then
//! one slash) only the disk can tell. So every `//` is kept as a possible boundary, and who walks
//! the path calls [`Locator::merged`] for those that turn out to be slashes. Longer runs of
//! slashes are one boundary. `.`, `..` and links are left alone, and so is a slash at the end.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use super::scan::{begins_drive, find};

/// Which way of looking at a disk a path is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum View {
    /// The guest's own: its root filesystem and what it mounts there, or Windows drives.
    Guest,
    /// Partitions, volumes and filesystems by their own names.
    Volume,
}

/// The part of an address behind the object and the point.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub enum Locator {
    /// Nothing: the whole object. Most commands then mean the guest view's root.
    #[default]
    None,
    /// Begins in the object's guest view.
    Guest(Steps),
    /// Begins in the object's volume view.
    Volume(Steps),
}

/// A path and what follows its `//` boundaries.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Steps {
    /// In the object itself. In the guest view it begins with `/`; in the volume view it does
    /// not, and may be empty. Holds no `//`.
    pub path: OsString,
    /// In order; each path is in the image that the one before it names.
    pub nested: Vec<Step>,
}

/// What follows one `//`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Step {
    /// `//::` is [`View::Volume`], any other `//` is [`View::Guest`].
    pub view: View,
    /// As [`Steps::path`]; `/` where nothing follows the `//`.
    pub path: OsString,
}

impl Locator {
    /// A path in the guest view, split at its `//`. `X:\…` (up to the first `//`) and `X:/…`
    /// become `/X:/…`; a missing leading slash is added.
    #[must_use]
    pub fn guest(path: &OsStr) -> Self {
        let path = path.as_bytes();
        if !begins_drive(path) {
            return Self::from_text(View::Guest, path);
        }
        let backslashes = path.get(2) == Some(&b'\\');
        let drive_part = find(path, b"//").unwrap_or(path.len());
        let mut slashed = path.to_vec();
        for (index, byte) in slashed.iter_mut().take(drive_part).enumerate() {
            match byte {
                b'\\' if backslashes => *byte = b'/',
                letter if index == 0 => letter.make_ascii_uppercase(),
                _ => {}
            }
        }
        Self::from_text(View::Guest, &slashed)
    }

    /// A path in the volume view, split at its `//`; leading slashes are dropped.
    #[must_use]
    pub fn volume(path: &OsStr) -> Self {
        Self::from_text(View::Volume, path.as_bytes())
    }

    /// `text` begins at the `:` that [`super::scan::locator_start`] found.
    pub(super) fn parse(text: &[u8]) -> Self {
        match text {
            [] => Self::None,
            [b':', b':', path @ ..] => Self::volume(OsStr::from_bytes(path)),
            [_, path @ ..] => Self::guest(OsStr::from_bytes(path)),
        }
    }

    fn from_text(view: View, text: &[u8]) -> Self {
        let (path, mut rest) = split_boundary(text.trim_prefix_slashes());
        let first = rooted(view, path);
        let mut nested = Vec::new();
        while let Some(text) = rest {
            let (view, text) = match text.strip_prefix(b"::") {
                Some(text) => (View::Volume, text.trim_prefix_slashes()),
                None => (View::Guest, text),
            };
            let path;
            (path, rest) = split_boundary(text);
            nested.push(Step {
                view,
                path: rooted(view, path),
            });
        }
        Self::from_steps(
            view,
            Steps {
                path: first,
                nested,
            },
        )
    }

    fn from_steps(view: View, steps: Steps) -> Self {
        match view {
            View::Guest => Self::Guest(steps),
            View::Volume => Self::Volume(steps),
        }
    }

    /// The object's own view and the path with what follows it; `None` for no locator.
    #[must_use]
    pub fn steps(&self) -> Option<(View, &Steps)> {
        match self {
            Self::None => None,
            Self::Guest(steps) => Some((View::Guest, steps)),
            Self::Volume(steps) => Some((View::Volume, steps)),
        }
    }

    /// The view and path behind the last boundary; `None` for no locator.
    #[must_use]
    pub fn last(&self) -> Option<(View, &OsStr)> {
        let (view, steps) = self.steps()?;
        Some(match steps.nested.last() {
            Some(step) => (step.view, step.path.as_os_str()),
            None => (view, steps.path.as_os_str()),
        })
    }

    /// The same locator where the boundary before `nested[boundary]` is one slash, its left side
    /// being a directory. Unchanged if there is no such boundary.
    #[must_use]
    pub fn merged(&self, boundary: usize) -> Self {
        let Some((view, steps)) = self.steps() else {
            return Self::None;
        };
        let mut steps = steps.clone();
        if boundary < steps.nested.len() {
            let step = steps.nested.remove(boundary);
            let left = match boundary
                .checked_sub(1)
                .and_then(|left| steps.nested.get_mut(left))
            {
                Some(step) => &mut step.path,
                None => &mut steps.path,
            };
            left.push(match step.view {
                View::Guest => "",
                View::Volume => "/::",
            });
            left.push(step.path);
        }
        Self::from_steps(view, steps)
    }

    /// The same locator with another path behind the last boundary: `path` is absolute inside
    /// that view, as `node.path` is; runs of slashes count as one. `None` becomes the guest view.
    #[must_use]
    pub fn with_path(&self, path: &OsStr) -> Self {
        let (view, mut steps) = match self.steps() {
            Some((view, steps)) => (view, steps.clone()),
            None => (
                View::Guest,
                Steps {
                    path: OsString::new(),
                    nested: Vec::new(),
                },
            ),
        };
        let mut bytes = path.as_bytes().to_vec();
        bytes.dedup_by(|next, last| *next == b'/' && *last == b'/');
        let bytes = bytes.trim_prefix_slashes();
        match steps.nested.last_mut() {
            // Behind `//`, a path that begins with `::` would be the volume view.
            Some(step) if step.view == View::Guest && bytes.starts_with(b"::") => {
                step.path = rooted(View::Guest, &[b"./", bytes].concat());
            }
            Some(step) => step.path = rooted(step.view, bytes),
            None => steps.path = rooted(view, bytes),
        }
        Self::from_steps(view, steps)
    }

    /// The locator of `path` in the volume view of the disk that this one leads into: of the last
    /// image behind a boundary, or of the object itself.
    #[must_use]
    pub fn in_volumes(&self, path: &OsStr) -> Self {
        let Some((view, steps)) = self.steps() else {
            return Self::volume(path);
        };
        let mut steps = steps.clone();
        let Some(step) = steps.nested.last_mut() else {
            return Self::volume(path);
        };
        *step = Step {
            view: View::Volume,
            path: rooted(View::Volume, path.as_bytes().trim_prefix_slashes()),
        };
        Self::from_steps(view, steps)
    }

    /// The locator without what follows its boundary number `count`, counted from 0.
    #[must_use]
    pub fn truncated(&self, count: usize) -> Self {
        let Some((view, steps)) = self.steps() else {
            return Self::None;
        };
        let nested = steps.nested.iter().take(count).cloned().collect();
        let path = steps.path.clone();
        Self::from_steps(view, Steps { path, nested })
    }

    /// The locator of an entry of the directory this one leads to. `name` is one component.
    #[must_use]
    pub fn child(&self, name: &OsStr) -> Self {
        let mut path = self
            .last()
            .map(|(_, path)| path.to_owned())
            .unwrap_or_default();
        path.push("/");
        path.push(name);
        self.with_path(&path)
    }

    /// As in an address; empty for [`Locator::None`].
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let Some((view, steps)) = self.steps() else {
            return Vec::new();
        };
        let mut text = match view {
            View::Guest => b":".to_vec(),
            View::Volume => b"::".to_vec(),
        };
        text.extend_from_slice(&steps.to_bytes());
        text
    }
}

impl Steps {
    /// The path with everything nested, without the marks before it.
    fn to_bytes(&self) -> Vec<u8> {
        [self.path.as_bytes(), &self.nested_bytes()].concat()
    }

    /// Everything behind the first path.
    pub(super) fn nested_bytes(&self) -> Vec<u8> {
        let mut text = Vec::new();
        for step in &self.nested {
            text.extend_from_slice(match step.view {
                View::Guest => b"/",
                View::Volume => b"//::",
            });
            text.extend_from_slice(step.path.as_bytes());
        }
        text
    }
}

/// The text before the first `//`, and what follows it and all its slashes.
fn split_boundary(text: &[u8]) -> (&[u8], Option<&[u8]>) {
    match find(text, b"//").and_then(|at| text.split_at_checked(at)) {
        Some((path, rest)) => (path, Some(rest.trim_prefix_slashes())),
        None => (text, None),
    }
}

fn rooted(view: View, relative: &[u8]) -> OsString {
    let root: &[u8] = match view {
        View::Guest => b"/",
        View::Volume => b"",
    };
    OsString::from_vec([root, relative].concat())
}

trait TrimSlashes {
    fn trim_prefix_slashes(&self) -> &Self;
}

impl TrimSlashes for [u8] {
    fn trim_prefix_slashes(&self) -> &Self {
        let slashes = self.iter().take_while(|byte| **byte == b'/').count();
        self.get(slashes..).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Views and paths, as `g/etc` and `vpart/2`.
    fn shape(locator: &Locator) -> Vec<String> {
        let one = |view, path: &OsStr| {
            let view = if view == View::Guest { 'g' } else { 'v' };
            format!("{view}{}", path.to_str().unwrap())
        };
        let Some((view, steps)) = locator.steps() else {
            return Vec::new();
        };
        let nested = steps.nested.iter().map(|step| one(step.view, &step.path));
        std::iter::once(one(view, &steps.path))
            .chain(nested)
            .collect()
    }

    fn parse(text: &str) -> Locator {
        Locator::parse(text.as_bytes())
    }

    #[test]
    fn boundaries_are_kept() {
        for (text, steps) in [
            (":/etc", vec!["g/etc"]),
            (":/etc/", vec!["g/etc/"]),
            ("::", vec!["v"]),
            ("::/part/2/", vec!["vpart/2/"]),
            (":/a.vmdk//b", vec!["g/a.vmdk", "g/b"]),
            (":/a.vmdk//", vec!["g/a.vmdk", "g/"]),
            (":/a//::", vec!["g/a", "v"]),
            (
                ":/a////::part/1//b.img/////c/",
                vec!["g/a", "vpart/1", "g/b.img", "g/c/"],
            ),
            (":/a/::b", vec!["g/a/::b"]),
            (":://a", vec!["va"]),
            (":/C:/a", vec!["g/C:/a"]),
            (":c:/a\\b", vec!["g/C:/a\\b"]),
            (
                ":C:\\a\\b.vhd//::fs/x\\x2fy",
                vec!["g/C:/a/b.vhd", "vfs/x\\x2fy"],
            ),
            (":C:\\\\a", vec!["g/C:", "g/a"]),
        ] {
            assert_eq!(shape(&parse(text)), steps, "{text}");
            let printed = parse(text).to_bytes();
            assert_eq!(Locator::parse(&printed), parse(text), "{text}");
        }
    }

    #[test]
    fn a_boundary_that_is_a_slash_merges() {
        let locator = parse(":/a//b//::c//d");
        assert_eq!(shape(&locator.merged(0)), ["g/a/b", "vc", "g/d"]);
        assert_eq!(shape(&locator.merged(1)), ["g/a", "g/b/::c", "g/d"]);
        assert_eq!(shape(&locator.merged(2)), ["g/a", "g/b", "vc/d"]);
        assert_eq!(locator.merged(3), locator);
        assert_eq!(shape(&parse(":/etc//").merged(0)), ["g/etc/"]);
        assert_eq!(Locator::None.merged(0), Locator::None);
    }

    #[test]
    fn paths_inside_the_view_replace_the_last_one() {
        let path = |locator: &str, path: &str| shape(&parse(locator).with_path(OsStr::new(path)));
        assert_eq!(path("", "/etc//x"), ["g/etc/x"]);
        assert_eq!(path("::part/2", "/part/2/etc"), ["vpart/2/etc"]);
        assert_eq!(path("::part/2", "/"), ["v"]);
        assert_eq!(path(":/a//b", "/c"), ["g/a", "g/c"]);
        assert_eq!(path(":/a//::b", "c"), ["g/a", "vc"]);
        assert_eq!(path(":/a//b", "/::c"), ["g/a", "g/./::c"]);
        assert_eq!(path(":/a", "/::c"), ["g/::c"]);
    }

    #[test]
    fn volumes_of_the_innermost_disk() {
        let volume = |text: &str| shape(&parse(text).in_volumes(OsStr::new("part/1")));
        assert_eq!(volume(""), ["vpart/1"]);
        assert_eq!(volume(":/etc"), ["vpart/1"]);
        assert_eq!(volume("::part/2/x"), ["vpart/1"]);
        assert_eq!(volume(":/a//"), ["g/a", "vpart/1"]);
        assert_eq!(volume(":/a//::b//c"), ["g/a", "vb", "vpart/1"]);
    }

    #[test]
    fn what_follows_a_boundary_can_be_cut_off() {
        let locator = parse(":/a//b//::c//d");
        assert_eq!(shape(&locator.truncated(0)), ["g/a"]);
        assert_eq!(shape(&locator.truncated(2)), ["g/a", "g/b", "vc"]);
        assert_eq!(locator.truncated(3), locator);
        assert_eq!(Locator::None.truncated(0), Locator::None);
    }

    #[test]
    fn children_are_one_component_deeper() {
        let child = |locator: &str| shape(&parse(locator).child(OsStr::new("x")));
        assert_eq!(child(""), ["g/x"]);
        assert_eq!(child(":/"), ["g/x"]);
        assert_eq!(child(":/etc/"), ["g/etc/x"]);
        assert_eq!(child("::"), ["vx"]);
        assert_eq!(child("::part/2"), ["vpart/2/x"]);
        assert_eq!(child(":/a//"), ["g/a", "g/x"]);
    }
}
