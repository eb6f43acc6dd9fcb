//! How EC2 writes fields: as text, with empty elements for what there is none of, and lists as `item`s.

use crate::engine::UnixTime;
use serde::de::{Deserialize, Deserializer, Error};
use std::collections::BTreeMap;
use std::str::FromStr;

/// Text; an empty element is none.
pub(super) fn text<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    let text = Option::<String>::deserialize(from)?;
    let text = text.map(|text| text.trim().to_owned());
    Ok(text.filter(|text| !text.is_empty()))
}

/// Text that must be there.
pub(super) fn word<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    text(from)?.ok_or_else(|| D::Error::custom("expected text, found an empty element"))
}

/// A number that must be there.
pub(super) fn number<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    parse(&word(from)?, "a number")
}

/// A number that may be missing.
pub(super) fn number_or_none<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
    let text = text(from)?;
    text.map(|text| parse(&text, "a number")).transpose()
}

/// `true` or `false`; what is not said is `false`.
pub(super) fn flag<'de, D: Deserializer<'de>>(from: D) -> Result<bool, D::Error> {
    let text = text(from)?;
    let flag = text.map(|text| parse(&text, "true or false")).transpose()?;
    Ok(flag.unwrap_or(false))
}

/// A time that must be there: `2026-11-20T12:00:00.000Z`.
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

fn parse<T: FromStr, E: Error>(text: &str, what: &str) -> Result<T, E> {
    let wrong = |_| E::custom(format!("expected {what}, found {text:?}"));
    text.parse().map_err(wrong)
}

fn parse_time<E: Error>(text: &str) -> Result<UnixTime, E> {
    let time: jiff::Timestamp = parse(text, "a time")?;
    let seconds = u64::try_from(time.as_second());
    let seconds = seconds.map_err(|_| E::custom(format!("expected a time, found {text:?}")))?;
    Ok(UnixTime(seconds))
}

/// A list.
#[derive(serde::Deserialize)]
struct Items<T> {
    #[serde(default = "Vec::new")]
    item: Vec<T>,
}

/// The items of a list.
pub(super) fn items<'de, D, T>(from: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    let items = Items::deserialize(from)?;
    Ok(items.item)
}

#[derive(serde::Deserialize)]
struct Tag {
    key: String,
    #[serde(default)]
    value: Option<String>,
}

/// Tags. A key cannot occur twice.
pub(super) fn tags<'de, D>(from: D) -> Result<BTreeMap<String, String>, D::Error>
where
    D: Deserializer<'de>,
{
    let tags: Vec<Tag> = items(from)?;
    let pairs = tags.into_iter();
    let pairs = pairs.map(|tag| (tag.key, tag.value.unwrap_or_default()));
    Ok(pairs.collect())
}

/// Something one level deeper, as in `<placement><availabilityZone>`.
pub(super) fn zone<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Placement {
        #[serde(default, deserialize_with = "text")]
        availability_zone: Option<String>,
    }
    Ok(Placement::deserialize(from)?.availability_zone)
}

/// The name of a state, as in `<instanceState><code>16</code><name>running</name>`.
pub(super) fn state_name<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    #[derive(serde::Deserialize)]
    struct State {
        #[serde(deserialize_with = "word")]
        name: String,
    }
    Ok(State::deserialize(from)?.name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Default, PartialEq, Deserialize)]
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

    fn read(xml: &str) -> Result<All, quick_xml::DeError> {
        quick_xml::de::from_str(xml)
    }

    #[test]
    fn empty_and_missing_are_none() {
        let empty = "<a><text/><number></number><flag/><time/><tags/></a>";
        assert_eq!(read(empty).unwrap(), All::default());
        assert_eq!(read("<a/>").unwrap(), All::default());
    }

    #[test]
    fn fields_read_and_nonsense_does_not() {
        let xml = "<a xmlns='http://ec2.amazonaws.com/doc/2016-11-15'><text> x &amp; y\n</text>\
            <number>8</number><flag>true</flag><time>2026-11-20T12:00:00.123Z</time>\
            <tags><item><key>Name</key><value>web 1</value></item><item><key>k</key><value/></item>\
            </tags><other><item/></other></a>";
        let all = read(xml).unwrap();
        assert_eq!(all.text.as_deref(), Some("x & y"));
        assert_eq!((all.number, all.flag), (Some(8), true));
        assert_eq!(all.time, Some("2026-11-20T12:00:00Z".parse().unwrap()));
        let tags: Vec<_> = all.tags.iter().map(|(k, v)| (&**k, &**v)).collect();
        assert_eq!(tags, [("Name", "web 1"), ("k", "")]);
        for wrong in [
            "<a><number>8 GiB</number></a>",
            "<a><number>-1</number></a>",
            "<a><flag>yes</flag></a>",
            "<a><time>yesterday</time></a>",
            "<a><time>1960-01-01T00:00:00Z</time></a>",
            "<a><tags><item><value>v</value></item></tags></a>",
            "<a><text>",
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
