//! Runs the simulator of the clone engine for as many seeds as one likes.
//!
//! `sim [--seeds N] [--from N] [--broken RULE] [--log]`: N seeds, 10^6 without it. With a rule broken
//! it ends at the first violation, which there must be. With `--log` it tells everything that happens
//! in the first seed. Exit code 1 with violations.

use flr_provider::engine::Rule;
use flr_tests::sim::{Options, RULES, run};
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Instant;

/// Violations that are printed.
const SHOWN_MAX: u64 = 20;

struct Arguments {
    seeds: u64,
    from: u64,
    options: Options,
}

fn main() -> ExitCode {
    match arguments().and_then(|arguments| simulate(&arguments)) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::from(1),
        Err(error) => {
            // OK to ignore: without standard error there is nobody to tell.
            let _ = writeln!(io::stderr(), "{error}");
            ExitCode::from(2)
        }
    }
}

fn arguments() -> io::Result<Arguments> {
    let usage = || {
        let rules: Vec<_> = RULES.iter().map(|rule| format!("{rule:?}")).collect();
        let rules = rules.join("|");
        io::Error::other(format!(
            "sim [--seeds N] [--from N] [--broken {rules}] [--log]"
        ))
    };
    let mut arguments = Arguments {
        seeds: 1_000_000,
        from: 0,
        options: Options::default(),
    };
    let mut given = std::env::args().skip(1);
    while let Some(argument) = given.next() {
        let mut number = || given.next().and_then(|text| text.parse().ok());
        match argument.as_str() {
            "--seeds" => arguments.seeds = number().ok_or_else(usage)?,
            "--from" => arguments.from = number().ok_or_else(usage)?,
            "--broken" => {
                let name = given.next().unwrap_or_default();
                let known = |rule: &&Rule| format!("{rule:?}") == name;
                let rule = RULES.iter().find(known).ok_or_else(usage)?;
                arguments.options.broken = Some(*rule);
            }
            "--log" => arguments.options.log = true,
            _ => return Err(usage()),
        }
    }
    if arguments.options.log {
        arguments.seeds = 1;
    }
    Ok(arguments)
}

/// The number of seeds with violations.
fn simulate(arguments: &Arguments) -> io::Result<u64> {
    let mut out = io::stdout();
    let start = Instant::now();
    let (mut violated, mut awaits, mut made, mut hash) = (0, 0, 0, 0_u64);
    for seed in arguments.from..arguments.from.saturating_add(arguments.seeds) {
        let report = run(seed, arguments.options);
        for line in &report.log {
            writeln!(out, "{line}")?;
        }
        awaits += report.awaits;
        made += report.made;
        hash = hash.rotate_left(1) ^ report.hash;
        if report.violations.is_empty() {
            continue;
        }
        violated += 1;
        if violated <= SHOWN_MAX {
            writeln!(out, "seed {seed}:")?;
            for violation in &report.violations {
                writeln!(out, "  {violation}")?;
            }
        }
        if arguments.options.broken.is_some() {
            break;
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    let seeds = arguments.seeds;
    writeln!(
        out,
        "{seeds} seeds, {violated} with violations, {made} resources, {awaits} awaits, \
         {seconds:.1} seconds, hash {hash:016x}"
    )?;
    Ok(violated)
}
