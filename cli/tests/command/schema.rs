//! JSON lines against `docs/schema`: as much of JSON Schema as those files use.

use regex::Regex;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::{Mutex, OnceLock, PoisonError};

/// Checks a line. Programs must take fields that they do not know; we must not print fields that are
/// not documented.
pub(crate) fn check(line: &str) -> Value {
    let value: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    let name = value["message_type"].as_str().expect("a message type");
    let wrong = misfits(name, &value);
    assert!(wrong.is_empty(), "{wrong:#?} in {line}");
    value
}

pub(crate) fn schemas() -> &'static HashMap<String, Value> {
    static SCHEMAS: OnceLock<HashMap<String, Value>> = OnceLock::new();
    SCHEMAS.get_or_init(|| {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/schema");
        let files = std::fs::read_dir(dir).expect("schemas");
        let read = |file: std::io::Result<std::fs::DirEntry>| {
            let path = file.expect("a schema").path();
            let text = std::fs::read_to_string(&path).expect("a schema");
            let name = path.file_name().and_then(|name| name.to_str());
            let name = name.and_then(|name| name.strip_suffix(".schema.json"));
            let schema = serde_json::from_str(&text).expect("a schema");
            (name.expect("TYPE.schema.json").to_owned(), schema)
        };
        files.map(read).collect()
    })
}

fn fits(pattern: &str, text: &str) -> bool {
    static PATTERNS: Mutex<BTreeMap<String, Regex>> = Mutex::new(BTreeMap::new());
    let mut patterns = PATTERNS.lock().unwrap_or_else(PoisonError::into_inner);
    let compiled = patterns
        .entry(pattern.to_owned())
        .or_insert_with(|| Regex::new(pattern).expect("a pattern"));
    compiled.is_match(text)
}

/// What of a document does not fit a schema.
pub(crate) fn misfits(schema: &str, document: &Value) -> Vec<String> {
    let rules = schemas()
        .get(schema)
        .unwrap_or_else(|| panic!("{schema}: no schema: {document}"));
    let mut wrong = Vec::new();
    walk(rules, document, schema, &mut wrong);
    wrong
}

fn walk(schema: &Value, value: &Value, at: &str, wrong: &mut Vec<String>) {
    let rules = schema.as_object().expect("a schema is an object");
    for (rule, wanted) in rules {
        let holds = match rule.as_str() {
            "$schema" | "title" | "description" | "properties" => true,
            "const" => value == wanted,
            "enum" => wanted.as_array().expect("enum").contains(value),
            "type" => match wanted {
                Value::Array(types) => types.iter().any(|one| is(one, value)),
                one => is(one, value),
            },
            "minimum" => value.as_u64() >= wanted.as_u64(),
            "pattern" => {
                let pattern = wanted.as_str().expect("a pattern");
                value.as_str().is_none_or(|text| fits(pattern, text))
            }
            "required" => (wanted.as_array().expect("required").iter())
                .all(|key| value.get(key.as_str().expect("a key")).is_some()),
            "items" => {
                for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                    walk(wanted, item, &format!("{at}[{index}]"), wrong);
                }
                true
            }
            // What is not documented is refused in any case.
            "additionalProperties" if wanted == &Value::Bool(false) => true,
            "minItems" => value.as_array().is_none_or(|items| {
                items.len() >= usize::try_from(wanted.as_u64().unwrap_or(0)).unwrap_or(0)
            }),
            "additionalProperties" => {
                for (key, item) in value.as_object().into_iter().flatten() {
                    walk(wanted, item, &format!("{at}.{key}"), wrong);
                }
                true
            }
            unknown => panic!("{at}: this checker does not know {unknown}"),
        };
        if !holds {
            wrong.push(format!("{at}: {rule} {wanted}, found {value}"));
        }
    }
    if let Some(Value::Object(properties)) = rules.get("properties") {
        fields(properties, value, at, wrong);
    }
}

fn fields(properties: &Map<String, Value>, value: &Value, at: &str, wrong: &mut Vec<String>) {
    for (key, item) in value.as_object().into_iter().flatten() {
        match properties.get(key) {
            Some(schema) => walk(schema, item, &format!("{at}.{key}"), wrong),
            None => wrong.push(format!("{at}.{key}: not documented")),
        }
    }
}

fn is(wanted: &Value, value: &Value) -> bool {
    match wanted.as_str().expect("a type") {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        other => panic!("a type {other}"),
    }
}

#[test]
fn the_checker_finds_what_is_wrong() {
    let good = r#"{"v":1,"message_type":"summary","items":1,"errors":0,"exit_code":0}"#;
    check(good);
    for (part, wrong) in [
        (r#""v":1"#, r#""v":2"#),
        (r#""items":1"#, r#""items":"1""#),
        (r#""items":1"#, r#""items":-1"#),
        (r#","errors":0"#, ""),
        (r#""errors":0"#, r#""errors":0,"other":0"#),
    ] {
        let bad = good.replace(part, wrong);
        assert_ne!(bad, good);
        assert!(std::panic::catch_unwind(|| check(&bad)).is_err(), "{bad}");
    }
}
