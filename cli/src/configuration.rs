//! The configuration, with what the command line says on top.

use crate::args::{Access, Cli, Global};
use crate::exit::Exit;
use crate::output::Failure;
use clap::parser::ValueSource;
use clap::{ArgMatches, CommandFactory};
use flr_provider::config::{Config, Key, access_word, duration_text};
use flr_provider::point::AccessMode;
use flr_recover::address::is_source_name;
use std::ffi::OsString;

/// A look into the environment of this process.
pub(crate) fn env(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

/// Reads the configuration: files, then variables, then options.
pub(crate) fn load(global: &Global) -> Result<Config, Failure> {
    let mut config =
        Config::load(&env, is_source_name).map_err(|error| provider_failure(&error))?;
    for (key, text) in options(global) {
        let set = config.set_option(key, &text);
        set.map_err(|error| provider_failure(&error))?;
    }
    Ok(config)
}

/// An error of the configuration in words. It names its file and line itself.
pub(crate) fn provider_failure(error: &flr_provider::Error) -> Failure {
    let failure = Failure::new(Exit::of_provider(error), error.to_string());
    match error.hint() {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

/// Keys that stand on the command line, and their values. What the environment says is not among them.
pub(crate) fn options(global: &Global) -> Vec<(Key, String)> {
    let remote = &global.remote;
    let access = remote.access.map(|access| match access {
        Access::Auto => AccessMode::Auto,
        Access::Direct => AccessMode::Direct,
        Access::Clone => AccessMode::Clone,
    });
    let given = [
        (Key::Profile, "profile", remote.profile.clone()),
        (Key::Region, "region", remote.region.clone()),
        (Key::Endpoint, "endpoint_url", remote.endpoint_url.clone()),
        (
            Key::Access,
            "access",
            access.map(|mode| access_word(mode).to_owned()),
        ),
        (Key::Ttl, "ttl", remote.ttl.map(duration_text)),
        (
            Key::MaxCostUsd,
            "max_cost",
            remote.max_cost.map(|dollars| dollars.to_string()),
        ),
    ];
    let mut matches = None;
    let typed = given.into_iter().filter_map(|(key, id, value)| {
        let value = value?;
        // Only where both could have said it is it worth looking which did.
        let both = key.variable().is_some_and(|name| env(name).is_some());
        let typed = !both || {
            let matches = matches.get_or_insert_with(|| Cli::command().try_get_matches().ok());
            matches
                .as_ref()
                .is_some_and(|matches| is_typed(matches, id))
        };
        typed.then_some((key, value))
    });
    typed.collect()
}

/// Whether an option stands on the command line, before or behind the command.
fn is_typed(matches: &ArgMatches, id: &str) -> bool {
    let mut level = Some(matches);
    while let Some(matches) = level {
        if matches.value_source(id) == Some(ValueSource::CommandLine) {
            return true;
        }
        level = matches.subcommand().map(|(_, below)| below);
    }
    false
}
