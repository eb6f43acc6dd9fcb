//! What was asked, and what became of it.

use super::fault::FakeFault;
use std::time::Duration;

/// One request.
#[derive(Clone, Debug)]
pub struct Call<S> {
    /// Place among all requests, from 1.
    pub number: usize,
    /// Place among the requests for this operation, from 1.
    pub nth: usize,
    /// Of which service.
    pub service: S,
    /// Such as `GetSnapshotBlock`; where operations have no names, method and path.
    pub operation: String,
    /// What was given: query, form or JSON (values that are no text as JSON), and ids in the path under
    /// the names that the service's model has.
    pub parameters: Vec<(String, String)>,
    /// Whose key signed it; none if the signature is wrong.
    pub account: Option<String>,
    /// The region that was signed for.
    pub region: Option<String>,
    /// When it had come in, since the start of the stand-in.
    pub at: Duration,
    /// What became of it; none while it is worked on.
    pub outcome: Option<Outcome>,
}

impl<S> Call<S> {
    /// A parameter by its name.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&str> {
        let mut parameters = self.parameters.iter();
        parameters.find_map(|(known, value)| (known == name).then_some(value.as_str()))
    }
}

/// What became of a request.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Status of the answer; it may not have been sent, or not wholly.
    pub status: u16,
    /// Length of the whole body in bytes.
    pub body_len: usize,
    /// What was made wrong.
    pub fault: Option<FakeFault>,
    /// When, since the start of the stand-in.
    pub at: Duration,
}
