use super::node::Entry;
use super::*;
use crate::error::Code;
use crate::filesystem::ntfs::file_name::FileName;
use crate::filesystem::ntfs::testing::{BLOCK, Made, entry, root};
use crate::filesystem::ntfs::upcase::UpCase;
use crate::source::check_range;
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, Ordering};

fn names(count: usize) -> Vec<(u8, Vec<u16>)> {
    let name = |i: usize| format!("{} {i:05}", ["File", "file", "Ärger", "漢字"][i % 4]);
    let names = (0..count).map(|i| (0, name(i).encode_utf16().collect()));
    names.collect()
}

/// Names and codes of a walk, and whether names may have been lost.
fn walk(index: &Index) -> (Vec<Vec<u8>>, Vec<Code>, bool) {
    let (mut names, mut codes, mut any_lost) = (Vec::new(), Vec::new(), false);
    let flow = index.walk(0, &mut |item| {
        match item {
            Item::Entry { entry, .. } => names.push(FileName::parse(entry.key, 0).unwrap().wtf8()),
            Item::Damaged { fault, lost } => {
                codes.push(fault.code);
                any_lost |= lost;
            }
        }
        ControlFlow::Continue(())
    });
    assert!(flow.is_continue());
    (names, codes, any_lost)
}

fn find(index: &Index, name: &str) -> Result<bool, Fault> {
    let (upcase, wanted) = (UpCase::default(), name.encode_utf16().collect::<Vec<_>>());
    index.search(&mut |entry: &Entry<'_>| {
        let name = FileName::parse(entry.key, 0).map_err(|error| error.to_string())?;
        let units = name
            .name
            .chunks(2)
            .map(|unit| u16::from_le_bytes([unit[0], unit[1]]));
        Ok(upcase.compare(&units.collect::<Vec<_>>(), &wanted))
    })
}

fn expected(count: usize) -> BTreeSet<Vec<u8>> {
    let name = |(_, units): &(u8, Vec<u16>)| String::from_utf16(units).unwrap().into_bytes();
    names(count).iter().map(name).collect()
}

#[test]
fn all_entries_of_all_sizes_come_once_and_are_found() {
    for count in [0, 1, 3, 4, 25, 26, 400, 3000] {
        let made = Made::of(&names(count));
        let index = made.open().unwrap();
        let (found, codes, _) = walk(&index);
        assert_eq!((found.len(), codes), (count, vec![]));
        assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), expected(count));
        for name in expected(count) {
            assert_eq!(find(&index, str::from_utf8(&name).unwrap()), Ok(true));
        }
        for name in ["", "File", "file 00000", "zzz", "\u{ffff}"] {
            assert_eq!(find(&index, name), Ok(false));
        }
    }
}

#[test]
fn a_walk_goes_on_behind_each_entry() {
    let index = Made::of(&names(300)).open().unwrap();
    let whole = walk(&index).0;
    let (mut from, mut found) = (0, Vec::new());
    loop {
        let mut here = None;
        let flow = index.walk(from, &mut |item| {
            let Item::Entry { entry, next, .. } = item else {
                panic!("{item:?}");
            };
            if here.is_some() {
                return ControlFlow::Break(());
            }
            found.push(FileName::parse(entry.key, 0).unwrap().wtf8());
            here = Some(next);
            ControlFlow::Continue(())
        });
        // It ends by itself only where one entry, or none, is left.
        assert_eq!(flow.is_break(), found.len() < whole.len());
        match here {
            Some(next) => from = next,
            None => break,
        }
    }
    assert_eq!(found, whole);
}

/// A source that counts what is read.
#[derive(Debug)]
struct Counting(Vec<u8>, AtomicU64);

impl ByteSource for Counting {
    fn size(&self) -> u64 {
        self.0.len().try_into().unwrap()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        check_range(offset, buf.len(), self.size())?;
        let start = usize::try_from(offset).unwrap();
        buf.copy_from_slice(&self.0[start..][..buf.len()]);
        self.1
            .fetch_add(buf.len().try_into().unwrap(), Ordering::Relaxed);
        Ok(())
    }
}

#[test]
fn a_look_up_reads_a_block_for_each_level_and_a_listing_each_block_once() {
    let made = Made::of(&names(20_000));
    let source = Arc::new(Counting(made.allocation.clone(), AtomicU64::new(0)));
    let index = made.open_on(source.clone()).unwrap();
    let block_len = u64::try_from(BLOCK).unwrap();
    assert_eq!(find(&index, "file 19997"), Ok(true));
    assert!(source.1.swap(0, Ordering::Relaxed) <= 3 * block_len);
    assert_eq!(walk(&index).0.len(), 20_000);
    let (read, size) = (source.1.load(Ordering::Relaxed), source.size());
    // The inner nodes, one in thirty, are read a second time.
    assert!(read <= size + size / 20, "{read} of {size}");
}

/// What a change of block `at` of an index of 400 names brings about.
fn damaged(change: impl Fn(&mut Made)) -> (Vec<Vec<u8>>, Vec<Code>, bool) {
    let mut made = Made::of(&names(400));
    change(&mut made);
    walk(&made.open().unwrap())
}

#[test]
fn a_bad_block_hides_its_own_entries_and_no_others() {
    for change in [
        // Not a block, a torn write, another block's number, no room for entries.
        (0, 0xff, codes::INDEX_BLOCK),
        (510, 0xff, codes::FIXUP),
        (0x10, 9, codes::INDEX_BLOCK),
        (0x1d, 0xff, codes::INDEX_BLOCK),
        (0x18, 0x41, codes::INDEX_BLOCK),
    ] {
        let (at, value, code) = change;
        let (names, codes, lost) = damaged(|made| made.allocation[2 * BLOCK + at] = value);
        assert_eq!(
            (names.len(), codes, lost),
            (380, vec![code], true),
            "{at:#x}"
        );
    }
}

#[test]
fn a_source_that_fails_hides_one_block() {
    #[derive(Debug)]
    struct Bad(Memory);
    use crate::source::Memory;
    impl ByteSource for Bad {
        fn size(&self) -> u64 {
            self.0.size()
        }
        fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
            let end = offset + u64::try_from(buf.len()).unwrap();
            if offset < 9000 && end > 8999 {
                return Err(Error::io(8999, std::io::Error::other("a bad sector")));
            }
            self.0.read_at(offset, buf)
        }
    }
    let made = Made::of(&names(400));
    let source = Bad(Memory::new(made.allocation.clone()));
    let index = made.open_on(Arc::new(source)).unwrap();
    let (names, codes, lost) = walk(&index);
    assert_eq!(
        (names.len(), codes, lost),
        (380, vec![codes::INDEX_READ], true)
    );
}

#[test]
fn a_bad_entry_hides_what_it_must() {
    let entry_at = 2 * BLOCK + 0x40;
    // The key is longer than the entry: the next one is known.
    let (names, codes, _) = damaged(|made| made.allocation[entry_at + 0xb] = 0x10);
    assert_eq!((names.len(), codes), (399, vec![codes::INDEX_ENTRY]));
    // Lengths that cannot be: where the next one begins is not known.
    for (at, value) in [(8, 0), (8, 3), (9, 0xff), (8, 8)] {
        let (names, codes, _) = damaged(|made| made.allocation[entry_at + at] = value);
        assert_eq!(
            (names.len(), codes),
            (380, vec![codes::INDEX_ENTRY]),
            "{at} {value}"
        );
    }
    // A mark of the end too early: what is behind it is listed.
    let (names, codes, _) = damaged(|made| made.allocation[entry_at + 0xc] = 2);
    assert_eq!((names.len(), codes), (399, vec![codes::INDEX_ENTRY]));
}

#[test]
fn a_leaf_that_leads_to_itself_is_listed_once() {
    let (names, codes, lost) = damaged(|made| {
        // The last entry of a leaf gets a child: the leaf.
        let node = 2 * BLOCK + 0x18;
        let end =
            usize::from(made.allocation[node + 4]) | usize::from(made.allocation[node + 5]) << 8;
        let last = node + end - 0x10;
        made.allocation[last + 8] = 24;
        made.allocation[last + 12] = 3;
        made.allocation[last + 16] = 2;
        let end = u16::try_from(end + 8).unwrap().to_le_bytes();
        made.allocation[node + 4..node + 6].copy_from_slice(&end);
    });
    assert_eq!(
        (names.len(), codes, lost),
        (400, vec![codes::INDEX_ENTRY], true)
    );
}

#[test]
fn an_inner_node_that_leads_to_itself_is_listed_once() {
    let mut made = Made::of(&names(2000));
    let inner = (0..made.block_count())
        .find(|block| made.allocation[block * BLOCK + 0x18 + 12] == 1)
        .unwrap();
    let first = inner * BLOCK + 0x40;
    let len = usize::from(made.allocation[first + 8]);
    made.allocation[first + len - 8] = u8::try_from(inner).unwrap();
    let (names, codes, lost) = walk(&made.open().unwrap());
    assert_eq!(names.len(), 1980);
    assert_eq!(codes, [codes::INDEX_ORPHAN, codes::INDEX_BLOCK]);
    assert!(lost);
}

#[test]
fn a_child_past_the_allocation_is_told() {
    let (names, codes, lost) = damaged(|made| {
        let len = made.root.len();
        made.root[len - 7] = 1;
    });
    assert!(names.len() < 400 && lost);
    assert_eq!(codes[..2], [codes::INDEX_ENTRY, codes::INDEX_ORPHAN]);
    let made = Made::of(&names_of_one());
    let mut cut = made.clone();
    cut.root = root(&[entry(0, None, Some(0))], true);
    let (_, codes, lost) = walk(&cut.open().unwrap());
    assert_eq!((codes, lost), (vec![codes::INDEX_ENTRY], true));
}

fn names_of_one() -> Vec<(u8, Vec<u16>)> {
    names(1)
}

#[test]
fn a_bitmap_that_disagrees_is_told() {
    let (names, codes, lost) = damaged(|made| made.bitmap[0] &= !2);
    assert_eq!(
        (names.len(), codes, lost),
        (400, vec![codes::INDEX_BITMAP], false)
    );
    let (names, codes, lost) = damaged(|made| made.bitmap.clear());
    assert_eq!(
        (names.len(), codes, lost),
        (400, vec![codes::INDEX_BITMAP], true)
    );
    // A block more than the tree has.
    let (names, codes, lost) = damaged(|made| {
        let spare = made.allocation[..BLOCK].to_vec();
        let count = made.block_count();
        made.allocation.extend(spare);
        made.bitmap[count / 8] |= 1 << (count % 8);
    });
    assert_eq!(
        (names.len(), codes, lost),
        (400, vec![codes::INDEX_ORPHAN], true)
    );
}

#[test]
fn a_search_tells_damage_from_absence() {
    let mut made = Made::of(&names(400));
    for block in 0..made.block_count() {
        made.allocation[block * BLOCK] = 0;
    }
    let index = made.open().unwrap();
    assert_eq!(
        find(&index, "nothing").unwrap_err().code,
        codes::INDEX_BLOCK
    );
}

#[test]
fn roots_that_make_no_sense_are_refused() {
    let made = Made::of(&names(3));
    for (at, value) in [
        (8, 1),
        (9, 0x20 | 0x10),
        (0xb, 1),
        (0x10, 0xff),
        (0x14, 0xff),
    ] {
        let mut made = made.clone();
        made.root[at] = value;
        assert_eq!(
            made.open().unwrap_err().code(),
            codes::INDEX_ROOT,
            "{at:#x}"
        );
    }
    for len in 0..0x20 {
        let mut made = made.clone();
        made.root.truncate(len);
        assert_eq!(
            made.open().unwrap_err().code(),
            codes::INDEX_ROOT,
            "{len:#x}"
        );
    }
    let made = Made::of(&names(400));
    let parts = Parts {
        root: &made.root,
        at: 0,
        allocation: Some(Arc::new(crate::source::Memory::new(
            made.allocation.clone(),
        ))),
        bitmap: None,
        cluster_size: 4096,
    };
    let limits = Limits {
        directory_bytes_max: 4096,
        ..Limits::default()
    };
    let error = Index::open(parts, &limits).unwrap_err();
    assert_eq!(error.code(), codes::INDEX_SIZE);
}

#[test]
fn children_are_counted_in_clusters_or_sectors() {
    for (cluster_size, vcn_of_second) in [(512, 8), (2048, 2), (4096, 1), (65536, 8), (2 << 20, 8)]
    {
        let made = Made::of(&names(4));
        let parts = Parts {
            root: &made.root,
            at: 0,
            allocation: Some(Arc::new(crate::source::Memory::new(vec![0; 3 * BLOCK]))),
            bitmap: None,
            cluster_size,
        };
        let index = Index::open(parts, &Limits::default()).unwrap();
        assert_eq!(index.block_of(vcn_of_second), Ok(1), "{cluster_size}");
        assert_eq!(index.vcn_of(1), vcn_of_second);
        assert!(index.block_of(vcn_of_second * 3).is_err());
        assert!(index.block_of(u64::MAX).is_err());
        assert!(vcn_of_second == 1 || index.block_of(vcn_of_second + 1).is_err());
    }
}
