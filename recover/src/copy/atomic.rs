//! A file of our own beside what is copied: whole under its name, or not there.

use super::destination::{DestinationDir, EntryName};
use super::run::write_error;
use super::temp::{Publish, TempEntry, TempNames};
use crate::error::Result;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

/// A file that gets its name when it is complete. Dropped before that, nothing of it is left.
#[derive(Debug)]
pub struct AtomicFile<'a> {
    entry: TempEntry<'a>,
    file: BufWriter<File>,
    name: EntryName,
    path: PathBuf,
}

impl<'a> AtomicFile<'a> {
    /// An empty file that will be called `name`.
    ///
    /// # Errors
    /// [`crate::Error::Usage`] for what is no name, [`crate::Error::Write`].
    pub fn create(directory: &'a DestinationDir, name: &str) -> Result<Self> {
        let path = directory.path().join(name);
        let name = EntryName::new(name.as_bytes())?;
        let (entry, file) = TempEntry::file(directory.directory(), &TempNames::new())
            .map_err(|error| write_error(&path, error))?;
        let file = BufWriter::new(file);
        Ok(Self {
            entry,
            file,
            name,
            path,
        })
    }

    /// Puts it on the disk and gives it its name, in place of what has that.
    ///
    /// # Errors
    /// [`crate::Error::Write`].
    pub fn commit(mut self) -> Result<()> {
        let done = self.finish();
        done.map_err(|error| write_error(&self.path, error))
    }

    fn finish(&mut self) -> io::Result<()> {
        self.file.flush()?;
        rustix::fs::fchmod(self.file.get_ref(), rustix::fs::Mode::from_raw_mode(0o644))?;
        self.file.get_ref().sync_data()?;
        self.entry.publish(&self.name, Publish::Replace)
    }
}

impl Write for AtomicFile<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
