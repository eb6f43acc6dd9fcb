//! `flr snapshot`: snapshots of an instance's disks, taken now. They are the user's, and stay.

use super::Context;
use super::points::point_json;
use crate::args_snapshot::Snapshot;
use crate::exit::Exit;
use crate::open::{Opener, quoted};
use crate::output::{Failure, Outcome};
use crate::remote::failure_of;
use crate::when;
use flr_provider::point::{Application, TakeHow, TakenPoint};
use flr_recover::address::{Address, Locator};
use flr_recover::origin::Origin;
use flr_recover::shown::for_terminal;

/// Runs the command.
pub(crate) fn run(ctx: &mut Context<'_>, args: &Snapshot) -> Outcome {
    let opener = Opener::new(ctx);
    let addresses = opener.addresses(&args.addresses)?;
    let [address] = addresses.as_slice() else {
        let what = "snapshots of one instance are taken at a time";
        return Err(Failure::new(Exit::Usage, what).into());
    };
    if address.point.is_some() || address.locator != Locator::None {
        let what = format!("{address}: expected an instance, without a point and without a path");
        return Err(Failure::new(Exit::Usage, what).into());
    }
    let how = how(ctx, args)?;
    let taken = match opener.origin(address)? {
        Origin::Catalog { catalog, object } => catalog
            .take(&object, &how)
            .map_err(|error| failure_of(&address.to_string(), &error))?,
        Origin::File { .. } | Origin::Disk(_) => {
            let what = format!("{address}: of this no snapshots are taken");
            let hint = "i-… or ecs:NAME of Alibaba Cloud";
            return Err(Failure::new(Exit::Unsupported, what).hint(hint).into());
        }
    };
    tell(ctx, address, &taken)
}

fn how(ctx: &Context<'_>, args: &Snapshot) -> Result<TakeHow, Failure> {
    let tag = |text: &String| match text.split_once('=') {
        Some((key, value)) => Ok((key.to_owned(), value.to_owned())),
        None => {
            let what = format!("--tag {text}: expected KEY=VALUE");
            Err(Failure::new(Exit::Usage, what))
        }
    };
    let application = Application {
        scripts: args.pre.clone().zip(args.post.clone()),
        role: args.role.clone(),
    };
    Ok(TakeHow {
        application: args.app_consistent.then_some(application),
        exclude: args.exclude_disk.clone(),
        name: args.name.clone(),
        tags: args.tag.iter().map(tag).collect::<Result<_, _>>()?,
        timeout: args.timeout,
        interrupt: Some(ctx.remote.interrupt()?),
    })
}

/// What was taken, and what is less than was asked for.
fn tell(ctx: &mut Context<'_>, address: &Address, taken: &TakenPoint) -> Outcome {
    for note in &taken.notes {
        ctx.out.note(note);
    }
    let point = &taken.point;
    ctx.tally.done();
    match ctx.out.json {
        true => {
            let map = point_json(address, point);
            ctx.out.message("point", &map)?;
        }
        false => {
            let time = when::short(super::points::timestamp(point.time), &ctx.zone);
            let line = format!("{} {time} {} consistent", point.id, point.consistency);
            ctx.out.line(&for_terminal(line.as_bytes()))?;
        }
    }
    for warning in &taken.warnings {
        ctx.out.warn(warning);
        ctx.tally.failed(Exit::Partial);
    }
    if taken.warnings.is_empty() {
        let list = format!("flr volumes {}", quoted(&format!("{address}@{}", point.id)));
        ctx.out.note(&format!("to look into it: {list}"));
    }
    Ok(ctx.tally.exit())
}
