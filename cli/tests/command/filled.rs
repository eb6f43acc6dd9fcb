//! Images that the kernel fills, and trees as the kernel shows them.

use crate::place::{Place, Said};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What these tests need of the machine.
pub(crate) const NEEDS: [&str; 6] = ["root", "loop", "unshare", "mke2fs", "python3", "tar"];

/// A file of the tests.
pub(crate) fn script(name: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scripts");
    dir.join(name)
}

/// The program that tells of trees what the kernel says.
fn oracle() -> PathBuf {
    flr_tests::image::fixtures().join("oracle")
}

/// Runs lines of shell in a mount namespace of their own; `$FILL` and `$ORACLE` are programs.
#[track_caller]
pub(crate) fn apart(place: &Place, lines: &str) -> Said {
    let mut command = place.program("unshare");
    command.env("FILL", format!("python3 {}", script("fill.py").display()));
    command.env(
        "FACTS",
        format!("python3 {}", script("zip_facts.py").display()),
    );
    command.env("ORACLE", format!("python3 {}", oracle().display()));
    let said = Said::of(&command.args(["-m", "bash", "-ec", lines]).output().unwrap());
    assert_eq!(said.code, 0, "{lines}\n{}\n{}", said.out, said.err);
    said
}

/// A new filesystem in `name`, filled by `fill.py`; `make` is its size and more for mke2fs.
#[track_caller]
pub(crate) fn fill(place: &Place, name: &str, how: &str, make: &str) {
    apart(
        place,
        &format!(
            "mke2fs -q -t ext4 -b 4096 -I 256 -O ea_inode {name} {make}; mkdir -p mnt; \
             mount -o loop {name} mnt; rmdir mnt/lost+found; $FILL {how}; umount mnt"
        ),
    );
}

/// A tree that the oracle told of, by path.
pub(crate) type Tree = BTreeMap<String, Value>;

/// Reads a tree, without what no copy has.
pub(crate) fn tree(place: &Place, name: &str, without: &[&str]) -> Tree {
    let text = place.read(name);
    let nodes = text.lines().skip(1).map(|line| {
        let mut node: Value = serde_json::from_str(line).unwrap();
        let path = node.get("path").or_else(|| node.get("path_b64")).unwrap();
        let path = path.as_str().unwrap().to_owned();
        let is_dir = node["type"] == "dir";
        let fields = node.as_object_mut().unwrap();
        for field in without {
            fields.remove(*field);
        }
        if is_dir {
            fields.remove("size");
            fields.remove("nlink");
        }
        (path, node)
    });
    nodes.filter(|(path, _)| path != "/").collect()
}

/// What differs between two trees, in words.
pub(crate) fn differences(one: &Tree, other: &Tree) -> Vec<String> {
    let mut found = Vec::new();
    for path in one.keys().chain(other.keys()) {
        let (one, other) = (one.get(path), other.get(path));
        if one != other {
            let show = |node: Option<&Value>| {
                let text = node.map_or_else(|| "nothing".to_owned(), Value::to_string);
                text.chars().take(600).collect::<String>()
            };
            found.push(format!("{path}: {} / {}", show(one), show(other)));
        }
    }
    found.dedup();
    found
}
