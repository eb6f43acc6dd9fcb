//! The stand-in's clocks, and times as the services write them.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// Two clocks: that of the model (states, expiry of tokens), which tests advance, and that of the wire
/// (signatures, the `Date` header), which tests set wrong.
#[derive(Debug)]
pub(crate) struct Clock {
    started: Instant,
    unix_ms: i64,
    advanced_ms: AtomicI64,
    skew_ms: AtomicI64,
    /// Where the model's clock stands, if it does not run: milliseconds since the start, or less than 0.
    frozen_ms: AtomicI64,
}

impl Clock {
    pub(crate) fn new() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        Self {
            started: Instant::now(),
            unix_ms: ms(since.expect("a clock after 1970")),
            advanced_ms: AtomicI64::new(0),
            skew_ms: AtomicI64::new(0),
            frozen_ms: AtomicI64::new(-1),
        }
    }

    /// Since the start.
    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// The model's time, in milliseconds since 1970.
    pub(crate) fn now(&self) -> i64 {
        let frozen = self.frozen_ms.load(Ordering::Relaxed);
        let elapsed = match frozen {
            0.. => frozen,
            _ => ms(self.elapsed()),
        };
        self.unix_ms + elapsed + self.advanced_ms.load(Ordering::Relaxed)
    }

    /// Stops the model's clock.
    pub(crate) fn freeze(&self) {
        self.frozen_ms.store(ms(self.elapsed()), Ordering::Relaxed);
    }

    /// The time on the wire, in milliseconds since 1970.
    pub(crate) fn wire(&self) -> i64 {
        self.unix_ms + ms(self.elapsed()) + self.skew_ms.load(Ordering::Relaxed)
    }

    pub(crate) fn advance(&self, by: Duration) {
        self.advanced_ms.fetch_add(ms(by), Ordering::Relaxed);
    }

    pub(crate) fn set_skew(&self, seconds: i64) {
        self.skew_ms.store(seconds * 1000, Ordering::Relaxed);
    }
}

/// A duration in milliseconds.
pub(crate) fn ms(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX / 4)
}

struct Parts {
    year: i64,
    month: i64,
    day: i64,
    hour: i64,
    minute: i64,
    second: i64,
    ms: i64,
    weekday: usize,
}

/// The proleptic Gregorian calendar, counted from 1 March of the year 0.
fn parts(unix_ms: i64) -> Parts {
    let days = unix_ms.div_euclid(DAY_MS);
    let rest = unix_ms.rem_euclid(DAY_MS);
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    Parts {
        year: year_of_era + era * 400 + i64::from(month <= 2),
        month,
        day: of_year - (153 * shifted_month + 2) / 5 + 1,
        hour: rest / 3_600_000,
        minute: rest / 60_000 % 60,
        second: rest / 1000 % 60,
        ms: rest % 1000,
        // 1 January 1970 was a Thursday.
        weekday: usize::try_from((days + 4).rem_euclid(7)).expect("below 7"),
    }
}

/// `2026-11-20T12:00:00.000Z`
pub(crate) fn iso(unix_ms: i64) -> String {
    let Parts {
        year,
        month,
        day,
        hour,
        minute,
        second,
        ms,
        ..
    } = parts(unix_ms);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z")
}

/// `Fri, 20 Nov 2026 12:00:00 GMT`
pub(crate) fn http_date(unix_ms: i64) -> String {
    const DAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let at = parts(unix_ms);
    let month = MONTHS[usize::try_from(at.month - 1).expect("below 12")];
    let (day, year, hour, minute, second) = (at.day, at.year, at.hour, at.minute, at.second);
    let weekday = DAYS[at.weekday];
    format!("{weekday}, {day:02} {month} {year:04} {hour:02}:{minute:02}:{second:02} GMT")
}

/// Seconds since 1970 with three places, as JSON has them.
pub(crate) fn epoch(unix_ms: i64) -> serde_json::Value {
    let text = format!("{}.{:03}", unix_ms / 1000, unix_ms % 1000);
    serde_json::from_str(&text).expect("a number")
}

/// `20261120T120000Z` in milliseconds since 1970.
pub(crate) fn parse_amz(text: &str) -> Option<i64> {
    parse(text, "00000000T000000Z")
}

/// `2026-11-20T12:00:00Z` in milliseconds since 1970.
pub(crate) fn parse_iso(text: &str) -> Option<i64> {
    parse(text, "0000-00-00T00:00:00Z")
}

/// A time in a form whose zeros are digits: four of the year, then two of each part down to seconds.
fn parse(text: &str, form: &str) -> Option<i64> {
    let is_like = |(byte, like): (u8, u8)| match like {
        b'0' => byte.is_ascii_digit(),
        other => byte == other,
    };
    if text.len() != form.len() || !text.bytes().zip(form.bytes()).all(is_like) {
        return None;
    }
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let number = |from: usize, to: usize| digits[from..to].parse::<i64>().ok();
    let (year, month, day) = (number(0, 4)?, number(4, 6)?, number(6, 8)?);
    let (hour, minute, second) = (number(8, 10)?, number(10, 12)?, number(12, 14)?);
    let shifted_year = if month <= 2 { year - 1 } else { year };
    let era = shifted_year.div_euclid(400);
    let year_of_era = shifted_year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + of_year;
    let days = era * 146_097 + of_era - 719_468;
    Some(days * DAY_MS + ((hour * 60 + minute) * 60 + second) * 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_and_read() {
        // `date -u -d @1795176000` and `date -u -d @1709210096`.
        let at = 1_795_176_000_000;
        assert_eq!(iso(at), "2026-11-20T12:00:00.000Z");
        assert_eq!(http_date(at), "Fri, 20 Nov 2026 12:00:00 GMT");
        assert_eq!(parse_amz("20261120T120000Z"), Some(at));
        assert_eq!(iso(1_709_210_096_007), "2024-02-29T12:34:56.007Z");
        assert_eq!(parse_amz("20240229T123456Z"), Some(1_709_210_096_000));
        assert_eq!(parse_amz("2024-02-29T123456"), None);
        assert_eq!(parse_iso("2026-11-20T12:00:00Z"), Some(at));
        assert_eq!(parse_iso("2026-11-20 12:00:00Z"), None);
    }
}
