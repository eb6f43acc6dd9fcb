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
    /// Whether something temporary has to be made for it.
    pub(super) takes_clone: bool,
}

/// What there is to look at.
pub(super) struct Plan {
    /// In order.
    pub(super) places: Vec<Place>,
    /// Whether more than one thing may be made, one after the other.
    pub(super) agreed: bool,
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

/// Every point that the addresses name, in order. What has to be made for them is told before anything is.
pub(super) fn all(ctx: &mut Context<'_>, args: &Versions) -> Outcome<Plan> {
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
            let takes_clone = how.access == AccessMode::Clone || point.access == Access::Clone;
            if takes_clone {
                clones.add(&*catalog, point, &how);
            }
            places.push(Place {
                address: at,
                known: Some((Arc::clone(&catalog), Arc::clone(&points))),
                point: Some((point.id.clone(), timestamp(point.time))),
                takes_clone,
            });
        }
    }
    let agreed = clones.check(ctx, args, places.len())?;
    Ok(Plan { places, agreed })
}

fn alone(address: Address) -> Place {
    Place {
        address,
        known: None,
        point: None,
        takes_clone: false,
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
    /// The dearest of them.
    dollars_max: f64,
    unknown: bool,
    /// What is made for one of them, in the provider's words.
    each: Option<String>,
    /// The least that any of them may cost in all.
    max_cost: Option<f64>,
}

impl Clones {
    fn add(
        &mut self,
        catalog: &dyn Catalog,
        point: &PointInfo,
        how: &flr_provider::point::OpenHow,
    ) {
        self.count = self.count.saturating_add(1);
        self.max_cost = match (self.max_cost, how.max_cost) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        let Ok(estimate) = catalog.cost(point, how, 0) else {
            self.unknown = true;
            return;
        };
        match estimate.dollars {
            Some(dollars) => {
                self.dollars += dollars;
                self.dollars_max = self.dollars_max.max(dollars);
            }
            None => self.unknown = true,
        }
        if self.each.is_none() {
            self.each = estimate.notes.into_iter().next();
        }
    }

    /// Whether more than one may be made, which has been agreed to: what every command makes unasked is one. Tells
    /// what it takes.
    fn check(&mut self, ctx: &mut Context<'_>, args: &Versions, all: usize) -> Outcome<bool> {
        let options = &ctx.global.remote;
        if self.count < 2 {
            return Ok(options.yes);
        }
        if options.keep {
            let what = format!("--keep would leave {} temporary volumes", self.count);
            let hint = "name one point, or leave --keep out";
            return Err(Failure::new(Exit::Usage, what).hint(hint).into());
        }
        let (again, for_what) = match (args.diff.is_empty(), args.restore) {
            (false, _) => (2_u8, ", and 2 more for --diff"),
            (true, Some(_)) => (1, ", and one more for --restore"),
            (true, None) => (0, ""),
        };
        self.dollars += self.dollars_max * f64::from(again);
        let cost = match self.unknown {
            true => "at a cost that is not known".to_owned(),
            false => format!("for about ${:.6}", self.dollars),
        };
        let what = format!(
            "{} of {all} points take a temporary volume each{for_what}, one after the other, {cost}",
            self.count
        );
        if let Some(each) = &self.each {
            ctx.out.note(&format!("for each point: {each}"));
        }
        if options.yes {
            ctx.out.note(&what);
            return Ok(true);
        }
        match self.max_cost {
            // Whoever says how much has agreed to that.
            Some(max) if !self.unknown && self.dollars <= max => {
                ctx.out.note(&what);
                Ok(true)
            }
            Some(max) if !self.unknown => {
                let what = format!("{what}, more than ${max}");
                let hint = "--since and --until choose points; a higher --max-cost or --yes agrees";
                Err(Failure::new(Exit::Cost, what).hint(hint).into())
            }
            _ => {
                let hint = "--since and --until choose points, --yes agrees";
                Err(Failure::new(Exit::Cost, what).hint(hint).into())
            }
        }
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
