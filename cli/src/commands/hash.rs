//! `flr hash`: hashes of files, and comparing them with a list.

use super::Context;
use crate::args::Hash;
use crate::exit::Exit;
use crate::hash::{key, of};
use crate::open::{Opened, Opener};
use crate::output::{Failure, Outcome};
use crate::progress::Bar;
use flr_recover::shown::{for_terminal, from_terminal};
use serde_json::json;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;

/// Runs the command.
pub(crate) fn run(ctx: &mut Context<'_>, args: &Hash) -> Outcome {
    if let Some(list) = &args.check {
        return check(ctx, args, list);
    }
    ctx.for_each(&args.addresses.addresses, true, |ctx, opened| {
        let Some(digest) = digest(ctx, args, opened)? else {
            return Ok(());
        };
        ctx.tally.done();
        let address = opened.address_of(&opened.target.resolved.path);
        if ctx.out.json {
            let mut map = serde_json::Map::new();
            map.insert("address".into(), address.to_string().into());
            map.insert(key(args.algo).into(), digest.into());
            map.insert("size".into(), opened.target.resolved.metadata.size.into());
            return ctx.out.message("node", &map);
        }
        ctx.out.line(&format!("{digest}  {address}"))
    })
}

fn digest(ctx: &mut Context<'_>, args: &Hash, opened: &Opened) -> Outcome<Option<String>> {
    let resolved = &opened.target.resolved;
    let bar = Bar::new(ctx.global, resolved.metadata.size, "hashing");
    let digest = (opened.target.opened.view.open(resolved.node))
        .and_then(|source| of(source.as_ref(), args.algo, &mut |done| bar.at(done)));
    bar.finish();
    match digest {
        Ok(digest) => Ok(Some(digest)),
        Err(error) => {
            ctx.fail_with(&opened.text_of(&resolved.path), &error)?;
            Ok(None)
        }
    }
}

/// Compares files with the hashes of a list. With an address, the list's names are paths in it, or the
/// file itself if it is one; without, they are addresses.
fn check(ctx: &mut Context<'_>, args: &Hash, list: &Path) -> Outcome {
    let text = std::fs::read_to_string(list).map_err(|error| {
        Failure::new(Exit::Usage, format!("--check {}: {error}", list.display()))
    })?;
    let mut opener = Opener::new(ctx.global);
    let base = match args.addresses.addresses.as_slice() {
        [] => None,
        operands => opener.addresses(operands)?.into_iter().next(),
    };
    let mut mismatches = 0_u64;
    for (number, line) in (1_u64..)
        .zip(text.lines())
        .filter(|(_, line)| !line.is_empty())
    {
        let Some((expected, name)) = line.split_once([' ', '\t']) else {
            let what = format!("{}:{number}: expected a hash and a name", list.display());
            return Err(Failure::new(Exit::Usage, what).into());
        };
        let name = OsString::from_vec(from_terminal(name.trim_start_matches([' ', '*'])));
        let address = match &base {
            Some(base) => base.child(&name),
            None => match opener.addresses(&[name])?.into_iter().next() {
                Some(address) => address,
                None => continue,
            },
        };
        let opened = match opener.open(&address, true, &mut ctx.out) {
            Ok(opened) => opened,
            Err(failure) => {
                ctx.fail(&address.to_string(), &failure)?;
                continue;
            }
        };
        let Some(found) = digest(ctx, args, &opened)? else {
            continue;
        };
        let same = found.eq_ignore_ascii_case(expected);
        if same {
            ctx.tally.done();
        } else {
            mismatches = mismatches.saturating_add(1);
            ctx.tally.failed(Exit::Mismatch);
        }
        let shown = for_terminal(address.to_string().as_bytes());
        if ctx.out.json {
            let word = if same { "ok" } else { "mismatch" };
            let value =
                json!({"address": shown, "status": word, "expected": expected, "found": found});
            ctx.out.message("status", &value)?;
        } else {
            ctx.out
                .line(&format!("{shown}: {}", if same { "OK" } else { "FAILED" }))?;
        }
    }
    // A wrong hash outranks everything else: it is what was asked about.
    Ok(if mismatches > 0 {
        Exit::Mismatch
    } else {
        ctx.tally.exit()
    })
}
