//! Runs the fuzz targets for as long as one likes, with the mutations of the tests and on a stable
//! compiler.
//!
//! `long [--execs N] [--minutes N] [--from N] [TARGET…]`: N executions of each target, 10^6 without
//! it, or as many as fit into the minutes, which all targets share. Findings are written to
//! `fuzz/regressions/TARGET/`. Exit code 1 with findings.

use flr_tests::Heap;
use flr_tests::fuzz::run::{Bounds, Spent, fuzz};
use flr_tests::fuzz::{TARGETS, Target, target};
use flr_tests::heap::assert_counted;
use flr_tests::image::fixtures;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

#[global_allocator]
static HEAP: Heap = Heap;

/// Executions between two looks at the clock.
const ROUND: u64 = 5_000;

struct Options {
    execs: u64,
    from: u64,
    time: Option<Duration>,
    targets: Vec<&'static Target>,
}

fn main() -> ExitCode {
    assert_counted();
    match options().and_then(|options| run(&options)) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::from(1),
        Err(error) => {
            // OK to ignore: without standard error there is nobody to tell.
            let _ = writeln!(io::stderr(), "{error}");
            ExitCode::from(2)
        }
    }
}

fn options() -> io::Result<Options> {
    let usage = || io::Error::other("long [--execs N] [--minutes N] [--from N] [TARGET…]");
    let mut options = Options {
        execs: 1_000_000,
        from: 0,
        time: None,
        targets: Vec::new(),
    };
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut number = || {
            args.next()
                .and_then(|text| text.parse().ok())
                .ok_or_else(usage)
        };
        match arg.as_str() {
            "--execs" => options.execs = number()?,
            "--from" => options.from = number()?,
            "--minutes" => {
                options.time = Some(Duration::from_secs(60 * number()?));
                options.execs = u64::MAX;
            }
            name => options.targets.push(target(name).ok_or_else(usage)?),
        }
    }
    if options.targets.is_empty() {
        options.targets = TARGETS.iter().collect();
    }
    Ok(options)
}

/// The number of findings.
fn run(options: &Options) -> io::Result<usize> {
    let mut out = io::stdout();
    let mut findings_count = 0;
    let shares = u32::try_from(options.targets.len()).unwrap_or(1);
    let share = options.time.map(|time| time / shares);
    writeln!(
        out,
        "target executions reached peak-bytes slowest seconds findings"
    )?;
    for target in &options.targets {
        let start = Instant::now();
        let mut total = Spent::default();
        let mut findings = Vec::new();
        let end = options.from.saturating_add(options.execs);
        let mut from = options.from;
        while from < end && share.is_none_or(|share| start.elapsed() < share) {
            let to = end.min(from.saturating_add(ROUND));
            let (spent, found) = fuzz(target, from..to, Bounds::default());
            total.count += spent.count;
            total.reached += spent.reached;
            total.heap_bytes = total.heap_bytes.max(spent.heap_bytes);
            total.cpu_max = total.cpu_max.max(spent.cpu_max);
            findings.extend(found);
            from = to;
            if findings.len() >= 10 {
                break;
            }
        }
        let Spent {
            count,
            reached,
            heap_bytes,
            cpu_max,
        } = total;
        let seconds = start.elapsed().as_secs();
        let found = findings.len();
        let name = target.0;
        writeln!(
            out,
            "{name} {count} {reached} {heap_bytes} {cpu_max:?} {seconds} {found}"
        )?;
        for (index, finding) in findings.iter().enumerate() {
            let path = keep(
                name,
                &format!("new-{}-{index}", options.from),
                &finding.input,
            )?;
            writeln!(out, "  {}: {}", path.display(), finding.what)?;
        }
        findings_count += found;
    }
    Ok(findings_count)
}

/// Writes an input down.
#[expect(clippy::disallowed_methods, reason = "a finding, not a source")]
fn keep(target: &str, file: &str, input: &[u8]) -> io::Result<PathBuf> {
    let folder = fixtures().join("../fuzz/regressions").join(target);
    std::fs::create_dir_all(&folder)?;
    let path = folder.join(file);
    std::fs::write(&path, input)?;
    Ok(path)
}
