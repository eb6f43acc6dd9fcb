//! `flr doctor`: what commands need of this machine, of the configuration, and of providers. Changes nothing.

use super::Context;
use super::session::{Journal, Reach};
use crate::exit::Exit;
use crate::output::{Outcome, fields};
use flr_provider::account::ClientSettings;
use flr_provider::aws::NO_CREDENTIALS;
use flr_provider::config::SourceType;
use flr_provider::engine::state_dir;
use flr_provider::remote::block_on;
use flr_provider::{Fault, aws, ecs};
use flr_recover::shown::for_terminal;
use serde_json::json;
use std::path::Path;

/// What a look has come to.
enum Verdict {
    Good(String),
    /// Works without, and what does not.
    Lacking(String),
    Bad(String),
}

/// Runs the command.
pub(crate) fn run(ctx: &mut Context<'_>) -> Outcome {
    let mut bad = false;
    let looks: [(&str, Verdict); 4] = [
        ("fuse", fuse()),
        ("state", state()),
        ("sessions", sessions()),
        ("configuration", configuration(ctx)),
    ];
    for (what, verdict) in looks {
        bad |= tell(ctx, what, &verdict)?;
    }
    for (name, kind, reach) in accounts(ctx) {
        for (what, verdict) in account(kind, &reach) {
            bad |= tell(ctx, &format!("{name} {what}"), &verdict)?;
        }
    }
    Ok(if bad { Exit::Partial } else { Exit::Done })
}

fn tell(ctx: &mut Context<'_>, what: &str, verdict: &Verdict) -> Outcome<bool> {
    let (word, text) = match verdict {
        Verdict::Good(text) => ("ok", text),
        Verdict::Lacking(text) => ("lacking", text),
        Verdict::Bad(text) => ("bad", text),
    };
    match word {
        "bad" => ctx.tally.failed(Exit::Partial),
        _ => ctx.tally.done(),
    }
    if ctx.out.json {
        let level = match word {
            "ok" => "info",
            "lacking" => "warning",
            _ => "error",
        };
        let map = fields(json!({"level": level, "code": what, "message": text}));
        ctx.out.message("status", &map)?;
    } else {
        let text = for_terminal(text.as_bytes());
        ctx.out.line(&format!("{word:8} {what}: {text}"))?;
    }
    Ok(word == "bad")
}

/// Whether mounts can be made.
fn fuse() -> Verdict {
    let device = Path::new("/dev/fuse");
    if !device.exists() {
        return Verdict::Lacking("there is no /dev/fuse, so nothing can be mounted".to_owned());
    }
    if rustix::process::geteuid().is_root() {
        return Verdict::Good("mounts can be made".to_owned());
    }
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&paths).any(|dir| dir.join("fusermount3").is_file());
    match found {
        true => Verdict::Good("mounts can be made through fusermount3".to_owned()),
        false => Verdict::Lacking(
            "fusermount3 is missing (package fuse3): only root can mount".to_owned(),
        ),
    }
}

/// Whether there can be a journal; without one nothing is made.
fn state() -> Verdict {
    let folder = match state_dir() {
        Ok(folder) => folder,
        Err(error) => return Verdict::Bad(error.to_string()),
    };
    let mut existing = folder.as_path();
    while let (false, Some(above)) = (existing.exists(), existing.parent()) {
        existing = above;
    }
    let shown = folder.display();
    match rustix::fs::access(existing, rustix::fs::Access::WRITE_OK) {
        Ok(()) => Verdict::Good(format!("the journal is in {shown}")),
        Err(error) => Verdict::Bad(format!(
            "there can be no journal in {shown}: {error}; nothing can be made without"
        )),
    }
}

/// Whether anything was left behind.
fn sessions() -> Verdict {
    let journal = match Journal::open() {
        Ok(journal) => journal,
        Err(stop) => return Verdict::Bad(words(&stop)),
    };
    let left = journal.map_or(Ok(0), |journal| journal.left_count());
    match left {
        Ok(0) => Verdict::Good("nothing was left behind".to_owned()),
        Ok(1) => Verdict::Bad("a session was left behind: flr gc".to_owned()),
        Ok(left) => Verdict::Bad(format!("{left} sessions were left behind: flr gc")),
        Err(stop) => Verdict::Bad(words(&stop)),
    }
}

fn words(stop: &crate::output::Stop) -> String {
    use crate::output::Stop;
    match stop {
        Stop::BrokenPipe => "interrupted".to_owned(),
        Stop::Item(failure) | Stop::Failure(failure) => failure.message.clone(),
    }
}

fn configuration(ctx: &Context<'_>) -> Verdict {
    match ctx.remote.config() {
        Ok(config) => {
            let files = config.files().iter().map(|file| file.display().to_string());
            let files: Vec<_> = files.collect();
            Verdict::Good(match files.is_empty() {
                true => "there is none, and none is needed".to_owned(),
                false => files.join(", "),
            })
        }
        Err(failure) => Verdict::Bad(failure.message),
    }
}

/// The accounts that are looked into: those of the environment, and those of the sources.
fn accounts(ctx: &Context<'_>) -> Vec<(String, SourceType, Reach)> {
    let Ok(config) = ctx.remote.config() else {
        return Vec::new();
    };
    let of_environment = |name: &str, kind| {
        let reach = Reach::of(&config.effective(None));
        (name.to_owned(), kind, reach)
    };
    let mut accounts = vec![of_environment("aws", SourceType::Aws)];
    if ecs::is_configured() {
        accounts.push(of_environment("ecs", SourceType::Ecs));
    }
    let sources = config
        .sources()
        .filter(|source| matches!(source.kind, SourceType::Aws | SourceType::Ecs));
    accounts.extend(sources.map(|source| {
        let reach = Reach::of(&config.effective(Some(source)));
        (source.name.clone(), source.kind, reach)
    }));
    accounts
}

type Looks = Vec<(&'static str, Result<String, Fault>)>;

fn account(kind: SourceType, reach: &Reach) -> Vec<(&'static str, Verdict)> {
    let settings = ClientSettings {
        profile: reach.way.profile.clone(),
        region: reach.region.clone(),
        endpoint_url: reach.way.endpoint.clone(),
    };
    match kind {
        SourceType::Ecs => match ecs::Client::new(&settings) {
            Ok(client) => looked(client.region(), block_on(client.account()), || {
                block_on(ecs::check_access(&client))
            }),
            Err(error) => vec![("account", Verdict::Lacking(error.to_string()))],
        },
        _ => match aws::Client::new(&settings) {
            Ok(client) => looked(client.region(), block_on(client.account()), || {
                block_on(aws::check_access(&client))
            }),
            Err(error) => vec![("account", Verdict::Lacking(error.to_string()))],
        },
    }
}

/// What was found of an account, and what of it can be used.
fn looked(
    region: &str,
    account: Result<String, Fault>,
    access: impl FnOnce() -> Looks,
) -> Vec<(&'static str, Verdict)> {
    let account = match account {
        Ok(account) => account,
        Err(fault) if fault.is(NO_CREDENTIALS) => {
            return vec![("account", Verdict::Lacking(fault.to_string()))];
        }
        Err(fault) => return vec![("account", Verdict::Bad(fault.to_string()))],
    };
    let mut looks = vec![(
        "account",
        Verdict::Good(format!("{account}, region {region}")),
    )];
    for (what, result) in access() {
        looks.push((
            what,
            match result {
                Ok(text) => Verdict::Good(text),
                Err(fault) => Verdict::Lacking(fault.to_string()),
            },
        ));
    }
    looks
}
