//! At which points a file is looked for, and whether that may be done.

use crate::args_trees::Versions;
use crate::commands::Context;
use crate::commands::points::timestamp;
use crate::exit::Exit;
use crate::open::{Listed, Opener, quoted};
use crate::output::{Failure, Outcome};
use crate::remote::failure_of;
use crate::when;
use flr_fs::Timestamp;
use flr_provider::point::{Access, AccessMode, Catalog, PointInfo};
use flr_recover::address::{Address, Locator, PointSpec};
use flr_recover::origin::Origin;
use flr_recover::shown::for_terminal;
use jiff::tz::TimeZone;
use serde_json::{Map, Value};
use std::ffi::OsStr;
use std::sync::Arc;

/// A point at which the file is looked for.
pub(super) struct Place {
    /// The file at that point.
    pub(super) address: Address,
    /// The provider and all points, if the address has any.
    pub(super) known: Option<Listed>,
    /// Id and time of the point.
    point: Option<(String, Timestamp)>,
}

impl Place {
    /// What people call the point: its time, or the object.
    pub(super) fn label(&self, zone: &TimeZone) -> String {
        match &self.point {
            Some((id, time)) => format!(
                "{} ({})",
                when::short(*time, zone),
                for_terminal(id.as_bytes())
            ),
            None => Address {
                locator: Locator::None,
                ..self.address.clone()
            }
            .to_string(),
        }
    }

    /// The point for programs.
    pub(super) fn json(&self) -> Value {
        let mut map = Map::new();
        map.insert("address".into(), self.address.to_string().into());
        if let Some((id, time)) = &self.point {
            map.insert("id".into(), id.clone().into());
            map.insert("time".into(), when::rfc3339(*time).into());
        }
        map.into()
    }
}

/// Every point that the addresses name, in order.
pub(super) fn all(ctx: &mut Context<'_>, args: &Versions) -> Outcome<Vec<Place>> {
    let opener = Opener::new(ctx);
    let mut places = Vec::new();
    let mut clones = Clones::default();
    let since = time(ctx, "--since", args.since.as_ref())?;
    let until = time(ctx, "--until", args.until.as_ref())?;
    for address in opener.addresses(&args.addresses)? {
        let address = with_path(address, args)?;
        let origin = match address.point {
            None => opener.origin(&address)?,
            // That one and no other.
            Some(_) => {
                places.push(alone(address));
                continue;
            }
        };
        let Origin::Catalog { catalog, object } = origin else {
            places.push(alone(address));
            continue;
        };
        let points = catalog.points(&object);
        let points: Arc<[PointInfo]> = points
            .map_err(|error| failure_of(&address.to_string(), &error))?
            .into();
        let how = opener.how(&address)?;
        for point in points.iter().filter(|point| {
            let at = timestamp(point.time);
            since.is_none_or(|since| at >= since) && until.is_none_or(|until| at < until)
        }) {
            let at = Address {
                point: Some(PointSpec::Name(point.id.clone())),
                ..address.clone()
            };
            if !is_readable(ctx, point, &at)? {
                continue;
            }
            if how.access == AccessMode::Clone || point.access == Access::Clone {
                clones.add(&*catalog, point, &how);
            }
            places.push(Place {
                address: at,
                known: Some((Arc::clone(&catalog), Arc::clone(&points))),
                point: Some((point.id.clone(), timestamp(point.time))),
            });
        }
    }
    clones.check(ctx, places.len())?;
    Ok(places)
}

fn alone(address: Address) -> Place {
    Place {
        address,
        known: None,
        point: None,
    }
}

fn with_path(address: Address, args: &Versions) -> Result<Address, Failure> {
    match (&args.path, &address.locator) {
        (None, Locator::None) => {
            let what = format!("{address}: versions are of a file, which the address lacks");
            let shown = address.to_string();
            let hint = format!("flr versions {}", quoted(&format!("{shown}:/etc/fstab")));
            Err(Failure::new(Exit::Usage, what).hint(hint))
        }
        (None, _) => Ok(address),
        (Some(path), Locator::None) => Ok(Address {
            locator: Locator::guest(rooted(path).as_ref()),
            ..address
        }),
        (Some(_), _) => {
            let what = format!("{address}: has a path, and so does --path");
            Err(Failure::new(Exit::Usage, what).hint("leave one of them out"))
        }
    }
}

/// The path with a slash in front.
fn rooted(path: &OsStr) -> std::ffi::OsString {
    use std::os::unix::ffi::OsStrExt;
    let mut rooted = std::ffi::OsString::new();
    if !path.as_bytes().starts_with(b"/") {
        rooted.push("/");
    }
    rooted.push(path);
    rooted
}

/// Whether a point can be read at all. One that is not finished is passed over; one that never will be is told.
fn is_readable(ctx: &mut Context<'_>, point: &PointInfo, at: &Address) -> Outcome<bool> {
    if !point.is_complete() {
        let id = for_terminal(point.id.as_bytes());
        let state = for_terminal(point.state.as_bytes());
        ctx.out
            .note(&format!("{id} is {state} and was passed over"));
        return Ok(false);
    }
    match &point.access {
        Access::Direct | Access::Clone => Ok(true),
        Access::None(why) => {
            let what = format!("{at}: cannot be read: {why}");
            ctx.fail(&at.to_string(), &Failure::new(Exit::Unsupported, what))?;
            Ok(false)
        }
    }
}

/// Points for which something temporary has to be made.
#[derive(Default)]
struct Clones {
    count: usize,
    dollars: f64,
    unknown: bool,
}

impl Clones {
    fn add(
        &mut self,
        catalog: &dyn Catalog,
        point: &PointInfo,
        how: &flr_provider::point::OpenHow,
    ) {
        self.count = self.count.saturating_add(1);
        match catalog.cost(point, how, 0).map(|estimate| estimate.dollars) {
            Ok(Some(dollars)) => self.dollars += dollars,
            Ok(None) | Err(_) => self.unknown = true,
        }
    }

    /// Whether they may be made: one is what every command makes unasked, many are not.
    fn check(&self, ctx: &Context<'_>, all: usize) -> Result<(), Failure> {
        if self.count < 2 || ctx.global.remote.yes {
            return Ok(());
        }
        let cost = match self.unknown {
            true => "at a cost that is not known".to_owned(),
            false => format!("for about ${:.6}", self.dollars),
        };
        let what = format!(
            "{} of {all} points take a temporary volume each, one after the other, {cost}",
            self.count
        );
        let hint = "--since and --until choose points, --yes agrees";
        Err(Failure::new(Exit::Cost, what).hint(hint))
    }
}

fn time(
    ctx: &Context<'_>,
    flag: &str,
    text: Option<&String>,
) -> Result<Option<Timestamp>, Failure> {
    let parse = |text: &String| {
        when::parse(text, &ctx.zone).ok_or_else(|| {
            Failure::new(Exit::Usage, format!("{flag} {text}: expected a time"))
                .hint("2026-11-18, 2026-11-18T03:00, 3d or 2h")
        })
    };
    text.map(parse).transpose()
}
