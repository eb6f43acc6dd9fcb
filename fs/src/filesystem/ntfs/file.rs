//! A file: its base record and all attributes, wherever they lie.

use super::attribute::{Attribute, Form, types};
use super::attribute_list::{self, AttributeList, Entry};
use super::codes;
use super::content;
use super::disk::Disk;
use super::mft::Mft;
use super::record::Record;
use super::standard_information::StandardInformation;
use super::stream::Stream;
use crate::bytes::clamp_usize;
use crate::error::{Error, Fault, Result};
use std::sync::Arc;

/// Whether an attribute is wanted: type, name (UTF-16 little-endian), lowest VCN.
pub type Wanted<'w> = dyn Fn(u32, &[u8], u64) -> bool + 'w;

/// A file whose attributes can be asked for.
#[derive(Debug)]
pub struct File<'a> {
    mft: &'a Mft,
    /// The record that references lead to.
    pub base: Record,
    list: Option<AttributeList>,
}

impl<'a> File<'a> {
    /// The file of a base record.
    #[must_use]
    pub fn new(mft: &'a Mft, base: Record) -> Self {
        let list = list_of(&mft.disk, &base);
        Self { mft, base, list }
    }

    /// Calls `visit` with every attribute that `wanted` names by type, name and lowest VCN, in the order
    /// of the list if there is one.
    ///
    /// Damage comes as an error in place of the attribute; what is not seen may be behind it.
    pub fn each(&self, wanted: &Wanted<'_>, visit: &mut dyn FnMut(Result<Attribute<'_>>)) {
        let Some(list) = &self.list else {
            for attribute in self.base.attributes() {
                let meant = attribute.as_ref().map_or(true, |found| {
                    wanted(found.type_code, found.name, found.lowest_vcn())
                });
                if meant {
                    visit(attribute);
                }
            }
            return;
        };
        for entry in list.entries() {
            if !wanted(entry.type_code, list.name(entry), entry.lowest_vcn) {
                continue;
            }
            match self.mft.extension(&self.base, entry.reference) {
                Ok(record) => visit(piece_in(&record, list, entry)),
                Err(error) => visit(Err(error)),
            }
        }
        if let Some(error) = list.damage() {
            visit(Err(error.clone()));
        }
    }

    /// The first attribute of this type and name (UTF-16 little-endian), put together from its pieces.
    ///
    /// A piece that cannot be had leaves a gap in the map, see [`Stream::missing`].
    ///
    /// # Errors
    /// Damage of the first piece; damage anywhere if there is no such attribute, which then might be
    /// behind it.
    pub fn stream(&self, type_code: u32, name: &[u8]) -> Result<Option<Stream>> {
        let bounds = self.mft.disk.run_bounds();
        let Some(list) = &self.list else {
            let found = self.base.attribute(type_code, name)?;
            return found
                .map(|first| Stream::start(&first, &bounds))
                .transpose();
        };
        let mut entries: Vec<&Entry> = (list.entries().iter())
            .filter(|entry| entry.type_code == type_code && list.name(entry) == name)
            .collect();
        // Stored in this order by every writer; the order decides nothing that matters.
        entries.sort_by_key(|entry| entry.lowest_vcn);
        let Some((first, rest)) = entries.split_first() else {
            return list.damage().map_or(Ok(None), |error| Err(error.clone()));
        };
        let record = self.mft.extension(&self.base, first.reference)?;
        let mut stream = Stream::start(&piece_in(&record, list, first)?, &bounds)?;
        for entry in rest {
            let record = self.mft.extension(&self.base, entry.reference);
            let pushed = record.and_then(|record| {
                let piece = piece_in(&record, list, entry)?;
                stream.push(&piece, &bounds)
            });
            match pushed {
                Ok(()) => {}
                Err(error @ Error::Limit(_)) => return Err(error),
                Err(error) => stream.lose(lost_piece(entry, self.base.at, &error)),
            }
        }
        if let Some(error) = list.damage() {
            let detail = format!("the list of pieces ends early: {error}");
            stream.lose(Fault::new(codes::MISSING_PIECE, self.base.at, detail));
        }
        Ok(Some(stream))
    }

    /// The whole value of an attribute of at most `len_max` bytes.
    ///
    /// # Errors
    /// As [`File::stream`]; [`codes::VALUE_SIZE`] for a longer one; those of reading it.
    pub fn value(&self, type_code: u32, name: &[u8], len_max: u64) -> Result<Option<Vec<u8>>> {
        match self.stream(type_code, name)? {
            Some(stream) => whole(&self.mft.disk, stream, len_max).map(Some),
            None => Ok(None),
        }
    }

    /// `$STANDARD_INFORMATION`, which always lies in the base record.
    ///
    /// # Errors
    /// [`codes::STANDARD_INFORMATION`] if there is none or it is cut; damage before it.
    pub fn standard_information(&self) -> Result<StandardInformation> {
        let found = self.base.attribute(types::STANDARD_INFORMATION, &[])?;
        let value = found.and_then(|found| Some((found.resident()?, found.at)));
        let (value, at) = value.ok_or_else(|| {
            let detail = format!("no standard information in record {}", self.base.number);
            Error::corrupt(codes::STANDARD_INFORMATION, self.base.at, detail)
        })?;
        StandardInformation::parse(value, at)
    }
}

/// The attribute list of a record, if it has one. A list that cannot be read has no entries and says
/// why.
pub fn list_of(disk: &Arc<Disk>, base: &Record) -> Option<AttributeList> {
    // Attributes are sorted by type, so the list stands in front of what it may tell about. Damage
    // behind that place is for those who look there.
    let found = base
        .attributes()
        .take_while(|found| {
            found
                .as_ref()
                .map_or(true, |found| found.type_code <= types::ATTRIBUTE_LIST)
        })
        .filter_map(Result::ok)
        .find(|found| found.type_code == types::ATTRIBUTE_LIST)?;
    let list = match found.form {
        Form::Resident(value) => AttributeList::parse(value.to_vec(), found.at),
        Form::NonResident(_) => {
            let read = Stream::start(&found, &disk.run_bounds())
                .and_then(|stream| whole(disk, stream, attribute_list::SIZE_MAX));
            match read {
                Ok(bytes) => AttributeList::parse(bytes, found.at),
                Err(error) => AttributeList::unreadable(error),
            }
        }
    };
    Some(list)
}

/// The attribute that `entry` means in the record that it names.
///
/// # Errors
/// [`codes::MISSING_PIECE`] if it is not there; damage before it.
pub fn piece_in<'r>(
    record: &'r Record,
    list: &AttributeList,
    entry: &Entry,
) -> Result<Attribute<'r>> {
    for attribute in record.attributes() {
        let attribute = attribute?;
        if list.is_meant(entry, &attribute) {
            return Ok(attribute);
        }
    }
    let detail = format!(
        "record {} has no attribute {:#x} from cluster {} on",
        record.number, entry.type_code, entry.lowest_vcn
    );
    Err(Error::corrupt(codes::MISSING_PIECE, record.at, detail))
}

/// What is said about a piece that cannot be had.
pub fn lost_piece(entry: &Entry, at: u64, error: &Error) -> Fault {
    let detail = format!(
        "the piece from cluster {} on cannot be had: {error}",
        entry.lowest_vcn
    );
    Fault::new(codes::MISSING_PIECE, at, detail)
}

fn whole(disk: &Arc<Disk>, stream: Stream, len_max: u64) -> Result<Vec<u8>> {
    if stream.data_size > len_max {
        let detail = format!("a value of {} bytes, at most {len_max}", stream.data_size);
        return Err(Error::limit(codes::VALUE_SIZE, stream.at, detail));
    }
    let mut bytes = vec![0; clamp_usize(stream.data_size, usize::MAX)];
    content::open(disk, &Arc::new(stream)).read_at(0, &mut bytes)?;
    Ok(bytes)
}
