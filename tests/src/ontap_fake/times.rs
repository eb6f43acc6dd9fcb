//! Times as documents have them.

use crate::stand_in::clock::iso;

/// `2026-11-20T13:00:00+01:00`: milliseconds since 1970, and an offset in minutes.
pub(crate) fn time(unix_ms: i64, offset: i64) -> String {
    let local = iso(unix_ms + offset * 60_000);
    let sign = if offset < 0 { '-' } else { '+' };
    let (hours, minutes) = (offset.abs() / 60, offset.abs() % 60);
    format!("{}{sign}{hours:02}:{minutes:02}", &local[..19])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_an_offset() {
        // `date -u -d @1795176000`
        assert_eq!(time(1_795_176_000_000, 60), "2026-11-20T13:00:00+01:00");
        assert_eq!(time(1_795_176_000_123, -210), "2026-11-20T08:30:00-03:30");
        assert_eq!(time(1_795_176_000_000, 0), "2026-11-20T12:00:00+00:00");
    }
}
