//! How many calls it takes.

use super::{content, fake, filesystem, noise, source};
use flr_provider::aws::EbsSnapshot;
use flr_provider::remote::block_on;
use flr_tests::aws_fake::{Blocks, Fake, Snapshot};
use flr_tests::{e2fsprogs, require};
use std::collections::BTreeSet;

const ID: &str = "snap-0123456789abcdef0";

/// Blocks that were got, each once: whoever reads keeps them.
fn blocks_got(fake: &Fake) -> usize {
    let calls = fake.requests();
    let got = calls
        .iter()
        .filter(|call| call.operation == "GetSnapshotBlock");
    let indexes = got.map(|call| call.parameter("blockIndex").unwrap().to_owned());
    indexes.collect::<BTreeSet<_>>().len()
}

#[test]
fn the_first_small_file_out_of_20_gib_takes_a_few_calls() {
    if !require::require(&["mke2fs"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let tree = folder.path().join("tree");
    for dir in 0..200 {
        let dir = tree.join(format!("d{dir}"));
        std::fs::create_dir_all(&dir).unwrap();
        for file in 0..10 {
            std::fs::write(dir.join(format!("f{file}")), format!("{file}")).unwrap();
        }
    }
    std::fs::create_dir_all(tree.join("etc")).unwrap();
    let hosts = noise(1, 600);
    std::fs::write(tree.join("etc/hosts"), &hosts).unwrap();
    let image = folder.path().join("image");
    e2fsprogs::mke2fs(&image, &["-t", "ext4", "-d", tree.to_str().unwrap()], "20G");
    let stored = Blocks::from_file(&image).unwrap();
    // As if every block of it had been written, and as sparse as it is.
    let full = stored.clone();
    let full = Blocks::from_fn(20 * 2048, move |index| {
        Some(full.read(index).unwrap_or_else(|| vec![0; 512 << 10]))
    });
    for (blocks, what) in [(stored, "sparse"), (full, "full")] {
        let (fake, client) = fake();
        fake.state().add_snapshot(Snapshot::new(ID, blocks));
        let snapshot = block_on(EbsSnapshot::open(&client, ID)).unwrap();
        let view = filesystem(source(snapshot));
        assert_eq!(content(&view, "/etc/hosts"), hosts);
        let (got, lists) = (blocks_got(&fake), fake.count("ListSnapshotBlocks"));
        println!("{what}: {got} blocks, {lists} lists");
        assert!(
            got <= 16 && lists <= 8,
            "{what}: {got} blocks, {lists} lists"
        );
        // A directory that nobody has looked at.
        fake.clear_requests();
        let dir = view.resolve(b"/d150", true).unwrap();
        assert_eq!(view.listing(dir.node).unwrap().len(), 10);
        let trips = blocks_got(&fake) + fake.count("ListSnapshotBlocks");
        println!("{what}: {trips} for a directory");
        assert!(trips <= 3, "{what}: {trips}");
    }
}
