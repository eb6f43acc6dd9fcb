use super::*;
use crate::engine::UnixTime;
use crate::remote::block_on;
use std::sync::Mutex;

/// Gives pages as they are written down, and keeps what it was asked.
#[derive(Default)]
struct Script {
    pages: Mutex<Vec<Page<()>>>,
    asked: Mutex<Vec<String>>,
}

impl Lister for Script {
    type Item = ();

    fn name(&self) -> String {
        "snap-1".to_owned()
    }

    async fn page(&self, position: Position<'_>) -> Result<Page<()>, Fault> {
        self.asked.lock().unwrap().push(match position {
            Position::Block(index) => index.to_string(),
            Position::Token(token) => token.to_owned(),
        });
        let mut pages = self.pages.lock().unwrap();
        assert!(!pages.is_empty(), "one page too many");
        Ok(pages.remove(0))
    }
}

fn page(entries: &[u32], next: &str) -> Page<()> {
    Page {
        entries: entries.iter().map(|index| (*index, ())).collect(),
        next: (!next.is_empty()).then(|| next.to_owned()),
        volume: Volume {
            blocks: 2048,
            announced: 524_288,
        },
        expires: Some(UnixTime(7)),
    }
}

/// The indexes of which everything is known, and those that are listed; or a complaint.
type Known = Result<(std::ops::Range<u64>, Vec<u32>), String>;

/// What is known after these pages, or why nothing is; and what was asked for.
fn known(start: u64, through: u64, pages: Vec<Page<()>>) -> (Known, Vec<String>) {
    let script = Script {
        pages: Mutex::new(pages),
        asked: Mutex::default(),
    };
    let listed = block_on(list(&script, start, through));
    let listed = listed.map(|(stretch, _)| {
        let indexes = stretch.entries.iter().map(|(index, ())| *index);
        (stretch.range.clone(), indexes.collect())
    });
    let listed = listed.map_err(|fault| {
        assert_eq!(fault.kind, FaultKind::Refused);
        fault.message
    });
    (listed, script.asked.into_inner().unwrap())
}

#[test]
fn a_page_says_nothing_about_what_lies_behind_it() {
    let (listed, asked) = known(0, 3, vec![page(&[1, 4], "a")]);
    assert_eq!(listed, Ok((0..5, vec![1, 4])));
    assert_eq!(asked, ["0"]);
    // 5 may or may not be there until the next page has come.
    let (listed, asked) = known(0, 5, vec![page(&[1, 4], "a"), page(&[6], "b")]);
    assert_eq!(listed, Ok((0..7, vec![1, 4, 6])));
    assert_eq!(asked, ["0", "a"]);
    let (listed, _) = known(0, 5, vec![page(&[1, 4], "a"), page(&[], "")]);
    assert_eq!(listed, Ok((0..2048, vec![1, 4])));
    let (listed, _) = known(100, 2047, vec![page(&[], "")]);
    assert_eq!(listed, Ok((100..2048, vec![])));
}

#[test]
fn empty_pages_say_nothing() {
    let pages = vec![
        page(&[], "a"),
        page(&[], "b"),
        page(&[9], "c"),
        page(&[], "d"),
    ];
    let (listed, asked) = known(5, 5, pages);
    assert_eq!(listed, Ok((5..10, vec![9])));
    assert_eq!(asked, ["5", "a", "b"]);
    let pages = (0..200).map(|at| page(&[], &format!("t{at}"))).collect();
    let (listed, asked) = known(0, 0, pages);
    assert!(listed.unwrap_err().contains("does not end"));
    assert_eq!(asked.len(), 100);
}

#[test]
fn pages_that_go_in_a_circle_end() {
    let (listed, _) = known(0, 9, vec![page(&[], "a"), page(&[], "a")]);
    assert!(listed.unwrap_err().contains("circle"));
    let (listed, _) = known(0, 9, vec![page(&[1], "a"), page(&[1], "b")]);
    assert!(listed.unwrap_err().contains("order"));
    let (listed, _) = known(0, 9, vec![page(&[5], "a"), page(&[4], "b")]);
    assert!(listed.unwrap_err().contains("order"));
}

#[test]
fn without_order_only_the_whole_is_believed() {
    // A server that ignores the start and the order, and gives everything at once.
    let (listed, _) = known(5, 6, vec![page(&[9, 2, 7], "")]);
    assert_eq!(listed, Ok((5..2048, vec![7, 9])));
    let (listed, _) = known(0, 0, vec![page(&[9, 2, 7], "a")]);
    assert!(listed.unwrap_err().contains("order"));
    let (listed, _) = known(0, 3, vec![page(&[1], "a"), page(&[9, 7], "")]);
    assert!(listed.unwrap_err().contains("order"));
    // One that ignores the start, but keeps the order.
    let (listed, _) = known(5, 6, vec![page(&[1, 2], "a"), page(&[3, 7], "b")]);
    assert_eq!(listed, Ok((5..8, vec![7])));
}

#[test]
fn pages_agree_on_the_volume_and_the_first_token_to_expire_counts() {
    let mut other = page(&[5], "");
    other.volume.blocks = 4096;
    let (listed, _) = known(0, 9, vec![page(&[1], "a"), other]);
    assert!(listed.unwrap_err().contains("size"));
    let mut early = page(&[5], "");
    early.expires = Some(UnixTime(6));
    let script = Script {
        pages: Mutex::new(vec![page(&[1], "a"), early]),
        asked: Mutex::default(),
    };
    let (stretch, _) = block_on(list(&script, 0, 9)).unwrap();
    assert_eq!(stretch.expires, Some(UnixTime(6)));
}
