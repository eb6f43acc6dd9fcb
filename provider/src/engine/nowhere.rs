//! A provider that this program, as it is, cannot reach: what the journal has of it can be named, and
//! nothing more.

use super::cloud::{
    Answer, AttachCall, Cloud, CreateCall, DeleteCall, Identity, Kind, Repeat, Seen, TagCall,
};
use super::fault::{Fault, FaultKind};
use super::id::OpId;
use std::future::ready;

/// A provider and a region that cannot be reached from here.
#[derive(Clone, Debug)]
pub struct Nowhere {
    /// The provider's name.
    pub provider: String,
    /// The region.
    pub region: String,
}

impl Nowhere {
    fn refuse<'a, T: Send + 'a>(&self) -> Answer<'a, T> {
        let message = format!("{} cannot be reached from here", self.provider);
        Box::pin(ready(Err(Fault::new(FaultKind::Unavailable, message))))
    }
}

impl Cloud for Nowhere {
    fn provider(&self) -> &str {
        &self.provider
    }

    fn region(&self) -> &str {
        &self.region
    }

    fn kind(&self, _: &str) -> Kind {
        // What promises least.
        Kind {
            repeat: Repeat::Nothing,
            consistent: false,
            taggable: true,
        }
    }

    fn identity(&self) -> Answer<'_, Identity> {
        self.refuse()
    }

    fn create<'a>(&'a self, _: CreateCall<'a>) -> Answer<'a, String> {
        self.refuse()
    }

    fn describe<'a>(&'a self, _: &'a str, _: &'a str) -> Answer<'a, Option<Seen>> {
        self.refuse()
    }

    fn find<'a>(&'a self, _: &'a str, _: OpId) -> Answer<'a, Vec<Seen>> {
        self.refuse()
    }

    fn list(&self) -> Answer<'_, Vec<Seen>> {
        self.refuse()
    }

    fn attach<'a>(&'a self, _: AttachCall<'a>) -> Answer<'a, ()> {
        self.refuse()
    }

    fn detach<'a>(&'a self, _: AttachCall<'a>) -> Answer<'a, ()> {
        self.refuse()
    }

    fn tag<'a>(&'a self, _: TagCall<'a>) -> Answer<'a, ()> {
        self.refuse()
    }

    fn delete<'a>(&'a self, _: DeleteCall<'a>) -> Answer<'a, ()> {
        self.refuse()
    }
}
