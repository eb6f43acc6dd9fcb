//! `flr volumes`: what was found on an object, and what of it cannot be read, and why.

use super::Context;
use crate::args::Volumes;
use crate::open::{Opener, at_volume, describe, hint_for, quoted};
use crate::output::Outcome;
use flr_fs::{Filesystem, FsState, Opened, VolumeNode};
use flr_recover::address::{Address, Locator, Object};
use flr_recover::guest::os_name;
use flr_recover::shown::for_terminal;
use flr_recover::volumes::Place;
use flr_recover::{Error, Point};
use serde_json::{Map, Value};
use std::ffi::OsStr;
use std::path::PathBuf;
use std::sync::Arc;

/// Runs the command.
pub(crate) fn run(ctx: &mut Context<'_>, args: &Volumes) -> Outcome {
    let opener = Opener::new(ctx);
    let (addresses, more) = one_object(opener.addresses(&args.addresses)?);
    let mut opener = opener.and_disks(&more);
    let with = [ctx.global.with.clone(), more].concat();
    let single = addresses.len() == 1;
    for (index, address) in addresses.iter().enumerate() {
        let point = match point_of(&mut opener, address, ctx) {
            Ok(point) => point,
            Err(failure) if single => return Err(failure.into()),
            Err(failure) => {
                ctx.fail(&address.to_string(), &failure)?;
                continue;
            }
        };
        if !single && !ctx.out.json {
            let gap = if index == 0 { "" } else { "\n" };
            ctx.out.line(&format!("{gap}{address}:"))?;
        }
        show(ctx, address, &point, single)?;
        for (number, file) in (2_u32..).zip(&with) {
            let file = quoted(&for_terminal(file.as_os_str().as_encoded_bytes()));
            ctx.out.note(&format!(
                "disk/{number} is {file}: give it to other commands by --with {file}"
            ));
        }
    }
    Ok(ctx.tally.exit())
}

/// Several files are the disks of one object.
fn one_object(mut addresses: Vec<Address>) -> (Vec<Address>, Vec<PathBuf>) {
    let file = |address: &Address| match (&address.object, &address.locator) {
        (Object::Local(name), Locator::None) => Some(PathBuf::from(name)),
        _ => None,
    };
    let Some(files) = addresses.iter().map(file).collect::<Option<Vec<_>>>() else {
        return (addresses, Vec::new());
    };
    addresses.truncate(1);
    (addresses, files.into_iter().skip(1).collect())
}

/// The point whose volumes are asked for: the object's, or that of an image inside of it.
fn point_of(
    opener: &mut Opener<'_>,
    address: &Address,
    ctx: &mut Context<'_>,
) -> Result<Arc<Point>, crate::output::Failure> {
    let nested = address
        .locator
        .steps()
        .is_some_and(|(_, steps)| !steps.nested.is_empty());
    if nested {
        return Ok(opener.open(address, true, &mut ctx.out)?.target.point);
    }
    opener.point(address, &mut ctx.out)
}

/// A line of the listing.
struct Row {
    address: String,
    name: String,
    kind: &'static str,
    size: u64,
    label: Option<String>,
    uuid: Option<String>,
    filesystem: Option<String>,
    os: Option<String>,
    state: Option<FsState>,
    unsupported: Option<Error>,
    type_name: Option<String>,
    notes: Vec<String>,
}

fn show(ctx: &mut Context<'_>, object: &Address, point: &Point, single: bool) -> Outcome<()> {
    let nodes = point.tree().volumes().iter();
    let rows = nodes.flat_map(|node| rows_of(object, point, node));
    let files = point.files().map(|files| row_of_files(object, files));
    let rows: Vec<_> = rows.chain(files).collect();
    // Nothing recognised at all is not a list of volumes but an answer of its own.
    let failure = whole_failure(point);
    for row in &rows {
        if failure.is_none() {
            ctx.tally.done();
        }
        if ctx.out.json {
            ctx.out.message("volume", &row_json(row))?;
        }
    }
    if !ctx.out.json {
        print(ctx, &rows, failure.is_none())?;
    }
    let Some(error) = failure else {
        return Ok(());
    };
    let mut failure = describe(&error, &object.to_string());
    if let Error::Fs(error) = &error {
        failure.hint = hint_for(error, object, point).filter(|hint| !hint.contains("flr volumes"));
    }
    if single {
        return Err(failure.into());
    }
    ctx.fail(&object.to_string(), &failure)
}

/// Why nothing at all can be read, if that is so.
fn whole_failure(point: &Point) -> Option<Error> {
    let volumes = point.tree().volumes();
    let only = match volumes {
        [only] => only,
        _ => return None,
    };
    match (only.failure(), only.contents.is_empty()) {
        (Some(error), _) => Some(error.clone().into()),
        (None, true) => Some(point.guest().err()?),
        (None, false) => None,
    }
}

/// The rows of one volume: its own, and one for each filesystem that has an address of its own.
fn rows_of(object: &Address, point: &Point, node: &VolumeNode) -> Vec<Row> {
    let places: Vec<_> = point
        .places()
        .iter()
        .filter(|place| place.volume == node.id)
        .collect();
    let own = places.iter().find(|place| place.address == node.address);
    let mut row = Row {
        address: at_volume(object, &node.address),
        name: node.address.clone(),
        kind: node.volume.kind,
        size: node.volume.size,
        label: node.volume.label.clone(),
        uuid: node.volume.uuid.clone(),
        filesystem: None,
        os: None,
        state: None,
        unsupported: node.failure().map(|error| error.clone().into()),
        type_name: node.volume.type_name.clone(),
        notes: node.notes.iter().map(ToString::to_string).collect(),
    };
    let formats: Vec<_> = node
        .contents
        .iter()
        .filter(|content| !matches!(content.opened, Opened::Filesystem(_)))
        .map(|content| content.format)
        .filter(|format| *format != "unknown")
        .collect();
    if !formats.is_empty() {
        row.filesystem = Some(formats.join(" "));
    }
    if let Some(place) = own {
        describe_filesystem(&mut row, place);
    }
    let others = places
        .iter()
        .filter(|place| place.address != node.address)
        .map(|place| {
            let mut row = Row {
                address: at_volume(object, &place.address),
                name: place.address.clone(),
                kind: "filesystem",
                size: node.volume.size,
                label: None,
                uuid: None,
                filesystem: None,
                os: None,
                state: None,
                unsupported: None,
                type_name: None,
                notes: Vec::new(),
            };
            describe_filesystem(&mut row, place);
            row
        });
    let others: Vec<_> = others.collect();
    std::iter::once(row).chain(others).collect()
}

/// The row of files that a provider shows itself: there is no disk, so nothing stands behind `::`.
fn row_of_files(object: &Address, files: &Arc<dyn Filesystem>) -> Row {
    let info = files.info();
    let root = Address {
        locator: Locator::guest(OsStr::new("/")),
        ..object.clone()
    };
    let label = String::from_utf8_lossy(&info.label).into_owned();
    Row {
        address: root.to_string(),
        name: label.clone(),
        kind: "filesystem",
        size: info.size,
        label: Some(label),
        uuid: info.uuid.clone(),
        filesystem: Some(info.kind.to_owned()),
        os: None,
        state: None,
        unsupported: None,
        type_name: None,
        notes: vec![format!(
            "no disk but files; the size is that of now; to list them: flr ls {}",
            quoted(&root.to_string())
        )],
    }
}

fn describe_filesystem(row: &mut Row, place: &Place) {
    let info = place.filesystem.info();
    row.filesystem = Some(info.kind.to_owned());
    if !info.label.is_empty() {
        row.label = Some(String::from_utf8_lossy(&info.label).into_owned());
    }
    row.uuid = info.uuid.clone().or(row.uuid.take());
    row.os = os_name(&place.filesystem);
    row.state = Some(info.state.clone());
    row.notes.extend(info.notes.iter().map(ToString::to_string));
}

fn row_json(row: &Row) -> Map<String, Value> {
    let mut map = Map::new();
    map.insert("address".into(), row.address.clone().into());
    map.insert("name".into(), row.name.clone().into());
    map.insert("kind".into(), row.kind.into());
    map.insert("size".into(), row.size.into());
    let mut optional = |key: &str, value: Option<String>| {
        if let Some(value) = value {
            map.insert(key.to_owned(), value.into());
        }
    };
    optional("label", row.label.clone());
    optional("uuid", row.uuid.clone());
    optional("filesystem", row.filesystem.clone());
    optional("os", row.os.clone());
    optional(
        "state",
        row.state.as_ref().map(|state| state.words().to_owned()),
    );
    optional("type", row.type_name.clone());
    optional(
        "unsupported",
        row.unsupported.as_ref().map(ToString::to_string),
    );
    if !row.notes.is_empty() {
        map.insert("notes".into(), row.notes.clone().into());
    }
    map
}

fn print(ctx: &mut Context<'_>, rows: &[Row], warn: bool) -> Outcome<()> {
    let head = ["VOLUME", "KIND", "SIZE", "CONTENT", "LABEL", "STATE", "OS"].map(str::to_owned);
    let mut table = vec![head];
    for row in rows {
        let shown = |text: &Option<String>| {
            text.as_ref()
                .map_or_else(|| "-".to_owned(), |text| for_terminal(text.as_bytes()))
        };
        let content = match (&row.filesystem, &row.unsupported) {
            (Some(filesystem), _) => filesystem.clone(),
            (None, Some(_)) => "unreadable".to_owned(),
            (None, None) => "-".to_owned(),
        };
        table.push([
            for_terminal(row.name.as_bytes()),
            row.kind.to_owned(),
            size_text(row.size),
            content,
            shown(&row.label),
            row.state
                .as_ref()
                .map_or("-", |state| state.words())
                .to_owned(),
            shown(&row.os),
        ]);
    }
    crate::table::print(ctx, &table, 2)?;
    for row in rows {
        let name = for_terminal(row.name.as_bytes());
        if let (Some(error), true) = (&row.unsupported, warn) {
            ctx.out.warn(&format!("{name}: {error}"));
        }
        for note in &row.notes {
            ctx.out
                .note(&format!("{name}: {}", for_terminal(note.as_bytes())));
        }
    }
    Ok(())
}

/// A size for people, in units of 1024.
pub(crate) fn size_text(bytes: u64) -> String {
    indicatif::BinaryBytes(bytes).to_string()
}
