//! `flr policy`: the permissions that flr needs, for whoever gives them.

use super::Context;
use crate::args_config::{Policy, PolicyAction};
use crate::configuration;
use crate::exit::Exit;
use crate::output::{Failure, Outcome, fields};
use flr_provider::config::Key;
use flr_provider::ontap::policy as ontap;
use flr_provider::{aws, ecs};
use serde_json::json;

/// Runs `policy`.
pub(crate) fn run(ctx: &mut Context<'_>, args: &Policy) -> Outcome {
    // Only what is typed here: a policy is for all who use it, not for this user's present region.
    let mut options = configuration::options(ctx.global).into_iter();
    let region = options
        .find(|(key, _)| *key == Key::Region)
        .map(|(_, region)| region);
    let (provider, policy, notes) = match &args.action {
        PolicyAction::Ontap {
            svm,
            snapmirror,
            file_clones,
        } => {
            let wanted = ontap::Wanted {
                svm: svm.clone(),
                snapmirror: *snapmirror,
                file_clones: *file_clones,
            };
            return role(ctx, &wanted);
        }
        PolicyAction::Aws {
            clone, lightsail, ..
        } => {
            let wanted = aws::policy::Wanted {
                clone: *clone,
                lightsail: *lightsail,
                region,
            };
            let policy = aws::policy::document(&wanted);
            ("aws", policy, aws::policy::notes(&wanted))
        }
        PolicyAction::Aliyun {
            clone, snapshot, ..
        } => {
            let wanted = ecs::policy::Wanted {
                clone: *clone,
                snapshot: *snapshot,
                region,
            };
            let policy = ecs::policy::document(&wanted);
            ("aliyun", policy, ecs::policy::notes(&wanted))
        }
    };
    for note in notes {
        ctx.out.note(note);
    }
    ctx.tally.done();
    if ctx.out.json {
        let map = fields(json!({"provider": provider, "policy": policy}));
        ctx.out.message("status", &map)?;
        return Ok(Exit::Done);
    }
    let text = serde_json::to_string_pretty(&policy)
        .map_err(|error| Failure::new(Exit::Failed, format!("the policy: {error}")))?;
    ctx.out.line(&text)?;
    Ok(Exit::Done)
}

/// A role of ONTAP.
fn role(ctx: &mut Context<'_>, wanted: &ontap::Wanted) -> Outcome {
    for note in ontap::notes(wanted) {
        ctx.out.note(note);
    }
    ctx.tally.done();
    let commands = ontap::commands(wanted);
    if ctx.out.json {
        let rights = ontap::rights(wanted).into_iter();
        let rights: Vec<_> = rights
            .map(|(path, access, why)| json!({"api": path, "access": access, "for": why}))
            .collect();
        let policy = json!({"rights": rights, "commands": commands});
        let map = fields(json!({"provider": "ontap", "policy": policy}));
        ctx.out.message("status", &map)?;
        return Ok(Exit::Done);
    }
    for command in commands {
        ctx.out.line(&command)?;
    }
    Ok(Exit::Done)
}
