//! Partition tables as the usual tools write them, compared with what those tools say is in them, and
//! the same tables damaged at random.

#![expect(
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "tests make the images that they read, and fail by a panic"
)]

use flr_fs::discover::{Content, Opened};
use flr_fs::source::check_range;
use flr_fs::{Memory, OpenContext, Tree, Volume, VolumeNode, discover, registry};
use proptest::prelude::*;
use serde_json::Value;
use std::fs;
use std::io::Write as _;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use tempfile::TempDir;

const MIB: u64 = 1 << 20;

/// Whether the tools are there. Where the tests have to be complete, their absence is a failure.
fn have(tools: &[&str]) -> bool {
    let missing: Vec<_> = (tools.iter())
        .filter(|tool| Command::new(tool).arg("--version").output().is_err())
        .collect();
    if missing.is_empty() {
        return true;
    }
    assert!(std::env::var_os("CI").is_none(), "not found: {missing:?}");
    eprintln!("skipped: not found: {missing:?}");
    false
}

/// An image of its own, gone with the test.
struct Image {
    _dir: TempDir,
    path: PathBuf,
}

impl Image {
    fn new(size: u64) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("disk.img");
        let file = fs::File::create_new(&path).unwrap();
        file.set_len(size).unwrap();
        Self { _dir: dir, path }
    }

    /// An image with what `script` tells `sfdisk` to make.
    fn sfdisk(size: u64, script: &str) -> Self {
        let image = Self::new(size);
        image.run("sfdisk", &["--quiet"], script);
        image
    }

    /// Runs `tool args image` with `input` and returns what it prints.
    fn run(&self, tool: &str, args: &[&str], input: &str) -> String {
        let mut child = (Command::new(tool).args(args).arg(&self.path))
            .env("LC_ALL", "C.UTF-8")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(input.as_bytes()).unwrap();
        drop(stdin);
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{tool} {args:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn bytes(&self) -> Vec<u8> {
        fs::read(&self.path).unwrap()
    }

    fn change(&self, change: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = self.bytes();
        change(&mut bytes);
        fs::write(&self.path, bytes).unwrap();
    }

    /// What `sfdisk` reads in the image, extended partitions left out.
    fn expected(&self) -> Vec<Expected> {
        let text = self.run("sfdisk", &["--json"], "");
        let json: Value = serde_json::from_str(&text).unwrap();
        let table = &json["partitiontable"];
        let id = table["id"].as_str().unwrap();
        let dos = table["label"] == "dos";
        let partitions = table["partitions"].as_array().unwrap();
        (partitions.iter())
            .filter(|partition| !["5", "f", "85"].contains(&partition["type"].as_str().unwrap()))
            .map(|partition| {
                let node = Path::new(partition["node"].as_str().unwrap());
                let node = node.file_name().unwrap().to_str().unwrap();
                let number: u32 = node.strip_prefix("disk.img").unwrap().parse().unwrap();
                let uuid = match partition["uuid"].as_str() {
                    Some(uuid) => uuid.to_lowercase(),
                    None if dos => format!("{}-{number:02x}", id.strip_prefix("0x").unwrap()),
                    None => unreachable!(),
                };
                Expected {
                    number,
                    offset: partition["start"].as_u64().unwrap() * 512,
                    size: partition["size"].as_u64().unwrap() * 512,
                    uuid: Some(uuid),
                    label: partition["name"].as_str().map(str::to_owned),
                }
            })
            .collect()
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Expected {
    number: u32,
    offset: u64,
    size: u64,
    uuid: Option<String>,
    label: Option<String>,
}

/// What we find in an image.
fn look(bytes: Vec<u8>) -> Tree {
    let disk = Volume::disk(Arc::new(Memory::new(bytes)));
    discover(vec![disk], registry::LAYERS, &[], &OpenContext::default())
}

/// The format that was recognised and the partitions of the first level.
fn table(tree: &Tree) -> (&'static str, Vec<&VolumeNode>) {
    let disk = &tree.volumes()[0];
    assert_eq!(disk.contents.len(), 1, "{:?}", disk.contents);
    let Opened::Layer(ids) = &disk.contents[0].opened else {
        panic!("{:?}", disk.contents);
    };
    let volumes = ids.iter().map(|id| tree.volume(*id).unwrap()).collect();
    (disk.contents[0].format, volumes)
}

fn found(volumes: &[&VolumeNode]) -> Vec<Expected> {
    let expected = |node: &&VolumeNode| Expected {
        number: node
            .volume
            .name
            .strip_prefix("part/")
            .unwrap()
            .parse()
            .unwrap(),
        offset: node.volume.offset.unwrap(),
        size: node.volume.size,
        uuid: node.volume.uuid.clone(),
        label: node.volume.label.clone(),
    };
    volumes.iter().map(expected).collect()
}

fn notes(tree: &Tree) -> Vec<&'static str> {
    let notes = &tree.volumes()[0].notes;
    notes.iter().map(|note| note.code.as_str()).collect()
}

/// Opens the image, compares it with `sfdisk`, and returns the codes of the notes.
fn compare(image: &Image, format: &str) -> Vec<&'static str> {
    let tree = look(image.bytes());
    let (name, volumes) = table(&tree);
    assert_eq!(name, format);
    assert_eq!(found(&volumes), image.expected());
    notes(&tree)
}

const MBR: &str = "label: dos\n\
    start=2048, size=2048, type=83, bootable\n\
    start=8192, size=20480, type=f\n\
    start=4096, size=2048, type=7\n\
    start=10240, size=2048, type=83\n\
    start=14336, size=2048, type=82\n\
    start=20480, size=2048, type=8e\n";

const GPT: &str = "label: gpt\n\
    1: start=2048, size=2048, type=U, name=EFI\n\
    3: start=4096, size=4096, type=L, name=\"wörld ✓\"\n\
    128: start=10240, size=2048, type=L\n";

#[test]
fn mbr_with_logical_partitions() {
    if !have(&["sfdisk"]) {
        return;
    }
    let image = Image::sfdisk(16 * MIB, MBR);
    assert_eq!(image.expected().len(), 5);
    assert!(compare(&image, "mbr").is_empty());
}

#[test]
fn mbr_uuids_are_those_of_the_kernel() {
    if !have(&["sfdisk", "partx"]) {
        return;
    }
    // Twelve logical partitions: number 16 shows that the number is hexadecimal.
    let mut script = "label: dos\nlabel-id: 0x00c0ffee\nsize=45M, type=5\n".to_owned();
    for number in 5..17 {
        script.push_str(&format!("{number}: size=64K, type=83\n"));
    }
    let image = Image::sfdisk(48 * MIB, &script);
    let tree = look(image.bytes());
    let (_, volumes) = table(&tree);
    let uuids: Vec<_> = (volumes.iter())
        .map(|node| node.volume.uuid.clone().unwrap())
        .collect();
    assert_eq!(uuids[11], "00c0ffee-10");
    let shown = image.run("partx", &["--raw", "--noheadings", "-o", "UUID"], "");
    let shown: Vec<_> = shown.lines().skip(1).collect();
    assert_eq!(uuids, shown);
}

#[test]
fn gpt_with_gaps_and_names() {
    if !have(&["sfdisk"]) {
        return;
    }
    let image = Image::sfdisk(16 * MIB, GPT);
    assert_eq!(image.expected()[1].label.as_deref(), Some("wörld ✓"));
    assert!(compare(&image, "gpt").is_empty());
}

#[test]
fn sectors_of_4096_bytes() {
    if !have(&["fdisk"]) {
        return;
    }
    let dialogs = [
        ("gpt", "g\nn\n\n\n+1M\nn\n7\n\n+2M\nw\n"),
        (
            "mbr",
            "o\nn\np\n1\n\n+1M\nn\ne\n2\n\n\nn\n\n+1M\nn\n\n+2M\nw\n",
        ),
    ];
    for (format, dialog) in dialogs {
        let image = Image::new(16 * MIB);
        image.run("fdisk", &["--sector-size", "4096"], dialog);
        let list = [
            "--sector-size",
            "4096",
            "--list",
            "-o",
            "Device,Start,Sectors,Type",
        ];
        let listed = image.run("fdisk", &list, "");
        let expected: Vec<_> = (listed.lines())
            .filter(|line| line.contains("disk.img") && !line.ends_with("Extended"))
            .filter_map(|line| {
                let mut words = line.split_whitespace();
                let (_, number) = words.next()?.split_once("disk.img")?;
                let number: u32 = number.parse().ok()?;
                let mut bytes = || Some(words.next()?.parse::<u64>().ok()? * 4096);
                Some((number, bytes()?, bytes()?))
            })
            .collect();
        let tree = look(image.bytes());
        let (name, volumes) = table(&tree);
        assert_eq!(name, format);
        let ours: Vec<_> = (found(&volumes).iter())
            .map(|entry| (entry.number, entry.offset, entry.size))
            .collect();
        assert_eq!(ours, expected, "{listed}");
        assert!(ours.len() >= 2);
        let noted = if format == "gpt" {
            &[][..]
        } else {
            &["mbr.sector_size"]
        };
        assert_eq!(notes(&tree), noted);
    }
}

#[test]
fn the_gpt_of_a_hybrid_wins() {
    if !have(&["sfdisk", "sgdisk"]) {
        return;
    }
    let image = Image::sfdisk(16 * MIB, GPT);
    image.run("sgdisk", &["--hybrid=1:3"], "");
    assert_eq!(compare(&image, "gpt"), ["gpt.mbr.hybrid"]);
}

#[test]
fn a_gpt_survives_the_loss_of_its_start() {
    if !have(&["sfdisk"]) {
        return;
    }
    let image = Image::sfdisk(16 * MIB, GPT);
    let expected = image.expected();
    image.change(|bytes| bytes[512..17408].fill(0));
    let tree = look(image.bytes());
    assert_eq!(found(&table(&tree).1), expected);
    assert_eq!(notes(&tree), ["gpt.primary.damaged"]);
    // And of sector 0, which leaves nothing at the start.
    image.change(|bytes| bytes[..512].fill(0));
    let tree = look(image.bytes());
    assert_eq!(found(&table(&tree).1), expected);
    assert_eq!(notes(&tree), ["gpt.mbr.unprotected", "gpt.primary.damaged"]);
}

#[test]
fn an_old_backup_does_not_hide_a_new_table() {
    if !have(&["sfdisk"]) {
        return;
    }
    let image = Image::sfdisk(16 * MIB, GPT);
    let old = image.bytes();
    let new = Image::sfdisk(16 * MIB, MBR);
    new.change(|bytes| {
        let tail = bytes.len() - 17408;
        bytes[tail..].copy_from_slice(&old[tail..]);
    });
    assert!(compare(&new, "mbr").is_empty());
    // The same with the old primary header still in place.
    new.change(|bytes| bytes[512..1024].copy_from_slice(&old[512..1024]));
    let tree = look(new.bytes());
    assert_eq!(table(&tree).0, "mbr");
}

#[test]
fn a_grown_disk_keeps_its_backup_where_it_was() {
    if !have(&["sfdisk"]) {
        return;
    }
    let image = Image::sfdisk(16 * MIB, GPT);
    let expected = image.expected();
    image.change(|bytes| bytes.resize(bytes.len() + 4096 * 1024, 0));
    let tree = look(image.bytes());
    assert_eq!(found(&table(&tree).1), expected);
    assert_eq!(notes(&tree), ["gpt.backup.not_last"]);
    image.change(|bytes| bytes[512 + 0x38] ^= 1);
    let tree = look(image.bytes());
    assert_eq!(found(&table(&tree).1), expected);
    assert_eq!(notes(&tree), ["gpt.primary.damaged", "gpt.backup.not_last"]);
}

#[test]
fn a_cut_image_shows_what_is_left() {
    if !have(&["sfdisk"]) {
        return;
    }
    for (format, script) in [("gpt", GPT), ("mbr", MBR)] {
        let image = Image::sfdisk(16 * MIB, script);
        let expected = image.expected();
        image.change(|bytes| bytes.truncate(11000 * 512));
        let tree = look(image.bytes());
        let (name, volumes) = table(&tree);
        assert_eq!(name, format);
        // Links of an extended partition past the end are gone; what the others list is not.
        let ours = found(&volumes);
        assert_eq!(ours, expected[..ours.len()]);
        for (node, entry) in volumes.iter().zip(&expected) {
            let source = node.volume.source.as_ref().unwrap();
            assert_eq!(source.size(), entry.size);
            let available = (11000 * 512 - entry.offset).min(entry.size);
            let mut byte = [0];
            source.read_at(available - 1, &mut byte).unwrap();
            let past = source.read_at(available, &mut byte);
            if available < entry.size {
                assert_eq!(
                    past.unwrap_err().code().as_str(),
                    format!("{format}.entry.cut")
                );
            }
        }
        let noted = match format {
            "gpt" => &["gpt.backup.outside", "gpt.entry.cut"],
            _ => &["mbr.ebr.outside", "mbr.entry.cut"],
        };
        assert_eq!(notes(&tree), noted);
    }
}

#[test]
fn a_chain_that_loops_ends() {
    if !have(&["sfdisk"]) {
        return;
    }
    let image = Image::sfdisk(16 * MIB, MBR);
    // The link of the first extended record back to itself.
    image.change(|bytes| bytes[8192 * 512 + 0x1ce + 8..][..4].fill(0));
    let tree = look(image.bytes());
    let numbers: Vec<_> = found(&table(&tree).1)
        .iter()
        .map(|entry| entry.number)
        .collect();
    assert_eq!(numbers, [1, 3, 5]);
    assert_eq!(notes(&tree), ["mbr.ebr.loop"]);
}

#[test]
fn boot_sectors_of_filesystems_are_not_tables() {
    let makers: [(&str, &[&str]); 3] = [
        ("mkfs.ntfs", &["-F", "-q", "-s", "512"]),
        ("mkfs.vfat", &["-F", "32"]),
        ("mkfs.vfat", &["-F", "16"]),
    ];
    for (maker, args) in makers {
        if !have(&[maker]) {
            continue;
        }
        let image = Image::new(64 * MIB);
        image.run(maker, args, "");
        let bytes = image.bytes();
        assert_eq!(&bytes[0x1fe..0x200], [0x55, 0xaa]);
        let tree = look(bytes);
        let contents = &tree.volumes()[0].contents;
        let layer = |content: &Content| matches!(content.opened, Opened::Layer(_));
        assert!(!contents.iter().any(layer), "{maker}: {contents:?}");
    }
}

/// UEFI's CRC-32, bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    let bit = |crc: u32, _| (crc >> 1) ^ (0xedb8_8320 * (crc & 1));
    !(bytes.iter()).fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), bit)
    })
}

/// Makes the checksums of a GPT of 512-byte sectors fit again, so that damage gets past them.
fn seal(bytes: &mut [u8]) {
    for header in [512, bytes.len() - 512] {
        let field = |bytes: &[u8], at: usize| {
            let field: [u8; 4] = bytes[header + at..][..4].try_into().unwrap();
            usize::try_from(u32::from_le_bytes(field)).unwrap()
        };
        let at = field(bytes, 0x48).saturating_mul(512);
        let len = field(bytes, 0x50).saturating_mul(field(bytes, 0x54));
        let array = at.checked_add(len).and_then(|end| bytes.get(at..end));
        if let Some(crc) = array.map(crc32) {
            bytes[header + 0x58..][..4].copy_from_slice(&crc.to_le_bytes());
        }
        let size = field(bytes, 0xc).clamp(92, 512);
        bytes[header + 0x10..][..4].fill(0);
        let crc = crc32(&bytes[header..header + size]);
        bytes[header + 0x10..][..4].copy_from_slice(&crc.to_le_bytes());
    }
}

/// Uses everything that a tree offers. Any answer will do, as long as it is one.
fn exercise(tree: &Tree) {
    let mut buf = [0; 512];
    for node in tree.volumes() {
        let Ok(source) = &node.volume.source else {
            continue;
        };
        let size = source.size();
        for offset in [0, size / 2, size.saturating_sub(512), u64::MAX] {
            let read = source.read_at(offset, &mut buf);
            assert!(read.is_err() || check_range(offset, buf.len(), size).is_ok());
        }
        let mut at = 0;
        while at < size {
            let segment = source.segment_at(at..size).unwrap();
            assert!(segment.len > 0 && segment.len <= size - at);
            at += segment.len;
        }
        source.will_read(&[0..size, size..u64::MAX]);
    }
}

#[test]
fn damaged_tables_never_panic_or_hang() {
    if !have(&["sfdisk"]) {
        return;
    }
    let size = 2 * MIB;
    let mbr = "label: dos\nstart=64, size=64, type=83\nstart=256, size=1024, type=5\n\
        start=300, size=16, type=83\nstart=400, size=16, type=83\nstart=500, size=16, type=83\n";
    let gpt = "label: gpt\nstart=64, size=64, type=L\nstart=256, size=64, type=L\n";
    let images = [(mbr, false), (gpt, true)].map(|(script, sealed)| {
        let image = Image::sfdisk(size, &format!("grain: 512\n{script}"));
        (image.bytes(), sealed)
    });
    // Where tables are: the boot record, headers and first entries at both ends, the chain.
    let places: [Range<usize>; 4] = [
        0x1b8..0x200,
        512..0x25c,
        1024..1280,
        256 * 512 + 0x1be..256 * 512 + 0x200,
    ];
    let tail = usize::try_from(size).unwrap();
    let place = prop_oneof![
        8 => (0..places.len()).prop_flat_map(move |index| places[index].clone()),
        2 => tail - 512..tail - 420,
        2 => tail - 17 * 1024 + 512..tail - 16 * 1024,
        1 => 0..tail,
    ];
    let byte = prop_oneof![
        Just(0),
        Just(1),
        Just(5),
        Just(0x7f),
        Just(0xee),
        Just(0xff),
        any::<u8>()
    ];
    let damage = proptest::collection::vec((place, byte), 1..24);
    let config = ProptestConfig {
        cases: 2000,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    proptest!(config, |(which in 0..2_usize, damage in damage, reseal: bool, cut in 0..4_usize)| {
        let (bytes, gpt) = &images[which];
        let mut bytes = bytes.clone();
        for (at, byte) in damage {
            bytes[at] = byte;
        }
        if *gpt && reseal {
            seal(&mut bytes);
        }
        if cut == 0 {
            bytes.truncate(300 * 512);
        }
        exercise(&look(bytes));
    });
}

#[test]
fn a_qcow2_of_a_disk_with_a_gpt_is_not_a_disk_with_the_gpt_that_its_end_shows() {
    if !have(&["sfdisk", "qemu-img"]) {
        return;
    }
    let image = Image::sfdisk(8 * MIB, "label: gpt\nsize=4M\n");
    let qcow2 = image.path.with_extension("qcow2");
    let convert = ["convert", "-f", "raw", "-O", "qcow2"];
    let done = Command::new("qemu-img")
        .args(convert)
        .args([&image.path, &qcow2])
        .status();
    assert!(done.unwrap().success());
    let file = Arc::new(Memory::new(fs::read(&qcow2).unwrap()));
    let mut volume = Volume::disk(file);
    volume.may_be_container = true;
    let ctx = OpenContext::default();
    let tree = discover(vec![volume], registry::LAYERS, registry::FILESYSTEMS, &ctx);
    let code = tree.volumes()[0].failure().map(flr_fs::Error::code);
    assert_eq!(code, Some(flr_fs::signature::codes::FORMAT));
    assert_eq!(tree.volumes().len(), 1);
}
