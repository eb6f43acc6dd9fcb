//! How much is read for how little.

use flr_fs::{
    ByteSource, DirCursor, DirItem, Filesystem, FilesystemDriver, OpenContext, RawName, StreamName,
    Want, filesystem::ext::Ext,
};
use flr_tests::image::scratch;
use flr_tests::require::require;
use flr_tests::{Counting, FileSource, Golden, image};
use std::fs::File;
use std::ops::ControlFlow;
use std::process::Command;
use std::sync::Arc;

const ENTRY_COUNT: usize = 10_000;
const FILE_LEN: usize = 10 << 20;

fn open(source: Arc<dyn ByteSource>) -> (Arc<Counting>, Arc<dyn Filesystem>) {
    let counting = Counting::new(source);
    let below: Arc<dyn ByteSource> = counting.clone();
    let filesystem = Ext.open(&[below], &OpenContext::default()).expect("ext4");
    (counting, filesystem)
}

fn list(filesystem: &dyn Filesystem, name: &str, want: Want) -> usize {
    let dir = filesystem.lookup(filesystem.root(), RawName::new(name.as_bytes()));
    let dir = dir.expect("a sound root").expect("a directory").node;
    let mut count = 0;
    let done = filesystem.read_dir(dir, DirCursor::default(), want, &mut |item| {
        assert!(matches!(item, DirItem::Entry(_)));
        count += 1;
        ControlFlow::Continue(())
    });
    done.expect("a sound directory");
    count
}

#[test]
fn large_directories_and_files() {
    if !require(&["mke2fs"]) {
        return;
    }
    let dir = tempfile::tempdir_in(scratch()).expect("a folder");
    let tree = dir.path().join("tree");
    std::fs::create_dir_all(tree.join("many")).expect("a folder");
    let touch = |name: String, len: usize| {
        let file = tempfile::NamedTempFile::new_in(&tree).expect("a file");
        file.as_file()
            .set_len(u64::try_from(len).expect("a length"))
            .expect("room");
        file.persist(tree.join(name)).expect("its name")
    };
    for index in 0..ENTRY_COUNT {
        touch(format!("many/file-{index:05}.txt"), 0);
    }
    let mut content = touch("content".into(), 0);
    std::io::Write::write_all(&mut content, &vec![b'x'; FILE_LEN]).expect("room");
    let image = dir.path().join("image");
    let made = Command::new("mke2fs")
        .args([
            "-q",
            "-F",
            "-t",
            "ext4",
            "-O",
            "^has_journal",
            "-N",
            "12000",
            "-d",
        ])
        .args([&tree, &image])
        .arg("64M")
        .status();
    assert!(made.expect("mke2fs").success());
    let source = || Arc::new(FileSource::new(File::open(&image).expect("the image")));

    // 10 000 entries of 24 bytes are 240 KB of directory.
    let (counting, filesystem) = open(source());
    let (reads, bytes) = counting.take();
    println!("open: {reads} reads, {bytes} bytes");
    assert!(reads <= 4 && bytes <= 64 << 10);
    assert_eq!(list(filesystem.as_ref(), "many", Want::Names), ENTRY_COUNT);
    let (reads, bytes) = counting.take();
    println!("names: {reads} reads, {bytes} bytes");
    assert!(reads <= 16 && bytes <= 512 << 10);

    // Their inodes are 2.5 MB.
    let (counting, filesystem) = open(source());
    assert_eq!(
        list(filesystem.as_ref(), "many", Want::Metadata),
        ENTRY_COUNT
    );
    let (reads, bytes) = counting.take();
    println!("metadata: {reads} reads, {bytes} bytes");
    assert!(reads <= 250 && bytes <= 4 << 20);

    // A file is read in as many reads as it has pieces, and no byte twice.
    let found = filesystem.lookup(filesystem.root(), RawName::new(b"content"));
    let node = found.expect("a sound root").expect("the file").node;
    let content = filesystem.open(node, StreamName::Main).expect("the file");
    let mut pieces = 0;
    let mut at = 0;
    while at < content.size() {
        at += content.segment_at(at..content.size()).expect("a map").len;
        pieces += 1;
    }
    counting.take();
    let mut buf = vec![0; FILE_LEN];
    content.read_at(0, &mut buf).expect("the file");
    assert!(buf.iter().all(|byte| *byte == b'x'));
    let (reads, bytes) = counting.take();
    println!("content: {pieces} pieces, {reads} reads, {bytes} bytes");
    assert_eq!((reads, bytes), (pieces, content.size()));
}

#[test]
fn a_look_up_reads_its_way_down_the_index_only() {
    let golden = Golden::load("ext4-largedir");
    let (counting, filesystem) = open(image("ext4-largedir"));
    let largest = golden
        .nodes
        .keys()
        .rev()
        .find(|path| path.iter().filter(|b| **b == b'/').count() == 2);
    let path = largest.expect("a name in a directory");
    let mut names = path.split(|byte| *byte == b'/').skip(1);
    let (dir, name) = (
        names.next().expect("a directory"),
        names.next().expect("a name"),
    );
    let dir = filesystem
        .lookup(filesystem.root(), RawName::new(dir))
        .expect("a root");
    let dir = dir.expect("the directory");
    counting.take();
    let found = filesystem
        .lookup(dir.node, RawName::new(name))
        .expect("an index");
    assert!(found.is_some());
    let (reads, bytes) = counting.take();
    println!(
        "look-up in {} bytes: {reads} reads, {bytes} bytes",
        dir.metadata.size
    );
    assert!(dir.metadata.size > 1 << 20);
    assert!(bytes < dir.metadata.size / 4, "{bytes}");
}
