//! What copies keep, and what a destination that takes no more leaves.

use crate::place::{Place, Said};
use flr_tests::require::require;
use serde_json::Value;
use std::os::unix::fs::MetadataExt;

const NOBODY: u32 = 65534;

#[test]
fn a_plain_copy_keeps_content_modes_and_times() {
    let place = Place::new();
    place.run(&["cp", "web01.img:/home/bob", "."]).quiet();
    let name = "bob/Documents/Angebot für Müller.odt";
    let copied = place.path(name).metadata().unwrap();
    let node = place.run(&["stat", "--json", &format!("web01.img:/home/{name}")]);
    let node: Value = serde_json::from_str(node.out.lines().next().unwrap()).unwrap();
    assert_eq!(node["size"], copied.len());
    assert_eq!(node["mode"], format!("{:04o}", copied.mode() & 0o7777));
    let mtime = node["mtime"].as_str().unwrap();
    assert!(mtime.starts_with("2023-11-"), "{mtime}");
    assert!(copied.mtime() < 1_700_000_001);
    let hash = place.run(&["hash", &format!("web01.img:/home/{name}")]);
    let same = place.shell(&format!("sha256sum '{name}'"));
    assert_eq!(hash.out.split(' ').next(), same.out.split(' ').next());
}

#[test]
fn an_archive_is_the_same_tree() {
    if !require(&["root", "mount", "losetup", "diff"]) {
        return;
    }
    let place = Place::new();
    // Everything but sockets, which no copy makes.
    let copied = place.run(&[
        "cp",
        "-a",
        "--devices",
        "--setid",
        "ext4-nodes.img",
        "copy/",
    ]);
    assert_eq!(copied.code, 3, "{}", copied.err);
    assert_eq!(
        copied.err,
        "warning: ext4-nodes.img:/socket: a socket, not made\n"
    );
    let list = "find . -path ./lost+found -prune -o -not -type s -not -name flag-\\* \
                -printf '%p %y %m %U %G %n %s %T@ %l\\n' | sort";
    let script = format!(
        "mkdir k && mount -o ro,loop,noload ext4-nodes.img k \
         && (cd k && {list} | grep -v '^. ') > kernel; umount k; \
         (cd copy && {list} | grep -v '^. ') > copied; diff kernel copied"
    );
    let said = place.shell(&format!(
        "unshare -m sh -c '{}'",
        script.replace('\'', r"'\''")
    ));
    // Sizes of directories are the business of the filesystem they lie in.
    let differing: Vec<_> = (said.out.lines())
        .filter(|line| line.starts_with(['<', '>']) && line.split(' ').nth(2) != Some("d"))
        .collect();
    assert!(differing.is_empty(), "{differing:#?}\n{}", said.err);
    assert!(place.read("kernel").lines().count() > 300);
}

#[test]
fn without_root_owners_are_a_warning() {
    if !require(&["root", "setpriv"]) {
        return;
    }
    let place = Place::new();
    let said = as_nobody(&place, "flr cp -a web01.img:/home/bob .");
    assert_eq!(said.code, 0, "{}", said.err);
    assert!(
        said.err.starts_with("warning: web01.img:/home/bob"),
        "{}",
        said.err
    );
    assert!(said.err.contains("owners are not kept, which takes root"));
    assert_eq!(said.err.lines().count(), 1);
    assert_eq!(place.path("bob").metadata().unwrap().uid(), NOBODY);
    // Nothing may be read that this user could not read, nor written where he may not write.
    let said = as_nobody(&place, "flr cp web01.img:/etc/hosts /usr/hosts");
    assert_eq!(said.code, 12, "{}", said.err);
    assert!(
        said.err.contains("/usr/hosts: Permission denied\nhint: "),
        "{}",
        said.err
    );
    let said = place.shell("cp web01.img private.img; chmod 600 private.img");
    assert_eq!(said.code, 0);
    let said = as_nobody(&place, "flr ls private.img");
    assert_eq!(said.code, 12);
    assert!(
        said.err
            .contains("cannot open private.img: Permission denied\nhint: ")
    );
}

fn as_nobody(place: &Place, line: &str) -> Said {
    std::os::unix::fs::chown(place.path("."), Some(NOBODY), Some(NOBODY)).unwrap();
    let id = NOBODY.to_string();
    let mut command = place.program("setpriv");
    command.args([
        "--reuid",
        &id,
        "--regid",
        &id,
        "--clear-groups",
        "sh",
        "-c",
        line,
    ]);
    Said::of(&command.output().unwrap())
}

#[test]
fn a_full_destination_is_left_without_halves() {
    if !require(&["root", "unshare", "mount"]) {
        return;
    }
    let place = Place::new();
    std::fs::create_dir(place.path("small")).unwrap();
    let script = "mount -t tmpfs -o size=256k none small || exit 99; \
        flr cp web01.img:/var small; echo \"code $?\"; \
        flr cp web01.img:/var/lib/mysql/ibdata1 small/one; echo \"code $?\"; \
        find small -name '.flr-*'; ls small/one; \
        flr cp --json web01.img:/usr small/usr > json 2> errors; echo \"code $?\"";
    let mut command = place.program("unshare");
    let said = Said::of(&command.args(["-m", "sh", "-c", script]).output().unwrap());
    assert_eq!(said.out, "code 1\ncode 1\ncode 1\n", "{}", said.err);
    assert!(said.err.contains("No space left on device"), "{}", said.err);
    assert!(said.err.contains("hint: make room"), "{}", said.err);
    let last = place.read("json").lines().last().unwrap().to_owned();
    let last: Value = serde_json::from_str(&last).unwrap();
    assert_eq!(
        (&last["message_type"], &last["exit_code"]),
        (&"summary".into(), &1.into())
    );
}

#[test]
fn a_full_standard_output_is_an_error() {
    if !std::path::Path::new("/dev/full").exists() {
        return;
    }
    let place = Place::new();
    for command in ["ls -R", "ls -R --json", "cat", "volumes", "find"] {
        let target = match command {
            "cat" => "web01.img:/var/log/syslog",
            _ => "web01.img",
        };
        let said = place.shell(&format!("flr {command} {target} > /dev/full"));
        assert_eq!(said.code, 1, "{command}: {}", said.err);
        assert!(said.err.contains("No space left on device"), "{}", said.err);
    }
}

#[test]
fn who_has_read_enough_is_content() {
    let place = Place::new();
    for command in [
        &["ls", "-R", "web01.img"][..],
        &["ls", "-R", "-0", "web01.img"],
        &["ls", "-R", "--json", "web01.img"],
        &["ls", "-l", "web01.img:/etc"],
        &["volumes", "web01.img"],
        &["find", "web01.img"],
        &["hash", "web01.img:/etc/hosts"],
        &["cat", "web01.img::raw"],
        &["cp", "web01.img::raw", "-"],
        &["tree", "web01.img"],
        &["stat", "web01.img:/"],
        &["version"],
        &["completion", "bash"],
        &["cp", "--json", "web01.img:/usr", "copy/"],
    ] {
        // The reader is gone before the first byte.
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = place.flr(command).stdout(writer).output().unwrap();
        let said = Said::of(&output);
        assert_eq!(said.code, 0, "{command:?}: {}", said.err);
    }
    let left = place.shell("find copy -name '.flr-*'").quiet();
    assert_eq!(left, "");
    assert_eq!(
        place.shell("flr ls -R web01.img 2> err | head -1").quiet(),
        "bin\n"
    );
}
