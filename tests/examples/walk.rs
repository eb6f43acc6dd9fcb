//! Walks every node of an image with its metadata, in this process, and prints how long that took.
//! Part of `bench/compare`.

use flr_provider::{FileSource, OpenOptions};
use flr_recover::walk::{Next, Step, walk};
use flr_recover::{OpenOptions as PointOptions, Point};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

fn main() {
    let path = std::env::args_os().nth(1).expect("an image");
    let start = Instant::now();
    let source =
        FileSource::open(Path::new(&path), OpenOptions { live: false }).expect("a readable image");
    let point = Point::open_image(Arc::new(source), &PointOptions::default());
    let view = point.guest().expect("a filesystem").view;
    let mut entries = 0_u64;
    let mut failed = 0_u64;
    walk(&view, view.root(), None, &mut |step| {
        match step {
            Step::Node { .. } => entries += 1,
            Step::Failed { .. } => failed += 1,
            Step::Leave { .. } => {}
        }
        Next::Continue
    })
    .expect("a root directory");
    let seconds = start.elapsed().as_secs_f64();
    let status = std::fs::read_to_string("/proc/self/status").expect("/proc");
    let rss = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .expect("VmHWM");
    let kib: f64 = rss
        .trim()
        .trim_end_matches(" kB")
        .parse()
        .expect("a number");
    println!(
        r#"{{"seconds":{seconds:.6},"entries":{entries},"failed":{failed},"rss_mib":{:.1}}}"#,
        kib / 1024.0
    );
}
