//! The directory at the end of the archive (APPNOTE 4.3.12 to 4.3.16), which is written while entries come.

use super::record::{Fields, Record};
use flr_fs::bytes::{clamp_usize, len_u64};
use rustix::fs::{Mode, OFlags};
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;

/// Bytes that wait in memory.
const MEMORY_MAX: usize = 1 << 20;

/// Rows of the directory.
#[derive(Debug, Default)]
pub(super) struct Directory {
    rows: Vec<u8>,
    /// Rows before those in memory.
    spilled: Option<File>,
    spilled_len: u64,
    count: u64,
}

impl Directory {
    /// Adds a row.
    pub(super) fn add(&mut self, record: &Record) -> io::Result<()> {
        self.rows.append(&mut record.central());
        self.count = self.count.saturating_add(1);
        if self.rows.len() < MEMORY_MAX {
            return Ok(());
        }
        let mut file = match self.spilled.take() {
            Some(file) => file,
            None => nameless_file()?,
        };
        file.write_all(&self.rows)?;
        self.spilled = Some(file);
        self.spilled_len = self.spilled_len.saturating_add(len_u64(self.rows.len()));
        self.rows.clear();
        Ok(())
    }

    /// Hands out all rows in order.
    pub(super) fn replay(&self, take: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        if let Some(file) = &self.spilled {
            let mut buf = vec![0; MEMORY_MAX];
            let mut at = 0;
            while at < self.spilled_len {
                let len = clamp_usize(self.spilled_len.saturating_sub(at), buf.len());
                let piece = buf.get_mut(..len).unwrap_or_default();
                file.read_exact_at(piece, at)?;
                take(piece)?;
                at = at.saturating_add(len_u64(len));
            }
        }
        take(&self.rows)
    }

    /// What ends an archive whose directory stands at byte `start`.
    pub(super) fn end(&self, start: u64) -> Vec<u8> {
        let len = self.spilled_len.saturating_add(len_u64(self.rows.len()));
        let mut end = Fields::default();
        let is_large = self.count >= 0xffff || len >= 0xffff_ffff || start >= 0xffff_ffff;
        if is_large {
            end.long(0x0606_4b50);
            // Bytes that follow this field.
            end.quad(44);
            end.short((3 << 8) | 45);
            end.short(45);
            // This disk, and the one where the directory starts.
            end.long(0);
            end.long(0);
            for value in [self.count, self.count, len, start] {
                end.quad(value);
            }
            // Where what stands above begins, on how many disks.
            end.long(0x0706_4b50);
            end.long(0);
            end.quad(start.saturating_add(len));
            end.long(1);
        }
        end.long(0x0605_4b50);
        end.short(0);
        end.short(0);
        let count = u16::try_from(self.count).unwrap_or(u16::MAX);
        end.short(count);
        end.short(count);
        for value in [len, start] {
            end.long(u32::try_from(value).unwrap_or(u32::MAX));
        }
        end.short(0);
        end.0
    }
}

/// A file that goes with this process: on the disk of temporary files, or in memory where that cannot be.
fn nameless_file() -> io::Result<File> {
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    let private = Mode::RUSR | Mode::WUSR;
    let opened = rustix::fs::open(std::env::temp_dir(), flags, private)
        .or_else(|_| rustix::fs::memfd_create("flr-zip", rustix::fs::MemfdFlags::CLOEXEC))?;
    Ok(opened.into())
}
