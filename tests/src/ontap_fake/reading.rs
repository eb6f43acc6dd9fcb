//! A request, taken apart.

use super::error::invalid;
use crate::stand_in::Request;
use crate::stand_in::encoding::{pairs, percent_decode};
use crate::stand_in::error::Result;
use serde_json::Value;

/// What a request says.
#[derive(Clone, Debug)]
pub(crate) struct Reading {
    pub(crate) method: String,
    /// As on the wire.
    pub(crate) raw_path: String,
    /// Parts of the path, decoded one by one: a part may have a slash. The vendor's client writes a space
    /// as `+`, there, too.
    pub(crate) parts: Vec<String>,
    /// The query, decoded.
    pub(crate) parameters: Vec<(String, String)>,
    /// As on the wire.
    raw_query: String,
    /// Whether data is wanted, not a document.
    pub(crate) wants_data: bool,
    /// Whether data is sent, not a document.
    pub(crate) sends_data: bool,
    /// The document that is sent; none if it is not JSON.
    pub(crate) body: Value,
}

impl Reading {
    pub(crate) fn new(request: &Request) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let parts = request.path.split('/').filter(|part| !part.is_empty());
        let has = |name: &str| {
            let value = request.header(name).unwrap_or_default();
            value.to_ascii_lowercase().contains("multipart/form-data")
        };
        Self {
            method: request.method.clone(),
            raw_path: request.path.clone(),
            parts: parts.map(|part| text(percent_decode(part, true))).collect(),
            parameters: pairs(&request.query),
            raw_query: request.query.clone(),
            wants_data: has("accept"),
            sends_data: has("content-type"),
            body: serde_json::from_slice(&request.body).unwrap_or(Value::Null),
        }
    }

    /// A parameter of the query.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        let mut parameters = self.parameters.iter();
        parameters.find_map(|(known, value)| (known == name).then_some(value.as_str()))
    }

    /// A parameter that is true or false, in letters of either case; false if it is not there.
    pub(crate) fn switch(&self, name: &str) -> Result<bool> {
        match self.parameter(name) {
            None => Ok(false),
            Some(text) if text.eq_ignore_ascii_case("true") => Ok(true),
            Some(text) if text.eq_ignore_ascii_case("false") => Ok(false),
            Some(text) => Err(invalid(name, text)),
        }
    }

    /// Path and query, as they came.
    pub(crate) fn target(&self) -> String {
        match self.raw_query.as_str() {
            "" => self.raw_path.clone(),
            query => format!("{}?{query}", self.raw_path),
        }
    }

    /// A field of the document, such as `clone.source.name`; bodies may be nested or have dots.
    pub(crate) fn field(&self, path: &str) -> Option<&Value> {
        fn inside<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
            if let Some(found) = value.get(path) {
                return Some(found);
            }
            let dots = path.match_indices('.').map(|(at, _)| at);
            dots.into_iter()
                .find_map(|at| inside(value.get(&path[..at])?, &path[at + 1..]))
        }
        inside(&self.body, path).filter(|value| !value.is_null())
    }

    /// A field that is text.
    pub(crate) fn text(&self, path: &str) -> Option<&str> {
        self.field(path).and_then(Value::as_str)
    }

    /// A field that is true or false; clients may send it as text.
    pub(crate) fn flag(&self, path: &str) -> Option<bool> {
        let value = self.field(path)?;
        value.as_bool().or_else(|| match value.as_str()? {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        })
    }
}
