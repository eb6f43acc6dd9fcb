//! Placeholder.
use crate::error::{Code, Request, Result};
use crate::filesystem::Filesystem;
use crate::format::{FilesystemDriver, Format, Match, OpenContext};
use crate::source::ByteSource;
use std::sync::Arc;

/// Placeholder.
#[derive(Debug)]
pub struct Ext;

impl Format for Ext {
    fn name(&self) -> &'static str {
        "ext"
    }
    fn codes(&self) -> &'static [Code] {
        &[]
    }
    fn probe(&self, _source: &dyn ByteSource) -> Result<Option<Match>> {
        Ok(None)
    }
}

impl FilesystemDriver for Ext {
    fn open(
        &self,
        _members: &[Arc<dyn ByteSource>],
        _ctx: &OpenContext<'_>,
    ) -> Result<Arc<dyn Filesystem>> {
        Err(Request::NotOffered.into())
    }
}
