//! Running a target over many inputs, and telling which one broke a bound.

use super::mutate::{Random, mutate};
use super::read::take_reached;
use super::{Target, target};
use crate::heap::peak_of;
use crate::image::fixtures;
use rustix::time::{ClockId, clock_gettime};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

/// What one execution may take.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Bytes of heap.
    pub heap_bytes: usize,
    /// Time of the processor, which a busy machine does not lengthen.
    pub cpu: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            heap_bytes: 64 << 20,
            cpu: Duration::from_secs(2),
        }
    }
}

/// What executions took.
#[derive(Clone, Copy, Debug, Default)]
pub struct Spent {
    /// How many there were.
    pub count: u64,
    /// How many of them got as far as the target aims.
    pub reached: u64,
    /// The most that one took of the heap.
    pub heap_bytes: usize,
    /// The longest that one took.
    pub cpu_max: Duration,
}

/// An input that broke a bound.
#[derive(Clone, Debug)]
pub struct Finding {
    /// What happened.
    pub what: String,
    /// The input.
    pub input: Vec<u8>,
}

/// Runs `run` once.
///
/// # Errors
/// A panic, or a bound that was passed.
pub fn attempt(
    run: fn(&[u8]),
    input: &[u8],
    bounds: Bounds,
    spent: &mut Spent,
) -> Result<(), Finding> {
    let start = cpu();
    let (end, heap_bytes) = peak_of(|| catch_unwind(AssertUnwindSafe(|| run(input))));
    let took = cpu().saturating_sub(start);
    spent.count += 1;
    spent.reached += take_reached();
    spent.heap_bytes = spent.heap_bytes.max(heap_bytes);
    spent.cpu_max = spent.cpu_max.max(took);
    let what = match end {
        Err(cause) => format!("panic: {}", words(cause.as_ref())),
        Ok(()) if heap_bytes > bounds.heap_bytes => format!("{heap_bytes} bytes of heap"),
        Ok(()) if took > bounds.cpu => format!("{took:?} of the processor"),
        Ok(()) => return Ok(()),
    };
    let input = input.to_vec();
    Err(Finding { what, input })
}

/// Runs a target over mutations number `from` to `to` of its seeds. The number alone says what the
/// mutation is. Ends after ten findings.
#[must_use]
pub fn fuzz(
    target: &Target,
    numbers: std::ops::Range<u64>,
    bounds: Bounds,
) -> (Spent, Vec<Finding>) {
    let (_, run, seeds) = target;
    let mut spent = Spent::default();
    let mut findings = Vec::new();
    // An input's own start must not count: templates are unpacked once.
    run(&[]);
    let mut inputs = seeds();
    inputs.push(Vec::new());
    for number in numbers {
        let mut random = Random::new(number);
        let mut input = inputs[random.below(inputs.len())].clone();
        let other = &inputs[random.below(inputs.len())];
        mutate(&mut random, &mut input, other);
        if let Err(finding) = attempt(*run, &input, bounds, &mut spent) {
            findings.push(finding);
            if findings.len() == 10 {
                break;
            }
        }
    }
    (spent, findings)
}

/// Inputs that broke a target once: `fuzz/regressions/TARGET/*`.
///
/// # Panics
/// If they cannot be read, or are of no target.
#[must_use]
pub fn regressions() -> Vec<(&'static Target, String, Vec<u8>)> {
    let mut found = Vec::new();
    let root = fixtures().join("../fuzz/regressions");
    for folder in std::fs::read_dir(root).expect("fuzz/regressions") {
        let folder = folder.expect("an entry");
        if !folder.file_type().expect("its kind").is_dir() {
            continue;
        }
        let name = folder.file_name().into_string().expect("a target's name");
        let target = target(&name).unwrap_or_else(|| panic!("no target {name}"));
        for file in std::fs::read_dir(folder.path()).expect("a folder") {
            let path = file.expect("an entry").path();
            let input = std::fs::read(&path).expect("an input");
            found.push((target, path.display().to_string(), input));
        }
    }
    found
}

/// Time that the processor spent on this thread.
#[must_use]
pub fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let part = |n: i64| u64::try_from(n).unwrap_or(0);
    Duration::from_secs(part(time.tv_sec)) + Duration::from_nanos(part(time.tv_nsec))
}

fn words(cause: &(dyn std::any::Any + Send)) -> String {
    let text = cause.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| cause.downcast_ref::<&str>().copied());
    text.unwrap_or("no words").to_owned()
}
