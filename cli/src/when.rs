//! Times: shown in the user's zone, written to JSON in UTC, read in several forms.

use flr_fs::Timestamp;
use jiff::tz::TimeZone;
use jiff::{Span, Zoned, civil};
use std::time::Duration;

/// The zone to show times in.
pub(crate) fn zone(name: Option<&str>) -> Result<TimeZone, String> {
    match name {
        None => Ok(TimeZone::system()),
        Some("UTC" | "utc" | "Z") => Ok(TimeZone::UTC),
        Some(name) => TimeZone::get(name).map_err(|error| format!("--tz {name}: {error}")),
    }
}

fn instant(time: Timestamp) -> Option<jiff::Timestamp> {
    let nanoseconds = i32::try_from(time.nanoseconds).ok()?;
    // Counted forward from the second, so never negative; jiff wants the same sign for both.
    let whole = jiff::Timestamp::from_second(time.seconds).ok()?;
    whole.checked_add(Span::new().nanoseconds(nanoseconds)).ok()
}

/// RFC 3339 in UTC with nanoseconds.
pub(crate) fn rfc3339(time: Timestamp) -> String {
    match instant(time) {
        Some(instant) => instant.strftime("%Y-%m-%dT%H:%M:%S.%9fZ").to_string(),
        // Beyond the year 9999, which no format here can store.
        None => format!("@{}.{:09}", time.seconds, time.nanoseconds),
    }
}

/// As `ls -l --time-style=long-iso` shows it.
pub(crate) fn short(time: Timestamp, zone: &TimeZone) -> String {
    match instant(time) {
        Some(instant) => instant
            .to_zoned(zone.clone())
            .strftime("%Y-%m-%d %H:%M")
            .to_string(),
        None => format!("@{}", time.seconds),
    }
}

/// With nanoseconds and zone, as `stat` shows it.
pub(crate) fn long(time: Timestamp, zone: &TimeZone) -> String {
    match instant(time) {
        Some(instant) => instant
            .to_zoned(zone.clone())
            .strftime("%Y-%m-%d %H:%M:%S.%9f %z")
            .to_string(),
        None => format!("@{}.{:09}", time.seconds, time.nanoseconds),
    }
}

/// Reads a length of time: `90s 15m 2h 3d 4w`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    flr_provider::config::duration(text)
        .ok_or_else(|| "expected a length of time such as 90s, 15m, 2h or 3d".to_owned())
}

/// Reads a time: a date, a date and time with or without zone, or how long ago (`90s 15m 2h 3d 4w`).
pub(crate) fn parse(text: &str, zone: &TimeZone) -> Option<Timestamp> {
    let stamp = |instant: jiff::Timestamp| Timestamp {
        seconds: instant.as_second(),
        nanoseconds: instant.subsec_nanosecond().unsigned_abs(),
    };
    if let Ok(ago) = duration(text) {
        let ago = i64::try_from(ago.as_secs()).ok()?;
        let seconds = jiff::Timestamp::now().as_second().checked_sub(ago)?;
        return Some(Timestamp {
            seconds,
            nanoseconds: 0,
        });
    }
    if let Ok(instant) = text.parse::<jiff::Timestamp>() {
        return Some(stamp(instant));
    }
    let local = |time: civil::DateTime| {
        time.to_zoned(zone.clone())
            .ok()
            .map(|z: Zoned| stamp(z.timestamp()))
    };
    text.parse::<civil::DateTime>().ok().and_then(local)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_range_of_ext4() {
        for (seconds, nanoseconds, text) in [
            (-2_147_483_648, 0, "1901-12-13T20:45:52.000000000Z"),
            (-1, 500_000_000, "1969-12-31T23:59:59.500000000Z"),
            (0, 1, "1970-01-01T00:00:00.000000001Z"),
            (
                15_032_385_535,
                999_999_999,
                "2446-05-10T22:38:55.999999999Z",
            ),
        ] {
            assert_eq!(
                rfc3339(Timestamp {
                    seconds,
                    nanoseconds
                }),
                text
            );
        }
    }

    #[test]
    fn forms_of_lengths() {
        for (text, seconds) in [
            ("90s", 90),
            ("15m", 900),
            ("2h", 7200),
            ("3d", 259_200),
            ("0s", 0),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)));
        }
        for text in ["", "1", "h", "-1h", "1 h", "9223372036854775807w", "1ü"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn forms_of_times() {
        let at = |text| parse(text, &TimeZone::UTC).map(|t| t.seconds);
        assert_eq!(at("1970-01-02"), Some(86_400));
        assert_eq!(at("1970-01-01T01:00"), Some(3600));
        assert_eq!(at("1970-01-01T01:00:00+01:00"), Some(0));
        assert!(at("2d").unwrap() < jiff::Timestamp::now().as_second() - 172_000);
        assert_eq!(at("soon"), None);
        assert_eq!(at(""), None);
    }
}
