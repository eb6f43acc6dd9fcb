//! A stream: the value of one attribute, put together from all of its pieces.
//!
//! A piece is an attribute of the base record or of an extension record; `$ATTRIBUTE_LIST` says which
//! there are. Sizes and flags stand in the first piece.

use super::attribute::{Attribute, AttributeFlags, Form};
use super::codes;
use super::run_list::{RunBounds, RunList};
use crate::bytes::len_u64;
use crate::error::{Error, Fault, Result};
use std::sync::Arc;

/// The value of an attribute, wherever it lies.
#[derive(Clone, Debug)]
pub struct Stream {
    /// Flags of the first piece.
    pub flags: AttributeFlags,
    /// Byte offset of the first piece on the volume, for messages.
    pub at: u64,
    /// Length of the content in bytes.
    pub data_size: u64,
    /// Bytes from the start that have been written; zeros follow. At most `data_size`.
    pub initialized_size: u64,
    /// Bytes taken on the volume, as stored.
    pub allocated_size: u64,
    /// Clusters of one compression unit as a power of two; 0 if there are none.
    pub compression_unit: u8,
    /// The bytes or their map.
    pub value: Value,
    /// Why a part of the map is not there, if one is not. Reading that part is this error.
    pub missing: Option<Fault>,
}

/// Sizes of a stream in bytes, as its first piece has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Length of the content.
    pub data: u64,
    /// Length of what has been written. At most `data`.
    pub initialized: u64,
    /// Bytes taken on the volume.
    pub allocated: u64,
}

impl Sizes {
    /// Sizes from the first piece of a stream.
    ///
    /// # Errors
    /// [`codes::STREAM`] for a piece that is not the first one or sizes that contradict each other.
    pub fn of(first: &Attribute<'_>) -> Result<Self> {
        let bad = |detail: String| Error::corrupt(codes::STREAM, first.at, detail);
        let piece = match first.form {
            Form::Resident(value) => {
                let len = len_u64(value.len());
                return Ok(Self {
                    data: len,
                    initialized: len,
                    // What the value takes of its record, as other readers count it.
                    allocated: len.next_multiple_of(8),
                });
            }
            Form::NonResident(piece) => piece,
        };
        if piece.lowest_vcn != 0 {
            let detail = format!("a stream that starts at cluster {}", piece.lowest_vcn);
            return Err(bad(detail));
        }
        if piece.initialized_size > piece.data_size || piece.data_size > piece.allocated_size {
            let detail = format!(
                "{:#x} bytes written of {:#x}, {:#x} allocated",
                piece.initialized_size, piece.data_size, piece.allocated_size
            );
            return Err(bad(detail));
        }
        Ok(Self {
            data: piece.data_size,
            initialized: piece.initialized_size,
            allocated: piece.total_allocated.unwrap_or(piece.allocated_size),
        })
    }
}

/// Where the bytes of a stream are.
#[derive(Clone, Debug)]
pub enum Value {
    /// In the record.
    Resident(Arc<[u8]>),
    /// In clusters.
    Mapped(RunList),
}

impl Stream {
    /// The stream that starts with `first`.
    ///
    /// # Errors
    /// Those of [`Sizes::of`] and of [`RunList::push_pairs`].
    pub fn start(first: &Attribute<'_>, bounds: &RunBounds) -> Result<Self> {
        let sizes = Sizes::of(first)?;
        let (compression_unit, value) = match first.form {
            Form::Resident(value) => (0, Value::Resident(Arc::from(value))),
            Form::NonResident(piece) => {
                let runs = RunList::default();
                (piece.compression_unit, Value::Mapped(runs))
            }
        };
        let mut stream = Self {
            flags: first.flags,
            at: first.at,
            data_size: sizes.data,
            initialized_size: sizes.initialized,
            allocated_size: sizes.allocated,
            compression_unit,
            value,
            missing: None,
        };
        if matches!(first.form, Form::NonResident(_)) {
            stream.push(first, bounds)?;
        }
        Ok(stream)
    }

    /// Adds a piece behind those that are there.
    ///
    /// # Errors
    /// [`codes::STREAM`] if one of them is resident; those of [`RunList::push_pairs`].
    pub fn push(&mut self, piece: &Attribute<'_>, bounds: &RunBounds) -> Result<()> {
        let (Value::Mapped(runs), Form::NonResident(form)) = (&mut self.value, piece.form) else {
            let detail = "a resident stream in several pieces";
            return Err(Error::corrupt(codes::STREAM, piece.at, detail));
        };
        runs.push_pairs(
            form.mapping_pairs,
            form.lowest_vcn,
            form.highest_vcn,
            bounds,
            piece.at,
        )
    }

    /// Says that a part of the map could not be read. The first reason stays.
    pub fn lose(&mut self, why: Fault) {
        self.missing.get_or_insert(why);
    }

    /// Whether every byte of the content has been written and is stored: no hole, no unwritten end.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        let stored = match &self.value {
            Value::Resident(_) => true,
            Value::Mapped(runs) => runs.runs().iter().all(|run| run.lcn.is_some()),
        };
        stored && self.initialized_size == self.data_size && self.missing.is_none()
    }

    /// The same in no more memory than it needs.
    #[must_use]
    pub fn compact(mut self) -> Self {
        if let Value::Mapped(runs) = &mut self.value {
            runs.shrink();
        }
        self
    }

    /// Memory taken, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let value = match &self.value {
            Value::Resident(value) => value.len(),
            Value::Mapped(runs) => runs.bytes(),
        };
        value.saturating_add(size_of::<Self>())
    }
}
