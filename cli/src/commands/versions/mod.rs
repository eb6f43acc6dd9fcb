//! `flr versions`: the versions of one file over all points in time, each once.

mod lines;
mod places;

use super::cp;
use super::{Context, volumes::size_text};
use crate::args_trees::Versions;
use crate::exit::Exit;
use crate::hash;
use crate::node::put_bytes;
use crate::open::{Opened, Opener, describe, quoted};
use crate::output::{Failure, Outcome, Stop, fields};
use crate::{table, when};
use flr_fs::{FileKind, Metadata};
use flr_recover::address::Address;
use flr_recover::copy::{CopyOptions, Overwrite};
use places::{Place, Plan};
use serde_json::{Map, Value, json};
use std::os::unix::ffi::OsStrExt;

/// Points that are named at which the file is not there.
const ABSENT_SHOWN: usize = 8;

/// A version, and where it is found.
struct Version {
    metadata: Metadata,
    path: Vec<u8>,
    /// The name of the hash, and the hash.
    hash: Option<(&'static str, String)>,
    /// The newest point that has it: the one that will be there longest.
    address: Address,
    places: Vec<Place>,
}

/// What was found at all points.
#[derive(Default)]
struct Found {
    versions: Vec<Version>,
    /// Points at which the file is not there.
    absent: Vec<Place>,
    /// Why not, at the last of them.
    missing: Option<Failure>,
}

/// Runs the command.
pub(crate) fn run(ctx: &mut Context<'_>, args: &Versions) -> Outcome {
    let Plan { places, agreed } = places::all(ctx, args)?;
    let mut found = Found::default();
    let all = places.len();
    let mut unplanned = 0_usize;
    for (done, place) in places.into_iter().enumerate() {
        let planned = place.takes_clone;
        if !planned && unplanned > 0 && !agreed {
            let what = "points that should be read directly take a temporary volume each";
            let hint = "--access direct reads them directly or not at all, --yes agrees";
            return Err(cut_off(Failure::new(Exit::Cost, what).hint(hint), done, all).into());
        }
        look(ctx, args, &mut found, place).map_err(|stop| match stop {
            Stop::Failure(failure) => cut_off(failure, done, all).into(),
            stop => stop,
        })?;
        if !planned && !ctx.remote.sessions().is_empty() {
            unplanned = unplanned.saturating_add(1);
        }
        // One point at a time is held, and what was made for it goes before the next.
        let is_gone = ctx.remote.release();
        if let Some(signal) = ctx.remote.signal() {
            return Ok(signal);
        }
        let done = done.saturating_add(1);
        if !is_gone && done < all {
            let what = "what was made for the last point is there still, so nothing more is made";
            return Err(cut_off(Failure::new(Exit::Failed, what), done, all).into());
        }
    }
    if found.versions.is_empty()
        && let Some(missing) = found.missing.take()
        && ctx.tally.failures() == 0
    {
        return Err(missing.into());
    }
    if let [one, other] = args.diff.as_slice() {
        let (one, other) = (found.version(*one)?, found.version(*other)?);
        lines::diff(ctx, one, other)?;
        return Ok(ctx.tally.exit());
    }
    if let (Some(number), Some(to)) = (args.restore, &args.to) {
        let address = found.version(number)?.address.clone();
        let address = address.to_os_string().map_err(|arguments| {
            let what = "no text spells the address of this file";
            Failure::new(Exit::Usage, what).hint(format!("flr cp {arguments} DEST"))
        })?;
        return cp::copy(ctx, &[address, to.clone()], true, &whole());
    }
    show(ctx, &found)?;
    Ok(ctx.tally.exit())
}

/// A failure that ends the command, with how far it got.
fn cut_off(mut failure: Failure, done: usize, all: usize) -> Failure {
    if all > 1 {
        failure
            .message
            .push_str(&format!("; {done} of {all} points were looked at"));
    }
    failure
}

/// A copy with all that the file has, read again, in the place of what stands there.
fn whole() -> CopyOptions {
    CopyOptions {
        overwrite: Overwrite::Always,
        conflicts: false,
        damage_maps: false,
        ..CopyOptions::restore()
    }
}

impl Found {
    fn version(&self, number: usize) -> Result<&Version, Failure> {
        let version = number.checked_sub(1).and_then(|at| self.versions.get(at));
        version.ok_or_else(|| {
            let what = match self.versions.len() {
                1 => format!("there is no version {number}, only 1"),
                count => format!("there is no version {number}, only 1 to {count}"),
            };
            Failure::new(Exit::Usage, what).hint("flr versions lists them")
        })
    }

    /// Adds what a point has: a version of its own, or one that was there before.
    fn add(
        &mut self,
        metadata: Metadata,
        path: Vec<u8>,
        hash: Option<(&'static str, String)>,
        place: Place,
    ) {
        let same = |version: &&mut Version| match (&version.hash, &hash) {
            (Some(one), Some(other)) => one == other,
            _ => {
                let known = &version.metadata;
                (known.kind, known.size, known.mtime)
                    == (metadata.kind, metadata.size, metadata.mtime)
                    // A link on the way that leads elsewhere now leads to another file.
                    && (version.path == path || version.address.locator != place.address.locator)
            }
        };
        if let Some(version) = self.versions.iter_mut().find(same) {
            version.address = place.address.clone();
            version.places.push(place);
            return;
        }
        self.versions.push(Version {
            metadata,
            path,
            hash,
            address: place.address.clone(),
            places: vec![place],
        });
    }
}

fn look(ctx: &mut Context<'_>, args: &Versions, found: &mut Found, place: Place) -> Outcome<()> {
    let mut opener = Opener::new(ctx);
    if let Some(known) = &place.known {
        opener = opener.knowing(&place.address.object, known);
    }
    let opened = match opener.open(&place.address, true, &mut ctx.out) {
        Ok(opened) => opened,
        Err(failure) if failure.exit == Exit::NoSuchPath && ctx.remote.over_cost().is_none() => {
            found.missing = Some(failure);
            found.absent.push(place);
            return Ok(());
        }
        Err(failure) => return told(ctx, &place.address.to_string(), failure),
    };
    let resolved = &opened.target.resolved;
    let what = opened.text_of(&resolved.path);
    if resolved.metadata.kind != FileKind::File {
        let word = resolved.metadata.kind.word();
        let text = format!("{what}: versions are of files, and this is a {word}");
        let failure = Failure::new(Exit::Usage, text).hint("flr diff compares two trees");
        return ctx.fail(&what, &failure);
    }
    let digest = match args.hash {
        None => None,
        Some(algorithm) => match digest(&opened, algorithm) {
            Ok(digest) => Some((hash::key(algorithm), digest)),
            Err(error) => return told(ctx, &what, describe(&error, &what)),
        },
    };
    ctx.tally.done();
    found.add(
        resolved.metadata.clone(),
        resolved.path.clone(),
        digest,
        place,
    );
    Ok(())
}

/// Tells of a point that failed, and goes on; what costs too much ends the command.
fn told(ctx: &mut Context<'_>, what: &str, failure: Failure) -> Outcome<()> {
    if failure.exit == Exit::Cost {
        return Err(failure.into());
    }
    if let Some(failure) = ctx.remote.over_cost() {
        return Err(failure.into());
    }
    match ctx.remote.signal() {
        // Told at the end.
        Some(_) => Ok(()),
        None => ctx.fail(what, &failure),
    }
}

fn digest(opened: &Opened, algorithm: crate::args::Algorithm) -> flr_recover::Result<String> {
    let view = &opened.target.opened.view;
    let source = view.open(opened.target.resolved.node)?;
    hash::of(&*source, algorithm, &mut |_| {})
}

fn show(ctx: &mut Context<'_>, found: &Found) -> Outcome<()> {
    ctx.totals = fields(json!({
        "versions": found.versions.len(), "absent": found.absent.len(),
    }));
    if ctx.out.json {
        for (number, version) in (1_u64..).zip(&found.versions) {
            let map = version_json(number, version);
            ctx.out.message("version", &map)?;
        }
        return Ok(());
    }
    if !found.versions.is_empty() {
        let head = ["VERSION", "MODIFIED", "SIZE", "POINTS", "FIRST", "LAST"];
        let mut rows = vec![head.map(str::to_owned)];
        for (number, version) in (1_u64..).zip(&found.versions) {
            rows.push(row(ctx, number, version));
        }
        table::print(ctx, &rows, 2)?;
    }
    tell_absent(ctx, &found.absent);
    if let Some(version) = found.versions.last() {
        let address = quoted(&version.address.to_string());
        let number = found.versions.len();
        ctx.out.note(&format!("version {number} is {address}"));
    }
    Ok(())
}

fn tell_absent(ctx: &mut Context<'_>, absent: &[Place]) {
    let names = absent.iter().take(ABSENT_SHOWN);
    let names: Vec<_> = names.map(|place| place.label(&ctx.zone)).collect();
    let names = names.join(", ");
    match absent.len().saturating_sub(ABSENT_SHOWN) {
        _ if absent.is_empty() => {}
        0 => ctx.out.note(&format!("it is not there at {names}")),
        more => ctx
            .out
            .note(&format!("it is not there at {names} and {more} more")),
    }
}

fn row(ctx: &Context<'_>, number: u64, version: &Version) -> [String; 6] {
    let label = |place: Option<&Place>| place.map(|place| place.label(&ctx.zone));
    [
        number.to_string(),
        when::short(version.metadata.mtime, &ctx.zone),
        size_text(version.metadata.size),
        version.places.len().to_string(),
        label(version.places.first()).unwrap_or_default(),
        label(version.places.last()).unwrap_or_default(),
    ]
}

fn version_json(number: u64, version: &Version) -> Map<String, Value> {
    let mut map = Map::new();
    map.insert("version".into(), number.into());
    match version.address.to_os_string() {
        Ok(address) => put_bytes(&mut map, "address", address.as_bytes()),
        Err(arguments) => {
            map.insert("address".into(), arguments.to_string().into());
        }
    }
    put_bytes(&mut map, "path", &version.path);
    let metadata = &version.metadata;
    map.append(&mut fields(json!({
        "type": metadata.kind.word(), "size": metadata.size,
        "mode": format!("{:04o}", metadata.mode), "uid": metadata.uid, "gid": metadata.gid,
        "inode": metadata.inode.to_string(), "mtime": when::rfc3339(metadata.mtime),
        "ctime": when::rfc3339(metadata.ctime),
    })));
    let points: Vec<_> = version.places.iter().map(Place::json).collect();
    map.insert("points".into(), points.into());
    if let Some((name, digest)) = &version.hash {
        map.insert((*name).to_owned(), digest.clone().into());
    }
    map
}
