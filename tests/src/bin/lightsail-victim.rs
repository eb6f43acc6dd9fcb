//! A process that reads a point of Lightsail through an export, or cleans up, and may be killed in
//! the middle. The environment says where AWS is, and where the journal.
//!
//! `lightsail-victim points OBJECT | open POINT OFFSET LEN | refuse POINT | gc`: prints lines that a test
//! reads. `FLR_TEST_LIMIT_MS` is the limit of each step instead of the usual ones.

use flr_provider::aws::lightsail::{Lightsail, LightsailCloud};
use flr_provider::aws::{Client, ClientSettings};
use flr_provider::engine::{Cleanup, GcOptions, Settings};
use flr_provider::held::engine_with;
use flr_provider::point::{Catalog, OpenHow, OpenedPoint, PointInfo};
use flr_provider::remote::{self, block_on};
use sha2::{Digest, Sha256};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let aws = ClientSettings::default();
    let catalog = Lightsail::new(&aws, remote::Settings::default());
    let catalog = catalog.expect("a client").with_settings(settings());
    let result = match args.as_slice() {
        ["points", object] => catalog.points(object).map(|points| print_points(&points)),
        ["open", point, offset, len] => {
            let offset = offset.parse().expect("a number");
            open(
                &catalog,
                point,
                true,
                offset,
                len.parse().expect("a number"),
            )
        }
        ["refuse", point] => open(&catalog, point, false, 0, 0),
        ["gc"] => gc(Client::new(&aws).expect("a client")),
        other => panic!("{other:?}"),
    };
    match result {
        Ok(code) => code,
        Err(error) => failed(&error),
    }
}

fn settings() -> Settings {
    let ms = Duration::from_millis;
    let limit = std::env::var("FLR_TEST_LIMIT_MS").ok();
    let limit = limit.map(|limit| ms(limit.parse().expect("a number")));
    let usual = Settings::default();
    Settings {
        create_limit: limit.unwrap_or(usual.create_limit),
        ready_limit: limit.unwrap_or(usual.ready_limit),
        attach_limit: limit.unwrap_or(usual.attach_limit),
        release_limit: limit.unwrap_or(usual.release_limit),
        consistency_window: ms(100),
        call_limit: ms(1000),
        look_gap: ms(5),
        gone_gap: ms(5),
        backoff_min: ms(2),
        backoff_max: ms(20),
        // Nothing of a live session is ever as old.
        grace: ms(0),
        mark_delay: ms(0),
        ..usual
    }
}

fn failed(error: &flr_provider::Error) -> ExitCode {
    println!("error {error}");
    println!("hint {}", error.hint().unwrap_or_default());
    println!("debug {error:?}");
    let left = matches!(error, flr_provider::Error::Leftover { .. });
    ExitCode::from(if left { 21 } else { 1 })
}

fn print_points(points: &[PointInfo]) -> ExitCode {
    for point in points {
        let (id, object, time) = (&point.id, &point.object, point.time);
        let disks = point.disks.len();
        println!(
            "{id} {object} {time} {} {} {disks}",
            point.state,
            point.access.word()
        );
    }
    ExitCode::SUCCESS
}

fn open(
    catalog: &Lightsail,
    id: &str,
    yes: bool,
    offset: u64,
    len: usize,
) -> flr_provider::Result<ExitCode> {
    let points = catalog.points(id)?;
    let point = points.last().expect("a point");
    let how = OpenHow {
        yes,
        tags: vec![("CostCenter".into(), "it-42".into())],
        ..OpenHow::default()
    };
    let OpenedPoint { disks, held, .. } = catalog.open(point, &how)?;
    for disk in disks {
        let mut bytes = vec![0; len];
        disk.source.read_at(offset, &mut bytes)?;
        let sum = Sha256::digest(&bytes);
        let sum: String = sum.iter().map(|byte| format!("{byte:02x}")).collect();
        println!("disk {} {sum}", disk.source.size());
    }
    println!("read");
    Ok(told(&held.expect("something was made").close()))
}

fn gc(client: Client) -> flr_provider::Result<ExitCode> {
    let window = settings().consistency_window;
    let cloud = Arc::new(LightsailCloud::new(client, window));
    let engine = engine_with(cloud, &OpenHow::default(), settings())?;
    Ok(told(&block_on(engine.gc(GcOptions::default()))?))
}

fn told(cleanup: &Cleanup) -> ExitCode {
    for item in &cleanup.gone {
        println!("gone {item}");
    }
    for (item, why) in &cleanup.left {
        println!("left {item}: {why}");
        println!("debug {why:?}");
    }
    ExitCode::from(cleanup.exit_code(true))
}
