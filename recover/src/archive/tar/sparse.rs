//! Files with holes: GNU's form 1.0, a map in decimal before the runs that are stored.

use super::{BLOCK, padding};
use crate::archive::content::{Content, range_len};
use crate::error::{Error, Result};
use flr_fs::bytes::len_u64;
use std::ops::Range;

/// What a header must say of a file with holes before it is read again.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Map {
    /// Size of the file in bytes, holes included.
    pub(super) size: u64,
    /// Rows of the map.
    rows: u64,
    /// Bytes of the map in decimal, without what fills its last block.
    text_len: u64,
    /// Bytes of the runs.
    data: u64,
    /// Whether there is a hole at the end, which needs a row of its own.
    ends_in_hole: bool,
}

impl Map {
    /// The map of a file; `None` if it has no hole.
    pub(super) fn of(content: &Content<'_>) -> Result<Option<Self>> {
        let size = content.size();
        let (mut rows, mut text_len, mut data, mut end) = (0_u64, 0_u64, 0_u64, 0_u64);
        for run in content.runs() {
            let run = run?;
            rows = rows.saturating_add(1);
            text_len = text_len.saturating_add(len_u64(row(&run).len()));
            data = data.saturating_add(range_len(&run));
            end = run.end;
        }
        if data >= size {
            return Ok(None);
        }
        let ends_in_hole = end < size;
        if ends_in_hole {
            rows = rows.saturating_add(1);
            text_len = text_len.saturating_add(len_u64(row(&(size..size)).len()));
        }
        let text_len = text_len.saturating_add(len_u64(first_line(rows).len()));
        Ok(Some(Self {
            size,
            rows,
            text_len,
            data,
            ends_in_hole,
        }))
    }

    /// Bytes of the entry in the archive: the map in whole blocks, and the runs.
    pub(super) fn archived_len(&self) -> u64 {
        (self.text_len)
            .saturating_add(padding(self.text_len))
            .saturating_add(self.data)
    }

    /// Bytes of the runs.
    pub(super) const fn data(&self) -> u64 {
        self.data
    }

    /// Writes the map, in whole blocks.
    ///
    /// # Errors
    /// It is not as long as it was when the header was written.
    pub(super) fn write(
        &self,
        content: &Content<'_>,
        write: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        let mut left = self.text_len;
        let mut line = |text: &str| {
            left = left.checked_sub(len_u64(text.len())).ok_or_else(changed)?;
            write(text.as_bytes())
        };
        line(&first_line(self.rows))?;
        for run in content.runs() {
            line(&row(&run?))?;
        }
        if self.ends_in_hole {
            line(&row(&(self.size..self.size)))?;
        }
        if left > 0 {
            return Err(changed());
        }
        let fill = [0; 512];
        debug_assert_eq!(len_u64(fill.len()), BLOCK);
        let padding = flr_fs::bytes::clamp_usize(padding(self.text_len), fill.len());
        write(fill.get(..padding).unwrap_or_default())
    }
}

/// A map that is another one each time it is looked up, as where answers of a server come and go.
pub(super) fn changed() -> Error {
    Error::Verify("where the content has holes could not be looked up twice alike".to_owned())
}

fn first_line(rows: u64) -> String {
    format!("{rows}\n")
}

fn row(run: &Range<u64>) -> String {
    format!("{}\n{}\n", run.start, range_len(run))
}
