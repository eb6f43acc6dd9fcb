//! What the engine asks of a provider: a few verbs over resources of some kind.
//!
//! The calls that change something take a type that only the engine can make. A [`CreateCall`] is made
//! from a journal entry that has been committed, a [`DeleteCall`] after the account was checked: a
//! provider that forgets either does not compile.
//!
//! ```compile_fail
//! # use flr_provider::engine::{CreateCall, Record};
//! fn leak(record: &Record) -> CreateCall<'_> {
//!     CreateCall { record, token: String::new(), tags: Vec::new(), inputs: Vec::new() }
//! }
//! ```

use super::duty::Duty;
use super::fault::Fault;
use super::id::OpId;
use super::record::Record;
use super::time::UnixTime;
use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;

/// A future behind a pointer, so that traits with asynchronous methods can be objects.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Result of a call.
pub type Answer<'a, T> = BoxFuture<'a, Result<T, Fault>>;

/// Whose credentials these are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The account, or the cluster and SVM.
    pub account: String,
    /// The provider's time (the `Date` of its answer). With it the clocks of hosts do not matter.
    pub time: Option<UnixTime>,
}

/// What makes a repeated create harmless.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeat {
    /// The token: the second call answers with the resource of the first.
    Token,
    /// The name, which [`CreateCall::name`] gives: the second call fails with
    /// [`FaultKind::Exists`](super::FaultKind::Exists).
    Name,
    /// Nothing. After an unknown outcome the tags are searched for as long as it may take them to
    /// show, before it is tried again.
    Nothing,
}

/// How a provider treats one kind of resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    /// What makes a repeated create harmless.
    pub repeat: Repeat,
    /// Reads see every write that was acknowledged: "not found" is believed at once.
    pub consistent: bool,
    /// Tags can be changed later, so that a session can be extended and a leftover marked.
    pub taggable: bool,
}

/// Where a resource stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Being made.
    Pending,
    /// Can be used.
    Ready,
    /// Being deleted.
    Deleting,
    /// Its making failed; it is still there and has to be deleted.
    Failed,
}

/// What a resource is attached to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attachment {
    /// Nothing.
    Free,
    /// On its way to this target.
    Attaching(String),
    /// This target.
    Attached(String),
    /// On its way from this target.
    Detaching(String),
}

impl Attachment {
    /// The target, whichever way it goes.
    #[must_use]
    pub fn target(&self) -> Option<&str> {
        match self {
            Self::Free => None,
            Self::Attaching(target) | Self::Attached(target) | Self::Detaching(target) => {
                Some(target)
            }
        }
    }
}

/// A resource, as the provider shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The provider's word for what it is, as in [`Record::kind`].
    pub kind: String,
    /// The provider's id.
    pub id: String,
    /// Where it stands.
    pub phase: Phase,
    /// What it is attached to.
    pub attachment: Attachment,
    /// All its tags, those of others too.
    pub tags: BTreeMap<String, String>,
}

/// A provider, for one account and one region.
///
/// A method makes one call and repeats nothing; the engine repeats, with deadlines. It may be dropped
/// at any await.
pub trait Cloud: fmt::Debug + Send + Sync {
    /// The provider's name, as in an address.
    fn provider(&self) -> &str;

    /// The region, or the cluster.
    fn region(&self) -> &str;

    /// How it treats a kind of resource.
    fn kind(&self, kind: &str) -> Kind;

    /// Whether this is the way to a record's resource. There may be several into one region: the
    /// journal knows which one was taken, and only that one can tell what is gone.
    fn reaches(&self, _record: &Record) -> bool {
        true
    }

    /// Whose credentials are in use now. Asked of the provider each time, never remembered: between two
    /// calls the credentials may have become those of another role.
    fn identity(&self) -> Answer<'_, Identity>;

    /// Makes a resource with all tags of the call, and gives its id.
    fn create<'a>(&'a self, call: CreateCall<'a>) -> Answer<'a, String>;

    /// Looks a resource up by its id. `None`: the provider says that there is none, or no more.
    fn describe<'a>(&'a self, kind: &'a str, id: &'a str) -> Answer<'a, Option<Seen>>;

    /// All resources of a kind that carry this operation's tag: none, one, or several where
    /// [`Repeat::Nothing`] let a call be delivered twice.
    fn find<'a>(&'a self, kind: &'a str, op: OpId) -> Answer<'a, Vec<Seen>>;

    /// The same with the help of the journal, for what cannot carry a tag from the call on that makes it:
    /// it is known by something else that only this operation has given to the provider, a name or an id
    /// that the provider's own records keep. What is shown has the operation's tags all the same.
    fn find_by_record<'a>(&'a self, record: &'a Record) -> Answer<'a, Vec<Seen>> {
        self.find(&record.kind, record.op)
    }

    /// All resources that carry the tag `flr:session`, of every kind that this provider makes.
    fn list(&self) -> Answer<'_, Vec<Seen>>;

    /// Whether this is the way to what a duty is about, as [`reaches`](Self::reaches) for a record.
    fn reaches_duty(&self, _duty: &Duty) -> bool {
        true
    }

    /// Whether nothing is owed any more: what the duty is about is gone. One call.
    fn is_settled<'a>(&'a self, _duty: &'a Duty) -> Answer<'a, bool> {
        Box::pin(std::future::ready(Ok(false)))
    }

    /// Attaches a resource, read-only where that exists.
    fn attach<'a>(&'a self, call: AttachCall<'a>) -> Answer<'a, ()>;

    /// Detaches it.
    fn detach<'a>(&'a self, call: AttachCall<'a>) -> Answer<'a, ()>;

    /// Whether a resource of ours that may be gone is there, asked on the path of writes, which does not lag
    /// behind as reads may. It is a call that changes nothing of what is gone, and nothing that matters of
    /// what is there, since it is to go: detaching it from `target` again. One call.
    ///
    /// `Some(false)` only if the provider says of this very id that there is none; that something else was
    /// not found is a fault, or `Some(true)`. `None`: there is no such call here, and only reads tell.
    fn is_there<'a>(&'a self, _call: AttachCall<'a>) -> Answer<'a, Option<bool>> {
        Box::pin(std::future::ready(Ok(None)))
    }

    /// Sets tags, and leaves all others as they are.
    fn tag<'a>(&'a self, call: TagCall<'a>) -> Answer<'a, ()>;

    /// Deletes a resource.
    fn delete<'a>(&'a self, call: DeleteCall<'a>) -> Answer<'a, ()>;
}

/// The making of a resource. There is a committed journal entry in state `creating` for it.
#[derive(Clone, Debug)]
pub struct CreateCall<'a> {
    pub(super) record: &'a Record,
    pub(super) token: String,
    pub(super) tags: Vec<(&'static str, String)>,
    pub(super) inputs: Vec<String>,
}

impl CreateCall<'_> {
    /// What is to be made: kind, parent and parameters. The same at every repetition.
    #[must_use]
    pub const fn record(&self) -> &Record {
        self.record
    }

    /// The client token, of 64 letters and digits.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.token
    }

    /// A name for what is known by its name: `flr_` and the operation's id.
    #[must_use]
    pub fn name(&self) -> String {
        format!("flr_{}", self.record.op)
    }

    /// The tags to put into this very call.
    #[must_use]
    pub fn tags(&self) -> &[(&'static str, String)] {
        &self.tags
    }

    /// Ids of the resources that this one needs, in the order of [`Record::needs`].
    #[must_use]
    pub fn inputs(&self) -> &[String] {
        &self.inputs
    }
}

/// Attaching or detaching. The target is in the journal.
#[derive(Clone, Copy, Debug)]
pub struct AttachCall<'a> {
    pub(super) kind: &'a str,
    pub(super) id: &'a str,
    pub(super) target: &'a str,
}

impl AttachCall<'_> {
    /// What it is.
    #[must_use]
    pub const fn kind(&self) -> &str {
        self.kind
    }

    /// Its id.
    #[must_use]
    pub const fn id(&self) -> &str {
        self.id
    }

    /// What it is attached to: an instance, an initiator group.
    #[must_use]
    pub const fn target(&self) -> &str {
        self.target
    }
}

/// A change of tags of a resource that is ours.
#[derive(Clone, Copy, Debug)]
pub struct TagCall<'a> {
    pub(super) kind: &'a str,
    pub(super) id: &'a str,
    pub(super) tags: &'a [(&'static str, String)],
}

impl TagCall<'_> {
    /// What it is.
    #[must_use]
    pub const fn kind(&self) -> &str {
        self.kind
    }

    /// Its id.
    #[must_use]
    pub const fn id(&self) -> &str {
        self.id
    }

    /// Tags to set.
    #[must_use]
    pub const fn tags(&self) -> &[(&'static str, String)] {
        self.tags
    }
}

/// The end of a resource that is ours, in an account that was checked.
#[derive(Clone, Copy, Debug)]
pub struct DeleteCall<'a> {
    pub(super) kind: &'a str,
    pub(super) id: &'a str,
}

impl DeleteCall<'_> {
    /// What it is.
    #[must_use]
    pub const fn kind(&self) -> &str {
        self.kind
    }

    /// Its id.
    #[must_use]
    pub const fn id(&self) -> &str {
        self.id
    }
}
