//! Which of an object's points an address means.
//!
//! A time means the newest point at or before it; a day, the newest point of that day in the user's zone,
//! and never one of another day. What the provider has not finished taking is passed over by `latest`, and
//! said so.

use crate::address::{Date, DateTime, PointSpec, Zone};
use flr_provider::point::PointInfo;
use jiff::civil;
use jiff::tz::{Offset, TimeZone};

/// A point that was chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice<'a> {
    /// The point.
    pub point: &'a PointInfo,
    /// What the user should know of the choice.
    pub notes: Vec<String>,
}

/// No point is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoPoint {
    /// Why, in words.
    pub what: String,
    /// The points nearest to what was asked for: the one before it, then the one behind it.
    pub neighbours: Vec<PointInfo>,
}

/// Chooses among `points`, which are in ascending order of their times. Without a `spec` the newest one.
///
/// # Errors
/// None of them is meant.
pub fn choose<'a>(
    points: &'a [PointInfo],
    spec: Option<&PointSpec>,
    zone: &TimeZone,
    now: jiff::Timestamp,
) -> Result<Choice<'a>, NoPoint> {
    let today = || now.to_zoned(zone.clone()).date();
    match spec {
        None => latest(points, 0),
        Some(PointSpec::Latest { back }) => latest(points, *back),
        Some(PointSpec::Today) => of_day(points, today(), zone),
        Some(PointSpec::Yesterday) => of_day(points, days_before(today(), 1)?, zone),
        Some(PointSpec::DaysAgo(days)) => of_day(points, days_before(today(), *days)?, zone),
        Some(PointSpec::Date(date)) => of_day(points, civil_date(*date)?, zone),
        Some(PointSpec::Time(time)) => at_or_before(points, *time, zone),
        Some(PointSpec::Name(name)) => named(points, name),
    }
}

fn no_point(what: impl Into<String>) -> NoPoint {
    NoPoint {
        what: what.into(),
        neighbours: Vec::new(),
    }
}

fn latest(points: &[PointInfo], back: u32) -> Result<Choice<'_>, NoPoint> {
    let passed = points.iter().rev().take_while(|point| !point.is_complete());
    let notes = passed.map(|point| format!("{} is {} and was passed over", point.id, point.state));
    let notes: Vec<_> = notes.collect();
    let complete: Vec<_> = points.iter().filter(|point| point.is_complete()).collect();
    let back = usize::try_from(back).unwrap_or(usize::MAX);
    match complete.iter().rev().nth(back) {
        Some(point) => Ok(Choice { point, notes }),
        None if points.is_empty() => Err(no_point("there is no point in time of it")),
        None if complete.is_empty() => Err(no_point("none of its points is complete")),
        None => {
            let count = complete.len();
            Err(no_point(format!(
                "there are only {count} points: latest~{} is the oldest",
                count.saturating_sub(1)
            )))
        }
    }
}

fn days_before(today: civil::Date, days: u32) -> Result<civil::Date, NoPoint> {
    let span = jiff::Span::new().try_days(i64::from(days));
    span.and_then(|span| today.checked_sub(span))
        .map_err(|_| no_point(format!("there is no day {days} days ago")))
}

fn civil_date(date: Date) -> Result<civil::Date, NoPoint> {
    let year = i16::try_from(date.year).ok();
    let month = i8::try_from(date.month).ok();
    let day = i8::try_from(date.day).ok();
    year.zip(month)
        .zip(day)
        .and_then(|((year, month), day)| civil::Date::new(year, month, day).ok())
        .ok_or_else(|| no_point(format!("there is no day {date}")))
}

fn time_of(point: &PointInfo) -> jiff::Timestamp {
    let seconds = i64::try_from(point.time.0).unwrap_or(i64::MAX);
    jiff::Timestamp::from_second(seconds).unwrap_or(jiff::Timestamp::MAX)
}

fn of_day<'a>(
    points: &'a [PointInfo],
    day: civil::Date,
    zone: &TimeZone,
) -> Result<Choice<'a>, NoPoint> {
    let day_of = |point: &PointInfo| time_of(point).to_zoned(zone.clone()).date();
    let of_that_day = points.iter().filter(|point| day_of(point) == day);
    let of_that_day: Vec<_> = of_that_day.collect();
    let complete = of_that_day.iter().rev().find(|point| point.is_complete());
    if let Some(point) = complete {
        let newest = of_that_day.last().filter(|newest| newest.id != point.id);
        let notes = newest.map(|newest| format!("{} is {}", newest.id, newest.state));
        return Ok(Choice {
            point,
            notes: notes.into_iter().collect(),
        });
    }
    let before = points.iter().rev().find(|point| day_of(point) < day);
    let behind = points.iter().find(|point| day_of(point) > day);
    Err(NoPoint {
        what: match of_that_day.last() {
            Some(point) => format!("the point of {day}, {}, is {}", point.id, point.state),
            None => format!("there is no point of {day} ({})", zone_name(zone)),
        },
        neighbours: before.into_iter().chain(behind).cloned().collect(),
    })
}

fn zone_name(zone: &TimeZone) -> String {
    match zone.iana_name() {
        Some(name) => name.to_owned(),
        None => "local time".to_owned(),
    }
}

fn at_or_before<'a>(
    points: &'a [PointInfo],
    time: DateTime,
    zone: &TimeZone,
) -> Result<Choice<'a>, NoPoint> {
    let asked = instant(time, zone)?;
    let before = points.iter().rev().filter(|point| time_of(point) <= asked);
    match before.clone().find(|point| point.is_complete()) {
        Some(point) => {
            let passed = before.take_while(|point| !point.is_complete());
            let notes = passed.map(|point| format!("{} is {}", point.id, point.state));
            Ok(Choice {
                point,
                notes: notes.collect(),
            })
        }
        None => Err(NoPoint {
            what: format!("there is no point at or before {asked}"),
            neighbours: points.first().cloned().into_iter().collect(),
        }),
    }
}

/// The moment that was typed.
fn instant(time: DateTime, zone: &TimeZone) -> Result<jiff::Timestamp, NoPoint> {
    let impossible = || no_point(format!("there is no time {time}"));
    let number = |number: u8| i8::try_from(number).map_err(|_| impossible());
    let (hour, minute) = (number(time.hour)?, number(time.minute)?);
    let second = number(time.second.unwrap_or(0))?;
    let nanosecond = i32::try_from(time.nanosecond).map_err(|_| impossible())?;
    let civil = civil_date(time.date)?.at(hour, minute, second, nanosecond);
    let zone = match time.zone {
        None => zone.clone(),
        Some(Zone::Utc) => TimeZone::UTC,
        Some(Zone::Offset {
            west,
            hours,
            minutes,
        }) => {
            let hours = i32::from(hours).saturating_mul(3600);
            let seconds = hours.saturating_add(i32::from(minutes).saturating_mul(60));
            let seconds = if west {
                seconds.saturating_neg()
            } else {
                seconds
            };
            Offset::from_seconds(seconds)
                .map_err(|_| impossible())?
                .to_time_zone()
        }
    };
    let zoned = civil.to_zoned(zone).map_err(|_| impossible())?;
    Ok(zoned.timestamp())
}

/// By an id or a name. A name that several points have means the newest of them.
fn named<'a>(points: &'a [PointInfo], name: &str) -> Result<Choice<'a>, NoPoint> {
    let is_it = |point: &&PointInfo| {
        point.id == name
            || point.name.as_deref() == Some(name)
            || point.disks.iter().any(|disk| disk.id == name)
    };
    let found: Vec<_> = points.iter().filter(is_it).collect();
    let Some(point) = found.last() else {
        let names: Vec<_> = points.iter().flat_map(names_of).collect();
        let near =
            crate::address::nearest(name.as_bytes(), names.iter().map(|name| name.as_bytes()), 1);
        let near = near.first().map(|name| String::from_utf8_lossy(name));
        let near = near.map_or_else(String::new, |name| format!("; did you mean {name}?"));
        return Err(no_point(format!("there is no point {name}{near}")));
    };
    let others = found.len().saturating_sub(1);
    let note = match others {
        0 => None,
        1 => Some(format!("an older point is called {name} as well")),
        others => Some(format!("{others} older points are called {name} as well")),
    };
    Ok(Choice {
        point,
        notes: note.into_iter().collect(),
    })
}

fn names_of(point: &PointInfo) -> impl Iterator<Item = String> {
    point.name.clone().into_iter().chain([point.id.clone()])
}

#[cfg(test)]
mod tests {
    use super::*;
    use flr_provider::engine::UnixTime;
    use flr_provider::point::{Access, Consistency, DiskInfo};
    use std::collections::BTreeMap;

    fn point(id: &str, time: &str, state: &str) -> PointInfo {
        let time: jiff::Timestamp = time.parse().unwrap();
        PointInfo {
            id: id.into(),
            name: Some(format!("name-{id}")),
            object: "vol-1".into(),
            time: UnixTime(u64::try_from(time.as_second()).unwrap()),
            size: 1 << 30,
            state: state.into(),
            consistency: Consistency::Crash,
            access: Access::Direct,
            expires: None,
            region: None,
            account: None,
            tier: None,
            encrypted: false,
            skew: None,
            disks: vec![DiskInfo {
                id: id.into(),
                volume: None,
                device: None,
                size: 1 << 30,
            }],
            tags: BTreeMap::new(),
        }
    }

    fn points() -> Vec<PointInfo> {
        vec![
            point("a", "2026-11-17T22:30:00Z", "completed"),
            point("b", "2026-11-18T02:00:00Z", "completed"),
            point("c", "2026-11-18T14:00:00Z", "completed"),
            point("d", "2026-11-20T02:00:00Z", "completed"),
            point("e", "2026-11-20T03:00:00Z", "pending"),
        ]
    }

    fn chosen(spec: &str, zone: &str) -> Result<String, NoPoint> {
        let points = points();
        let zone = TimeZone::get(zone).unwrap();
        let spec = PointSpec::parse(spec).unwrap();
        let now = "2026-11-20T12:00:00Z".parse().unwrap();
        choose(&points, Some(&spec), &zone, now).map(|choice| choice.point.id.clone())
    }

    #[test]
    fn the_newest_complete_one_is_the_latest() {
        assert_eq!(chosen("latest", "UTC").unwrap(), "d");
        assert_eq!(chosen("latest~3", "UTC").unwrap(), "a");
        let error = chosen("latest~4", "UTC").unwrap_err();
        assert!(error.what.contains("latest~3"), "{}", error.what);
        let points = points();
        let now = jiff::Timestamp::now();
        let choice = choose(&points, None, &TimeZone::UTC, now).unwrap();
        assert_eq!(choice.notes.len(), 1);
    }

    #[test]
    fn a_day_is_one_of_the_users_zone() {
        assert_eq!(chosen("2026-11-18", "UTC").unwrap(), "c");
        assert_eq!(chosen("2026-11-17", "UTC").unwrap(), "a");
        // In Tokyo it was the 18th already.
        assert!(chosen("2026-11-17", "Asia/Tokyo").is_err());
        assert_eq!(chosen("today", "UTC").unwrap(), "d");
        assert_eq!(chosen("2d", "UTC").unwrap(), "c");
        let error = chosen("yesterday", "UTC").unwrap_err();
        let near: Vec<_> = error.neighbours.iter().map(|p| p.id.as_str()).collect();
        assert_eq!(near, ["c", "d"]);
    }

    #[test]
    fn a_time_is_the_newest_at_or_before_it() {
        assert_eq!(chosen("2026-11-18T02:00:00Z", "UTC").unwrap(), "b");
        assert_eq!(chosen("2026-11-18T01:59:59Z", "UTC").unwrap(), "a");
        assert_eq!(chosen("2026-11-18T03:00+01:00", "UTC").unwrap(), "b");
        assert_eq!(chosen("2026-11-18T03:00", "Europe/Berlin").unwrap(), "b");
        assert_eq!(chosen("2026-11-18T02:59", "Europe/Berlin").unwrap(), "a");
        assert_eq!(chosen("2026-11-25T00:00Z", "UTC").unwrap(), "d");
        assert!(chosen("2026-11-01T00:00Z", "UTC").is_err());
    }

    #[test]
    fn names_and_ids_are_names() {
        assert_eq!(chosen("name-b", "UTC").unwrap(), "b");
        assert_eq!(chosen("e", "UTC").unwrap(), "e");
        let error = chosen("name-x", "UTC").unwrap_err();
        assert!(error.what.contains("did you mean"), "{}", error.what);
    }
}
