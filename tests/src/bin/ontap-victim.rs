//! A process that reads a LUN or a file of a snapshot of ONTAP, or cleans up, and may be killed in the middle.
//! The configuration has the source `filer`, the environment says where that and the journal are.
//!
//! `ontap-victim points OBJECT | open OBJECT POINT OFFSET LEN | files OBJECT POINT ACCESS PATH… | gc SVM`:
//! prints lines that a test reads.
//! `FLR_TEST_LIMIT_MS` is the limit of each step instead of the usual ones, `FLR_TEST_TTL_MS` how long a
//! session is promised to last.

use flr_fs::{ByteSource, Filesystem, RawName, StreamName};
use flr_provider::clouds::Way;
use flr_provider::engine::{Cleanup, GcOptions, Settings};
use flr_provider::held::engine_with;
use flr_provider::ontap::{Client, Ontap, OntapCloud, OntapSettings};
use flr_provider::point::{AccessMode, Catalog, OpenHow, OpenedPoint, PointInfo};
use flr_provider::remote::{self, block_on};
use sha2::{Digest, Sha256};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let way = Way {
        source: Some("filer".to_owned()),
        ..Way::default()
    };
    let filer = OntapSettings::of_way(&way).expect("a source");
    let catalog = Ontap::new(&filer, remote::Settings::default());
    let catalog = catalog.expect("a client").with_settings(settings());
    let result = match args.as_slice() {
        ["points", object] => catalog.points(object).map(|points| print_points(&points)),
        ["open", object, point, offset, len] => {
            let number = |text: &str| text.parse().expect("a number");
            let len = usize::try_from(number(len)).expect("a length");
            open(&catalog, object, point, number(offset), len)
        }
        ["files", object, point, access, paths @ ..] => {
            files(&catalog, object, point, access, paths)
        }
        ["gc", svm] => gc(Client::new(&filer).expect("a client"), svm),
        other => panic!("{other:?}"),
    };
    match result {
        Ok(code) => code,
        Err(error) => failed(&error),
    }
}

fn settings() -> Settings {
    let ms = Duration::from_millis;
    let variable = |name| {
        let value = std::env::var(name).ok();
        value.map(|text| ms(text.parse().expect("a number")))
    };
    let limit = variable("FLR_TEST_LIMIT_MS");
    let usual = Settings::default();
    Settings {
        create_limit: limit.unwrap_or(usual.create_limit),
        ready_limit: limit.unwrap_or(usual.ready_limit),
        attach_limit: limit.unwrap_or(usual.attach_limit),
        release_limit: limit.unwrap_or(usual.release_limit),
        ttl: variable("FLR_TEST_TTL_MS").unwrap_or(usual.ttl),
        consistency_window: ms(100),
        call_limit: ms(1500),
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
        let PointInfo {
            object,
            time,
            size,
            state,
            ..
        } = point;
        let name = point.name.as_deref().unwrap_or_default();
        println!(
            "{name} {object} {time} {size} {state} {}",
            point.access.word()
        );
    }
    ExitCode::SUCCESS
}

fn open(
    catalog: &Ontap,
    object: &str,
    name: &str,
    offset: u64,
    len: usize,
) -> flr_provider::Result<ExitCode> {
    let point = chosen(catalog, object, name)?;
    let how = OpenHow::default();
    let OpenedPoint { disks, held, notes } = catalog.open(&point, &how)?;
    for note in notes {
        println!("note {note}");
    }
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

fn chosen(catalog: &Ontap, object: &str, name: &str) -> flr_provider::Result<PointInfo> {
    let points = catalog.points(object)?;
    let mut points = points.into_iter().rev();
    let point = points.find(|point| point.name.as_deref() == Some(name) || point.id == name);
    Ok(point.expect("a point"))
}

/// Reads files one after the other; the sources of all of them stay open until the end.
fn files(
    catalog: &Ontap,
    object: &str,
    name: &str,
    access: &str,
    paths: &[&str],
) -> flr_provider::Result<ExitCode> {
    let point = chosen(catalog, object, name)?;
    let how = OpenHow {
        access: match access {
            "auto" => AccessMode::Auto,
            "direct" => AccessMode::Direct,
            "clone" => AccessMode::Clone,
            other => panic!("{other}"),
        },
        ..OpenHow::default()
    };
    let opened = catalog.open_files(&point, &how)?.expect("files");
    for note in opened.notes {
        println!("note {note}");
    }
    let mut sources = Vec::new();
    let mut failed = false;
    for path in paths {
        match file(&*opened.filesystem, path) {
            Ok((source, sum)) => {
                println!("file {path} {} {sum}", source.size());
                sources.push(source);
            }
            Err(error) => {
                println!("error {path}: {error}");
                failed = true;
            }
        }
    }
    println!("read");
    drop((sources, opened.filesystem));
    let cleanup = opened.held.map(|held| held.close()).unwrap_or_default();
    let code = told(&cleanup);
    Ok(match (failed, cleanup.is_clean()) {
        (true, true) => ExitCode::FAILURE,
        _ => code,
    })
}

fn file(filesystem: &dyn Filesystem, path: &str) -> flr_fs::Result<(Arc<dyn ByteSource>, String)> {
    let mut node = filesystem.root();
    for name in path.split('/') {
        let found = filesystem.lookup(node, RawName::new(name.as_bytes()))?;
        node = found.ok_or(flr_fs::Request::NoSuchNode)?.node;
    }
    let source = filesystem.open(node, StreamName::Main)?;
    let mut bytes = vec![0; usize::try_from(source.size()).expect("a size")];
    source.read_at(0, &mut bytes)?;
    let sum = Sha256::digest(&bytes);
    let sum = sum.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok((source, sum))
}

fn gc(client: Client, svm: &str) -> flr_provider::Result<ExitCode> {
    let cloud = Arc::new(OntapCloud::new(client, svm));
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
