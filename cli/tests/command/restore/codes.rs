//! How a restore ends: every exit code that needs no network, and what is said with it.

use super::{lines, of_type};
use crate::place::{Place, Said, until};
use flr_tests::require::require;
use rustix::process::{Pid, Signal, kill_process};
use std::process::Stdio;

#[test]
fn all_done_is_0_also_the_second_time() {
    let place = Place::new();
    let said = place.run(&["restore", "web01.img:/etc", "--to", "out"]);
    assert_eq!((said.code, said.out.as_str()), (0, ""), "{}", said.err);
    assert!(
        said.err.contains("restored, ") && said.err.contains(" to out"),
        "{}",
        said.err
    );
    for again in [
        &["--overwrite", "never"][..],
        &["--resume"],
        &["--overwrite", "if-changed"],
    ] {
        let args = [&["restore", "web01.img:/etc", "--to", "out"], again].concat();
        let said = place.run(&args);
        assert_eq!(said.code, 0, "{again:?}: {}", said.err);
        // Nothing was restored: what is there is said.
        let (right, left) = ("there already and right", "left as found");
        let resumed = again[0] == "--resume";
        assert_eq!(said.err.contains(right), resumed, "{}", said.err);
        assert!(said.err.contains(left) || resumed, "{}", said.err);
    }
    // Quiet is quiet.
    place
        .run(&["-q", "restore", "web01.img:/etc", "--to", "quiet"])
        .quiet();
}

#[test]
fn a_destination_that_cannot_be_made_is_1() {
    let place = Place::new();
    std::fs::write(place.path("file"), "mine").unwrap();
    for to in ["file", "file/below"] {
        let said = place.run(&["restore", "web01.img:/etc", "--to", to]);
        assert_eq!(said.code, 1, "{to}: {}", said.err);
        assert!(said.err.contains("Not a directory"), "{}", said.err);
    }
    assert_eq!(place.read("file"), "mine");
    // Links, in place of the destination and in it.
    std::os::unix::fs::symlink("nowhere", place.path("dangling")).unwrap();
    std::fs::create_dir(place.path("there")).unwrap();
    std::os::unix::fs::symlink("/tmp", place.path("there/etc")).unwrap();
    for (to, words) in [
        ("dangling", "hint: it is a link that leads nowhere"),
        ("there", "hint: a link stands there and is not followed"),
    ] {
        let said = place.run(&["restore", "web01.img:/etc", "--to", to]);
        assert_eq!(said.code, 1, "{to}: {}", said.err);
        assert!(said.err.contains(words), "{to}: {}", said.err);
    }
}

#[test]
fn what_makes_no_sense_is_2() {
    let place = Place::new();
    std::fs::write(place.path("empty"), "").unwrap();
    std::fs::write(place.path("bad.json"), r#"{"version":1,"jobs":[]}"#).unwrap();
    let source = "web01.img:/etc";
    for args in [
        &["restore"][..],
        &["restore", source],
        &["restore", "--to", "out"],
        &["restore", source, "--to", "out", "--include", "["],
        &["restore", source, "--to", "out", "--backup", "a/b"],
        &["restore", source, "--to", "out", "--owner", "map"],
        &["restore", source, "--to", "out", "--map", "empty"],
        &[
            "restore", source, "--to", "out", "--owner", "map", "--map", "nosuch",
        ],
        &["restore", source, "--to", "out", "--overwrite", "perhaps"],
        &["restore", source, "--to", "out", "-f", "bad.json"],
        &["restore", "-f", "nosuch.toml"],
        &["restore", "-f", "empty"],
        &["restore", "-f", "bad.json"],
        &["--from", "web01.img", "restore", "-f", "bad.json"],
    ] {
        let said = place.run(args);
        assert_eq!(said.code, 2, "{args:?}: {}", said.err);
        assert!(!place.path("out").exists(), "{args:?}");
    }
}

#[test]
fn conflicts_and_what_is_skipped_are_3() {
    let place = Place::new();
    std::fs::create_dir_all(place.path("out/etc")).unwrap();
    std::fs::write(place.path("out/etc/hosts"), "mine").unwrap();
    let told = lines(&place, &["web01.img:/etc", "--to", "out"], 3);
    let skipped = of_type(&told, "skipped");
    assert_eq!(skipped.len(), 1, "{skipped:?}");
    assert_eq!(
        (&skipped[0]["code"], &skipped[0]["path"]),
        (&"differs".into(), &"/etc/hosts".into())
    );
    assert_eq!(told.last().unwrap()["conflicts"], 1);
    assert_eq!(place.read("out/etc/hosts"), "mine");
    let told = lines(
        &place,
        &[
            "ext4-nodes.img:/socket",
            "ext4-nodes.img:/fifo",
            "--to",
            "out",
        ],
        3,
    );
    let codes: Vec<_> = of_type(&told, "skipped")
        .iter()
        .map(|line| line["code"].clone())
        .collect();
    assert_eq!(codes, ["socket", "special"]);
    // People are told what to do.
    let said = place.run(&["restore", "web01.img:/etc", "--to", "out"]);
    assert!(
        said.err.contains("hint: --overwrite if-changed"),
        "{}",
        said.err
    );
    // A damaged file among others.
    let told = lines(&place, &["damaged-extent.img", "--to", "damaged"], 3);
    assert!(!of_type(&told, "error").is_empty() && !of_type(&told, "restored").is_empty());
}

#[test]
fn single_failures_keep_their_codes() {
    let place = Place::new();
    for (source, code) in [
        ("web01.img:/nope", 4),
        ("ext4-journal-external.img:/", 7),
        ("damaged-extent.img:/e/AAAA", 9),
        ("nope.img:/etc", 10),
    ] {
        let said = place.run(&["restore", source, "--to", "out"]);
        assert_eq!(said.code, code, "{source}: {}", said.err);
        assert!(said.err.starts_with("flr: "), "{source}: {}", said.err);
        let there = place.shell("find out -type f 2> /dev/null");
        assert_eq!(there.out, "", "{source}");
    }
}

#[test]
fn a_hash_that_is_another_is_6_and_leaves_nothing() {
    let place = Place::new();
    let manifest = |digit: &str| {
        format!(
            "version = 1\n[[job]]\nfrom = 'web01.img:/etc/hosts'\nto = 'out'\nsha256 = '{}'\n",
            digit.repeat(64)
        )
    };
    std::fs::write(place.path("m.toml"), manifest("0")).unwrap();
    let said = place.run(&["restore", "-f", "m.toml", "--json"]);
    assert_eq!(said.code, 6, "{}", said.err);
    assert!(!place.path("out/hosts").exists());
    let told: Vec<_> = said.out.lines().map(crate::schema::check).collect();
    assert_eq!(of_type(&told, "error")[0]["exit"], 6);
    let hash = place.run(&["hash", "web01.img:/etc/hosts"]).quiet();
    let right = manifest("0").replace(&"0".repeat(64), &hash[..64]);
    std::fs::write(place.path("m.toml"), right).unwrap();
    assert_eq!(place.run(&["restore", "-f", "m.toml"]).code, 0);
    // A hash is about a file.
    let wrong = manifest("0").replace("/etc/hosts", "/etc");
    std::fs::write(place.path("m.toml"), wrong).unwrap();
    assert_eq!(place.run(&["restore", "-f", "m.toml"]).code, 2);
}

#[test]
fn the_same_twice_at_a_time_is_11() {
    use crate::interrupt::{in_the_middle, large_disk};
    let place = Place::new();
    large_disk(&place);
    std::fs::create_dir(place.path("to")).unwrap();
    let args = ["-q", "restore", "large.img::raw", "--to", "to"];
    let mut first = place.flr(&args).stderr(Stdio::null()).spawn().unwrap();
    until("the restore begins", || in_the_middle(&place));
    let second = place.run(&args);
    // Another destination is another restore.
    let other = place.run(&["restore", "web01.img:/etc", "--to", "other"]);
    let pid = Pid::from_raw(i32::try_from(first.id()).unwrap()).unwrap();
    kill_process(pid, Signal::INT).unwrap();
    let ended = first.wait().unwrap().code();
    assert_eq!(second.code, 11, "{}", second.err);
    assert!(second.err.contains("by another process"), "{}", second.err);
    assert_eq!(other.code, 0, "{}", other.err);
    assert_eq!(ended, Some(130));
}

#[test]
fn who_may_not_write_there_is_told_with_12() {
    if !require(&["root", "setpriv"]) {
        return;
    }
    let place = Place::new();
    std::fs::create_dir(place.path("theirs")).unwrap();
    let closed = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(place.path("."), closed).unwrap();
    std::fs::create_dir(place.path("state")).unwrap();
    std::os::unix::fs::chown(place.path("state"), Some(65534), Some(65534)).unwrap();
    let id = "65534";
    for to in ["theirs", "theirs/new"] {
        let mut command = place.program("setpriv");
        command.args([
            "--reuid",
            id,
            "--regid",
            id,
            "--clear-groups",
            "flr",
            "restore",
        ]);
        let said = command
            .args(["web01.img:/etc/hosts", "--to", to])
            .output()
            .unwrap();
        let said = Said::of(&said);
        assert_eq!(said.code, 12, "{to}: {}", said.err);
        assert!(said.err.contains("Permission denied"), "{to}: {}", said.err);
    }
}

#[test]
fn bombs_are_refused_unless_holes_are_wanted() {
    if !require(&["root", "mount", "losetup", "mkfs.ext4"]) {
        return;
    }
    let place = Place::new();
    let build = "truncate -s 32M b.img && mkfs.ext4 -q b.img && mkdir m && mount -o loop b.img m \
        && truncate -s 3G m/thin && printf x >> m/thin && printf ok > m/small; umount m";
    let made = place
        .program("unshare")
        .args(["-m", "sh", "-ec", build])
        .output()
        .unwrap();
    assert!(made.status.success());
    let told = lines(&place, &["b.img:/thin", "b.img:/small", "--to", "out"], 3);
    let errors = of_type(&told, "error");
    assert_eq!(errors.len(), 1);
    assert!(
        errors[0]["message"].as_str().unwrap().contains("unfold to"),
        "{errors:?}"
    );
    let hint = errors[0]["hint"].as_str().unwrap();
    assert!(
        hint.contains("--sparse") && !hint.contains("room"),
        "{hint}"
    );
    assert_eq!(place.names("out"), ["small"]);
    let args = ["b.img:/thin", "--to", "out", "--sparse", "--verify=none"];
    lines(&place, &args, 0);
    let found = place.shell("stat -c '%s %b' out/thin");
    let numbers: Vec<u64> = found
        .out
        .split_whitespace()
        .map(|it| it.parse().unwrap())
        .collect();
    assert!(
        numbers[0] == (3 << 30) + 1 && numbers[1] < 64,
        "{}",
        found.out
    );
}
