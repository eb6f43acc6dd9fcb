//! Placeholder.
use crate::error::{Code, Request, Result};
use crate::format::{Format, Layer, Match, OpenContext, Opened};
use crate::source::ByteSource;
use std::sync::Arc;

/// Placeholder.
#[derive(Debug)]
pub struct Gpt;

impl Format for Gpt {
    fn name(&self) -> &'static str {
        "gpt"
    }
    fn codes(&self) -> &'static [Code] {
        &[]
    }
    fn probe(&self, _source: &dyn ByteSource) -> Result<Option<Match>> {
        Ok(None)
    }
}

impl Layer for Gpt {
    fn open(&self, _members: &[Arc<dyn ByteSource>], _ctx: &OpenContext<'_>) -> Result<Opened> {
        Err(Request::NotOffered.into())
    }
}
