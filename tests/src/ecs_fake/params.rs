//! Parameters of a call: `Tag.1.Key`, `ResourceId.2`, and lists that are JSON in a text.

use super::error::missing;
use super::model::Tags;
use crate::stand_in::error::{Result, bad, error};

const TAGS_MAX: usize = 20;
const TAG_LEN_MAX: usize = 128;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Params<'a>(pub(crate) &'a [(String, String)]);

impl<'a> Params<'a> {
    /// The value of a parameter. An empty one is as none.
    pub(crate) fn get(&self, name: &str) -> Option<&'a str> {
        let mut all = self.0.iter();
        let value = all.find_map(|(known, value)| (known == name).then_some(value.as_str()));
        value.filter(|value| !value.is_empty())
    }

    pub(crate) fn need(&self, name: &str) -> Result<&'a str> {
        self.get(name).ok_or_else(|| missing(name))
    }

    pub(crate) fn flag(&self, name: &str) -> bool {
        self.get(name)
            .is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    pub(crate) fn number(&self, name: &str) -> Result<Option<u64>> {
        let parse = |text: &str| {
            let message = format!("The specified parameter {name} is not valid.");
            text.parse()
                .map_err(|_| bad(&format!("InvalidParameter.{name}"), message))
        };
        self.get(name).map(parse).transpose()
    }

    /// `name.1`, `name.2`, … up to the first that is not there.
    pub(crate) fn list(&self, name: &str) -> Vec<&'a str> {
        (1..)
            .map_while(|n| self.get(&format!("{name}.{n}")))
            .collect()
    }

    /// A list that is JSON in a text, of at most 100; none if it is not given.
    pub(crate) fn json_list(&self, name: &str) -> Result<Option<Vec<String>>> {
        let Some(text) = self.get(name) else {
            return Ok(None);
        };
        let message = format!("The specified parameter {name} is not valid.");
        let malformed = |_| bad(&format!("Invalid{name}.Malformed"), message);
        let list: Vec<String> = serde_json::from_str(text).map_err(malformed)?;
        if list.len() > 100 {
            let message = format!("The amount of specified {name} exceeds the limit.");
            return Err(error(403, &format!("Invalid{name}.TooMany"), message));
        }
        Ok(Some(list))
    }

    /// The conditions `Tag.1.Key` and, where it is given, `Tag.1.Value`.
    pub(crate) fn wanted_tags(&self) -> Vec<(&'a str, Option<&'a str>)> {
        let tag = |n: usize| {
            let key = self.get(&format!("Tag.{n}.Key"))?;
            Some((key, self.get(&format!("Tag.{n}.Value"))))
        };
        (1..).map_while(tag).collect()
    }

    /// Tags to be put on something.
    pub(crate) fn tags(&self) -> Result<Tags> {
        let mut tags = Tags::new();
        for (key, value) in self.wanted_tags() {
            let is_link = |text: &str| text.contains("http://") || text.contains("https://");
            let is_reserved = key.starts_with("aliyun") || key.starts_with("acs:");
            if key.chars().count() > TAG_LEN_MAX || is_reserved || is_link(key) {
                let message = "The specified Tag.n.Key is not valid.";
                return Err(bad("InvalidTagKey.Malformed", message));
            }
            let value = value.unwrap_or_default();
            if value.chars().count() > TAG_LEN_MAX || is_link(value) || value.starts_with("acs:") {
                let message = "The specified Tag.n.Value is not valid.";
                return Err(bad("InvalidTagValue.Malformed", message));
            }
            if tags.insert(key.to_owned(), value.to_owned()).is_some() {
                let message = "The Tag.N.Key contain duplicate key.";
                return Err(bad("Duplicate.TagKey", message));
            }
        }
        match tags.len() > TAGS_MAX {
            true => {
                let message = "The number of tags exceeds the limit, 20.";
                Err(error(403, "QuotaExceed.Tags", message))
            }
            false => Ok(tags),
        }
    }

    /// A name as things of ECS have it: 2 to 128 characters, the first a letter.
    pub(crate) fn name(&self, parameter: &str) -> Result<String> {
        let name = self.get(parameter).unwrap_or_default();
        let length = name.chars().count();
        let is_letter = name.chars().next().is_some_and(char::is_alphabetic);
        let is_good = is_letter
            && (2..=128).contains(&length)
            && name
                .chars()
                .all(|letter| letter.is_alphanumeric() || ":_.-".contains(letter));
        if name.is_empty() || (is_good && !name.starts_with("http:")) {
            return Ok(name.to_owned());
        }
        let message = "The specified name is wrongly formed.";
        Err(bad(&format!("Invalid{parameter}.Malformed"), message))
    }

    /// A description as things of ECS have it: 2 to 256 characters, no link.
    pub(crate) fn description(&self, parameter: &str) -> Result<String> {
        let text = self.get(parameter).unwrap_or_default();
        let is_link = text.starts_with("http://") || text.starts_with("https://");
        if text.is_empty() || ((2..=256).contains(&text.chars().count()) && !is_link) {
            return Ok(text.to_owned());
        }
        let message = "The specified description is wrongly formed.";
        Err(bad("InvalidDescription.Malformed", message))
    }
}
