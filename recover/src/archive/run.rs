//! The walk that fills an archive.

use super::content::{Content, Loaded};
use super::entry::{self, Entry, Owners};
use super::links::Links;
use super::report::{ArchiveReport, Event, Item, Lack, LeftOut};
use super::{ArchiveOptions, Format};
use crate::copy::stretches::{Buffer, PIECE_BYTES};
use crate::error::{Error, Result};
use crate::id_names::{GROUP, IdNames, PASSWD};
use crate::view::{Resolved, View, ViewNode};
use crate::walk::{Next, Step, walk};
use flr_fs::bytes::len_u64;
use flr_fs::{ByteSource, FileKind, Metadata, Request};
use std::sync::atomic::{AtomicBool, Ordering};

/// What writes one form of archive.
pub(super) trait Sink {
    /// Whether the form takes this kind and this name; if not, why.
    fn takes(&self, kind: FileKind, name: &[u8]) -> Option<LeftOut>;

    /// An entry without content of its own.
    ///
    /// # Errors
    /// [`Error::Write`] ends the archive; another one leaves the entry out.
    fn node(&mut self, entry: &Entry<'_>) -> Result<()>;

    /// A file with its content.
    ///
    /// # Errors
    /// Before something was written, the entry is left out; `begun` is set once it would be too late.
    fn file(
        &mut self,
        entry: &Entry<'_>,
        content: &mut Content<'_>,
        begun: &mut bool,
    ) -> Result<()>;

    /// The end of the archive.
    fn finish(&mut self) -> Result<()>;
}

/// An archive that is being written.
pub(super) struct Run<'a> {
    view: &'a View,
    options: ArchiveOptions,
    events: &'a mut dyn FnMut(Event<'_>),
    cancel: &'a AtomicBool,
    owners: Owners,
    links: Links,
    report: ArchiveReport,
    buffer: Buffer,
    small: Vec<u8>,
}

impl<'a> Run<'a> {
    pub(super) fn new(
        view: &'a View,
        options: ArchiveOptions,
        events: &'a mut dyn FnMut(Event<'_>),
        cancel: &'a AtomicBool,
    ) -> Self {
        Self {
            view,
            options,
            events,
            cancel,
            owners: Owners::default(),
            links: Links::default(),
            report: ArchiveReport::default(),
            buffer: Buffer::default(),
            small: Vec::new(),
        }
    }

    /// Everything below `source`, and the end.
    pub(super) fn whole(
        mut self,
        source: &Resolved,
        name: Option<&[u8]>,
        sink: &mut dyn Sink,
    ) -> Result<ArchiveReport> {
        if self.options.format != Format::Zip {
            self.owners = Owners {
                users: self.names(PASSWD),
                groups: self.names(GROUP),
            };
        }
        if let Some(name) = name {
            self.add(sink, &source.path, name, source.node, &source.metadata)?;
        }
        if source.metadata.kind == FileKind::Directory {
            self.entries(source, name.unwrap_or_default(), sink)?;
        }
        sink.finish()?;
        Ok(self.report)
    }

    /// Names of the guest's. Where they cannot be read that is told, and the numbers are in the archive.
    fn names(&mut self, path: &'static str) -> IdNames {
        IdNames::of_guest(self.view, path).unwrap_or_else(|error| {
            bump(&mut self.report.lacks, 1);
            (self.events)(Event::Unnamed(path, &error));
            IdNames::default()
        })
    }

    fn entries(&mut self, source: &Resolved, name: &[u8], sink: &mut dyn Sink) -> Result<()> {
        let above = source.path.strip_suffix(b"/").unwrap_or(&source.path);
        let mut ended = None;
        let view = self.view;
        let walked = walk(view, source.node, None, &mut |step| {
            let taken = match step {
                Step::Node {
                    path,
                    node,
                    metadata,
                } => {
                    let full = [name, path].concat();
                    let inside = full.strip_prefix(b"/").unwrap_or(&full);
                    self.add(sink, &[above, path].concat(), inside, node, &metadata)
                }
                Step::Leave { .. } => Ok(()),
                Step::Failed { path, error } => {
                    let item = Item {
                        source: [above, path].concat(),
                        name: Vec::new(),
                        kind: None,
                        size: 0,
                    };
                    self.failed(&item, &error)
                }
            };
            match taken {
                Ok(()) => Next::Continue,
                Err(error) => {
                    ended = Some(error);
                    Next::Stop
                }
            }
        });
        ended.map_or(Ok(()), Err).and(walked)
    }

    /// Adds one node. An error ends the archive.
    fn add(
        &mut self,
        sink: &mut dyn Sink,
        path: &[u8],
        name: &[u8],
        node: ViewNode,
        metadata: &Metadata,
    ) -> Result<()> {
        if self.cancel.load(Ordering::Relaxed) {
            return Err(Request::Cancelled.into());
        }
        let item = Item {
            source: path.to_vec(),
            name: name.to_vec(),
            kind: Some(metadata.kind),
            size: metadata.size,
        };
        if let Some(why) = sink.takes(metadata.kind, name) {
            bump(&mut self.report.left_out, 1);
            (self.events)(Event::LeftOut(&item, why));
            return Ok(());
        }
        let mut begun = false;
        match self.add_item(sink, &item, node, metadata, &mut begun) {
            Ok(()) => (self.events)(Event::Finished(&item)),
            Err(error @ Error::Write { .. }) => return Err(error),
            Err(error) if begun => {
                (self.events)(Event::Ended(&item, &error));
                return Err(error);
            }
            Err(error) => self.failed(&item, &error)?,
        }
        Ok(())
    }

    fn add_item(
        &mut self,
        sink: &mut dyn Sink,
        item: &Item,
        node: ViewNode,
        metadata: &Metadata,
        begun: &mut bool,
    ) -> Result<()> {
        let is_file = metadata.kind == FileKind::File;
        let links = is_file && self.options.format != Format::Zip;
        let nlink = if links { metadata.nlink } else { 0 };
        let link_to = self.links.find(node, nlink);
        let target = entry::target(self.view, node, metadata)?;
        let xattrs = match (&link_to, self.options.format) {
            (None, Format::Tar | Format::TarZstd | Format::TarGzip) => self.xattrs(item, node),
            _ => Vec::new(),
        };
        let owners = std::mem::take(&mut self.owners);
        let entry = Entry {
            name: &item.name,
            metadata,
            target,
            link_to,
            xattrs,
            owners: &owners,
        };
        let added = match entry.has_content() {
            true => self.file(sink, item, &entry, node, begun),
            false => sink.node(&entry),
        };
        let is_link = entry.link_to.is_some();
        self.owners = owners;
        added?;
        if !is_link {
            self.links.stored(node, nlink, &item.name);
        }
        self.count(metadata, is_link);
        Ok(())
    }

    fn file(
        &mut self,
        sink: &mut dyn Sink,
        item: &Item,
        entry: &Entry<'_>,
        node: ViewNode,
        begun: &mut bool,
    ) -> Result<()> {
        let source = self.view.open(node)?;
        let mut small = std::mem::take(&mut self.small);
        // Read before its header is written: if that fails, it is left out and the archive goes on.
        let loaded = match source.size() <= len_u64(PIECE_BYTES) {
            true => Loaded::read(&*source, &mut small).map(|()| true),
            false => Ok(false),
        };
        let done = match loaded {
            Err(error) if !self.options.salvage => Err(error),
            Ok(true) => {
                let loaded = Loaded {
                    bytes: &small,
                    map: &*source,
                };
                self.content(sink, item, entry, &loaded, begun)
            }
            Ok(false) | Err(_) => self.content(sink, item, entry, &*source, begun),
        };
        self.small = small;
        done
    }

    fn content(
        &mut self,
        sink: &mut dyn Sink,
        item: &Item,
        entry: &Entry<'_>,
        source: &dyn ByteSource,
        begun: &mut bool,
    ) -> Result<()> {
        let mut content = Content {
            source,
            item,
            salvage: self.options.salvage,
            cancel: self.cancel,
            buffer: &mut self.buffer,
            events: self.events,
            lost: 0,
            pending: None,
        };
        let done = sink.file(entry, &mut content, begun);
        content.tell();
        if content.lost > 0 {
            bump(&mut self.report.salvaged, 1);
            bump(&mut self.report.bytes_unreadable, content.lost);
        }
        done
    }

    fn xattrs(&mut self, item: &Item, node: ViewNode) -> Vec<(Vec<u8>, Vec<u8>)> {
        let (events, report) = (&mut self.events, &mut self.report);
        entry::xattrs(self.view, node, &mut |lack| {
            bump(&mut report.lacks, 1);
            if matches!(lack, Lack::XattrUnreadable { .. }) {
                bump(&mut report.xattrs_unreadable, 1);
            }
            events(Event::Lacks(item, lack));
        })
    }

    fn count(&mut self, metadata: &Metadata, is_link: bool) {
        let report = &mut self.report;
        match metadata.kind {
            FileKind::File => {
                bump(&mut report.files, 1);
                match is_link {
                    true => bump(&mut report.hard_links, 1),
                    false => bump(&mut report.bytes, metadata.size),
                }
            }
            FileKind::Directory => bump(&mut report.dirs, 1),
            FileKind::Symlink => bump(&mut report.links, 1),
            FileKind::CharDevice | FileKind::BlockDevice | FileKind::Fifo | FileKind::Socket => {
                bump(&mut report.specials, 1)
            }
        }
    }

    /// Tells what is left out. A read that was ended ends the archive.
    fn failed(&mut self, item: &Item, error: &Error) -> Result<()> {
        if matches!(error, Error::Fs(flr_fs::Error::Request(Request::Cancelled))) {
            return Err(error.clone());
        }
        bump(&mut self.report.failed, 1);
        let first = &mut self.report.first_error;
        first.get_or_insert_with(|| error.clone());
        (self.events)(Event::Failed(item, error));
        Ok(())
    }
}

fn bump(count: &mut u64, by: u64) {
    *count = count.saturating_add(by);
}
