//! Rules about the documentation: what it says must be there, and be held by a test.

use crate::tree::{none, pages, read, root, rust};
use flr_fs::registry::{FILESYSTEMS, LAYERS};
use std::collections::BTreeSet;

#[test]
fn each_page_has_one_title() {
    let mut wrong = Vec::new();
    for page in pages() {
        let mut fenced = false;
        let titles = page.text.lines().filter(|line| {
            fenced ^= line.starts_with("```");
            !fenced && line.starts_with("# ")
        });
        let count = titles.count();
        if count != 1 {
            wrong.push(format!("{}: {count} titles", page.path));
        }
    }
    none("one title a page", &wrong);
}

#[test]
fn the_architecture_is_short() {
    let lines = read("ARCHITECTURE.md").lines().count();
    assert!(lines <= 250, "{lines} lines");
}

#[test]
fn the_files_that_pages_name_are_there() {
    let mut wrong = Vec::new();
    for page in pages() {
        let folder = page.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        for link in page
            .text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next())
        {
            let file = link.split('#').next().unwrap_or_default();
            let elsewhere = link.contains("://") || file.is_empty();
            if !elsewhere && !root().join(folder).join(file).exists() {
                wrong.push(format!("{}: {link}", page.path));
            }
        }
    }
    let map = read("ARCHITECTURE.md");
    for name in map.split('`').skip(1).step_by(2) {
        let known = [
            "cli/",
            "docs/",
            "fixtures/",
            "fs/",
            "mountd/",
            "provider/",
            "recover/",
            "tests/",
        ];
        let is_path = known.iter().any(|folder| name.starts_with(folder));
        if is_path && !name.contains(['*', 'N', ' ']) && !root().join(name).exists() {
            wrong.push(format!("ARCHITECTURE.md: {name}"));
        }
    }
    none("named and not there", &wrong);
}

#[test]
fn each_format_has_its_page() {
    let index = read("docs/formats/README.md");
    let layers = LAYERS.iter().map(|layer| layer.name());
    for name in layers.chain(FILESYSTEMS.iter().map(|driver| driver.name())) {
        let row = index
            .lines()
            .find(|line| line.starts_with(&format!("| `{name}` |")));
        let row = row.unwrap_or_else(|| panic!("docs/formats/README.md has no row for {name}"));
        assert!(row.contains("]("), "{name}: a row links to its page");
    }
}

/// Every function, with what leads to it: `::tests::tests::damaged::directory_loops_end`.
fn functions() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for file in rust() {
        let path = file.path.trim_end_matches(".rs").trim_end_matches("/mod");
        let path = path.trim_end_matches("/main").replace("/src/", "/");
        let path = path.replace('/', "::");
        for line in file.text.lines() {
            if let Some(rest) = line.trim_start().strip_prefix("fn ") {
                let name = rest.split(['(', '<']).next().unwrap_or_default();
                found.insert(format!("::{path}::{name}"));
            }
        }
    }
    found
}

/// Statements of a page: items of its lists, each with what stands in brackets at its end.
fn statements(page: &str) -> Vec<(String, Vec<String>)> {
    let mut items: Vec<String> = Vec::new();
    for line in page.lines() {
        if let Some(rest) = line.strip_prefix("- ") {
            items.push(rest.to_owned());
        } else if let (Some(rest), Some(item)) = (line.strip_prefix("  "), items.last_mut()) {
            item.push(' ');
            item.push_str(rest);
        }
    }
    let split = |item: String| match item.rsplit_once(" [") {
        Some((said, tests)) if item.ends_with(']') => {
            let tests = tests.trim_end_matches(']').split(", ").map(str::to_owned);
            (said.to_owned(), tests.collect())
        }
        _ => (item, Vec::new()),
    };
    items.into_iter().map(split).collect()
}

/// Pages that are promises: each sentence has its test.
const PROMISES: [&str; 2] = ["docs/semantics.md", "docs/scripting.md"];

#[test]
fn each_sentence_about_what_users_see_has_its_test() {
    let functions = functions();
    for name in PROMISES {
        let statements = statements(&read(name));
        assert!(
            statements.len() > 30,
            "{name}: only {} statements",
            statements.len()
        );
        let mut wrong = Vec::new();
        for (said, tests) in statements {
            if tests.is_empty() {
                wrong.push(format!("no test: {said}"));
            }
            if said.contains(". ") || !said.ends_with('.') {
                wrong.push(format!("not one sentence: {said}"));
            }
            for test in tests {
                let end = format!("::{test}");
                if !functions.iter().any(|function| function.ends_with(&end)) {
                    wrong.push(format!("no such test: {test}"));
                }
            }
        }
        none(name, &wrong);
    }
}

#[test]
fn what_users_see_is_said_in_lists_only() {
    // A sentence outside of a list would have no test. The introduction is no promise.
    for name in PROMISES {
        let page = read(name);
        let body = page.split_once("\n## ").expect("a section").1;
        let wrong = body.lines().skip(1).filter(|line| {
            let known = ["- ", "  ", "## "]
                .iter()
                .any(|start| line.starts_with(start));
            !line.is_empty() && !known
        });
        none(name, &wrong.map(str::to_owned).collect::<Vec<_>>());
    }
}
