//! `fixtures/address-vectors.tsv`, every line. Its columns are for people: the input, provider and
//! object, point, view and path; `…` stands for the rest of an identifier, remarks are in
//! parentheses.

use std::ffi::OsStr;

use super::{Address, Object, View};

const VECTORS: &str = include_str!("../../../fixtures/address-vectors.tsv");

/// What the second column may say.
fn object_columns(object: &Object) -> Vec<String> {
    match object {
        Object::Local(path) => vec![format!("local {}", path.display())],
        Object::Cloud { provider, id } => {
            let kind = id.split('-').next().unwrap_or_default();
            vec![format!("{} {kind}-…", provider.name())]
        }
        Object::Arn(_) => vec!["aws ARN".to_owned()],
        Object::Provider {
            provider,
            name,
            keys,
        } => {
            let plain = format!("{} {}", provider.name(), name.display());
            if keys.is_empty() {
                return vec![plain];
            }
            let names: Vec<_> = keys.iter().map(|(key, _)| key.as_str()).collect();
            let pairs: Vec<_> = keys
                .iter()
                .map(|(key, value)| format!("{key}={value}"))
                .collect();
            vec![
                format!("{plain} {{{}}}", names.join(",")),
                format!("{plain} {{{}}}", pairs.join(",")),
            ]
        }
        Object::Source { source, name } => vec![format!("source {source}, {}", name.display())],
        Object::Url(url) => vec![match &url.user {
            Some(user) => format!("{} URL with user {user}", url.scheme),
            None => format!("{} URL", url.scheme),
        }],
    }
}

/// What the fourth column says.
fn locator_column(address: &Address) -> String {
    let one = |view, path: &OsStr| match view {
        View::Guest => format!("guest:{}", path.display()),
        View::Volume => format!("vol:{}", path.display()),
    };
    let Some((view, steps)) = address.locator.steps() else {
        return "no locator: whole object".to_owned();
    };
    let nested = steps.nested.iter().map(|step| one(step.view, &step.path));
    let all: Vec<_> = std::iter::once(one(view, &steps.path))
        .chain(nested)
        .collect();
    all.join(" then ")
}

fn without_remark(column: &str) -> &str {
    column.split(" (").next().unwrap_or_default()
}

#[test]
fn every_vector_parses_as_its_columns_say() {
    let sources = ["prod-eu".to_owned()];
    let mut count = 0;
    for line in VECTORS.lines().filter(|line| !line.starts_with('#')) {
        let [input, object, point, locator] = line.split('\t').collect::<Vec<_>>()[..] else {
            panic!("four columns: {line}");
        };
        let address = Address::parse(OsStr::new(input), &sources).unwrap();
        let objects = object_columns(&address.object);
        assert!(
            objects.iter().any(|said| said == without_remark(object)),
            "{objects:?}: {line}"
        );
        let said = address
            .point
            .as_ref()
            .map_or("-".to_owned(), ToString::to_string);
        assert_eq!(said, without_remark(point), "{line}");
        assert_eq!(locator_column(&address), locator, "{line}");
        let printed = address.to_os_string().unwrap();
        assert_eq!(
            Address::parse(&printed, &sources).unwrap(),
            address,
            "{line}"
        );
        count += 1;
    }
    assert_eq!(count, 25, "all lines were seen");
}
