//! Days, times and zones as they stand in a point: `2026-11-18T03:00:00.5+08:00`.
//!
//! The form and the values are judged apart: what has not the form may be a name, what has it but
//! no possible values is a mistake. Leap seconds are none of the possible ones.

use std::fmt;
use std::str::FromStr;

/// A day of the Gregorian calendar that exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date {
    /// 0 to 9999.
    pub year: u16,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31, at most the month's length.
    pub day: u8,
}

/// A moment as typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DateTime {
    /// The day, in `zone`.
    pub date: Date,
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
    /// 0 to 59; `None` (not typed) means 0.
    pub second: Option<u8>,
    /// 0 to 999 999 999 after the second; not 0 only if there is a second.
    pub nanosecond: u32,
    /// `None` means local time.
    pub zone: Option<Zone>,
}

/// A zone as typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Zone {
    /// `Z`.
    Utc,
    /// `+08:00`, `-03:30`: ahead of UTC unless `west`.
    Offset {
        /// Behind UTC, written with `-`.
        west: bool,
        /// 0 to 23.
        hours: u8,
        /// 0 to 59.
        minutes: u8,
    },
}

impl Date {
    /// Reads a date's form; whether there is such a day, [`Date::exists`] tells.
    pub(super) fn shape(text: &str) -> Option<Self> {
        let mut fields = text.split('-');
        let year = digits(fields.next()?, 4)?;
        let month = digits(fields.next()?, 2)?;
        let day = digits(fields.next()?, 2)?;
        fields.next().is_none().then_some(Self { year, month, day })
    }

    pub(super) fn exists(self) -> bool {
        let leap = self.year.is_multiple_of(4)
            && (!self.year.is_multiple_of(100) || self.year.is_multiple_of(400));
        let last = match self.month {
            1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
            4 | 6 | 9 | 11 => 30,
            2 if leap => 29,
            2 => 28,
            _ => return false,
        };
        (1..=last).contains(&self.day)
    }
}

impl DateTime {
    /// Reads a time's form; `text` is what follows the `T`.
    pub(super) fn shape(date: Date, text: &str) -> Option<Self> {
        let (clock, zone) = Zone::split(text)?;
        let mut fields = clock.split(':');
        let hour = digits(fields.next()?, 2)?;
        let minute = digits(fields.next()?, 2)?;
        let (second, nanosecond) = match fields.next() {
            None => (None, 0),
            Some(second) => {
                let (second, fraction) = second.split_once('.').unwrap_or((second, "0"));
                let fraction = (1..=9)
                    .contains(&fraction.len())
                    .then(|| format!("{fraction:0<9}"))?;
                (Some(digits(second, 2)?), digits(&fraction, 9)?)
            }
        };
        let done = fields.next().is_none();
        done.then_some(Self {
            date,
            hour,
            minute,
            second,
            nanosecond,
            zone,
        })
    }

    pub(super) fn exists(self) -> bool {
        let zone = match self.zone {
            Some(Zone::Offset { hours, minutes, .. }) => hours < 24 && minutes < 60,
            Some(Zone::Utc) | None => true,
        };
        self.hour < 24 && self.minute < 60 && self.second.unwrap_or(0) < 60 && zone
    }
}

impl Zone {
    /// The clock and the zone behind it.
    fn split(text: &str) -> Option<(&str, Option<Self>)> {
        if let Some(clock) = text.strip_suffix('Z') {
            return Some((clock, Some(Self::Utc)));
        }
        let Some(sign) = text.rfind(['+', '-']) else {
            return Some((text, None));
        };
        let (clock, offset) = text.split_at_checked(sign)?;
        let west = offset.starts_with('-');
        let (hours, minutes) = offset.strip_prefix(['+', '-'])?.split_once(':')?;
        let (hours, minutes) = (digits(hours, 2)?, digits(minutes, 2)?);
        Some((
            clock,
            Some(Self::Offset {
                west,
                hours,
                minutes,
            }),
        ))
    }
}

/// One or more ASCII digits.
pub(super) fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// A number of exactly `len` digits.
fn digits<T: FromStr>(text: &str, len: usize) -> Option<T> {
    if text.len() == len && is_digits(text) {
        text.parse().ok()
    } else {
        None
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

impl fmt::Display for DateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}T{:02}:{:02}", self.date, self.hour, self.minute)?;
        if let Some(second) = self.second {
            write!(f, ":{second:02}")?;
        }
        if self.nanosecond != 0 {
            let fraction = format!("{:09}", self.nanosecond);
            write!(f, ".{}", fraction.trim_end_matches('0'))?;
        }
        match self.zone {
            None => Ok(()),
            Some(Zone::Utc) => f.write_str("Z"),
            Some(Zone::Offset {
                west,
                hours,
                minutes,
            }) => {
                let sign = if west { '-' } else { '+' };
                write!(f, "{sign}{hours:02}:{minutes:02}")
            }
        }
    }
}
