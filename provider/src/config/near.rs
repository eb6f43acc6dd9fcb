//! The known name that a wrong one is most like.

/// Longer names are like no key.
const LEN_MAX: usize = 64;

/// The candidate that takes the fewest insertions, deletions and replacements, and no more than a third
/// of the name's length or two.
pub(super) fn nearest<'a>(
    wanted: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    if wanted.len() > LEN_MAX {
        return None;
    }
    let wanted = wanted.to_lowercase().replace('-', "_");
    let edits_max = wanted.len().div_ceil(3).min(2);
    let distances = candidates
        .into_iter()
        .map(|candidate| (distance(&wanted, &candidate.to_lowercase()), candidate));
    let near = distances.filter(|(edits, _)| *edits <= edits_max);
    near.min_by_key(|(edits, _)| *edits)
        .map(|(_, candidate)| candidate)
}

/// Levenshtein's distance, one row at a time.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (line, char) in left.chars().enumerate() {
        let mut diagonal = line;
        let mut before = line.saturating_add(1);
        let mut next = Vec::with_capacity(row.len());
        next.push(before);
        for (other, above) in right.iter().zip(row.iter().skip(1)) {
            let replaced = diagonal.saturating_add(usize::from(char != *other));
            before = replaced.min(above.min(&before).saturating_add(1));
            next.push(before);
            diagonal = *above;
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        for (left, right, edits) in [
            ("kitten", "sitting", 3),
            ("", "ab", 2),
            ("ab", "", 2),
            ("ab", "ab", 0),
            ("proflie", "profile", 2),
            ("regio", "region", 1),
        ] {
            assert_eq!(distance(left, right), edits, "{left} {right}");
        }
    }

    #[test]
    fn wild_guesses_are_not_made() {
        let keys = ["profile", "region", "ttl"];
        assert_eq!(nearest("proflie", keys), Some("profile"));
        assert_eq!(nearest("TTL", keys), Some("ttl"));
        assert_eq!(nearest("colour", keys), None);
        assert_eq!(nearest("", keys), None);
        assert_eq!(nearest(&"profile".repeat(1000), keys), None);
    }
}
