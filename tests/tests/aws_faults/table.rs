//! What came of all cells: run some at a time, printed as a table.

use crate::kinds::{Form, Kind, Site};
use flr_tests::victim::harness::for_each;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// What came of a cell.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    /// A word for the table: `right`, `Unknown`, `left`.
    pub(crate) word: String,
    pub(crate) took: Duration,
    /// What is not as it should be.
    pub(crate) wrong: Vec<String>,
}

/// A cell of the matrix.
#[derive(Clone, Debug)]
pub(crate) struct Cell {
    pub(crate) site: Site,
    pub(crate) kind: Kind,
    pub(crate) form: Form,
}

impl Cell {
    pub(crate) fn name(&self) -> String {
        format!("{} {} {:?}", self.site.name(), self.kind.name, self.form)
    }
}

/// All cells of sites and kinds in one form.
pub(crate) fn cells(sites: &[Site], form: Form, kinds: impl Fn(Site) -> Vec<Kind>) -> Vec<Cell> {
    let of_site = |site: &Site| {
        let site = *site;
        let kinds = kinds(site).into_iter();
        kinds.map(move |kind| Cell { site, kind, form })
    };
    sites.iter().flat_map(of_site).collect()
}

/// Runs all cells, prints what came of them, and fails if anything is wrong.
#[track_caller]
pub(crate) fn run(
    title: &str,
    cells: Vec<Cell>,
    at_once: usize,
    each: impl Fn(&Cell) -> Outcome + Sync,
) {
    let begun = Instant::now();
    let count = cells.len();
    let outcomes = for_each(cells, at_once, |cell| {
        let outcome = each(&cell);
        (cell, outcome)
    });
    print(title, &outcomes);
    let slowest = outcomes.iter().max_by_key(|(_, outcome)| outcome.took);
    if let Some((cell, outcome)) = slowest {
        let (slowest, all) = (outcome.took, begun.elapsed());
        println!(
            "{title}: {count} cells in {all:.1?}, the slowest {slowest:.1?}: {}",
            cell.name()
        );
    }
    let wrong = outcomes.iter().flat_map(|(cell, outcome)| {
        let name = cell.name();
        outcome
            .wrong
            .iter()
            .map(move |wrong| format!("{name}: {wrong}"))
    });
    let wrong: Vec<_> = wrong.collect();
    assert!(wrong.is_empty(), "{title}\n{}", wrong.join("\n"));
}

fn print(title: &str, outcomes: &[(Cell, Outcome)]) {
    let mut rows: BTreeMap<String, BTreeMap<&str, &str>> = BTreeMap::new();
    let mut columns: BTreeSet<&str> = BTreeSet::new();
    for (cell, outcome) in outcomes {
        let row = rows.entry(cell.site.name()).or_default();
        row.insert(cell.kind.name, &outcome.word);
        columns.insert(cell.kind.name);
    }
    let width = |column: &str| {
        let words = rows.values().filter_map(|row| row.get(column));
        let longest = words.map(|word| word.len()).chain([column.len()]).max();
        longest.unwrap_or(0) + 2
    };
    println!("\n{title}");
    print!("{:36}", "");
    for column in &columns {
        print!("{column:width$}", width = width(column));
    }
    println!();
    for (site, row) in &rows {
        print!("{site:36}");
        for column in &columns {
            let word = row.get(column).copied().unwrap_or("-");
            print!("{word:width$}", width = width(column));
        }
        println!();
    }
}
