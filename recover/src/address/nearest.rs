//! The names that exist and that a wrong one may have meant.
//!
//! In this order: the same but for case; few edits apart, at most a third of the length; a common
//! beginning of at least half the length. Names that are like it in none of these ways are not
//! offered: a wild guess is worse than none.

use crate::shown::{Unit, take_unit};

/// More candidates are not looked at: a directory of a million names must not hold up an error.
const CANDIDATES_MAX: usize = 20_000;
/// Characters of a name that are compared. Filesystems stop at 255.
const UNITS_MAX: usize = 255;
/// A name with more mistakes than this is another name, however long it is. Also the width of the
/// distance table, so a candidate costs at most `UNITS_MAX * (2 * EDITS_MAX + 1)` steps.
const EDITS_MAX: usize = 8;

/// How a candidate is like the wanted name; the smaller the better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Likeness {
    SameButCase,
    Edits(usize),
    /// Characters of the wanted name that are not in the common beginning.
    PrefixLacks(usize),
}

/// At most `max` of the candidates, the nearest first, equals in the order they came. A candidate
/// that occurs twice is given once. The first 20 000 candidates are looked at; the cost is
/// bounded by about a tenth of a second for the longest names.
#[must_use]
pub fn nearest<N: AsRef<[u8]>>(
    wanted: &[u8],
    candidates: impl IntoIterator<Item = N>,
    max: usize,
) -> Vec<N> {
    let wanted = folded(wanted);
    let mut best: Vec<(Likeness, N)> = Vec::new();
    for candidate in candidates.into_iter().take(CANDIDATES_MAX) {
        let Some(likeness) = likeness(&wanted, &folded(candidate.as_ref())) else {
            continue;
        };
        let position = best.partition_point(|(other, _)| *other <= likeness);
        let known = |(_, other): &(_, N)| other.as_ref() == candidate.as_ref();
        if position < max && !best.iter().any(known) {
            best.insert(position, (likeness, candidate));
            best.truncate(max);
        }
    }
    best.into_iter().map(|(_, candidate)| candidate).collect()
}

fn likeness(wanted: &[u32], candidate: &[u32]) -> Option<Likeness> {
    if wanted.is_empty() || candidate.is_empty() {
        return None;
    }
    if wanted == candidate {
        return Some(Likeness::SameButCase);
    }
    let edits_max = wanted.len().checked_div(3).unwrap_or(0).min(EDITS_MAX);
    if let Some(edits) = distance(wanted, candidate, edits_max) {
        return Some(Likeness::Edits(edits));
    }
    let common = wanted
        .iter()
        .zip(candidate)
        .take_while(|(left, right)| left == right)
        .count();
    let enough = wanted.len().div_ceil(2).max(wanted.len().min(2));
    (common >= enough).then(|| Likeness::PrefixLacks(wanted.len().saturating_sub(common)))
}

/// A name as lower-case code points; what is no character has numbers of its own.
fn folded(name: &[u8]) -> Vec<u32> {
    let mut units = Vec::new();
    let mut rest = name;
    while let Some((unit, tail)) = take_unit(rest) {
        match unit {
            Unit::Char(char) => units.extend(char.to_lowercase().map(u32::from)),
            Unit::Surrogate(code) => units.push(u32::from(code)),
            Unit::Byte(byte) => units.push(u32::from(byte) | 0x8000_0000),
        }
        if units.len() >= UNITS_MAX {
            break;
        }
        rest = tail;
    }
    units.truncate(UNITS_MAX);
    units
}

/// Insertions, deletions, replacements and swaps of neighbours between two names (optimal string
/// alignment), or `None` if there are more than `max`. Only the diagonal band that can hold such
/// a result is computed.
fn distance(left: &[u32], right: &[u32], max: usize) -> Option<usize> {
    if left.len().abs_diff(right.len()) > max {
        return None;
    }
    let far = max.saturating_add(1);
    let at = |row: &[usize], column: usize| row.get(column).copied().unwrap_or(far);
    let width = right.len().saturating_add(1);
    let mut before = vec![far; width];
    let mut previous: Vec<usize> = (0..width).map(|column| column.min(far)).collect();
    let mut left_before = None;
    for (index, left_unit) in left.iter().enumerate() {
        let line = index.saturating_add(1);
        let mut current = vec![far; width];
        if let Some(first) = current.first_mut() {
            *first = line.min(far);
        }
        let band_start = index.saturating_sub(max);
        let band_len = max.saturating_mul(2).saturating_add(1);
        for (column, right_unit) in right.iter().enumerate().skip(band_start).take(band_len) {
            let replaced =
                at(&previous, column).saturating_add(usize::from(left_unit != right_unit));
            let next = column.saturating_add(1);
            let shorter = at(&previous, next)
                .min(at(&current, column))
                .saturating_add(1);
            let mut cost = replaced.min(shorter).min(far);
            if let Some(last) = column.checked_sub(1)
                && left_before == Some(right_unit)
                && right.get(last) == Some(left_unit)
            {
                cost = cost.min(at(&before, last).saturating_add(1));
            }
            if let Some(cell) = current.get_mut(next) {
                *cell = cost;
            }
        }
        if current.iter().all(|cost| *cost > max) {
            return None;
        }
        left_before = Some(left_unit);
        before = std::mem::replace(&mut previous, current);
    }
    previous.last().copied().filter(|cost| *cost <= max)
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn names(wanted: &str, candidates: &[&'static str]) -> Vec<&'static str> {
        nearest(wanted.as_bytes(), candidates, 3)
            .into_iter()
            .copied()
            .collect()
    }

    #[test]
    fn case_then_edits_then_beginnings() {
        let candidates = [
            "nginx.conf",
            "ngnix",
            "NGINX",
            "nginy",
            "nginx2",
            "apache",
            "x",
        ];
        assert_eq!(names("nginx", &candidates), ["NGINX", "ngnix", "nginy"]);
        assert_eq!(names("nginx-", &["nginx.conf.d", "ng"]), ["nginx.conf.d"]);
        assert_eq!(names("GRÖẞE", &["größe", "Grösse"]), ["größe", "Grösse"]);
    }

    #[test]
    fn wild_guesses_are_not_made() {
        assert!(names("etc", &["usr", "var", "home", ""]).is_empty());
        assert!(names("", &["usr"]).is_empty());
        assert!(names("a", &["b", "ba"]).is_empty());
        assert_eq!(names("a", &["b", "ab"]), ["ab"]);
        assert_eq!(names("etcc", &["etc", "usr"]), ["etc"]);
    }

    #[test]
    fn each_name_once_and_no_more_than_asked() {
        assert_eq!(
            names("ab", &["abc", "abc", "AB", "abd", "abe"]),
            ["AB", "abc", "abd"]
        );
        assert!(nearest(b"a", ["a"], 0).is_empty());
    }

    #[test]
    fn distances_count_swaps_and_stop_at_the_bound() {
        let distance = |left: &str, right: &str, max| {
            distance(&folded(left.as_bytes()), &folded(right.as_bytes()), max)
        };
        assert_eq!(distance("kitten", "sitting", 3), Some(3));
        assert_eq!(distance("kitten", "sitting", 2), None);
        assert_eq!(distance("fstba", "fstab", 1), Some(1));
        assert_eq!(distance("abcdef", "bcdefa", 2), Some(2));
        assert_eq!(distance("", "ab", 2), Some(2));
        assert_eq!(distance("ab", "", 2), Some(2));
        assert_eq!(distance("ab", "ab", 0), Some(0));
    }

    #[test]
    fn other_bytes_are_compared_too() {
        assert_eq!(
            nearest(b"caf\xe9.txt", [b"caf\xe8.txt"], 3),
            [b"caf\xe8.txt"]
        );
    }

    #[test]
    fn a_huge_directory_of_long_names_is_bounded() {
        let wanted = "a".repeat(10_000);
        let name = "ab".repeat(5_000).into_bytes();
        let found = nearest(wanted.as_bytes(), (0..100_000).map(|_| name.as_slice()), 3);
        assert!(found.is_empty());
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn the_name_itself_comes_first(
            wanted in vec(any::<u8>(), 1..20),
            others in vec(vec(any::<u8>(), 0..20), 0..20),
        ) {
            let candidates = others.iter().chain([&wanted]);
            let found = nearest(&wanted, candidates, 3);
            prop_assert!(found.len() <= 3);
            let first = found.first().unwrap();
            prop_assert_eq!(folded(first), folded(&wanted));
        }
    }
}
