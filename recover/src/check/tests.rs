//! The second reader's thread, with a reader that is not well.

use super::second::{Ours, PANIC, Second, Verdict};
use flr_fs::filesystem::check::{Refusal, SecondFile, SecondReader, StartSecondReader};
use flr_fs::{ByteSource, FileKind, Memory, Metadata, NodeFlags, Timestamp};
use std::sync::Arc;

/// Panics at links, and has one byte in every file.
struct Fragile;

struct OneByte(bool);

impl SecondFile for OneByte {
    fn size(&self) -> u64 {
        1
    }

    fn read(&mut self, buf: &mut [u8]) -> Result<usize, Refusal> {
        buf[0] = b'x';
        Ok(usize::from(std::mem::replace(&mut self.0, false)))
    }
}

impl SecondReader for Fragile {
    fn left_out(
        &self,
        _: &Metadata,
        _: Option<&dyn ByteSource>,
    ) -> flr_fs::Result<Option<&'static str>> {
        Ok(None)
    }

    fn names(&self, _: &[u8]) -> Result<Vec<Vec<u8>>, Refusal> {
        Ok(vec![b"b".to_vec(), b"a".to_vec()])
    }

    fn link(&self, _: &[u8]) -> Result<Vec<u8>, Refusal> {
        panic!("as the htree code of ext4-view does")
    }

    fn open(&self, _: &[u8]) -> Result<Box<dyn SecondFile>, Refusal> {
        Ok(Box::new(OneByte(true)))
    }
}

#[test]
fn a_panic_is_an_answer_and_the_next_question_is_answered_too() {
    let start: StartSecondReader = Box::new(|| Ok(Box::new(Fragile)));
    let second = Second::start(start, Arc::default()).unwrap();
    let metadata = Metadata {
        kind: FileKind::File,
        mode: 0,
        uid: 0,
        gid: 0,
        size: 1,
        nlink: 1,
        inode: 12,
        blocks: 0,
        rdev: None,
        atime: Timestamp::default(),
        mtime: Timestamp::default(),
        ctime: Timestamp::default(),
        btime: None,
        flags: NodeFlags::default(),
        generation: 0,
        project: None,
    };
    let ask = |ours| second.compare(b"/a", metadata.clone(), ours);
    let file = |bytes: &[u8]| Ours::File(Arc::new(Memory::new(bytes.to_vec())));
    let names = |names: &[&[u8]]| Ours::Directory(names.iter().map(|n| n.to_vec()).collect());
    for _ in 0..2 {
        let verdict = ask(Ours::Link(b"t".to_vec()));
        assert!(matches!(verdict, Verdict::NotComparable(PANIC)));
        assert!(matches!(ask(file(b"x")), Verdict::Same));
    }
    assert!(matches!(ask(file(b"y")), Verdict::Differs(Some(0), _)));
    assert!(matches!(ask(file(b"xx")), Verdict::Differs(Some(1), _)));
    assert!(matches!(ask(file(b"")), Verdict::Differs(Some(0), _)));
    assert!(matches!(ask(names(&[b"a", b"b"])), Verdict::Same));
    let Verdict::Differs(None, detail) = ask(names(&[b"a", b"c"])) else {
        panic!("names that differ");
    };
    assert!(detail.contains("only here: c, only there: b"), "{detail}");
}
