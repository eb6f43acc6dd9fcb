//! The `flr` command: parses, calls, prints. Everything it knows is in the crates below it.

mod args;
mod color;
mod commands;
mod exit;
mod hash;
mod log;
mod node;
mod open;
mod output;
mod progress;
mod signals;
mod when;

use args::{Cli, Command};
use clap::Parser;
use commands::Context;
use exit::{Exit, Tally};
use output::{Failure, Outcome, Output, Stop};
use std::process::ExitCode;

fn main() -> ExitCode {
    // clap prints help on standard output and mistakes on standard error, and ends with 0 or 2.
    let cli = Cli::parse();
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
        zone,
        tally: Tally::default(),
    };
    let outcome = run(&mut ctx, &cli.command).and_then(|exit| {
        ctx.summary(exit)?;
        ctx.out.flush()?;
        Ok(exit)
    });
    match outcome {
        Ok(exit) => exit.code().into(),
        Err(Stop::BrokenPipe) => ExitCode::SUCCESS,
        Err(Stop::Failure(failure)) => {
            // The summary ends the data also of a command that failed.
            let _ = ctx.summary(failure.exit);
            ctx.out.failed(&failure);
            failure.exit.code().into()
        }
    }
}

fn prepare(cli: &Cli) -> Result<jiff::tz::TimeZone, Failure> {
    log::start(&cli.global)?;
    when::zone(cli.global.tz.as_deref())
        .map_err(|what| Failure::new(Exit::Usage, what).hint("--tz UTC, --tz Europe/Berlin"))
}

fn run(ctx: &mut Context<'_>, command: &Command) -> Outcome {
    match command {
        Command::Volumes(args) => commands::volumes::run(ctx, args),
        Command::Ls(args) => commands::ls::run(ctx, args),
        Command::Tree(args) => commands::tree::run(ctx, args),
        Command::Stat(args) => commands::stat::run(ctx, args),
        Command::Cat(args) => commands::cat::run(ctx, args),
        Command::Hash(args) => commands::hash::run(ctx, args),
        Command::Check(args) => commands::check::run(ctx, args),
        Command::Find(args) => commands::find::run(ctx, args),
        Command::Cp(args) => commands::cp::run(ctx, args),
        Command::Mount(args) => commands::mount::run(ctx, args),
        Command::Umount(args) => commands::mount::umount(ctx, args),
        Command::Version => commands::version::version(ctx),
        Command::Completion { shell } => commands::version::completion(ctx, *shell),
        Command::Man { dir } => commands::version::man(dir),
    }
}
