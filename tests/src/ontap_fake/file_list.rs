//! Files of a volume: which there are, and what they are.

use super::config::{Settings, Sizes};
use super::context::Context;
use super::error::{ENOTEMPTY, EROFS, hal, missing};
use super::files::{FileKind, base};
use super::model::VolumeType;
use super::query::{Kind, Record};
use super::times::time;
use super::tree::{Place, SNAPSHOT, Thing, no_such_file};
use super::volumes::visible;
use crate::stand_in::encoding::percent_encode;
use crate::stand_in::error::{Result, error};
use serde_json::{Value, json};

const KIND: Kind = Kind {
    always: &["path", "name", "type"],
    expensive: &["analytics", "qos_policy", "target", "volume"],
    known: &[
        "path",
        "name",
        "type",
        "size",
        "bytes_used",
        "inode_number",
        "inode_generation",
        "hard_links_count",
        "unix_permissions",
        "owner_id",
        "group_id",
        "creation_time",
        "modified_time",
        "accessed_time",
        "changed_time",
        "is_empty",
        "is_junction",
        "is_snapshot",
        "is_vm_aligned",
        "target",
        "volume",
        "analytics",
        "qos_policy",
        "unique_bytes",
    ],
};

/// Permissions are given as a number whose decimal digits are octal ones.
fn octal(mode: u32) -> u32 {
    format!("{mode:o}").parse().expect("digits")
}

/// Parts of a path, encoded as the interface wants them: also slashes and dots.
fn encoded(path: &str) -> String {
    percent_encode(path.as_bytes()).replace('.', "%2E")
}

/// A file's fields. `alone`: it was asked for by itself.
fn fields(settings: &Settings, thing: &Thing, created: i64, alone: bool) -> Value {
    let offset = settings.utc_offset;
    let node = thing.node();
    let modified = time(node.map_or(created, |node| node.modified), offset);
    let mut value = json!({
        "type": thing.word(),
        "size": thing.len(),
        "bytes_used": thing.len().next_multiple_of(4096),
        "inode_number": node.map_or(64, |node| node.inode),
        "inode_generation": 214_488_325,
        "hard_links_count": 1,
        "unix_permissions": octal(node.map_or(0o755, |node| node.mode)),
        "owner_id": node.map_or(0, |node| node.owner),
        "group_id": node.map_or(0, |node| node.group),
        "creation_time": modified,
        "modified_time": modified,
        "accessed_time": modified,
        "changed_time": modified,
        "is_vm_aligned": false,
    });
    let untold = match settings.sizes {
        Sizes::Told => false,
        Sizes::NotListed => !alone,
        Sizes::Untold => true,
    };
    let fields = value.as_object_mut().expect("fields");
    if untold {
        fields.remove("size");
    }
    if !settings.owners {
        fields.remove("owner_id");
        fields.remove("group_id");
    }
    if thing.is_directory() {
        value["is_junction"] = json!(false);
        value["is_snapshot"] = json!(matches!(thing, Thing::Snapshot));
    }
    if let Some(target) = thing.target() {
        value["target"] = json!(target);
    }
    value
}

fn entry(
    context: &Context<'_>,
    settings: &Settings,
    created: i64,
    (name, thing): (&str, &Thing),
) -> Record {
    let directory = context.route.id("path");
    let volume = context.route.id("volume");
    let mut value = fields(settings, thing, created, false);
    value["path"] = json!(directory);
    value["name"] = json!(name);
    value["volume"] = json!({ "uuid": volume });
    let full = match directory {
        "" => name.to_owned(),
        directory => format!("{directory}/{name}"),
    };
    let href = format!("/api/storage/volumes/{volume}/files/{}", encoded(&full));
    // The two that every directory has come first.
    let rank = if [".", ".."].contains(&name) { 0 } else { 1 };
    Record {
        key: format!("{rank}{name}"),
        href: thing.is_directory().then_some(href),
        value,
    }
}

/// `GET /storage/volumes/{volume}/files/{path}`
pub(crate) fn list(context: &Context<'_>) -> Result {
    let state = context.state();
    let tables = context.seen(&state);
    let volume = visible(context, tables, context.route.id("volume"), "volume.uuid")?;
    let place = Place::find(&state, volume, context.route.id("path"))?;
    let (settings, created) = (&state.settings, volume.created);
    let thing = place.thing(tables, volume)?;
    let mut records = Vec::new();
    match place.list(tables, volume) {
        Some(inside) => {
            for name in [".", ".."] {
                records.push(entry(context, settings, created, (name, &Thing::Root)));
            }
            for (name, thing) in &inside {
                records.push(entry(context, settings, created, (name, thing)));
            }
        }
        // Of a file there is only itself.
        None => {
            let name = base(context.route.id("path"));
            records.push(entry(context, settings, created, (name, &thing)));
        }
    }
    let at_most = state.settings.page_max;
    Ok(hal(
        200,
        &KIND.collection(&context.reading, records, at_most)?,
    ))
}

/// `GET /storage/volumes/{volume}/files/{path}?return_metadata=true`
pub(crate) fn stat(context: &Context<'_>) -> Result {
    let state = context.state();
    let tables = context.seen(&state);
    let volume = visible(context, tables, context.route.id("volume"), "volume.uuid")?;
    let path = context.route.id("path");
    let place = Place::find(&state, volume, path)?;
    let thing = place.thing(tables, volume)?;
    let mut value = fields(&state.settings, &thing, volume.created, true);
    value["path"] = json!(path);
    value["name"] = json!("");
    value["volume"] = json!({ "uuid": volume.uuid });
    if let Some(inside) = place.list(tables, volume) {
        value["is_empty"] = json!(inside.is_empty());
    }
    let record = Record {
        key: String::new(),
        href: None,
        value,
    };
    let mut reading = context.reading.clone();
    let own = ["return_metadata", "byte_offset", "length"];
    reading
        .parameters
        .retain(|(name, _)| !own.contains(&name.as_str()));
    let single = KIND.single(&reading, &record)?;
    Ok(hal(200, &json!({ "records": [single], "num_records": 1 })))
}

/// Whether files of a volume can be changed, and this one.
pub(crate) fn writable(volume: &super::Volume, path: &str) -> Result<()> {
    let is_snapshot = path == SNAPSHOT || path.starts_with(".snapshot/");
    if volume.kind != VolumeType::Rw || is_snapshot {
        return Err(error(403, EROFS, "Read-only file system").because("path"));
    }
    Ok(())
}

/// `DELETE /storage/volumes/{volume}/files/{path}`
pub(crate) fn delete(context: &Context<'_>) -> Result {
    let mut state = context.state();
    let (uuid, path) = (context.route.id("volume"), context.route.id("path"));
    let volume = visible(context, &state, uuid, "volume.uuid")?;
    if path.is_empty() {
        return Err(missing("path"));
    }
    writable(volume, path)?;
    volume.files.get(path).ok_or_else(no_such_file)?;
    let recurse = context.reading.switch("recurse")?;
    if !recurse && !volume.files.list(path).is_empty() {
        return Err(error(409, ENOTEMPTY, "Directory not empty").because("path"));
    }
    if let Some(answer) = context.approval(&mut state, path) {
        return answer;
    }
    let volume = state.change(context.now).volumes.get_mut(uuid);
    volume.expect("it is there").files.remove(path);
    Ok(hal(200, &json!({})))
}

/// `POST` and `PATCH` of files, without data: only directories and links are made.
pub(crate) fn create(context: &Context<'_>) -> Result {
    let mut state = context.state();
    let (uuid, path) = (context.route.id("volume"), context.route.id("path"));
    let volume = visible(context, &state, uuid, "volume.uuid")?;
    writable(volume, path)?;
    let reading = &context.reading;
    let (target, now) = (reading.text("target"), context.now);
    let kind = context
        .asked
        .request
        .header("content-type")
        .unwrap_or_default();
    let data = super::multipart::data(&kind, &context.asked.request.body);
    let volume = state
        .change(now)
        .volumes
        .get_mut(uuid)
        .expect("it is there");
    match (data, target, reading.text("type")) {
        (Some(data), ..) => {
            let content = super::Content::from_bytes(data);
            match volume.files.get_mut(path) {
                Some(node) => node.kind = FileKind::File(content),
                None => volume.files.add(path, content, now),
            }
        }
        (None, Some(target), _) => volume.files.add_symlink(path, target, now),
        (None, None, Some("directory")) => volume.files.add_directory(path, now),
        _ => return Err(missing("type")),
    }
    state.made.insert(format!("{uuid}/{path}"));
    let href = format!("/api/storage/volumes/{uuid}/files/{}", encoded(path));
    Ok(hal(201, &json!({})).with("Location", href))
}
