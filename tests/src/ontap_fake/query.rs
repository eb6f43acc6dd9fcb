//! Collections and single records: which records, which of their fields, how many at once.

use super::error::{invalid, unexpected};
use super::matching::matches;
use super::reading::Reading;
use crate::stand_in::encoding::percent_encode;
use crate::stand_in::error::Result;
use serde_json::{Map, Value, json};
use std::cmp::Reverse;

/// A kind of resource.
#[derive(Debug)]
pub(crate) struct Kind {
    /// Fields that are always there.
    pub(crate) always: &'static [&'static str],
    /// Fields that are there only if they are asked for by name, or with `**`.
    pub(crate) expensive: &'static [&'static str],
    /// All that can be asked for; what is below one of these, too.
    pub(crate) known: &'static [&'static str],
}

/// A resource, with all of its fields.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    /// Records are sorted by this, and pages begin with it.
    pub(crate) key: String,
    /// Where it is; none if it is nowhere.
    pub(crate) href: Option<String>,
    /// Its fields.
    pub(crate) value: Value,
}

/// Parameters of every collection that are no fields.
const COMMON: [&str; 6] = [
    "fields",
    "max_records",
    "return_records",
    "return_timeout",
    "order_by",
    "start.key",
];

/// The most records on a page, if fewer are not asked for.
const PAGE_MAX: usize = 10_000;

fn is_within(field: &str, whole: &str) -> bool {
    let rest = field.strip_prefix(whole);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// The fields of a record by their full names; arrays are not taken apart.
pub(crate) fn leaves(value: &Value) -> Vec<(String, &Value)> {
    fn walk<'a>(prefix: &str, value: &'a Value, out: &mut Vec<(String, &'a Value)>) {
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    let dot = if prefix.is_empty() { "" } else { "." };
                    walk(&format!("{prefix}{dot}{name}"), value, out);
                }
            }
            _ => out.push((prefix.to_owned(), value)),
        }
    }
    let mut out = Vec::new();
    walk("", value, &mut out);
    out
}

fn set(into: &mut Map<String, Value>, path: &str, value: &Value) {
    match path.split_once('.') {
        None => {
            into.insert(path.to_owned(), value.clone());
        }
        Some((first, rest)) => {
            let inner = into.entry(first.to_owned()).or_insert_with(|| json!({}));
            set(inner.as_object_mut().expect("an object"), rest, value);
        }
    }
}

impl Kind {
    fn knows(&self, field: &str) -> bool {
        let mut known = self.known.iter();
        known.any(|known| is_within(field, known) || is_within(known, field))
    }

    fn is_expensive(&self, field: &str) -> bool {
        let mut expensive = self.expensive.iter();
        expensive.any(|expensive| is_within(field, expensive))
    }

    /// The record with the fields that are wanted, and a link to it.
    fn project(&self, record: &Record, wanted: &[String], all: bool) -> Value {
        let is_asked = |name: &str| wanted.iter().any(|field| is_within(name, field));
        let is_wanted = |name: &str| {
            let is_always = self.always.iter().any(|field| is_within(name, field));
            let has_star = all || wanted.iter().any(|field| field == "*");
            is_always
                || is_asked(name)
                || wanted.iter().any(|field| field == "**")
                || (has_star && !self.is_expensive(name))
        };
        let mut out = Map::new();
        for (name, value) in leaves(&record.value) {
            if is_wanted(&name) {
                set(&mut out, &name, value);
            }
        }
        if let Some(href) = &record.href {
            out.insert("_links".to_owned(), json!({ "self": { "href": href } }));
        }
        Value::Object(out)
    }

    fn fields(&self, reading: &Reading) -> Result<Vec<String>> {
        let fields = reading.parameter("fields").unwrap_or("");
        let fields = fields
            .split(',')
            .map(str::trim)
            .filter(|field| !field.is_empty());
        let fields: Vec<_> = fields.map(str::to_owned).collect();
        let is_known = |field: &&String| ["*", "**"].contains(&field.as_str()) || self.knows(field);
        match fields.iter().find(|field| !is_known(field)) {
            Some(field) => Err(invalid("fields", field)),
            None => Ok(fields),
        }
    }

    /// A single record.
    pub(crate) fn single(&self, reading: &Reading, record: &Record) -> Result<Value> {
        let fields = self.fields(reading)?;
        let mut known = reading.parameters.iter().map(|(name, _)| name.as_str());
        if let Some(name) = known.find(|name| !COMMON.contains(name)) {
            return Err(unexpected(name));
        }
        Ok(self.project(record, &fields, fields.is_empty()))
    }

    /// Sorts by fields, each with `asc` or `desc`. Pages begin with places then.
    fn order(&self, records: &mut [Record], order: &str) -> Result<()> {
        let fields: Vec<_> = order.split(',').map(str::trim).collect();
        for field in fields.iter().rev() {
            let (name, direction) = field.split_once(' ').unwrap_or((field, "asc"));
            if !self.knows(name) || !["asc", "desc"].contains(&direction) {
                return Err(invalid("order_by", field));
            }
            let value = |record: &Record| {
                let leaves = leaves(&record.value);
                let mut leaves = leaves.iter();
                let leaf = leaves.find(|(leaf, _)| leaf == name);
                leaf.map(|(_, value)| match value {
                    Value::Number(number) => format!("{:020}", number.as_u64().unwrap_or(0)),
                    Value::String(text) => text.clone(),
                    other => other.to_string(),
                })
            };
            match direction {
                "asc" => records.sort_by_cached_key(value),
                _ => records.sort_by_cached_key(|record| Reverse(value(record))),
            }
        }
        for (place, record) in (0..).zip(records.iter_mut()) {
            record.key = format!("{place:010}");
        }
        Ok(())
    }

    /// A page of a collection. `at_most` bounds what a server gives, whatever was asked for.
    pub(crate) fn collection(
        &self,
        reading: &Reading,
        mut records: Vec<Record>,
        at_most: Option<usize>,
    ) -> Result<Value> {
        let mut fields = self.fields(reading)?;
        let mut filters = Vec::new();
        for (name, value) in &reading.parameters {
            if COMMON.contains(&name.as_str()) {
                continue;
            }
            if !self.knows(name) {
                return Err(unexpected(name));
            }
            fields.push(name.clone());
            filters.push((name, value));
        }
        records.retain(|record| {
            let leaves = leaves(&record.value);
            filters.iter().all(|(name, pattern)| {
                let mut leaves = leaves.iter();
                let leaf = leaves.find(|(leaf, _)| leaf == *name);
                matches(leaf.map(|(_, value)| *value), pattern)
            })
        });
        records.sort_by(|a, b| a.key.cmp(&b.key));
        if let Some(order) = reading.parameter("order_by") {
            self.order(&mut records, order)?;
        }
        if let Some(start) = reading.parameter("start.key") {
            records.retain(|record| record.key.as_str() >= start);
        }
        let number = |name: &str| match reading.parameter(name) {
            None => Ok(None),
            Some(text) => text.parse().map(Some).map_err(|_| invalid(name, text)),
        };
        let asked: Option<usize> = number("max_records")?;
        number("return_timeout")?;
        if asked == Some(0) {
            return Err(invalid("max_records", "0"));
        }
        if reading.parameter("return_records").is_some() && !reading.switch("return_records")? {
            return Ok(json!({ "num_records": records.len() }));
        }
        let max = asked.unwrap_or(PAGE_MAX).min(at_most.unwrap_or(PAGE_MAX));
        let next = records.get(max).map(|record| record.key.clone());
        records.truncate(max);
        let values = records
            .iter()
            .map(|record| self.project(record, &fields, false));
        let values: Vec<_> = values.collect();
        let mut document = json!({
            "records": values,
            "num_records": values.len(),
            "_links": { "self": { "href": reading.target() } },
        });
        if let Some(next) = next {
            document["_links"]["next"] = json!({ "href": next_link(reading, &next) });
        }
        Ok(document)
    }
}

/// Where the next page is: the same question, from a key on.
fn next_link(reading: &Reading, key: &str) -> String {
    let parameters = reading.parameters.iter();
    let parameters = parameters.filter(|(name, _)| name != "start.key");
    let encoded = |text: &str| percent_encode(text.as_bytes());
    let pair = |(name, value): &(String, String)| format!("{name}={}", encoded(value));
    let mut pairs: Vec<_> = parameters.map(pair).collect();
    pairs.push(format!("start.key={}", encoded(key)));
    format!("{}?{}", reading.raw_path, pairs.join("&"))
}
