//! Versions of a file over several images, each of which is a point of its own.

use crate::filled::{NEEDS, apart, fill};
use crate::place::Place;
use flr_tests::require::require;

/// Five points with three versions of `/etc/motd`, the second of which is there twice and later again; at the last
/// one the file is not there.
fn points(place: &Place) -> bool {
    if !require(&["mke2fs", "touch"]) {
        return false;
    }
    for (name, text, time) in [
        ("1", "one\ntwo\nthree\n", "2026-01-01"),
        ("2", "one\n2\nthree\n", "2026-01-02"),
        ("3", "one\n2\nthree\n", "2026-01-02"),
        ("4", "one\ntwo\nthree\nfour\n", "2026-01-03"),
        ("5", "one\n2\nthree\n", "2026-01-02"),
    ] {
        std::fs::create_dir_all(place.path("tree/etc")).unwrap();
        std::fs::write(place.path("tree/etc/motd"), text).unwrap();
        let made = place.shell(&format!(
            "touch -d '{time} 12:00:00Z' tree/etc/motd; mke2fs -q -t ext4 -I 256 -d tree {name}.img 4m"
        ));
        assert_eq!(made.code, 0, "{}", made.err);
    }
    std::fs::remove_file(place.path("tree/etc/motd")).unwrap();
    place.shell("mke2fs -q -t ext4 -d tree 6.img 4m");
    true
}

const ALL: [&str; 6] = ["1.img", "2.img", "3.img", "4.img", "5.img", "6.img"];

fn versions<'a>(more: &[&'a str]) -> Vec<&'a str> {
    let mut args = vec!["versions", "--path", "/etc/motd"];
    args.extend(more);
    args.extend(ALL);
    args
}

#[test]
fn each_version_is_told_once_with_the_points_that_have_it() {
    let place = Place::new();
    if !points(&place) {
        return;
    }
    let said = place.run(&versions(&[]));
    assert_eq!(said.code, 0, "{}", said.err);
    let expected = "\
VERSION  MODIFIED          SIZE  POINTS  FIRST  LAST
1        2026-01-01 12:00  14 B  1       1.img  1.img
2        2026-01-02 12:00  12 B  3       2.img  5.img
3        2026-01-03 12:00  19 B  1       4.img  4.img
";
    assert_eq!(said.out, expected);
    let told = "note: it is not there at 6.img\nnote: version 3 is 4.img:/etc/motd\n";
    assert_eq!(said.err, told);
    // The same by addresses.
    let addresses: Vec<_> = ALL
        .iter()
        .map(|image| format!("{image}:/etc/motd"))
        .collect();
    let mut args = vec!["versions"];
    args.extend(addresses.iter().map(String::as_str));
    assert_eq!(place.run(&args).out, expected);
}

#[test]
fn content_tells_versions_apart_on_request() {
    let place = Place::new();
    if !points(&place) {
        return;
    }
    // Another content with the size and the time of the second version.
    let said = place.shell(
        "printf 'one\\n3\\nthree\\n' > tree/etc/motd; touch -d '2026-01-02 12:00:00Z' tree/etc/motd; \
         mke2fs -q -t ext4 -I 256 -d tree 3.img 4m; sha256sum tree/etc/motd | cut -d' ' -f1",
    );
    let sha256 = said.out.lines().last().unwrap().to_owned();
    let lines = |args: &[&str]| -> Vec<_> {
        let said = place.run(&[&["--json"], args].concat());
        assert_eq!(said.code, 0, "{}", said.err);
        said.out.lines().map(crate::schema::check).collect()
    };
    // Three versions and the summary; four with hashes.
    assert_eq!(lines(&versions(&[])).len(), 4);
    let found = lines(&versions(&["--hash", "sha256"]));
    assert_eq!(found.len(), 5);
    assert_eq!(found[2]["sha256"], sha256);
    assert_eq!(found[2]["points"][0]["address"], "3.img:/etc/motd");
    assert_eq!(found[4]["versions"], 4);
    assert_eq!(found[4]["absent"], 1);
}

#[test]
fn the_lines_that_changed_are_those_of_diff() {
    let place = Place::new();
    if !points(&place) || !require(&["diff"]) {
        return;
    }
    let said = place.run(&versions(&["--diff", "1", "3"])).quiet();
    std::fs::write(place.path("one"), "one\ntwo\nthree\n").unwrap();
    std::fs::write(place.path("three"), "one\ntwo\nthree\nfour\n").unwrap();
    let theirs = place.shell("diff -u one three");
    let hunks = |text: &str| text.lines().skip(2).collect::<Vec<_>>().join("\n");
    assert_eq!(hunks(&said), hunks(&theirs.out));
    assert!(
        said.starts_with("--- 1.img:/etc/motd\t2026-01-01 12:00:00.000000000"),
        "{said}"
    );
    let said = place.run(&versions(&["--diff", "1", "9"]));
    assert_eq!(said.code, 2);
    assert!(
        said.err.contains("there is no version 9, only 1 to 3"),
        "{}",
        said.err
    );
    std::fs::write(place.path("tree/program"), b"\x7fELF\0\0").unwrap();
    place.shell("mke2fs -q -t ext4 -d tree 7.img 4m");
    let said = place.run(&["versions", "--diff", "1", "1", "7.img:/program"]);
    assert_eq!((said.code, said.out.as_str()), (2, ""));
    assert!(said.err.contains("no text"), "{}", said.err);
}

#[test]
fn a_version_is_restored_by_its_number() {
    let place = Place::new();
    if !points(&place) {
        return;
    }
    std::fs::create_dir(place.path("out")).unwrap();
    place
        .run(&versions(&["--restore", "1", "--to", "out"]))
        .quiet();
    assert_eq!(place.read("out/motd"), "one\ntwo\nthree\n");
    place
        .run(&versions(&["--restore", "2", "--to", "out/second"]))
        .quiet();
    assert_eq!(place.read("out/second"), "one\n2\nthree\n");
    let time = place
        .path("out/second")
        .metadata()
        .unwrap()
        .modified()
        .unwrap();
    let since = time.duration_since(std::time::UNIX_EPOCH).unwrap();
    assert_eq!(since.as_millis(), 1_767_355_200_000);
}

#[test]
fn what_has_no_versions_is_refused() {
    let place = Place::new();
    for (args, code) in [
        (&["versions", "web01.img"][..], 2),
        (&["versions", "web01.img:/etc"], 2),
        (&["versions", "web01.img:/nope"], 4),
        (&["versions", "nope.img:/etc/fstab"], 10),
        (&["versions", "--path", "/x", "web01.img:/etc/fstab"], 2),
        (&["versions", "--restore", "1", "web01.img:/etc/fstab"], 2),
    ] {
        let said = place.run(args);
        assert_eq!(
            (said.code, said.out.as_str()),
            (code, ""),
            "{args:?} {}",
            said.err
        );
    }
}

/// The file at one more point: a line of shell makes the tree, from which the image is made.
#[track_caller]
fn point(place: &Place, image: &str, line: &str) {
    let made = place.shell(&format!(
        "mkdir -p tree/etc tree/opt && {line} && mke2fs -q -t ext4 -I 256 -d tree {image} 4m"
    ));
    assert_eq!(made.code, 0, "{}", made.err);
}

/// Columns `POINTS FIRST LAST` of each version.
#[track_caller]
fn listed(place: &Place, args: &[&str]) -> Vec<String> {
    let said = place.run(&[&["versions"], args].concat());
    assert_eq!(said.code, 0, "{}", said.err);
    let rows = said.out.lines().skip(1).map(|line| {
        let words: Vec<_> = line.split_whitespace().collect();
        words[words.len() - 3..].join(" ")
    });
    rows.collect()
}

#[test]
fn what_was_only_touched_is_one_version_by_its_content() {
    if !require(&["mke2fs", "touch"]) {
        return;
    }
    let place = Place::new();
    point(
        &place,
        "a.img",
        "echo one > tree/etc/motd; touch -d @1000 tree/etc/motd",
    );
    point(&place, "b.img", "touch -d @2000 tree/etc/motd");
    let args = ["a.img:/etc/motd", "b.img:/etc/motd"];
    assert_eq!(listed(&place, &args), ["1 a.img a.img", "1 b.img b.img"]);
    for algorithm in ["sha256", "blake3"] {
        let hashed = [&["--hash", algorithm], &args[..]].concat();
        assert_eq!(listed(&place, &hashed), ["2 a.img b.img"]);
    }
}

#[test]
fn what_was_deleted_comes_back_as_what_it_is_and_a_new_name_is_not_followed() {
    if !require(&["mke2fs", "touch"]) {
        return;
    }
    let place = Place::new();
    point(
        &place,
        "a.img",
        "echo one > tree/etc/motd; touch -d @1000 tree/etc/motd",
    );
    point(&place, "b.img", "mv tree/etc/motd tree/etc/motd.old");
    point(
        &place,
        "c.img",
        "echo one > tree/etc/motd; touch -d @1000 tree/etc/motd",
    );
    point(
        &place,
        "d.img",
        "rm tree/etc/motd; echo new > tree/etc/motd; touch -d @3000 tree/etc/motd",
    );
    let args = ["--path", "/etc/motd", "a.img", "b.img", "c.img", "d.img"];
    // Made anew with the size and the time of before: it cannot be told apart, and is the same.
    assert_eq!(listed(&place, &args), ["2 a.img c.img", "1 d.img d.img"]);
    let said = place.run(&[&["versions"], &args[..]].concat());
    assert!(
        said.err.contains("note: it is not there at b.img\n"),
        "{}",
        said.err
    );
    let hashed = [&["--hash", "md5"], &args[..]].concat();
    assert_eq!(listed(&place, &hashed), ["2 a.img c.img", "1 d.img d.img"]);
    assert_eq!(listed(&place, &["b.img:/etc/motd.old"]), ["1 b.img b.img"]);
}

#[test]
fn a_directory_in_the_place_of_the_file_is_a_line_and_the_others_go_on() {
    if !require(&["mke2fs", "touch"]) {
        return;
    }
    let place = Place::new();
    point(
        &place,
        "a.img",
        "echo one > tree/etc/motd; touch -d @1000 tree/etc/motd",
    );
    point(&place, "b.img", "rm tree/etc/motd; mkdir tree/etc/motd");
    point(
        &place,
        "c.img",
        "rmdir tree/etc/motd; echo two > tree/etc/motd; touch -d @2000 tree/etc/motd",
    );
    let said = place.run(&["versions", "--path", "/etc/motd", "a.img", "b.img", "c.img"]);
    assert_eq!(said.code, 3, "{}", said.err);
    assert_eq!(said.out.lines().count(), 3, "{}", said.out);
    let told = "flr: b.img:/etc/motd: versions are of files, and this is a dir\n";
    assert!(said.err.contains(told), "{}", said.err);
}

#[test]
fn a_link_that_leads_elsewhere_leads_to_another_version() {
    if !require(&["mke2fs", "touch"]) {
        return;
    }
    let place = Place::new();
    // Both have the same size and time, as files of one package do.
    point(
        &place,
        "a.img",
        "echo one > tree/opt/1; echo two > tree/opt/2; echo one > tree/opt/3; touch -d @1000 tree/opt/?; \
         ln -s ../opt/1 tree/etc/motd",
    );
    point(&place, "b.img", "ln -snf ../opt/2 tree/etc/motd");
    point(&place, "c.img", "ln -snf ../opt/3 tree/etc/motd");
    point(&place, "d.img", "ln -snf ../opt/nothing tree/etc/motd");
    let args = ["--path", "/etc/motd", "a.img", "b.img", "c.img", "d.img"];
    let each = ["1 a.img a.img", "1 b.img b.img", "1 c.img c.img"];
    assert_eq!(listed(&place, &args), each);
    let said = place.run(&[&["versions"], &args[..]].concat());
    assert!(
        said.err.contains("note: it is not there at d.img\n"),
        "{}",
        said.err
    );
    let hashed = [&["--hash", "sha256"], &args[..]].concat();
    assert_eq!(listed(&place, &hashed), ["2 a.img c.img", "1 b.img b.img"]);
    // The same file under two paths, which are two addresses, is one version.
    let moved = ["a.img:/opt/1", "b.img:/opt/3"];
    assert_eq!(listed(&place, &moved), ["2 a.img b.img"]);
    // What is restored is what the link leads to.
    place
        .run(&[&["versions", "--restore", "2", "--to", "motd"], &args[..]].concat())
        .quiet();
    assert_eq!(place.read("motd"), "two\n");
}

#[test]
fn a_restored_version_has_all_that_the_file_had_and_was_read_again() {
    if !require(&NEEDS) || !require(&["rsync"]) {
        return;
    }
    let place = Place::new();
    fill(&place, "1.img", "base mnt", "32M");
    apart(
        &place,
        "mount -o loop 1.img mnt; python3 -c '
import os, struct
path = \"mnt/whole\"
with open(path, \"wb\") as file:
    file.write(b\"binary\\0\" * 3000)
    file.truncate(1 << 20)
os.chown(path, 1234, 5678)
os.chmod(path, 0o640)
os.setxattr(path, \"user.note\", b\"kept\")
acl = struct.pack(\"<I\", 2)
for tag, perm, who in [(1, 6, -1), (2, 4, 99), (4, 4, -1), (16, 4, -1), (32, 0, -1)]:
    acl += struct.pack(\"<HHi\", tag, perm, who)
os.setxattr(path, \"system.posix_acl_access\", acl)
os.utime(path, ns=(1_700_000_000_000_000_001, 1_700_000_000_123_456_789))
'; cp -a --sparse=always mnt/whole expected; sha256sum expected | cut -d' ' -f1 > sha256; umount mnt",
    );
    // What stands there is replaced, and a directory takes it under its own name.
    std::fs::write(place.path("other"), "in the way").unwrap();
    std::fs::create_dir(place.path("out")).unwrap();
    for to in ["other", "out"] {
        let args = [
            "--json",
            "versions",
            "--restore",
            "1",
            "--to",
            to,
            "1.img:/whole",
        ];
        let said = place.run(&args);
        assert_eq!((said.code, said.err.as_str()), (0, ""));
        let line = crate::schema::check(said.out.lines().next().unwrap());
        assert_eq!(line["sha256"], place.read("sha256").trim());
    }
    let same = place.shell(
        "rsync -aniXA --checksum expected other; rsync -aniXA --checksum expected out/whole
         stat -c %y:%b expected other out/whole | uniq | wc -l",
    );
    assert_eq!((same.out.as_str(), same.code), ("1\n", 0), "{}", same.err);
    let said = place.run(&["versions", "--diff", "1", "1", "1.img:/whole"]);
    assert_eq!((said.code, said.out.as_str()), (2, ""));
    assert!(said.err.contains("no text"), "{}", said.err);
}
