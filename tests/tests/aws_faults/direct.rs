//! Points and blocks, as the catalog of AWS finds and reads them; nothing is made.

use crate::kinds::{Form, Site, kinds, site};
use crate::table::{Cell, Outcome, cells, run};
use flr_fs::ByteSource;
use flr_provider::FaultKind;
use flr_provider::aws::{AwsCatalog, Client, ClientSettings, EbsSnapshot, Keys, SnapshotOptions};
use flr_provider::point::{AccessMode, Catalog, OpenHow};
use flr_provider::remote::{Chunked, DiskSettings, Settings, block_on, retry_calls};
use flr_tests::aws_fake::{
    BLOCK_LEN, Blocks, Config, Fake, Image, ImageDisk, Instance, Snapshot, Volume,
};
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

pub(crate) const SNAPSHOT: &str = "snap-0123456789abcdef0";
const EARLIER: &str = "snap-0123456789abcdef1";
const VOLUME: &str = "vol-0123456789abcdef0";
const INSTANCE: &str = "i-0123456789abcdef0";
const IMAGE: &str = "ami-0123456789abcdef0";
const NAME: &str = "web";

/// Blocks that are looked at, with holes among them.
const COUNT: u64 = 9;

/// What is in a block, if it was ever written.
pub(crate) fn block(index: u64) -> Option<Vec<u8>> {
    let seed = u8::try_from(index % 200).expect("small");
    let mut block = vec![seed; BLOCK_LEN];
    for (at, byte) in block.iter_mut().enumerate().step_by(509) {
        *byte = u8::try_from(at % 256).expect("small");
    }
    (index % 5 != 1).then_some(block)
}

/// An account with a snapshot, and everything that leads to it.
pub(crate) fn world() -> Fake {
    let fake = Fake::start(Config::default());
    let mut state = fake.state();
    for (id, started) in [(EARLIER, 1_795_000_000_000), (SNAPSHOT, 1_795_100_000_000)] {
        let stored = |index| if index < COUNT { block(index) } else { None };
        let blocks = Blocks::from_fn(2048, stored);
        let mut snapshot = Snapshot::new(id, blocks);
        VOLUME.clone_into(&mut snapshot.volume_id);
        snapshot.started = started;
        state.add_snapshot(snapshot);
    }
    state.add_volume(Volume::new(VOLUME, 1));
    let mut instance = Instance::new(INSTANCE);
    instance.tags.insert("Name".to_owned(), NAME.to_owned());
    state.add_instance(instance);
    state.attach(VOLUME, INSTANCE, "/dev/xvda");
    let disk = ImageDisk {
        device: "/dev/xvda".to_owned(),
        snapshot_id: SNAPSHOT.to_owned(),
        gib: 1,
    };
    state.add_image(Image::new(IMAGE, vec![disk]));
    // So few that the end of a listing is not known from its beginning.
    state.settings.pages.max = Some(4);
    drop(state);
    fake
}

pub(crate) fn client(fake: &Fake) -> Client {
    let settings = ClientSettings {
        region: Some("us-east-1".to_owned()),
        endpoint_url: Some(fake.url()),
        ..ClientSettings::default()
    };
    let key = Config::default().keys[0].clone();
    let keys = Keys {
        id: key.id,
        secret: key.secret,
        token: key.token,
    };
    Client::with_keys(&settings, keys).expect("a client")
}

/// Reading in haste.
pub(crate) fn reading() -> Settings {
    Settings {
        deadline: Duration::from_secs(2),
        attempt_limit: Duration::from_millis(500),
        backoff_min: Duration::from_millis(10),
        backoff_max: Duration::from_millis(200),
        ..Settings::default()
    }
}

/// The same on a machine that may be busy, where it has to go well.
fn patient() -> Settings {
    Settings {
        deadline: Duration::from_secs(25),
        attempt_limit: Duration::from_secs(2),
        ..reading()
    }
}

/// How a cell reads: in haste if that is what fails.
fn reading_of(cell: &Cell) -> Settings {
    let of_blocks = matches!(
        (cell.site.operation, cell.site.nth),
        ("GetSnapshotBlock", _) | ("ListSnapshotBlocks", 2)
    );
    match of_blocks && cell.form == Form::Always && cell.kind.always.is_some() {
        true => reading(),
        false => patient(),
    }
}

/// How something failed, with all that can be said of it.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) said: String,
    pub(crate) debug: String,
}

impl Failure {
    pub(crate) fn of(error: &impl std::error::Error) -> Self {
        Self {
            said: error.to_string(),
            debug: format!("{error:?}"),
        }
    }

    fn is(&self, kind: FaultKind) -> bool {
        self.debug.contains(&format!("kind: {kind:?}"))
    }

    fn word(&self) -> String {
        let kinds = [
            FaultKind::Unknown,
            FaultKind::Throttled,
            FaultKind::Expired,
            FaultKind::Quota,
        ];
        let found = kinds.into_iter().find(|kind| self.is(*kind));
        found.map_or_else(|| "other".to_owned(), |kind| format!("{kind:?}"))
    }
}

/// Compares everything that there is.
pub(crate) fn check(source: &dyn ByteSource) -> Result<(), Failure> {
    let mut bytes = vec![0xaa; BLOCK_LEN];
    for index in (0..COUNT).chain([2047]) {
        let at = index * u64::try_from(BLOCK_LEN).expect("small");
        source
            .read_at(at, &mut bytes)
            .map_err(|error| Failure::of(&error))?;
        let expected = (index < COUNT).then(|| block(index)).flatten();
        let expected = expected.unwrap_or_else(|| vec![0; BLOCK_LEN]);
        assert!(bytes == expected, "block {index} has other bytes");
    }
    Ok(())
}

/// Finds the newest point of an object and reads it.
fn read_point(catalog: &dyn Catalog, object: &str) -> Result<(), Failure> {
    let points = catalog
        .points(object)
        .map_err(|error| Failure::of(&error))?;
    let point = points.last().expect("a point");
    assert_eq!(point.disks[0].id, SNAPSHOT, "{point:?}");
    let how = OpenHow {
        access: AccessMode::Direct,
        ..OpenHow::default()
    };
    let opened = catalog.open(point, &how);
    let opened = opened.map_err(|error| Failure::of(&error))?;
    check(&*opened.disks[0].source)
}

/// Reads a snapshot of which another one's blocks were kept.
fn read_relative(client: &Client, folder: &Path, reading: Settings) -> Result<(), Failure> {
    let settings = Settings {
        disk: Some(DiskSettings {
            folder: folder.to_owned(),
            bytes_max: 64 << 20,
        }),
        ..reading
    };
    for (id, relative) in [(EARLIER, None), (SNAPSHOT, Some(EARLIER.to_owned()))] {
        let options = SnapshotOptions {
            relative,
            ..SnapshotOptions::default()
        };
        let opened = block_on(retry_calls(|| {
            EbsSnapshot::open_with(client, id, options.clone())
        }));
        let snapshot = opened.map_err(|fault| Failure::of(&fault))?;
        check(&*Chunked::new(snapshot, &settings))?;
    }
    Ok(())
}

/// The calls, and what is asked for so that they are made.
const SITES: [(Site, &str); 8] = [
    (site("DescribeInstances", 1), NAME),
    (site("DescribeVolumes", 1), NAME),
    (site("DescribeSnapshots", 1), VOLUME),
    (site("DescribeImages", 1), IMAGE),
    (site("ListSnapshotBlocks", 1), SNAPSHOT),
    (site("ListSnapshotBlocks", 2), SNAPSHOT),
    (site("GetSnapshotBlock", 1), SNAPSHOT),
    (site("ListChangedBlocks", 1), ""),
];

fn all(form: Form) -> Vec<Cell> {
    cells(&SITES.map(|(site, _)| site), form, |site| {
        kinds(site.operation == "GetSnapshotBlock")
    })
}

fn object(site: Site) -> &'static str {
    let mut sites = SITES.iter();
    let found = sites.find(|(known, _)| *known == site);
    found.expect("a site").1
}

/// How long it may take: a deadline for each call that is no block, one for each read.
fn bound(cell: &Cell) -> Duration {
    let reading = reading_of(cell).deadline;
    let calls = match cell.site.operation {
        "GetSnapshotBlock" | "ListChangedBlocks" => Duration::ZERO,
        _ => Settings::default().deadline,
    };
    reading.max(calls) + Duration::from_secs(10)
}

fn try_cell(cell: &Cell) -> Outcome {
    let Cell { site, kind, form } = cell;
    let fake = world();
    let client = client(&fake);
    let folder = tempfile::tempdir().expect("a folder");
    let object = object(*site);
    let read = |name: &str, reading: Settings| match object {
        "" => read_relative(&client, &folder.path().join(name), reading),
        object => {
            let catalog = AwsCatalog::with_client(client.clone(), reading);
            read_point(&catalog, object)
        }
    };
    let hits = site.break_it(&fake, &kind.fault, *form);
    let begun = Instant::now();
    let result = read("broken", reading_of(cell));
    let took = begun.elapsed();
    let mut wrong = Vec::new();
    if hits.load(Ordering::Relaxed) == 0 {
        wrong.push("the call was never made".to_owned());
    }
    if took > bound(cell) {
        wrong.push(format!("it took {took:?}"));
    }
    judge(cell, &result, &mut wrong);
    fake.clear_rule();
    if let Err(failure) = read("healed", patient()) {
        wrong.push(format!("healed, and still: {}", failure.said));
    }
    let word = match &result {
        Ok(()) => "right".to_owned(),
        Err(failure) => failure.word(),
    };
    Outcome { word, took, wrong }
}

/// Whether it came to what it should.
fn judge(cell: &Cell, result: &Result<(), Failure>, wrong: &mut Vec<String>) {
    let Cell { site, kind, form } = cell;
    // What is only asked to save work, and a lag that nothing here can be behind of.
    let harmless = site.operation == "ListChangedBlocks" || kind.always.is_none();
    let expected = match form {
        // What is used up is not asked for again.
        Form::Once => kind.always.filter(|kind| *kind == FaultKind::Quota),
        Form::Always => kind.always,
    };
    match (result, expected.filter(|_| !harmless)) {
        (Ok(()), None) => {}
        (Ok(()), Some(kind)) => wrong.push(format!("expected {kind:?}, and it went well")),
        (Err(failure), None) => wrong.push(format!("not survived: {}", failure.said)),
        (Err(failure), Some(kind)) => {
            if !failure.is(kind) {
                wrong.push(format!("expected {kind:?}: {}", failure.debug));
            }
        }
    }
}

#[test]
fn a_fault_that_passes_is_survived() {
    run("direct, once", all(Form::Once), 8, try_cell);
}

#[test]
fn a_fault_that_stays_is_told_in_time() {
    run("direct, always", all(Form::Always), 64, try_cell);
}
