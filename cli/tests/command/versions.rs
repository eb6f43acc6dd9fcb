//! Versions of a file over several images, each of which is a point of its own.

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
