//! The `flr` command: parses, calls, prints. Everything it knows is in the crates below it.

mod args;
mod args_config;
mod args_restore;
mod args_snapshot;
mod args_trees;
mod color;
mod commands;
mod configuration;
mod copying;
mod ending;
mod exit;
mod hash;
mod log;
mod node;
mod open;
mod output;
mod patterns;
mod progress;
mod remote;
mod signals;
mod table;
mod when;

use args::{Cli, Command};
use clap::Parser;
use commands::Context;
use exit::{Exit, Tally};
use flr_recover::shown::for_terminal;
use output::{Failure, Outcome, Output, Stop};
use remote::Remote;
use std::process::ExitCode;
use std::rc::Rc;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return not_parsed(&error),
    };
    let mut out = Output::new(&cli.global);
    let zone = match prepare(&cli) {
        Ok(zone) => zone,
        Err(failure) => {
            out.failed(&failure);
            return failure.exit.code().into();
        }
    };
    let mut ctx = Context {
        global: &cli.global,
        out,
        remote: Rc::new(Remote::new(zone.clone(), cli.global.clone())),
        zone,
        tally: Tally::default(),
        totals: serde_json::Map::new(),
        last: None,
    };
    let outcome = run(&mut ctx, &cli.command);
    let outcome = ending::clean_up(&mut ctx, outcome).and_then(|exit| {
        ctx.summary(exit)?;
        ctx.out.flush()?;
        Ok(exit)
    });
    match outcome {
        Ok(Exit::Done) => ExitCode::SUCCESS,
        Ok(exit) => {
            ctx.explain_exit(exit);
            exit.code().into()
        }
        Err(Stop::BrokenPipe) => ExitCode::SUCCESS,
        Err(Stop::Failure(failure) | Stop::Item(failure)) => {
            ctx.tally.failed(failure.exit);
            // The summary ends the data also of a command that failed.
            let _ = ctx.summary(failure.exit);
            ctx.out.failed(&failure);
            failure.exit.code().into()
        }
    }
}

/// Help on standard output, mistakes on standard error.
fn not_parsed(error: &clap::Error) -> ExitCode {
    let json = std::env::args_os()
        .skip(1)
        .take_while(|arg| arg != "--")
        .any(|arg| arg == "--json");
    if json && error.use_stderr() {
        let text = error.render().to_string();
        // What is wrong, and with which argument; then come an empty line and help.
        let lines = text.lines().take_while(|line| !line.is_empty());
        let lines: Vec<_> = lines
            .map(|line| for_terminal(line.trim().as_bytes()))
            .collect();
        let lines = lines.join(" ");
        let message = lines.strip_prefix("error: ").unwrap_or(&lines);
        output::talk_json(&Failure::new(Exit::Usage, message).hint("flr help"));
        return Exit::Usage.code().into();
    }
    // Nothing is left to do about a message that cannot be printed.
    let _ = error.print();
    u8::try_from(error.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from)
}

fn prepare(cli: &Cli) -> Result<jiff::tz::TimeZone, Failure> {
    // Not left to clap: it does not see both sides of a rule if one stands before the command.
    let global = &cli.global;
    for (flag, given) in [
        ("--at", global.at.is_some()),
        ("--volume", global.volume.is_some()),
        ("--path-b64", !global.path_b64.is_empty()),
    ] {
        if given && global.from.is_none() {
            let what = format!("{flag} says where in an object, which --from names");
            return Err(Failure::new(Exit::Usage, what).hint("add --from disk.img"));
        }
    }
    log::start(&cli.global)?;
    when::zone(cli.global.tz.as_deref())
        .map_err(|what| Failure::new(Exit::Usage, what).hint("--tz UTC, --tz Europe/Berlin"))
}

fn run(ctx: &mut Context<'_>, command: &Command) -> Outcome {
    match command {
        Command::Points(args) => commands::points::run(ctx, args),
        Command::Volumes(args) => commands::volumes::run(ctx, args),
        Command::Ls(args) => commands::ls::run(ctx, args),
        Command::Tree(args) => commands::tree::run(ctx, args),
        Command::Stat(args) => commands::stat::run(ctx, args),
        Command::Cat(args) => commands::cat::run(ctx, args),
        Command::Hash(args) => commands::hash::run(ctx, args),
        Command::Check(args) => commands::check::run(ctx, args),
        Command::Find(args) => commands::find::run(ctx, args),
        Command::Cp(args) => commands::cp::run(ctx, args),
        Command::Dump(args) => commands::dump::run(ctx, args),
        Command::Diff(args) => commands::diff::run(ctx, args),
        Command::Versions(args) => commands::versions::run(ctx, args),
        Command::Restore(args) => commands::restore::run(ctx, args),
        Command::Mount(args) => commands::mount::run(ctx, args),
        Command::Umount(args) => commands::mount::umount(ctx, args),
        Command::Session(args) => commands::session::run(ctx, args),
        Command::Gc(args) => commands::gc::run(ctx, args),
        Command::Snapshot(args) => commands::snapshot::run(ctx, args),
        Command::Cost(args) => commands::cost::run(ctx, args),
        Command::Doctor => commands::doctor::run(ctx),
        Command::Source(args) => commands::source::run(ctx, args),
        Command::Config(args) => commands::config::run(ctx, args),
        Command::Policy(args) => commands::policy::run(ctx, args),
        Command::Version => commands::version::version(ctx),
        Command::Completion { shell } => commands::version::completion(ctx, *shell),
        Command::Man { dir } => commands::version::man(dir),
    }
}
