//! From an object and a point in time to its disks.

use super::noticing::{Noticed, Noticing};
use super::words::{describe, explain_file};
use super::{Opener, quoted};
use crate::exit::Exit;
use crate::output::{Failure, Output};
use crate::remote::failure_of;
use crate::when;
use flr_fs::{ByteSource, Filesystem, Volume};
use flr_provider::point::{Access, AccessMode, Catalog, Disk, OpenHow, OpenedPoint, PointInfo};
use flr_recover::Point;
use flr_recover::address::{Address, Locator, Object, View};
use flr_recover::choose::{Choice, NoPoint, choose};
use flr_recover::diff::Kept;
use flr_recover::origin::{self, Origin};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What an object is at a point.
enum Content {
    /// Disks, with something on them.
    Disks(Vec<Volume>),
    /// Files, as the provider shows them.
    Files(Arc<dyn Filesystem>),
}

impl Opener<'_> {
    /// The point that an address's object names.
    pub(crate) fn point(
        &mut self,
        address: &Address,
        out: &mut Output,
    ) -> Result<Arc<Point>, Failure> {
        let key = (address.object.clone(), address.point.clone());
        if let Some(point) = self.points.get(&key) {
            return Ok(Arc::clone(point));
        }
        let noticed = Noticed::default();
        let mut disks = match self.content(address, out)? {
            Content::Disks(disks) => disks,
            Content::Files(filesystem) => {
                let point = Point::of_files(filesystem);
                self.points.insert(key, Arc::clone(&point));
                return Ok(point);
            }
        };
        for disk in &mut disks {
            if !is_file(&address.object)
                && let Ok(source) = &mut disk.source
            {
                *source = Arc::new(Noticing::new(Arc::clone(source), Arc::clone(&noticed)));
            }
        }
        for path in &self.with {
            disks.push(self.file(path, false, None)?);
        }
        let count = disks.len();
        let point = Point::open(disks, &self.options);
        tracing::info!(
            object = %without_locator(address),
            disks = count,
            volumes = point.tree().volumes().len(),
            filesystems = point.places().len(),
            "opened"
        );
        if let Some(error) = noticed.get() {
            self.missed.insert(key.clone(), error.clone());
        }
        self.points.insert(key, Arc::clone(&point));
        Ok(point)
    }

    /// Refuses the guest's own view of disks that were not seen whole: it might be another one.
    pub(super) fn check_whole(&self, address: &Address) -> Result<(), Failure> {
        let guest = match address.locator.steps() {
            None => true,
            Some((view, _)) => view == View::Guest,
        };
        let key = (address.object.clone(), address.point.clone());
        match self.missed.get(&key) {
            Some(error) if guest => {
                let object = without_locator(address).to_string();
                Err(describe(&error.clone().into(), &object))
            }
            _ => Ok(()),
        }
    }

    /// Files that the opened objects are read from.
    pub(crate) fn files(&self, address: &Address) -> Vec<PathBuf> {
        let own = match origin::origin(&address.object, &origin::Settings::default()) {
            Ok(Origin::File { path, .. }) if is_file(&address.object) => Some(path),
            _ => None,
        };
        own.into_iter().chain(self.with.iter().cloned()).collect()
    }

    /// The provider and the point that an opened address is read from, if it has one.
    pub(crate) fn catalog_of(&self, address: &Address) -> Option<(&dyn Catalog, &PointInfo)> {
        let key = (address.object.clone(), address.point.clone());
        let (catalog, point) = self.chosen.get(&key)?;
        Some((&**catalog, point))
    }

    /// What two opened points have in common, if their provider can tell.
    pub(crate) fn kept(&self, before: &Address, after: &Address) -> Result<Kept, Failure> {
        let key = |address: &Address| (address.object.clone(), address.point.clone());
        let (before_key, after_key) = (key(before), key(after));
        let (Some((_, old)), Some((catalog, new))) =
            (self.chosen.get(&before_key), self.chosen.get(&after_key))
        else {
            return Ok(Kept::default());
        };
        let asked = |address: &Address| -> Result<_, Failure> {
            let settings = self.remote.origin_settings(&address.object)?;
            Ok(origin::asked(&address.object, &settings))
        };
        let is_one_catalog = before.object == after.object
            || asked(before)?.is_some_and(|one| asked(after).is_ok_and(|it| it == Some(one)));
        let points = (self.points.get(&before_key), self.points.get(&after_key));
        let (true, (Some(old_point), Some(new_point))) = (is_one_catalog, points) else {
            return Ok(Kept::default());
        };
        let common = catalog.common(old, new, &self.how(after)?);
        Ok(Kept::new(old_point, new_point, &common))
    }

    fn content(&mut self, address: &Address, out: &mut Output) -> Result<Content, Failure> {
        if let Some((catalog, points)) = self.listed.get(&address.object) {
            let (catalog, points) = (Arc::clone(catalog), Arc::clone(points));
            return self.content_of(address, catalog, &points, out);
        }
        match self.origin(address)? {
            Origin::File { path, raw } => {
                let file = self.file(&path, raw, Some(address))?;
                Ok(Content::Disks(vec![file]))
            }
            Origin::Disk(disk) => Ok(Content::Disks(vec![volume(disk)])),
            Origin::Catalog { catalog, object } => {
                let points = (catalog.points(&object)).map_err(|error| failed(address, &error))?;
                self.content_of(address, catalog, &points, out)
            }
        }
    }

    /// The content of the one of these points that is meant.
    fn content_of(
        &mut self,
        address: &Address,
        catalog: Arc<dyn Catalog>,
        points: &[PointInfo],
        out: &mut Output,
    ) -> Result<Content, Failure> {
        let (point, notes) = self.chosen(address, points)?;
        for note in &notes {
            out.note(note);
        }
        let key = (address.object.clone(), address.point.clone());
        let mut how = self.how(address)?;
        if self.only_looks && how.access == AccessMode::Auto {
            how.access = AccessMode::Direct;
        }
        let files = catalog.open_files(point, &how);
        if let Some(files) = files.map_err(|error| failed(address, &error))? {
            for note in &files.notes {
                out.note(note);
            }
            if let Some(held) = files.held {
                self.remote.hold(held);
            }
            self.chosen.insert(key, (catalog, point.clone()));
            return Ok(Content::Files(files.filesystem));
        }
        let opened = self.open_point(&*catalog, point, address)?;
        for note in &opened.notes {
            out.note(note);
        }
        if let Some(held) = opened.held {
            self.remote.hold(held);
        }
        self.chosen.insert(key, (catalog, point.clone()));
        let disks = opened.disks.into_iter().map(volume);
        Ok(Content::Disks(disks.collect()))
    }

    /// Where the bytes of an address come from. A file has no points.
    pub(crate) fn origin(&self, address: &Address) -> Result<Origin, Failure> {
        let settings = self.remote.origin_settings(&address.object)?;
        let origin = origin::origin(&address.object, &settings);
        let origin = origin.map_err(|error| failed(address, &error))?;
        if address.point.is_some() && !matches!(origin, Origin::Catalog { .. }) {
            let object = match &origin {
                Origin::File { path, .. } => Object::Local(path.into()),
                Origin::Disk(_) | Origin::Catalog { .. } => address.object.clone(),
            };
            let now = Address {
                object,
                point: None,
                ..address.clone()
            };
            let what = match origin {
                Origin::File { .. } => "points inside of an image file are not read yet",
                _ => "it has no points in time",
            };
            return Err(
                Failure::new(Exit::Unsupported, format!("{address}: {what}"))
                    .hint(format!("its present state is {now}")),
            );
        }
        Ok(origin)
    }

    /// The point that is meant, and what is to be said of the choice.
    pub(crate) fn chosen<'p>(
        &self,
        address: &Address,
        points: &'p [PointInfo],
    ) -> Result<(&'p PointInfo, Vec<String>), Failure> {
        let zone = self.remote.zone();
        let spec = address.point.as_ref();
        if let ([only], None) = (points, spec)
            && !only.is_complete()
        {
            return Err(unfinished(address, only));
        }
        let choice = choose(points, spec, zone, jiff::Timestamp::now())
            .map_err(|error| self.no_point(address, &error))?;
        let Choice { point, mut notes } = choice;
        // A snapshot that was named by its id was not chosen.
        if !without_locator(address).to_string().contains(&point.id) {
            notes.insert(0, format!("reading {}", told(point, zone)));
        }
        Ok((point, notes))
    }

    fn no_point(&self, address: &Address, error: &NoPoint) -> Failure {
        let zone = self.remote.zone();
        let object = without_locator(address);
        let all = Address {
            point: None,
            ..object.clone()
        };
        let list = format!("flr points {}", quoted(&all.to_string()));
        let near = error.neighbours.iter().map(|point| told(point, zone));
        let near: Vec<_> = near.collect();
        let hint = match near.is_empty() {
            true => list,
            false => format!("nearest: {}; all of them: {list}", near.join(" and ")),
        };
        Failure::new(Exit::NoSuchSource, format!("{object}: {}", error.what)).hint(hint)
    }

    fn open_point(
        &self,
        catalog: &dyn Catalog,
        point: &PointInfo,
        address: &Address,
    ) -> Result<OpenedPoint, Failure> {
        let how = self.how(address)?;
        (catalog.open(point, &how)).map_err(|error| failed(address, &error))
    }

    /// What the user allows and wants.
    pub(crate) fn how(&self, address: &Address) -> Result<OpenHow, Failure> {
        let options = &self.global.remote;
        let values = self.remote.values(&address.object)?;
        Ok(OpenHow {
            access: values.access(),
            ttl: values.ttl(),
            keep: options.keep,
            max_cost: values.max_cost_usd(),
            spent: self.remote.spent(),
            yes: options.yes,
            reason: options.reason.clone(),
            tags: values.tags(),
            interrupt: Some(self.remote.interrupt()?),
        })
    }

    /// What is said of a file that is not there.
    pub(crate) fn no_file(path: &Path, address: &Address) -> Failure {
        let error = flr_provider::Error::NotFound {
            path: path.to_owned(),
        };
        explain_file(&error, path, Some(address))
    }

    fn file(&self, path: &Path, raw: bool, address: Option<&Address>) -> Result<Volume, Failure> {
        let options = flr_provider::OpenOptions {
            live: self.global.live,
        };
        let source = flr_provider::FileSource::open(path, options)
            .map_err(|error| explain_file(&error, path, address))?;
        let source: Arc<dyn ByteSource> = Arc::new(source);
        Ok(Volume {
            may_be_container: !raw && path.is_file(),
            ..Volume::disk(source)
        })
    }
}

/// Why the only point that there is cannot be read, or not yet.
fn unfinished(address: &Address, point: &PointInfo) -> Failure {
    let object = without_locator(address);
    let why = match &point.access {
        Access::None(why) => why.clone(),
        Access::Direct | Access::Clone => format!("its state is {}", point.state),
    };
    let exit = match point.state.as_str() {
        "pending" => Exit::Temporary,
        _ => Exit::Unsupported,
    };
    let what = format!("{} cannot be read: {why}", point.id);
    let what = match object.to_string() == point.id {
        true => what,
        false => format!("{object}: {what}"),
    };
    let list = format!("flr points {}", quoted(&object.to_string()));
    Failure::new(exit, what).hint(list)
}

/// A failure of a provider, with the object that was asked for.
fn failed(address: &Address, error: &flr_provider::Error) -> Failure {
    failure_of(&without_locator(address).to_string(), error)
}

fn without_locator(address: &Address) -> Address {
    Address {
        locator: Locator::None,
        ..address.clone()
    }
}

fn is_file(object: &Object) -> bool {
    use flr_recover::address::Provider;
    match object {
        Object::Local(_) => true,
        Object::Provider { provider, .. } => *provider == Provider::File,
        Object::Cloud { .. } | Object::Arn(_) | Object::Source { .. } | Object::Url(_) => false,
    }
}

fn volume(disk: Disk) -> Volume {
    Volume {
        may_be_container: disk.may_be_container,
        ..Volume::disk(disk.source)
    }
}

/// A point in a few words: what it is called and when it was taken.
fn told(point: &PointInfo, zone: &jiff::tz::TimeZone) -> String {
    let seconds = i64::try_from(point.time.0).unwrap_or(i64::MAX);
    let time = flr_fs::Timestamp {
        seconds,
        nanoseconds: 0,
    };
    format!("{} of {}", called(point), when::short(time, zone))
}

/// What people call a point: its name where its id is nothing but a number to them.
fn called(point: &PointInfo) -> &str {
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_hexdigit());
    let parts: Vec<_> = point.id.split('-').collect();
    let is_uuid = parts.iter().map(|part| part.len()).eq([8, 4, 4, 4, 12])
        && parts.iter().all(|part| digits(part));
    match &point.name {
        Some(name) if is_uuid && !name.is_empty() => name,
        _ => &point.id,
    }
}
