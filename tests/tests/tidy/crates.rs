//! Rules about crates: who may depend on whom, and under which licences.

use crate::tree::{none, read, root};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::sync::OnceLock;

/// Which members each member may use.
const MAY_USE: &[(&str, &[&str])] = &[
    ("flr-fs", &[]),
    ("flr-provider", &["flr-fs"]),
    ("flr-recover", &["flr-fs", "flr-provider"]),
    ("flr-mountd", &["flr-fs", "flr-provider", "flr-recover"]),
    (
        "flr",
        &["flr-fs", "flr-provider", "flr-recover", "flr-mountd"],
    ),
    (
        "flr-tests",
        &["flr-fs", "flr-provider", "flr-recover", "flr-mountd", "flr"],
    ),
];

/// Licences that may be combined with ours in one program.
const ALLOWED: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MPL-2.0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// What cargo says of the workspace and of everything it is built from on this machine.
fn metadata() -> &'static Value {
    static METADATA: OnceLock<Value> = OnceLock::new();
    METADATA.get_or_init(|| {
        let output = |command: &mut Command| {
            let output = command.output().expect("cargo");
            assert!(
                output.status.success(),
                "{}",
                String::from_utf8_lossy(&output.stderr)
            );
            String::from_utf8(output.stdout).expect("text")
        };
        let version = output(Command::new("rustc").arg("-vV"));
        let host = version.lines().find_map(|line| line.strip_prefix("host: "));
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let text = output(
            Command::new(cargo)
                .args(["metadata", "--format-version", "1", "--offline", "--locked"])
                .args(["--filter-platform", host.expect("a host")])
                .current_dir(root()),
        );
        serde_json::from_str(&text).expect("JSON")
    })
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key]
        .as_str()
        .unwrap_or_else(|| panic!("{key} of {value}"))
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key]
        .as_array()
        .unwrap_or_else(|| panic!("{key} of {value}"))
}

/// All packages by their ids.
fn packages() -> BTreeMap<&'static str, &'static Value> {
    let all = list(metadata(), "packages").iter();
    all.map(|package| (text(package, "id"), package)).collect()
}

fn members() -> Vec<&'static Value> {
    let packages = packages();
    let ids = list(metadata(), "workspace_members").iter();
    ids.map(|id| packages[id.as_str().expect("an id")])
        .collect()
}

/// What a member names in its manifest: name and kind (`null`, `dev`, `build`).
fn dependencies(member: &Value) -> Vec<(&str, &Value)> {
    let all = list(member, "dependencies").iter();
    all.map(|dependency| (text(dependency, "name"), &dependency["kind"]))
        .collect()
}

fn is_member(name: &str) -> bool {
    MAY_USE.iter().any(|(member, _)| *member == name)
}

#[test]
fn members_depend_in_one_direction() {
    let mut wrong = Vec::new();
    let members = members();
    assert_eq!(members.len(), MAY_USE.len());
    for member in members {
        let name = text(member, "name");
        let allowed = MAY_USE.iter().find(|(member, _)| *member == name);
        let (_, allowed) = allowed.unwrap_or_else(|| panic!("{name} has no rule"));
        for (used, kind) in dependencies(member) {
            // What the tests share may be used by the tests of every member, and by nothing else.
            let for_tests = used == "flr-tests" && kind == "dev";
            if is_member(used) && !allowed.contains(&used) && !for_tests {
                wrong.push(format!("{name} uses {used}"));
            }
        }
    }
    none(
        "cli, mountd, recover, provider, fs: each uses only what stands after it",
        &wrong,
    );
}

#[test]
fn each_member_inherits_the_lints() {
    for member in members() {
        let path = text(member, "manifest_path");
        let manifest = std::fs::read_to_string(path).expect("a manifest");
        // The tests may fail; and their counting allocator needs an exception.
        let own = text(member, "name") == "flr-tests"
            && manifest.contains("[lints.rust]")
            && manifest.contains("unsafe_code = \"deny\"");
        assert!(
            manifest.contains("[lints]\nworkspace = true") || own,
            "{path}"
        );
    }
}

/// Everything that a member is built from, tests apart.
fn built_from(name: &str) -> BTreeSet<&'static str> {
    let packages = packages();
    let nodes: BTreeMap<_, _> = list(&metadata()["resolve"], "nodes")
        .iter()
        .map(|node| (text(node, "id"), node))
        .collect();
    let member = members()
        .into_iter()
        .find(|member| text(member, "name") == name);
    let mut todo = vec![text(member.expect("a member"), "id")];
    let mut found = BTreeSet::new();
    while let Some(id) = todo.pop() {
        for dependency in list(nodes[id], "deps") {
            let kinds = list(dependency, "dep_kinds");
            if kinds.iter().all(|kind| kind["kind"] == "dev") {
                continue;
            }
            let id = text(dependency, "pkg");
            if found.insert(text(packages[id], "name")) {
                todo.push(id);
            }
        }
    }
    found
}

#[test]
fn the_readers_know_no_runtime_no_mount_and_no_command_line() {
    let found = built_from("flr-fs");
    for name in ["tokio", "fuser", "clap", "rustix", "nix", "libc", "tracing"] {
        assert!(!found.contains(name), "flr-fs is built from {name}");
    }
}

#[test]
fn licences_allow_it() {
    let wrong = packages().into_values().filter_map(|package| {
        let licence = package["license"].as_str().unwrap_or("none given");
        (!is_allowed(licence)).then(|| format!("{}: {licence}", text(package, "name")))
    });
    none("licences", &wrong.collect::<Vec<_>>());
}

/// Whether one of the ways to read an SPDX expression takes nothing but allowed licences.
fn is_allowed(expression: &str) -> bool {
    // The old way of writing OR.
    let spaced = expression
        .replace('/', " OR ")
        .replace('(', " ( ")
        .replace(')', " ) ");
    let words: Vec<_> = spaced.split_whitespace().collect();
    let mut words = words.as_slice();
    any_of(&mut words) && words.is_empty()
}

fn any_of(words: &mut &[&str]) -> bool {
    let mut allowed = all_of(words);
    while words.first() == Some(&"OR") {
        *words = &words[1..];
        allowed |= all_of(words);
    }
    allowed
}

fn all_of(words: &mut &[&str]) -> bool {
    let mut allowed = one(words);
    while words.first() == Some(&"AND") {
        *words = &words[1..];
        allowed &= one(words);
    }
    allowed
}

fn one(words: &mut &[&str]) -> bool {
    let Some((word, rest)) = words.split_first() else {
        return false;
    };
    *words = rest;
    if *word == "(" {
        let allowed = any_of(words);
        let closed = words.first() == Some(&")");
        *words = words.get(1..).unwrap_or_default();
        return allowed && closed;
    }
    match *words {
        ["WITH", exception, rest @ ..] => {
            *words = rest;
            ALLOWED.contains(&format!("{word} WITH {exception}").as_str())
        }
        _ => ALLOWED.contains(word),
    }
}

#[test]
fn licence_expressions_are_understood() {
    for allowed in [
        "MIT",
        "MIT/Apache-2.0",
        "GPL-2.0 OR MIT",
        "(MIT OR Apache-2.0) AND Unicode-3.0",
        "Apache-2.0 WITH LLVM-exception OR Apache-2.0 OR MIT",
        "MIT OR Apache-2.0 OR LGPL-2.1-or-later",
    ] {
        assert!(is_allowed(allowed), "{allowed}");
    }
    for refused in [
        "GPL-3.0-only",
        "AGPL-3.0",
        "LGPL-2.1-or-later",
        "MIT AND GPL-2.0",
        "(MIT OR Apache-2.0) AND LGPL-3.0",
        "GPL-2.0 WITH Linux-syscall-note",
        "none given",
        "(MIT",
        "",
    ] {
        assert!(!is_allowed(refused), "{refused}");
    }
}

#[test]
fn each_direct_dependency_has_its_line() {
    let page = read("docs/dependencies.md");
    let rows: BTreeMap<_, _> = page
        .lines()
        .filter_map(|line| {
            let mut cells = line.strip_prefix("| `")?.split('|').map(str::trim);
            let name = cells.next()?.strip_suffix('`')?;
            let licence = cells.next()?;
            let reason = cells.nth(1)?;
            assert!(reason.len() > 15, "{name}: why?");
            Some((name.to_owned(), licence.to_owned()))
        })
        .collect();
    let packages = packages();
    let mut direct = BTreeMap::new();
    for member in members() {
        for (name, _) in dependencies(member)
            .into_iter()
            .filter(|(name, _)| !is_member(name))
        {
            let package = packages
                .values()
                .find(|package| text(package, "name") == name);
            direct.insert(name, text(package.expect("resolved"), "license"));
        }
    }
    let mut wrong = Vec::new();
    for (name, licence) in &direct {
        if rows.get(*name).is_none_or(|row| row != licence) {
            wrong.push(format!(
                "{name}: expected a row with {licence}, found {:?}",
                rows.get(*name)
            ));
        }
    }
    for name in rows
        .keys()
        .filter(|name| !direct.contains_key(name.as_str()))
    {
        wrong.push(format!("{name}: is no direct dependency"));
    }
    none("docs/dependencies.md", &wrong);
}

#[test]
fn the_workspace_declares_only_what_is_used() {
    let manifest = read("Cargo.toml");
    let section = manifest
        .split("[workspace.dependencies]")
        .nth(1)
        .expect("a section");
    let section = section.split("\n[").next().expect("its lines");
    let used: BTreeSet<_> = members()
        .iter()
        .flat_map(|member| dependencies(member))
        .collect::<Vec<_>>()
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    let unused = section
        .lines()
        .filter_map(|line| line.split_once(" = "))
        .filter(|(name, _)| !used.contains(name))
        .map(|(name, _)| name.to_owned());
    none("declared and not used", &unused.collect::<Vec<_>>());
}
