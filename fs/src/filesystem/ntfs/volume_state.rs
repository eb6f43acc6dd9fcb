//! What `$Volume`, `$LogFile` and `hiberfil.sys` say about the volume together: its label, its version,
//! and whether the files are as Windows last showed them.

use super::attribute::types;
use super::file::File;
use super::hibernation;
use super::log_file;
use super::mft::Mft;
use super::utf16;
use super::volume_information;
use super::{codes, content};
use crate::bytes::clamp_usize;
use crate::error::{Error, Fault, Result};
use crate::node::FsState;
use crate::source::ByteSource;
use std::sync::Arc;

/// Record of `$LogFile`.
const LOG_RECORD: u64 = 2;
/// Record of `$Volume`.
const VOLUME_RECORD: u64 = 3;
/// Longest label: Windows takes 32 characters, the format any attribute of a record.
const LABEL_BYTES_MAX: u64 = 1024;

/// What is known about a volume as a whole.
#[derive(Clone, Debug)]
pub struct VolumeState {
    /// Label, in WTF-8; empty if there is none.
    pub label: Vec<u8>,
    /// Version and flags as words.
    pub features: Vec<String>,
    /// [`FsState::Clean`] or [`FsState::NotReplayed`].
    pub state: FsState,
    /// Why it is not clean, and what could not be read.
    pub notes: Vec<Fault>,
}

/// The file `hiberfil.sys` in the root directory.
#[derive(Clone, Debug)]
pub struct Hiberfil {
    /// Its content.
    pub content: Arc<dyn ByteSource>,
    /// Where its record lies.
    pub at: u64,
}

/// Reads it. `hiberfil` is what was found under that name.
///
/// Damage, and what the source cannot read, becomes a note, and the state is "not replayed" then: nobody
/// can tell. A bad sector in the log hides no files.
pub fn read(mft: &Mft, hiberfil: Result<Option<Hiberfil>>) -> VolumeState {
    let mut volume = VolumeState {
        label: Vec::new(),
        features: Vec::new(),
        state: FsState::Clean,
        notes: Vec::new(),
    };
    let described = describe(mft, &mut volume);
    volume.note(described);
    let log = log_note(mft);
    volume.note(log);
    let hibernated = hiberfil.and_then(|file| match file {
        Some(file) => hibernation_note(file.content.as_ref(), file.at),
        None => Ok(None),
    });
    volume.note(hibernated);
    if !volume.notes.is_empty() {
        volume.state = FsState::NotReplayed;
    }
    volume
}

impl VolumeState {
    /// Keeps a remark, or why there is none.
    fn note(&mut self, found: Result<Option<Fault>>) {
        match found {
            Ok(note) => self.notes.extend(note),
            Err(error) => self.notes.push(match error.fault() {
                Some(fault) => fault.clone(),
                // The source failed, or a record is not in use.
                None => {
                    let detail = format!("the state of the volume is not known: {error}");
                    Fault::new(codes::VOLUME_INFORMATION, 0, detail)
                }
            }),
        }
    }
}

fn describe(mft: &Mft, volume: &mut VolumeState) -> Result<Option<Fault>> {
    let file = File::new(mft, mft.record(VOLUME_RECORD)?);
    let at = file.base.at;
    if let Some(label) = file.value(types::VOLUME_NAME, &[], LABEL_BYTES_MAX)? {
        volume.label = utf16::to_wtf8(&label);
    }
    let value = file.value(types::VOLUME_INFORMATION, &[], LABEL_BYTES_MAX)?;
    let information = volume_information::parse(&value.unwrap_or_default(), at)?;
    volume.features = information.features();
    Ok(information.note(at))
}

fn log_note(mft: &Mft) -> Result<Option<Fault>> {
    let file = File::new(mft, mft.record(LOG_RECORD)?);
    let at = file.base.at;
    let Some(stream) = file.stream(types::DATA, &[])? else {
        return Err(Error::corrupt(
            codes::LOG_DAMAGED,
            at,
            "$LogFile has no content",
        ));
    };
    let log = content::open(&mft.disk, &Arc::new(stream));
    Ok(log_file::state(log.as_ref())?.note(at))
}

fn hibernation_note(content: &dyn ByteSource, at: u64) -> Result<Option<Fault>> {
    let mut header = vec![0; clamp_usize(content.size(), hibernation::HEADER_BYTES)];
    content.read_at(0, &mut header)?;
    Ok(hibernation::note(&header, at))
}
