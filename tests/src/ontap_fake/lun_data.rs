//! The bytes of a LUN.

use super::context::Context;
use super::error::{hal, invalid, missing, unexpected, unsupported};
use super::luns::find;
use super::multipart;
use crate::stand_in::error::{Result, error};
use serde_json::json;

/// Before this release a LUN's bytes cannot be read. The vendor's pages have it for 9.12.1; when it came is
/// not said.
const SINCE: super::Version = super::Version(9, 11, 0);

fn number(context: &Context<'_>, name: &str) -> Result<u64> {
    let text = context
        .reading
        .parameter(name)
        .ok_or_else(|| missing(name))?;
    text.parse().map_err(|_| invalid(name, text))
}

/// No parameters but these.
fn only(context: &Context<'_>, names: &[&str]) -> Result<()> {
    let mut given = context
        .reading
        .parameters
        .iter()
        .map(|(name, _)| name.as_str());
    match given.find(|name| !names.contains(name)) {
        Some(name) => Err(unexpected(name)),
        None => Ok(()),
    }
}

/// `GET /storage/luns/{uuid}?data.offset=&data.size=` with `Accept: multipart/form-data`
pub(crate) fn read(context: &Context<'_>) -> Result {
    let mut state = context.state();
    let (since, version) = (SINCE, state.version);
    if !state.settings.lun_data.unwrap_or(version >= since) {
        return Err(unexpected("data.size"));
    }
    if !context.reading.wants_data {
        // Without the header these are no parameters of anything.
        return Err(unexpected("data.size"));
    }
    only(context, &["data.offset", "data.size"])?;
    let (offset, size) = (
        number(context, "data.offset")?,
        number(context, "data.size")?,
    );
    if size == 0 || size > state.settings.read_max {
        return Err(invalid("data.size", &size.to_string()));
    }
    let lun = find(context, &state, &state.tables)?;
    let volume = state.volumes.get(&lun.volume);
    if lun.state != "online" || volume.is_none_or(|volume| volume.state != "online") {
        return Err(unsupported("The LUN is not online."));
    }
    let content = lun.content.clone();
    if offset
        .checked_add(size)
        .is_none_or(|end| end > content.len())
    {
        let message = "The data to be read is beyond the end of the LUN.";
        return Err(error(400, "2", message).because("data.offset"));
    }
    let boundary = state.boundary();
    drop(state);
    // Others go on meanwhile.
    let data = content.read(offset, size);
    Ok(multipart::answer(&data, "data", &boundary))
}

/// `PATCH /storage/luns/{uuid}?data.offset=` with `Content-Type: multipart/form-data`
pub(crate) fn write(context: &Context<'_>) -> Result {
    let mut state = context.state();
    only(context, &["data.offset"])?;
    let offset = number(context, "data.offset")?;
    let kind = context.asked.request.header("content-type");
    let data = multipart::data(&kind.unwrap_or_default(), &context.asked.request.body);
    let data = data.ok_or_else(|| unsupported("There is no data."))?;
    let lun = find(context, &state, &state.tables)?;
    let written = lun.content.written(offset, data);
    let written = written.ok_or_else(|| invalid("data.offset", &offset.to_string()))?;
    let uuid = lun.uuid.clone();
    let lun = state.change(context.now).luns.get_mut(&uuid);
    lun.expect("it is there").content = written;
    Ok(hal(200, &json!({})))
}
