//! `flr points`: the points in time of an object, oldest first.

use super::Context;
use super::volumes::size_text;
use crate::args::Points;
use crate::exit::Exit;
use crate::open::{Opener, quoted};
use crate::output::{Failure, Outcome, fields};

use crate::remote::failure_of;
use crate::{table, when};
use flr_fs::Timestamp;
use flr_provider::engine::UnixTime;
use flr_provider::point::{Access, DiskInfo, PointInfo};
use flr_recover::address::{Address, Locator, PointSpec};
use flr_recover::origin::Origin;
use flr_recover::shown::for_terminal;
use serde_json::{Map, Value, json};

/// Which points are shown.
struct Filter {
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    tags: Vec<(String, Option<String>)>,
}

/// Runs the command.
pub(crate) fn run(ctx: &mut Context<'_>, args: &Points) -> Outcome {
    let filter = Filter::new(ctx, args)?;
    let opener = Opener::new(ctx);
    let addresses = opener.addresses(&args.addresses)?;
    let single = addresses.len() == 1;
    for (index, address) in addresses.iter().enumerate() {
        let points = match points_of(&opener, address) {
            Ok(points) => points,
            Err(failure) if single => return Err(failure.into()),
            Err(failure) => {
                ctx.fail(&address.to_string(), &failure)?;
                continue;
            }
        };
        if !single && !ctx.out.json {
            let gap = if index == 0 { "" } else { "\n" };
            ctx.out.line(&format!("{gap}{address}:"))?;
        }
        let shown: Vec<_> = points.iter().filter(|point| filter.takes(point)).collect();
        for _ in &shown {
            ctx.tally.done();
        }
        if ctx.out.json {
            for point in shown {
                let map = point_json(address, point);
                ctx.out.message("point", &map)?;
            }
            continue;
        }
        print(ctx, &shown)?;
        if shown.is_empty() {
            let all = points.len();
            ctx.out.note(&match all {
                0 => format!("{address}: there is no point in time of it"),
                _ => format!("{address}: none of its {all} points is asked for"),
            });
        }
    }
    Ok(ctx.tally.exit())
}

fn points_of(opener: &Opener<'_>, address: &Address) -> Result<Vec<PointInfo>, Failure> {
    match opener.origin(address)? {
        Origin::Catalog { catalog, object } => {
            (catalog.points(&object)).map_err(|error| failure_of(&address.to_string(), &error))
        }
        Origin::File { path, .. } if !path.exists() => Err(Opener::no_file(&path, address)),
        Origin::File { .. } | Origin::Disk(_) => {
            let what = format!("{address}: it has no points in time, only its present state");
            let hint = format!("flr volumes {}", quoted(&address.to_string()));
            Err(Failure::new(Exit::Unsupported, what).hint(hint))
        }
    }
}

impl Filter {
    fn new(ctx: &Context<'_>, args: &Points) -> Result<Self, Failure> {
        let time = |flag: &str, text: &Option<String>| {
            let parse = |text: &String| {
                when::parse(text, &ctx.zone).ok_or_else(|| {
                    Failure::new(Exit::Usage, format!("{flag} {text}: expected a time"))
                        .hint("2026-11-18, 2026-11-18T03:00, 3d or 2h")
                })
            };
            text.as_ref().map(parse).transpose()
        };
        let tags = args.tag.iter().map(|tag| match tag.split_once('=') {
            Some((key, value)) => (key.to_owned(), Some(value.to_owned())),
            None => (tag.clone(), None),
        });
        Ok(Self {
            since: time("--since", &args.since)?,
            until: time("--until", &args.until)?,
            tags: tags.collect(),
        })
    }

    fn takes(&self, point: &PointInfo) -> bool {
        let time = timestamp(point.time);
        let before = |limit: &Timestamp| {
            (time.seconds, time.nanoseconds) < (limit.seconds, limit.nanoseconds)
        };
        let tagged = |(key, value): &(String, Option<String>)| {
            let found = point.tags.get(key);
            found.is_some_and(|found| value.as_ref().is_none_or(|value| value == found))
        };
        !self.since.as_ref().is_some_and(before)
            && self.until.as_ref().is_none_or(before)
            && self.tags.iter().all(tagged)
    }
}

pub(crate) fn timestamp(time: UnixTime) -> Timestamp {
    Timestamp {
        seconds: i64::try_from(time.0).unwrap_or(i64::MAX),
        nanoseconds: 0,
    }
}

/// The address of a point: the object's at that point.
fn address_of(object: &Address, point: &PointInfo) -> String {
    Address {
        point: Some(PointSpec::Name(point.id.clone())),
        locator: Locator::None,
        ..object.clone()
    }
    .to_string()
}

pub(crate) fn point_json(object: &Address, point: &PointInfo) -> Map<String, Value> {
    let mut map = fields(json!({
        "address": address_of(object, point), "id": point.id, "object": point.object,
        "time": when::rfc3339(timestamp(point.time)), "size": point.size, "state": point.state,
        "consistency": point.consistency.to_string(), "access": point.access.word(),
        "encrypted": point.encrypted, "tags": point.tags,
        "disks": point.disks.iter().map(disk_json).collect::<Vec<_>>(),
    }));
    let optional = [
        ("name", point.name.clone().map(Value::from)),
        (
            "expires",
            point
                .expires
                .map(|time| when::rfc3339(timestamp(time)).into()),
        ),
        ("region", point.region.clone().map(Value::from)),
        ("account", point.account.clone().map(Value::from)),
        ("tier", point.tier.clone().map(Value::from)),
        ("skew_seconds", point.skew.map(|skew| skew.as_secs().into())),
        (
            "unreadable",
            match &point.access {
                Access::None(why) => Some(why.clone().into()),
                Access::Direct | Access::Clone => None,
            },
        ),
    ];
    for (key, value) in optional {
        if let Some(value) = value {
            map.insert(key.to_owned(), value);
        }
    }
    map
}

fn disk_json(disk: &DiskInfo) -> Value {
    let mut map = fields(json!({"id": disk.id}));
    if disk.size > 0 {
        map.insert("size".to_owned(), disk.size.into());
    }
    for (key, value) in [("volume", &disk.volume), ("device", &disk.device)] {
        if let Some(value) = value {
            map.insert(key.to_owned(), value.clone().into());
        }
    }
    map.into()
}

fn print(ctx: &mut Context<'_>, points: &[&PointInfo]) -> Outcome<()> {
    if points.is_empty() {
        return Ok(());
    }
    let head = [
        "POINT",
        "TIME",
        "SIZE",
        "STATE",
        "CONSISTENCY",
        "ACCESS",
        "NAME",
    ];
    let mut rows = vec![head.map(str::to_owned)];
    for point in points {
        let state = match &point.tier {
            Some(tier) if tier != "standard" => format!("{} ({tier})", point.state),
            _ => point.state.clone(),
        };
        rows.push([
            for_terminal(point.id.as_bytes()),
            when::short(timestamp(point.time), &ctx.zone),
            size_text(point.size),
            for_terminal(state.as_bytes()),
            point.consistency.to_string(),
            point.access.word().to_owned(),
            (point.name.as_ref()).map_or_else(|| "-".to_owned(), |n| for_terminal(n.as_bytes())),
        ]);
    }
    table::print(ctx, &rows, 2)?;
    for point in points {
        if let Access::None(why) = &point.access {
            ctx.out.note(&format!("{}: {why}", point.id));
        }
    }
    Ok(())
}
