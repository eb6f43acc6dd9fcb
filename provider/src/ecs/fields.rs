//! How fields are written: numbers as numbers or as text, times with seconds or without, lists one level
//! deeper (`{"Disks": {"Disk": […]}}`), and empty text for what there is none of.

use crate::engine::UnixTime;
use serde::de::{Deserialize, Deserializer, Error};
use std::collections::BTreeMap;

/// A value in one of the forms that the same field has at different times.
#[derive(serde::Deserialize)]
#[serde(untagged)]
enum Plain {
    Flag(bool),
    Number(u64),
    Text(String),
    /// An object, a fraction: nothing that any of these fields should be.
    Other(serde::de::IgnoredAny),
}

impl Plain {
    fn text<E: Error>(self) -> Result<String, E> {
        match self {
            Self::Flag(flag) => Ok(flag.to_string()),
            Self::Number(number) => Ok(number.to_string()),
            Self::Text(text) => Ok(text.trim().to_owned()),
            Self::Other(_) => Err(E::custom("expected text")),
        }
    }
}

/// Text; an empty one is none.
pub(super) fn text<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    let plain = Option::<Plain>::deserialize(from)?;
    let text = plain.map(Plain::text).transpose()?;
    Ok(text.filter(|text| !text.is_empty()))
}

/// Text that must be there.
pub(super) fn word<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    text(from)?.ok_or_else(|| D::Error::custom("expected text, found none"))
}

/// A number that must be there.
pub(super) fn number<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    number_or_none(from)?.ok_or_else(|| D::Error::custom("expected a number, found none"))
}

/// A number that may be missing.
pub(super) fn number_or_none<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
    let text = text(from)?;
    let wrong = |text: &str| D::Error::custom(format!("expected a number, found {text:?}"));
    text.map(|text| text.parse().map_err(|_| wrong(&text)))
        .transpose()
}

/// `true` or `false`; what is not said is `false`.
pub(super) fn flag<'de, D: Deserializer<'de>>(from: D) -> Result<bool, D::Error> {
    match text(from)?
        .as_deref()
        .map(str::to_ascii_lowercase)
        .as_deref()
    {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(other) => Err(D::Error::custom(format!(
            "expected true or false, found {other:?}"
        ))),
    }
}

/// A time that must be there: `2026-01-02T03:04Z` or `2026-01-02T03:04:05Z`.
pub(super) fn time<'de, D: Deserializer<'de>>(from: D) -> Result<UnixTime, D::Error> {
    parse_time(&word(from)?)
}

/// A time that may be missing.
pub(super) fn time_or_none<'de, D: Deserializer<'de>>(
    from: D,
) -> Result<Option<UnixTime>, D::Error> {
    let text = text(from)?;
    text.map(|text| parse_time(&text)).transpose()
}

fn parse_time<E: Error>(text: &str) -> Result<UnixTime, E> {
    let wrong = || E::custom(format!("expected a time, found {text:?}"));
    let with_seconds = match text.strip_suffix('Z') {
        // 2026-01-02T03:04
        Some(minute) if minute.len() == 16 => format!("{minute}:00Z"),
        _ => text.to_owned(),
    };
    let time: jiff::Timestamp = with_seconds.parse().map_err(|_| wrong())?;
    let seconds = u64::try_from(time.as_second()).map_err(|_| wrong())?;
    Ok(UnixTime(seconds))
}

#[derive(serde::Deserialize)]
struct Tag {
    #[serde(alias = "TagKey")]
    #[serde(rename = "Key")]
    key: String,
    #[serde(alias = "TagValue", default)]
    #[serde(rename = "Value")]
    value: Option<String>,
}

#[derive(serde::Deserialize)]
struct TagList {
    #[serde(rename = "Tag", default)]
    tags: Vec<Tag>,
}

/// Tags. A key cannot occur twice.
pub(super) fn tags<'de, D>(from: D) -> Result<BTreeMap<String, String>, D::Error>
where
    D: Deserializer<'de>,
{
    let list = Option::<TagList>::deserialize(from)?;
    let pairs = list.into_iter().flat_map(|list| list.tags);
    let pairs = pairs.map(|tag| (tag.key, tag.value.unwrap_or_default()));
    Ok(pairs.collect())
}

/// A type whose list has the name of its items: `{"Disk": […]}`.
pub(super) trait Named {
    /// What an item is called.
    const NAME: &'static str;
}

/// The items of a list. No list is not an empty list.
pub(super) fn items<'de, D, T>(from: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Named,
{
    let mut lists: BTreeMap<String, Vec<T>> = BTreeMap::deserialize(from)?;
    lists
        .remove(T::NAME)
        .ok_or_else(|| D::Error::custom(format!("expected a list of {}", T::NAME)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct All {
        #[serde(default, deserialize_with = "text")]
        text: Option<String>,
        #[serde(default, deserialize_with = "number_or_none")]
        number: Option<u64>,
        #[serde(default, deserialize_with = "flag")]
        flag: bool,
        #[serde(default, deserialize_with = "time_or_none")]
        time: Option<UnixTime>,
        #[serde(default, deserialize_with = "tags")]
        tags: BTreeMap<String, String>,
    }

    fn read(json: &str) -> Result<All, serde_json::Error> {
        serde_json::from_str(json)
    }

    #[test]
    fn empty_null_and_missing_are_none() {
        let empty = r#"{"Text":"","Number":"","Flag":"","Time":"","Tags":{"Tag":[]}}"#;
        let null = r#"{"Text":null,"Number":null,"Flag":null,"Time":null,"Tags":null}"#;
        for json in [empty, null, "{}", r#"{"Tags":{}}"#] {
            assert_eq!(read(json).unwrap(), All::default(), "{json}");
        }
    }

    #[test]
    fn fields_read_in_all_their_forms() {
        for (json, number, flag) in [
            (r#"{"Number":40,"Flag":true}"#, 40, true),
            (r#"{"Number":"40","Flag":"True"}"#, 40, true),
            (
                r#"{"Number":18446744073709551615,"Flag":"false"}"#,
                u64::MAX,
                false,
            ),
        ] {
            let all = read(json).unwrap();
            assert_eq!((all.number, all.flag), (Some(number), flag), "{json}");
        }
        for (json, time) in [
            (r#"{"Time":"2026-01-02T03:04Z"}"#, "2026-01-02T03:04:00Z"),
            (r#"{"Time":"2026-01-02T03:04:05Z"}"#, "2026-01-02T03:04:05Z"),
        ] {
            assert_eq!(read(json).unwrap().time, Some(time.parse().unwrap()));
        }
        let json = r#"{"Tags":{"Tag":[{"TagKey":"a","TagValue":"1"},{"Key":"b","Value":"2"},{"Key":"c"}]}}"#;
        let tags = read(json).unwrap().tags;
        let tags: Vec<_> = tags.iter().map(|(k, v)| (&**k, &**v)).collect();
        assert_eq!(tags, [("a", "1"), ("b", "2"), ("c", "")]);
    }

    #[test]
    fn nonsense_does_not_read() {
        for wrong in [
            r#"{"Number":"8 GiB"}"#,
            r#"{"Number":-1}"#,
            r#"{"Number":1.5}"#,
            r#"{"Flag":"yes"}"#,
            r#"{"Text":["x"]}"#,
            r#"{"Time":"yesterday"}"#,
            r#"{"Time":"1960-01-01T00:00Z"}"#,
            r#"{"Tags":{"Tag":[{"TagValue":"1"}]}}"#,
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn no_list_is_not_an_empty_list() {
        #[derive(Debug, Deserialize)]
        struct Thing {}
        impl Named for Thing {
            const NAME: &'static str = "Thing";
        }
        #[derive(Debug, Deserialize)]
        struct Answer {
            #[serde(deserialize_with = "items")]
            things: Vec<Thing>,
        }
        let read = |json: &str| serde_json::from_str::<Answer>(json).map(|it| it.things.len());
        assert_eq!(read(r#"{"things":{"Thing":[{},{}]}}"#).unwrap(), 2);
        assert_eq!(read(r#"{"things":{"Thing":[]}}"#).unwrap(), 0);
        assert!(read(r#"{"things":{}}"#).is_err());
        assert!(read("{}").is_err());
    }
}
