//! `flr cost`: what reading an address would take. Reads directories where that makes nothing, and never
//! makes anything.

use super::Context;
use super::volumes::size_text;
use crate::exit::Exit;
use crate::open::{Opened, Opener, quoted};
use crate::output::{Failure, Outcome, fields};
use crate::remote::failure_of;
use flr_fs::FileKind;
use flr_provider::point::{Access, AccessMode, Estimate};
use flr_recover::address::{Address, Locator};
use flr_recover::origin::Origin;
use flr_recover::shown::for_terminal;
use flr_recover::walk::{Next, Step, walk};
use serde_json::{Map, Value, json};

/// Runs the command.
pub(crate) fn run(ctx: &mut Context<'_>, args: &crate::args::Addresses) -> Outcome {
    let mut opener = Opener::new(ctx).only_looking();
    let addresses = opener.addresses(&args.addresses)?;
    let single = addresses.len() == 1;
    for address in &addresses {
        match estimate(ctx, &mut opener, address) {
            Ok(estimate) => {
                ctx.tally.done();
                print(ctx, address, &estimate)?;
            }
            Err(failure) if single => return Err(failure.into()),
            Err(failure) => ctx.fail(&address.to_string(), &failure)?,
        }
    }
    Ok(ctx.tally.exit())
}

fn estimate(
    ctx: &mut Context<'_>,
    opener: &mut Opener<'_>,
    address: &Address,
) -> Result<Estimate, Failure> {
    let Origin::Catalog { catalog, object } = opener.origin(address)? else {
        let bytes = files(ctx, opener, address)?;
        return Ok(Estimate {
            bytes,
            dollars: None,
            notes: vec!["no provider is asked for anything that has a price".to_owned()],
            ..Estimate::default()
        });
    };
    let told = |error| failure_of(&address.to_string(), &error);
    let points = catalog.points(&object).map_err(told)?;
    let (point, notes) = opener.chosen(address, &points)?;
    let how = opener.how(address)?;
    let direct = point.access == Access::Direct && how.access != AccessMode::Clone;
    // Whoever opens it to look for files says the same.
    if !direct || address.locator == Locator::None {
        for note in &notes {
            ctx.out.note(note);
        }
    }
    let bytes = match direct {
        true => files(ctx, opener, address)?,
        false => 0,
    };
    catalog.cost(point, &how, bytes).map_err(told)
}

/// Bytes of the files that an address names. Without a path there are none.
fn files(
    ctx: &mut Context<'_>,
    opener: &mut Opener<'_>,
    address: &Address,
) -> Result<u64, Failure> {
    if address.locator == Locator::None {
        return Ok(0);
    }
    let opened = opener.open(address, true, &mut ctx.out)?;
    let metadata = &opened.target.resolved.metadata;
    match metadata.kind {
        FileKind::File => Ok(metadata.size),
        FileKind::Directory => below(ctx, &opened),
        _ => Ok(0),
    }
}

fn below(ctx: &mut Context<'_>, opened: &Opened) -> Result<u64, Failure> {
    let (mut bytes, mut failed) = (0_u64, 0_u64);
    let view = &opened.target.opened.view;
    let walked = walk(view, opened.target.resolved.node, None, &mut |step| {
        match step {
            Step::Node { metadata, .. } if metadata.kind == FileKind::File => {
                bytes = bytes.saturating_add(metadata.size);
            }
            Step::Failed { .. } => failed = failed.saturating_add(1),
            Step::Node { .. } | Step::Leave { .. } => {}
        }
        Next::Continue
    });
    walked.map_err(|error| opened.explain(&error))?;
    if failed > 0 {
        let what = format!("{failed} items could not be read, and are not counted");
        ctx.out.warn(&what);
    }
    Ok(bytes)
}

fn print(ctx: &mut Context<'_>, address: &Address, estimate: &Estimate) -> Outcome<()> {
    if ctx.out.json {
        let map = cost_json(address, estimate);
        return ctx.out.message("status", &map);
    }
    let shown = for_terminal(address.to_string().as_bytes());
    let dollars = match estimate.dollars {
        Some(dollars) => format!("${dollars:.6}"),
        None => "nothing".to_owned(),
    };
    let bytes = size_text(estimate.bytes);
    ctx.out
        .line(&format!("{}: {dollars}, {bytes}", quoted(&shown)))?;
    for (call, count) in &estimate.requests {
        ctx.out.line(&format!("  {count:>8}  {call}"))?;
    }
    for note in &estimate.notes {
        ctx.out.line(&format!("  {note}"))?;
    }
    Ok(())
}

fn cost_json(address: &Address, estimate: &Estimate) -> Map<String, Value> {
    let requests = estimate.requests.iter();
    let requests: Map<_, _> = requests
        .map(|(call, count)| (call.clone(), Value::from(*count)))
        .collect();
    let mut map = fields(json!({
        "address": address.to_string(), "bytes": estimate.bytes, "requests": requests,
    }));
    if let Some(dollars) = estimate.dollars {
        map.insert("dollars".into(), dollars.into());
    }
    if !estimate.notes.is_empty() {
        map.insert("notes".into(), estimate.notes.clone().into());
    }
    map
}

/// What reading so many bytes would take, in a line; `None`: nobody asks for anything.
pub(crate) fn words(
    opener: &Opener<'_>,
    address: &Address,
    bytes: u64,
) -> Result<Option<String>, Failure> {
    let Some((catalog, point)) = opener.catalog_of(address) else {
        return Ok(None);
    };
    let estimate = catalog.cost(point, &opener.how(address)?, bytes);
    let estimate = estimate.map_err(|error| failure_of(&address.to_string(), &error))?;
    let requests = (estimate.requests.iter()).map(|(call, count)| format!("{count} {call}"));
    let requests = requests.collect::<Vec<_>>().join(", ");
    let dollars = estimate.dollars.map(|dollars| format!(", ${dollars:.6}"));
    let shown = for_terminal(address.to_string().as_bytes());
    let dollars = dollars.unwrap_or_default();
    Ok(Some(format!("{shown}: reading takes {requests}{dollars}")))
}

/// What known content will cost, over all that a command has opened and not read yet.
#[derive(Debug, Default)]
pub(crate) struct Planned {
    dollars: f64,
}

impl Planned {
    /// Adds the content of one more address. To be asked before any of it is read.
    ///
    /// # Errors
    /// With what was spent already it costs more than is allowed.
    pub(crate) fn add(
        &mut self,
        opener: &Opener<'_>,
        address: &Address,
        bytes: u64,
    ) -> Result<(), Failure> {
        let Some((catalog, point)) = opener.catalog_of(address) else {
            return Ok(());
        };
        let how = opener.how(address)?;
        let (Some(max), false) = (how.max_cost, how.yes) else {
            return Ok(());
        };
        let dollars = |bytes| {
            let estimate = catalog.cost(point, &how, bytes);
            let estimate = estimate.map_err(|error| failure_of(&address.to_string(), &error))?;
            Ok::<_, Failure>(estimate.dollars.unwrap_or(0.0))
        };
        // What it takes to open it has been spent.
        let content = (dollars(bytes)? - dollars(0)?).max(0.0);
        self.dollars += content;
        let all = how.spent.dollars() + self.dollars;
        if all <= max {
            return Ok(());
        }
        let what = match self.dollars > content {
            true => format!(
                "{address}: reading it and what stands before it would cost ${all:.6}, more than ${max}"
            ),
            false => format!("{address}: reading it would cost ${all:.6}, more than ${max}"),
        };
        Err(Failure::new(Exit::Cost, what).hint("a higher --max-cost, or --yes"))
    }
}
