//! Archives: what other programs make of them.

use crate::filled::{NEEDS, Tree, apart, differences, fill, script, tree};
use crate::place::{Place, Said};
use flr_tests::golden::Golden;
use flr_tests::require::require;
use serde_json::Value;
use sha2::Digest;
use std::collections::BTreeMap;

/// What no archive carries, or what is the business of the filesystem that it is unpacked to.
const NOT_CARRIED: [&str; 12] = [
    "inode",
    "atime_ns",
    "ctime_ns",
    "btime_ns",
    "blocks",
    "flags",
    "generation",
    "project",
    "atime_raw",
    "ctime_raw",
    "btime_raw",
    "mtime_raw",
];

/// The recipe of the page on archives.
const UNPACK: &str = "tar --acls --xattrs --xattrs-include='*' --numeric-owner --warning=no-timestamp --warning=no-unknown-keyword -xpf -";

/// Unpacks what flr writes of `image` on a filesystem of its own, and compares it with what the kernel shows of the
/// image. `told`: what is said on standard error.
#[track_caller]
fn unpacked_is_the_same(place: &Place, image: &str, flags: &str, told: &str) {
    let said = apart(
        place,
        &format!(
            "truncate -s 256M fresh; mke2fs -q -t ext4 -b 4096 -I 256 -O ea_inode fresh; mkdir -p k d; \
             mount -o ro,loop,noload {image} k; mount -o loop fresh d; rmdir d/lost+found; \
             flr {flags} dump {image}:/ 2> told | (cd d; {UNPACK}); echo ${{PIPESTATUS[@]}}; \
             $ORACLE dir k > kernels; $ORACLE dir d > unpacked; umount k d"
        ),
    );
    assert_eq!(place.read("told"), told, "{image}");
    assert_eq!(said.err, "", "{image}");
    let expected = if told.is_empty() { "0 0\n" } else { "3 0\n" };
    assert_eq!(said.out, expected, "{image}");
    let without = |tree: Tree| -> Tree {
        // A socket is in no archive; a file with verity has its hash tree behind its end.
        (tree.into_iter())
            .filter(|(path, node)| node["type"] != "socket" && path != "/verity")
            .collect()
    };
    let kernels = without(tree(place, "kernels", &NOT_CARRIED));
    let unpacked = without(tree(place, "unpacked", &NOT_CARRIED));
    let differing = differences(&kernels, &unpacked);
    assert!(differing.is_empty(), "{image}: {differing:#?}");
    assert!(kernels.len() > 5, "{image}");
}

#[test]
fn help_and_manual_have_the_whole_recipe() {
    let place = Place::new();
    std::fs::create_dir(place.path("man")).unwrap();
    place.run(&["man", "man"]).quiet();
    let manual = place.shell("cat man/*dump*").out;
    let manual = manual.replace("\\*(Aq", "'").replace('\\', "");
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/archives.md"));
    for text in [place.run(&["dump", "--help"]).out, manual, page.unwrap()] {
        for option in UNPACK.split(' ').filter(|word| !word.contains("warning")) {
            assert!(text.contains(option), "{option}: {text}");
        }
    }
}

#[test]
fn gnu_tar_unpacks_the_tree_that_the_kernel_shows() {
    if !require(&NEEDS) {
        return;
    }
    let place = Place::new();
    fill(&place, "all.img", "everything mnt", "128M");
    let socket = "warning: all.img:/socket: a socket, which archives have no place for\n";
    unpacked_is_the_same(&place, "all.img", "", socket);
    let node = "warning: ext4-nodes.img:/socket: a socket, which archives have no place for\n";
    unpacked_is_the_same(&place, "ext4-nodes.img", "", node);
    unpacked_is_the_same(&place, "ext4-4k.img", "", FOUR_K);
}

const FOUR_K: &str = "warning: ext4-4k.img:/socket: a socket, which archives have no place for\n";

/// What Python reads in an archive that flr wrote to `name`.
fn facts(place: &Place, form: &str, name: &str) -> Vec<Value> {
    let said = place.shell(&format!(
        "python3 {} {form} {name}",
        script("zip_facts.py").display()
    ));
    let rows = said.quiet();
    rows.lines()
        .map(|row| serde_json::from_str(row).unwrap())
        .collect()
}

fn hex(text: &Value) -> Vec<u8> {
    let text = text.as_str().unwrap();
    let digits = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    (0..text.len()).step_by(2).map(digits).collect()
}

/// Hashes by path of a golden tree.
fn hashes(name: &str) -> BTreeMap<Vec<u8>, (u64, String)> {
    let golden = Golden::load(name);
    let files = golden.nodes.into_iter().filter_map(|(path, node)| {
        let path = path.strip_prefix(b"/").unwrap_or(&path).to_vec();
        Some((path, (node.size?, node.sha256?)))
    });
    files.collect()
}

#[test]
fn python_reads_tar_and_zip() {
    if !require(&["python3"]) {
        return;
    }
    let place = Place::new();
    let expected = hashes("ext4-4k");
    assert!(expected.len() > 5);
    for (form, file) in [("tar", "a.tar"), ("zip", "a.zip")] {
        let said = place.shell(&format!(
            "flr -q dump --format {form} ext4-4k.img:/ > {file}"
        ));
        assert_eq!((said.code, said.err.as_str()), (3, ""), "{form}");
        let rows = facts(&place, form, file);
        let mut found = BTreeMap::new();
        for row in &rows {
            let name = match form {
                "tar" => hex(&row["name"]),
                _ => row["name"].as_str().unwrap().as_bytes().to_vec(),
            };
            if row["type"] == "1" {
                let same = found.get(&hex(&row["link"])).cloned();
                found.insert(name, same.expect("a link leads to what came before it"));
            } else if let Some(hash) = row["sha256"].as_str() {
                found.insert(name, (row["size"].as_u64().unwrap(), hash.to_owned()));
            }
        }
        for (path, facts) in &expected {
            // Python reads zip's names without the flag of UTF-8 in another alphabet.
            if std::str::from_utf8(path).is_ok() {
                let shown = String::from_utf8_lossy(path);
                assert_eq!(found.get(path), Some(facts), "{form}: {shown}");
            }
        }
    }
}

#[test]
fn packed_archives_hold_the_same() {
    if !require(&["gzip", "zstd", "unzip"]) {
        return;
    }
    let place = Place::new();
    let said = place.shell(
        "flr dump web01.img:/usr > a.tar && flr dump --format tar.gz web01.img:/usr | gzip -dc | cmp - a.tar \
         && flr dump --format tar.zst web01.img:/usr | zstd -qdc | cmp - a.tar \
         && flr dump --format zip web01.img:/usr > a.zip && unzip -tqq a.zip",
    );
    said.quiet();
}

/// The most memory that a command takes, in KiB. What it prints goes nowhere.
fn peak(place: &Place, args: &[&str]) -> u64 {
    let program = "import resource, subprocess, sys\n\
                   subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True)\n\
                   print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)";
    let mut command = place.program("python3");
    command.args(["-c", program, env!("CARGO_BIN_EXE_flr")]);
    let said = Said::of(&command.args(args).output().unwrap());
    said.quiet().trim().parse().unwrap()
}

#[test]
fn archives_of_very_much_take_little_memory_and_are_read_by_others() {
    if !require(&NEEDS) || !require(&["unzip"]) {
        return;
    }
    let place = Place::new();
    let how = "many mnt/many 70 1000; truncate -s 5368709120 mnt/huge; printf x >> mnt/huge; \
               printf y > mnt/hole; truncate -s 7345678 mnt/hole; printf z >> mnt/hole";
    fill(&place, "many.img", how, "64M -N 80000");
    // A walk that opens every file as well, which fills the caches of what was read, to their bounds.
    let walk = peak(&place, &["ls", "-R", "--hash", "sha256", "many.img:/many"]);
    for form in ["tar", "zip"] {
        let archive = peak(&place, &["dump", "--format", form, "many.img:/many"]);
        // A hundred bytes kept of each of 70 000 entries would be seen.
        assert!(
            archive < walk + 6_000,
            "{form}: {archive} KiB, a walk {walk} KiB"
        );
    }
    let said = place.shell("flr dump --format zip many.img:/ > many.zip");
    assert_eq!((said.code, said.err.as_str()), (0, ""));
    let rows = facts(&place, "zip", "many.zip");
    assert_eq!(rows.len(), 70 * 1001 + 3);
    let of = |name: &str| rows.iter().find(|row| row["name"] == name).unwrap();
    assert_eq!(of("huge")["size"], 5_368_709_121_u64);
    assert_eq!(of("huge")["crc_is_that_of_zeros_and_x"], true);
    let hole = place.run(&["hash", "many.img:/hole"]).quiet();
    assert_eq!(of("hole")["sha256"], hole.split(' ').next().unwrap());
    place
        .shell("unzip -tqq many.zip hole many/d0/file-0 many/d66/file-999")
        .quiet();
}

#[test]
fn an_archive_that_cannot_be_whole_is_taken_for_whole_by_nobody() {
    if !require(&NEEDS) || !require(&["gzip", "zstd", "unzip"]) {
        return;
    }
    let place = Place::new();
    let how = "base mnt; head -c 40000000 /dev/urandom > mnt/zz";
    fill(&place, "cut.img", how, "64M");
    // The disk ends before the last file does.
    place
        .shell("mv cut.img whole.img; head -c 30000000 whole.img > cut.img")
        .quiet();
    let at = "cut.img:/zz";
    let said = place.run(&["stat", at]);
    assert_eq!(said.code, 0, "{}", said.err);
    for (form, reader) in [
        ("tar", "tar -tf -"),
        ("tar.gz", "gzip -dc"),
        ("tar.zst", "zstd -qdc"),
        ("zip", "cat > broken.zip; unzip -tqq broken.zip"),
    ] {
        let said = place.shell(&format!(
            "{{ flr dump --format {form} cut.img:/; echo $? > code; }} 2> told | {{ {reader}; }} > /dev/null"
        ));
        assert_ne!(said.code, 0, "{form}: {}", said.err);
        assert_eq!(place.read("code"), "9\n", "{form}");
        let told = place.read("told");
        for word in [
            "flr: cut.img:/zz: ",
            "the archive ends in the middle",
            "hint: --salvage",
        ] {
            assert!(told.contains(word), "{form}: {told}");
        }
    }
    let said = apart(
        &place,
        "mount -o ro,loop,noload whole.img mnt; set +e; \
         flr dump --salvage cut.img:/ 2> told > salvaged.tar; code=$?; \
         tar -xf salvaged.tar zz; stat -c %s zz; cmp zz mnt/zz | cut -d, -f1 >&2; umount mnt; echo $code",
    );
    assert_eq!(said.out, "40000000\n3\n");
    let told = place.read("told");
    assert!(told.contains("flr: cut.img:/zz: bytes "), "{told}");
    assert!(told.contains(" are zeros in the archive: "), "{told}");
    // What differs is what was said to be zeros: from the first byte that was told.
    let first: u64 = told
        .split("bytes ")
        .nth(1)
        .unwrap()
        .split(' ')
        .next()
        .unwrap()
        .parse()
        .unwrap();
    let differs: u64 = said.err.trim().rsplit(' ').next().unwrap().parse().unwrap();
    assert!(differs > first && differs < first + 64, "{first} {differs}");
}

#[test]
fn what_cannot_be_read_before_its_header_is_left_out() {
    let place = Place::new();
    let said = place.shell("flr dump damaged-extent.img:/ > a.tar");
    assert_eq!(said.code, 3, "{}", said.err);
    assert!(said.err.contains("ext4.extent."), "{}", said.err);
    if require(&["tar"]) {
        place.shell("tar -tf a.tar > names").quiet();
        assert!(place.read("names").lines().count() > 1);
    }
}

#[test]
fn a_reader_that_closes_the_pipe_is_no_error() {
    if !require(&["bash"]) {
        return;
    }
    let place = Place::new();
    for form in ["tar", "tar.gz", "tar.zst", "zip"] {
        let line = format!(
            "flr dump --format {form} web01.img:/usr | head -c 100 > /dev/null; echo ${{PIPESTATUS[0]}}"
        );
        let mut bash = place.program("bash");
        let said = Said::of(&bash.args(["-c", &line]).output().unwrap());
        assert_eq!(
            (said.out.as_str(), said.err.as_str()),
            ("0\n", ""),
            "{form}"
        );
    }
    if std::path::Path::new("/dev/full").exists() {
        let said = place.shell("flr dump web01.img:/usr > /dev/full");
        assert_eq!(said.code, 1);
        assert!(
            said.err.starts_with("flr: standard output: "),
            "{}",
            said.err
        );
    }
}

#[test]
fn a_terminal_is_no_place_for_an_archive() {
    if !require(&["script"]) {
        return;
    }
    let place = Place::new();
    let mut script = place.program("script");
    script.args(["-qec", "flr dump web01.img:/etc", "/dev/null"]);
    let said = Said::of(&script.output().unwrap());
    assert_eq!(said.code, 2, "{}", said.out);
    assert!(
        said.out.contains("standard output is a terminal"),
        "{}",
        said.out
    );
    assert!(
        said.out
            .contains("hint: flr dump web01.img:/etc | tar -tvf -")
    );
}

#[test]
fn names_in_the_archive_follow_the_rule_of_the_slash() {
    if !require(&["tar"]) {
        return;
    }
    let place = Place::new();
    for (address, first) in [
        ("web01.img:/home/bob", "bob/"),
        ("web01.img:/home/bob/", "Documents/"),
        ("web01.img:/home/bob/Documents", "Documents/"),
        ("web01.img:/etc/fstab", "fstab"),
        ("ntfs-streams.img:/", "one"),
    ] {
        let said = place.shell(&format!("flr -q dump {address} | tar -tf - | sort"));
        let names = said.quiet();
        assert!(
            names.lines().any(|name| name == first),
            "{address}: {names}"
        );
        let has_itself = names
            .lines()
            .any(|name| name == "./" || name.starts_with('/'));
        assert!(!has_itself, "{address}: {names}");
    }
    let said = place.run(&["dump", "web01.img:/etc", "web01.img:/usr"]);
    assert_eq!(said.code, 2, "{}", said.err);
    let said = place.run(&["dump", "web01.img:/nope"]);
    assert_eq!((said.code, said.out.as_str()), (4, ""), "{}", said.err);
}

#[test]
fn streams_of_ntfs_are_attributes() {
    if !require(&["python3"]) {
        return;
    }
    let place = Place::new();
    let said = place.shell("flr -q dump ntfs-streams.img:/ > a.tar");
    assert_eq!(said.err, "");
    let rows = facts(&place, "tar", "a.tar");
    let golden = Golden::load("ntfs-streams");
    let (mut compared, mut descriptors) = (0, 0);
    for (path, node) in &golden.nodes {
        let name = path.strip_prefix(b"/").unwrap_or(path);
        let Some(row) = rows.iter().find(|row| hex(&row["name"]) == name) else {
            continue;
        };
        // Beginning of the hash of what ntfs-3g shows as the descriptor.
        if let Some(expected) = &node.acl_sha256 {
            let descriptor = hex(&row["pax"]["SCHILY.xattr.system.ntfs_acl"]);
            let digest = sha2::Sha256::digest(&descriptor);
            let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
            assert!(digest.starts_with(expected.as_str()), "{}", row["name"]);
            descriptors += 1;
        }
        for (stream, facts) in node.streams.iter().flatten() {
            let key = format!("SCHILY.xattr.user.DosStream.{stream}");
            if let Some(value) = row["pax"].get(&key) {
                assert_eq!(u64::try_from(hex(value).len()), Ok(facts.size), "{stream}");
                compared += 1;
            }
        }
    }
    assert!(compared > 3 && descriptors > 3, "{compared} {descriptors}");
}

#[test]
fn with_json_all_lines_stand_on_standard_error() {
    let place = Place::new();
    let said = place.shell("flr --json dump ext4-nodes.img:/ > a.tar");
    assert_eq!(said.code, 3);
    let lines: Vec<_> = said.err.lines().map(crate::schema::check).collect();
    let kinds: Vec<_> = lines
        .iter()
        .map(|line| line["message_type"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["skipped", "summary", "exit_error"]);
    assert_eq!(lines[0]["code"], "socket");
    assert!(lines[1]["hard_links"].as_u64().unwrap() > 0);
    let said = place.shell("flr --json dump damaged-extent.img:/ > a.tar");
    for line in said.err.lines() {
        crate::schema::check(line);
    }
}
