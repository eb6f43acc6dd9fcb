//! What stands behind the `@`: which point in time.
//!
//! | form | meaning |
//! |---|---|
//! | `latest`, `latest~2` | the newest point, the second before it |
//! | `today`, `yesterday`, `3d` | days counted back from now |
//! | `2026-11-18` | the newest point of that local day |
//! | `2026-11-18T03:00[:00[.5]][Z\|+08:00]` | the newest point at or before it |
//! | anything else | the provider's name of a snapshot |
//!
//! Only the form is judged here; points are chosen where they are known. A text of a date's form
//! that is no date is an error rather than a name: "no snapshot 2026-02-30" would mislead.

use std::fmt;

use super::AddressError;
use super::moment::{Date, DateTime, is_digits};

/// A point in time as it was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum PointSpec {
    /// `latest` (`back` 0) or `latest~N`: N points before the newest.
    Latest {
        /// How many points before the newest.
        back: u32,
    },
    /// `today`.
    Today,
    /// `yesterday`.
    Yesterday,
    /// `Nd`: N days ago.
    DaysAgo(u32),
    /// A local day.
    Date(Date),
    /// A moment; without a zone in local time (`--tz`).
    Time(DateTime),
    /// What the provider calls it. Never empty.
    Name(String),
}

impl PointSpec {
    /// Reads a point, as after `@` or `--at`.
    ///
    /// # Errors
    /// An empty text, a date or time that does not exist, or a count above `u32::MAX`; positions
    /// are bytes from the start of `text`.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let count = |digits: &str, position| {
            let hint = "a count is a whole number below 4294967296, as in latest~2 or 3d";
            digits
                .parse()
                .map_err(|_| AddressError::new("expected a count", position, hint))
        };
        match text {
            "" => Err(AddressError::new("expected a point in time", 0, FORMS)),
            "latest" => Ok(Self::Latest { back: 0 }),
            "today" => Ok(Self::Today),
            "yesterday" => Ok(Self::Yesterday),
            _ => {
                if let Some(back) = text.strip_prefix("latest~") {
                    // `parse` alone would take "+1".
                    let back = if is_digits(back) { back } else { "" };
                    return Ok(Self::Latest {
                        back: count(back, "latest~".len())?,
                    });
                }
                if let Some(days) = text.strip_suffix('d').filter(|days| is_digits(days)) {
                    return Ok(Self::DaysAgo(count(days, 0)?));
                }
                Self::calendar(text).unwrap_or_else(|| Ok(Self::Name(text.to_owned())))
            }
        }
    }

    /// `None` if the text has not the form of a date or time.
    fn calendar(text: &str) -> Option<Result<Self, AddressError>> {
        let wrong = |what, position| Some(Err(AddressError::new(what, position, FORMS)));
        let (day, time) = match text.split_once('T') {
            Some((day, time)) => (day, Some(time)),
            None => (text, None),
        };
        let date = Date::shape(day)?;
        let time = match time {
            Some(time) => Some(DateTime::shape(date, time)?),
            None => None,
        };
        if !date.exists() {
            return wrong("expected a day that exists", 0);
        }
        match time {
            None => Some(Ok(Self::Date(date))),
            Some(time) if time.exists() => Some(Ok(Self::Time(time))),
            Some(_) => wrong("expected a time of day that exists", "2026-11-18T".len()),
        }
    }
}

const FORMS: &str = "latest, latest~2, yesterday, 3d, 2026-11-18, 2026-11-18T03:00, \
     2026-11-18T03:00:00Z, or a name that `flr points OBJECT` lists";

impl fmt::Display for PointSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Latest { back: 0 } => f.write_str("latest"),
            Self::Latest { back } => write!(f, "latest~{back}"),
            Self::Today => f.write_str("today"),
            Self::Yesterday => f.write_str("yesterday"),
            Self::DaysAgo(days) => write!(f, "{days}d"),
            Self::Date(date) => date.fmt(f),
            Self::Time(time) => time.fmt(f),
            Self::Name(name) => f.write_str(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Zone;
    use super::*;

    fn parse(text: &str) -> PointSpec {
        PointSpec::parse(text).unwrap()
    }

    #[test]
    fn words_and_counts() {
        assert_eq!(parse("latest"), PointSpec::Latest { back: 0 });
        assert_eq!(parse("latest~12"), PointSpec::Latest { back: 12 });
        assert_eq!(parse("today"), PointSpec::Today);
        assert_eq!(parse("yesterday"), PointSpec::Yesterday);
        assert_eq!(parse("3d"), PointSpec::DaysAgo(3));
    }

    #[test]
    fn moments_print_as_they_were_typed() {
        for text in [
            "2026-11-18",
            "2024-02-29",
            "2026-11-18T03:00",
            "2026-11-18T03:00Z",
            "2026-11-18T03:00:00",
            "2026-11-18T03:00:59.25-03:30",
            "2026-11-18T23:59:00+08:00",
        ] {
            let point = parse(text);
            assert!(
                matches!(point, PointSpec::Date(_) | PointSpec::Time(_)),
                "{text}"
            );
            assert_eq!(point.to_string(), text);
        }
        let PointSpec::Time(time) = parse("2026-11-18T03:00:59.25-03:30") else {
            panic!()
        };
        assert_eq!(time.nanosecond, 250_000_000);
        assert_eq!(
            time.zone,
            Some(Zone::Offset {
                west: true,
                hours: 3,
                minutes: 30
            })
        );
        // What our own JSON prints can be typed back.
        assert_eq!(
            parse("2026-11-18T03:00:00.000000000Z"),
            parse("2026-11-18T03:00:00Z")
        );
    }

    #[test]
    fn everything_else_is_a_name() {
        for text in [
            "nightly.0",
            "before-upgrade",
            "d",
            "xd",
            "-3d",
            "Latest",
            "2026-11-18_0300",
            "26-11-18",
            "2026-11-18T03",
            "2026-11-18T03:00:00+08",
            "2026-11-18T030000Z",
            "2026-11-18T",
            "١d",
            "2026-11-18T03:00:00.1234567890Z",
            "2026-11-18T03:00:00.",
            "2026-11-18 03:00",
            "T",
            "2026-1-18",
            "a@b",
        ] {
            assert_eq!(parse(text), PointSpec::Name(text.to_owned()));
        }
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for (text, position) in [
            ("", 0),
            ("latest~", 7),
            ("latest~x", 7),
            ("latest~+1", 7),
            ("latest~4294967296", 7),
            ("99999999999d", 0),
            ("2026-13-01", 0),
            ("2026-00-01", 0),
            ("2026-02-29", 0),
            ("1900-02-29", 0),
            ("2026-04-31T03:00", 0),
            ("2026-11-18T24:00", 11),
            ("2026-11-18T03:60", 11),
            ("2026-11-18T03:00:60", 11),
            ("2026-11-18T03:00+24:00", 11),
        ] {
            assert_eq!(
                PointSpec::parse(text).unwrap_err().position(),
                position,
                "{text}"
            );
        }
    }
}
