//! `flr version`, and the files that are made from the command line's definition.

use super::Context;
use crate::args::Cli;
use crate::exit::Exit;
use crate::output::{Failure, Outcome, fields};
use clap::CommandFactory;
use flr_fs::registry::{FILESYSTEMS, LAYERS};
use flr_recover::origin::READ;
use serde_json::json;
use std::path::Path;

/// Version and formats.
pub(crate) fn version(ctx: &mut Context<'_>) -> Outcome {
    let version = env!("CARGO_PKG_VERSION");
    let layers: Vec<_> = LAYERS.iter().map(|layer| layer.name()).collect();
    let filesystems: Vec<_> = FILESYSTEMS.iter().map(|driver| driver.name()).collect();
    ctx.tally.done();
    if ctx.out.json {
        let value = json!({
            "version": version, "layers": layers, "filesystems": filesystems, "providers": READ,
        });
        ctx.out.message("status", &fields(value))?;
        return Ok(Exit::Done);
    }
    ctx.out.line(&format!("flr {version}"))?;
    ctx.out.line(&format!(
        "reads: {}; {}",
        layers.join(" "),
        filesystems.join(" ")
    ))?;
    ctx.out.line(&format!("from: {}", READ.join(" ")))?;
    Ok(Exit::Done)
}

/// Completions for a shell.
pub(crate) fn completion(ctx: &mut Context<'_>, shell: clap_complete::Shell) -> Outcome {
    ctx.out.begin_content();
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "flr", &mut text);
    ctx.out.data(&text)?;
    Ok(Exit::Done)
}

/// Manual pages: one for flr, one for each command.
pub(crate) fn man(dir: &Path) -> Outcome {
    clap_mangen::generate_to(Cli::command(), dir).map_err(|error| {
        let hint = format!("make the directory first: mkdir -p {}", dir.display());
        Failure::new(Exit::Failed, format!("{}: {error}", dir.display())).hint(hint)
    })?;
    Ok(Exit::Done)
}
