//! Time of day, as it stands in tags and in the journal.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

const DAY_SECONDS: u64 = 86_400;

/// Seconds since 1970-01-01 in UTC. Printed and read as `2026-11-18T03:00:00Z`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnixTime(pub u64);

impl UnixTime {
    /// So much later; the end of time if that is beyond it.
    #[must_use]
    pub const fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration.as_secs()))
    }

    /// How long after `earlier` this is; nothing if it is before.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_secs(self.0.saturating_sub(earlier.0))
    }
}

/// A time that does not read as `2026-11-18T03:00:00Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadTime;

impl fmt::Display for BadTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected a time such as 2026-11-18T03:00:00Z")
    }
}

impl std::error::Error for BadTime {}

impl fmt::Display for UnixTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Every division below is by a constant that is not zero.
        let (days, second) = (self.0 / DAY_SECONDS, self.0 % DAY_SECONDS);
        let (year, month, day) = civil(days);
        let (hour, minute, second) = (second / 3600, second % 3600 / 60, second % 60);
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z"
        )
    }
}

impl FromStr for UnixTime {
    type Err = BadTime;

    fn from_str(text: &str) -> Result<Self, BadTime> {
        let field = |range: std::ops::Range<usize>| {
            let digits = text.get(range).filter(|text| !text.starts_with('+'))?;
            digits.parse::<u64>().ok()
        };
        let parse = || {
            let (year, month, day) = (field(0..4)?, field(5..7)?, field(8..10)?);
            let (hour, minute, second) = (field(11..13)?, field(14..16)?, field(17..19)?);
            let days = days_of(year, month, day)?;
            let seconds = days.checked_mul(DAY_SECONDS)?;
            let of_day = hour
                .checked_mul(3600)?
                .checked_add(minute.checked_mul(60)?)?;
            Some(Self(seconds.checked_add(of_day)?.checked_add(second)?))
        };
        // What prints back is what was meant: no thirteenth month, no 25th hour, no other separators.
        parse()
            .filter(|time| time.to_string() == text)
            .ok_or(BadTime)
    }
}

/// Year, month and day of a day counted from 1970-01-01, in the Gregorian calendar.
///
/// Years are counted from March, so that the leap day is the last of its year; 400 of them have
/// 146,097 days.
#[expect(
    clippy::arithmetic_side_effects,
    reason = "the operands are bounded above"
)]
fn civil(days: u64) -> (u64, u64, u64) {
    // From 0000-03-01. Anything so late that this saturates prints a year that nobody lives to see.
    let days = days.saturating_add(719_468);
    let era = days / 146_097;
    let of_era = days % 146_097;
    let leaps = of_era / 36_524 - of_era / 146_096;
    let year_of_era = (of_era + leaps - of_era / 1460) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 {
        march_month + 3
    } else {
        march_month - 9
    };
    let year = era
        .saturating_mul(400)
        .saturating_add(year_of_era)
        .saturating_add(u64::from(month <= 2));
    (year, month, day)
}

/// The day of a date, counted from 1970-01-01.
#[expect(
    clippy::arithmetic_side_effects,
    reason = "the operands are bounded above"
)]
fn days_of(year: u64, month: u64, day: u64) -> Option<u64> {
    if !(1970..=9999).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let year = year - u64::from(month <= 2);
    let march_month = (month + 9) % 12;
    let of_year = (153 * march_month + 2) / 5 + day - 1;
    let days = 365 * year + year / 4 - year / 100 + year / 400 + of_year;
    days.checked_sub(719_468)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_times() {
        // date -u -d @N +%FT%TZ
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_709_251_199, "2024-02-29T23:59:59Z"),
            (1_795_219_200, "2026-11-21T00:00:00Z"),
            (4_107_542_399, "2100-02-28T23:59:59Z"),
            (253_402_300_799, "9999-12-31T23:59:59Z"),
        ] {
            assert_eq!(UnixTime(seconds).to_string(), text);
            assert_eq!(text.parse(), Ok(UnixTime(seconds)));
        }
    }

    #[test]
    fn every_day_reads_back() {
        for day in 0..80_000 {
            let time = UnixTime(day * DAY_SECONDS + day % DAY_SECONDS);
            assert_eq!(time.to_string().parse(), Ok(time));
        }
    }

    #[test]
    fn nothing_else_is_a_time() {
        for text in [
            "",
            "2026-11-18",
            "2026-11-18 03:00:00Z",
            "2026-11-18T03:00:00",
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-11-18T24:00:00Z",
            "2026-11-18T03:00:00+",
            "+026-11-18T03:00:00Z",
            "1969-12-31T23:59:59Z",
        ] {
            assert_eq!(text.parse::<UnixTime>(), Err(BadTime), "{text}");
        }
    }
}
