//! Queries by value: `name=flr_*`, `type=rw|dp`, `size=>1024`, `name=!x`, `size=1..9`.

use serde_json::Value;

/// Whether a field matches what is asked for. A field that is not there matches nothing but `null`.
pub(crate) fn matches(value: Option<&Value>, pattern: &str) -> bool {
    match value {
        None | Some(Value::Null) => pattern == "null",
        Some(Value::Array(values)) => values.iter().any(|value| matches(Some(value), pattern)),
        Some(Value::String(text)) => any_of(text, pattern),
        Some(other) => any_of(&other.to_string(), pattern),
    }
}

fn any_of(text: &str, pattern: &str) -> bool {
    pattern.split('|').any(|one| one_of(text, one))
}

fn one_of(text: &str, pattern: &str) -> bool {
    if let Some(rest) = pattern.strip_prefix('!') {
        return !one_of(text, rest);
    }
    let number = |text: &str| text.parse::<i128>().ok();
    let compared = |bound: &str| match (number(text), number(bound)) {
        (Some(a), Some(b)) => a.cmp(&b),
        _ => text.cmp(bound),
    };
    for (sign, holds) in [
        ("<=", [true, true, false]),
        (">=", [false, true, true]),
        ("<", [true, false, false]),
        (">", [false, false, true]),
    ] {
        if let Some(bound) = pattern.strip_prefix(sign) {
            return holds[match compared(bound) {
                std::cmp::Ordering::Less => 0,
                std::cmp::Ordering::Equal => 1,
                std::cmp::Ordering::Greater => 2,
            }];
        }
    }
    if let Some((low, high)) = pattern.split_once("..") {
        return compared(low).is_ge() && compared(high).is_le();
    }
    glob(text.as_bytes(), pattern.as_bytes())
}

/// `*` is any number of characters.
fn glob(text: &[u8], pattern: &[u8]) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some((b'*', rest)) => (0..=text.len()).any(|at| glob(&text[at..], rest)),
        Some((first, rest)) => text.first() == Some(first) && glob(&text[1..], rest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_are_matched() {
        for (value, pattern, expected) in [
            (json!("flr_1"), "flr_*", true),
            (json!("xflr_1"), "flr_*", false),
            (json!("vol1"), "vol1|vol2", true),
            (json!("vol3"), "!vol1", true),
            (json!("a.b"), "a*b", true),
            (json!(10), ">9", true),
            (json!(10), "<=9", false),
            (json!(5), "1..9", true),
            (json!(true), "true", true),
            (json!(["a", "b"]), "b", true),
            (json!(null), "x", false),
        ] {
            assert_eq!(
                matches(Some(&value), pattern),
                expected,
                "{value} {pattern}"
            );
        }
        assert!(!matches(None, "*"));
    }
}
