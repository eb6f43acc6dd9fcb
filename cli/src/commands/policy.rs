//! `flr policy`: the permissions that flr needs, for whoever gives them.

use super::Context;
use crate::args_config::{Policy, PolicyAction};
use crate::configuration;
use crate::exit::Exit;
use crate::output::{Failure, Outcome, fields};
use flr_provider::aws::policy::{Wanted, document, notes};
use flr_provider::config::Key;
use serde_json::json;

/// Runs `policy`.
pub(crate) fn run(ctx: &mut Context<'_>, args: &Policy) -> Outcome {
    let PolicyAction::Aws {
        clone, lightsail, ..
    } = args.action;
    // Only what is typed here: a policy is for all who use it, not for this user's present region.
    let mut options = configuration::options(ctx.global).into_iter();
    let region = options
        .find(|(key, _)| *key == Key::Region)
        .map(|(_, region)| region);
    let wanted = Wanted {
        clone,
        lightsail,
        region,
    };
    let policy = document(&wanted);
    for note in notes(&wanted) {
        ctx.out.note(note);
    }
    ctx.tally.done();
    if ctx.out.json {
        let map = fields(json!({"provider": "aws", "policy": policy}));
        ctx.out.message("status", &map)?;
        return Ok(Exit::Done);
    }
    let text = serde_json::to_string_pretty(&policy)
        .map_err(|error| Failure::new(Exit::Failed, format!("the policy: {error}")))?;
    ctx.out.line(&text)?;
    Ok(Exit::Done)
}
