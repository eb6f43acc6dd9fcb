//! The bytes of a file, and clones of files.

use super::config::BelowSnapshot;
use super::context::Context;
use super::effects::Effect;
use super::error::{
    EACCES, EEXIST, EISDIR, hal, invalid, missing, not_there, unexpected, unsupported,
};
use super::file_list::writable;
use super::files::FileKind;
use super::model::{Space, Volume};
use super::multipart;
use super::tree::{Place, no_such_file};
use super::volumes::visible;
use crate::stand_in::error::{Result, error};
use serde_json::json;

/// Up to this release a clone needs its volume's name beside its UUID.
const NAME_UNTIL: super::Version = super::Version(9, 13, 1);

/// `GET /storage/volumes/{volume}/files/{path}?byte_offset=&length=` with `Accept: multipart/form-data`
pub(crate) fn read(context: &Context<'_>) -> Result {
    let mut state = context.state();
    let reading = &context.reading;
    let own = ["byte_offset", "length", "stream_name"];
    let mut given = reading.parameters.iter().map(|(name, _)| name.as_str());
    if let Some(name) = given.find(|name| !own.contains(name)) {
        return Err(unexpected(name));
    }
    let number =
        |name: &str, text: &str| -> Result<u64> { text.parse().map_err(|_| invalid(name, text)) };
    let offset = number(
        "byte_offset",
        reading.parameter("byte_offset").unwrap_or("0"),
    )?;
    let length = reading
        .parameter("length")
        .ok_or_else(|| missing("length"))?;
    let length = number("length", length)?;
    if length == 0 || length > state.settings.read_max {
        return Err(invalid("length", &length.to_string()));
    }
    let (uuid, path) = (context.route.id("volume"), context.route.id("path"));
    let volume = visible(context, &state, uuid, "volume.uuid")?;
    if volume.state != "online" {
        return Err(unsupported(format!(
            "Volume \"{}\" is not online.",
            volume.name
        )));
    }
    let place = Place::find(&state, volume, path)?;
    let is_snapshot = matches!(place, Place::Snapshot(..));
    if is_snapshot && state.settings.below_snapshot == BelowSnapshot::DataRefused {
        return Err(error(403, EACCES, "Permission denied").because("path"));
    }
    let thing = place.thing(&state, volume)?;
    let content = match thing.node().map(|node| &node.kind) {
        Some(FileKind::File(content)) => content.clone(),
        None if thing.is_directory() => {
            return Err(error(400, EISDIR, "Is a directory").because("path"));
        }
        Some(FileKind::Directory) => {
            return Err(error(400, EISDIR, "Is a directory").because("path"));
        }
        // What comes of a LUN is not defined, and a link is not followed.
        _ => return Err(unsupported("Only files can be read.")),
    };
    let boundary = state.boundary();
    drop(state);
    let data = content.read(offset, length);
    Ok(multipart::answer(&data, "file", &boundary))
}

/// A path without what leads nowhere.
fn plain(path: &str) -> &str {
    path.trim_start_matches("./").trim_matches('/')
}

/// `POST /storage/file/clone`
pub(crate) fn clone(context: &Context<'_>) -> Result {
    let mut state = context.state();
    let reading = &context.reading;
    let uuid = reading
        .text("volume.uuid")
        .ok_or_else(|| missing("volume.uuid"))?;
    let name = reading.text("volume.name");
    if name.is_none() && state.version <= NAME_UNTIL {
        return Err(missing("volume.name"));
    }
    let from = plain(
        reading
            .text("source_path")
            .ok_or_else(|| missing("source_path"))?,
    );
    let to = reading.text("destination_path");
    let to = plain(to.ok_or_else(|| missing("destination_path"))?);
    let volume = visible(context, &state, uuid, "volume.uuid")?;
    if name.is_some_and(|name| name != volume.name) {
        return Err(not_there("volume.name"));
    }
    takes_files(volume, to)?;
    let overwrite = reading.flag("overwrite_destination") == Some(true);
    if volume.files.get(to).is_some() && !overwrite {
        return Err(error(409, EEXIST, "File exists").because("destination_path"));
    }
    // It is read in the volume, whatever the files interface may do.
    let node = match from.strip_prefix(".snapshot/") {
        None => volume.files.get(from),
        Some(inside) => {
            let (snapshot, path) = inside.split_once('/').ok_or_else(no_such_file)?;
            let snapshot = volume.snapshot(snapshot).ok_or_else(no_such_file)?;
            snapshot.files.get(path)
        }
    };
    let node = node.ok_or_else(|| no_such_file().because("source_path"))?;
    if !matches!(node.kind, FileKind::File(_)) {
        return Err(error(400, EISDIR, "Only files can be cloned.").because("source_path"));
    }
    let effect = Effect::CloneFile {
        volume: uuid.to_owned(),
        path: to.to_owned(),
        of: Box::new(node.clone()),
        overwrite,
        auto_delete: reading.flag("autodelete") == Some(true),
    };
    if let Some(answer) = context.approval(&mut state, to) {
        return answer;
    }
    if state.settings.file_clones_by_jobs {
        return context.job(&mut state, effect, 201, None);
    }
    super::effects::run(&mut state, effect, context.now)?;
    Ok(hal(201, &json!({})))
}

fn takes_files(volume: &Volume, path: &str) -> Result<()> {
    if volume.flexgroup {
        return Err(unsupported(
            "File clones are not supported in FlexGroup volumes.",
        ));
    }
    writable(volume, path)?;
    if volume.space != Space::Enough {
        let message = format!("No space left in volume \"{}\".", volume.name);
        return Err(unsupported(message));
    }
    let directory = path.rsplit_once('/').map_or("", |(directory, _)| directory);
    if !volume.files.is_directory(directory) {
        return Err(no_such_file().because("destination_path"));
    }
    Ok(())
}
