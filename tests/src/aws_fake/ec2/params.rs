//! Parameters of a form: `Filter.1.Name`, `VolumeId.2`.

use super::missing;
use crate::aws_fake::error::{Result, bad};
use crate::aws_fake::model::Tags;

const TAGS_MAX: usize = 50;
const TAG_KEY_MAX: usize = 128;
const TAG_VALUE_MAX: usize = 256;

/// A condition: one of its values has to be one of the thing's.
#[derive(Debug)]
pub(super) struct Filter {
    pub(super) name: String,
    pub(super) values: Vec<String>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Params<'a>(pub(super) &'a [(String, String)]);

impl<'a> Params<'a> {
    pub(super) fn get(&self, name: &str) -> Option<&'a str> {
        let mut all = self.0.iter();
        all.find_map(|(known, value)| (known == name).then_some(value.as_str()))
    }

    pub(super) fn need(&self, name: &str) -> Result<&'a str> {
        self.get(name)
            .filter(|value| !value.is_empty())
            .ok_or_else(|| missing(name))
    }

    pub(super) fn flag(&self, name: &str) -> bool {
        self.get(name)
            .is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    pub(super) fn number(&self, name: &str) -> Result<Option<u64>> {
        let parse = |text: &str| {
            let message = format!("Value ({text}) for parameter {name} is invalid.");
            text.parse()
                .map_err(|_| bad("InvalidParameterValue", message))
        };
        self.get(name).map(parse).transpose()
    }

    /// `name.1`, `name.2`, … up to the first that is not there.
    pub(super) fn list(&self, name: &str) -> Vec<&'a str> {
        (1..)
            .map_while(|n| self.get(&format!("{name}.{n}")))
            .collect()
    }

    pub(super) fn filters(&self) -> Vec<Filter> {
        let filter = |n: usize| {
            let name = self.get(&format!("Filter.{n}.Name"))?.to_owned();
            let values = self.list(&format!("Filter.{n}.Value"));
            let values = values.into_iter().map(str::to_owned).collect();
            Some(Filter { name, values })
        };
        (1..).map_while(filter).collect()
    }

    /// `prefix.1.Key`, `prefix.1.Value`, ….
    pub(super) fn tags(&self, prefix: &str) -> Result<Tags> {
        let tag = |n: usize| {
            let key = self.get(&format!("{prefix}.{n}.Key"))?;
            let value = self.get(&format!("{prefix}.{n}.Value")).unwrap_or_default();
            Some((key.to_owned(), value.to_owned()))
        };
        let given: Vec<_> = (1..).map_while(tag).collect();
        let mut tags = Tags::new();
        for (key, value) in given {
            let length = key.chars().count();
            if length == 0 || length > TAG_KEY_MAX || key.starts_with("aws:") {
                let message = format!("Tag key '{key}' is not allowed");
                return Err(bad("InvalidParameterValue", message));
            }
            if value.chars().count() > TAG_VALUE_MAX {
                let message = format!("Tag value of '{key}' exceeds the maximum length of 256");
                return Err(bad("InvalidParameterValue", message));
            }
            if tags.insert(key.clone(), value).is_some() {
                let message = format!("Duplicate tag key '{key}' specified.");
                return Err(bad("InvalidParameterValue", message));
            }
        }
        if tags.len() > TAGS_MAX {
            return Err(bad("TagLimitExceeded", "more than 50 tags"));
        }
        Ok(tags)
    }
}
