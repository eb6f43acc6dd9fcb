//! What reaches a terminal: hostile names, colours, progress.

use crate::place::Place;
use flr_tests::require::require;

/// Names that are safe as text and hostile to a terminal.
const NAMES: &[&[u8]] = &[
    b"\x1b]0;owned\x07",
    b"\x1b[2J\x1b[31mred",
    b"line\nbreak",
    b"back\rward",
    b"tab\there",
    b"bell\x07",
    b"del\x7f",
    b"\xc2\x9b31m",
    b"\x9b31m",
    b"latin-\xe9",
    b"bidi-\xe2\x80\xae-gpj.exe",
    b"zero\xe2\x80\x8bwidth",
    b"lone-\xed\xa0\x80",
    b"quote'\"$(id)",
    b"--option",
    b" space ",
];

/// An image with a directory of such names, and one with a link to each.
fn hostile(place: &Place) -> bool {
    if !require(&["mke2fs"]) {
        return false;
    }
    use std::os::unix::ffi::OsStrExt;
    for dir in ["tree", "tree/names", "tree/links"] {
        std::fs::create_dir(place.path(dir)).unwrap();
    }
    for (number, name) in NAMES.iter().enumerate() {
        let name = std::ffi::OsStr::from_bytes(name);
        std::fs::write(place.path("tree/names").join(name), b"x").unwrap();
        let link = place.path("tree/links").join(number.to_string());
        std::os::unix::fs::symlink(name, link).unwrap();
    }
    place.shell("mke2fs -q -t ext4 -L \"$(printf 'la\\033[1mbel')\" -d tree h.img 4m");
    place.path("h.img").exists()
}

/// Runs a line of shell on a terminal of its own and returns what came out of it.
fn on_terminal(place: &Place, line: &str) -> String {
    let mut command = place.program("script");
    command
        .env("TERM", "xterm")
        .args(["-qec", line, "/dev/null"]);
    let output = command.output().unwrap();
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn no_name_acts_on_a_terminal() {
    let place = Place::new();
    if !require(&["script"]) || !hostile(&place) {
        return;
    }
    for line in [
        "flr ls h.img:/names",
        "flr ls -l h.img:/names h.img:/links",
        "flr ls -R h.img",
        "flr ls -R --json h.img",
        "flr ls --hash md5 h.img:/names",
        "flr tree h.img",
        "flr tree --json h.img",
        "flr find h.img",
        "flr find --json h.img",
        "flr stat --json h.img:/names h.img:/links/0",
        "flr volumes h.img",
        "flr volumes --json h.img",
        "find tree/names -type f -printf '/names/%f\\0' | flr hash --from h.img --files-from0 -",
        "find tree/names -type f -printf '/names/%f\\0' | flr stat --from h.img --files-from0 -",
        "find tree/names -type f -printf '/nomes/%f\\0' | flr cat --from h.img --files-from0 -",
        "find tree/names -type f -printf '/names/%f/x\\0' | flr cat --from h.img --files-from0 -",
        "flr cp h.img all; flr cp --overwrite never h.img all; flr cp --json h.img all",
        "mkdir full && chmod 0 full; flr cp h.img \"$(printf 'a\\033[1mb')/c\"",
        "flr ls \"$(printf 'a\\033[1mb')\"; flr ls \"$(printf 'h.img:/a\\033[1mb')\"",
        "flr ls \"$(printf -- '--\\033[1mb')\"; flr \"$(printf 'a\\033[1mb')\"",
        "flr ls --json \"$(printf -- '--\\033[1mb')\"",
        "flr find --name \"$(printf 'a\\033[1m[')\" h.img; flr ls --tz \"$(printf '\\033')\" h.img",
        "flr mount h.img \"$(printf '/a\\033[1mb')\"; flr umount \"$(printf '/a\\033[1mb')\"",
    ] {
        let seen = on_terminal(&place, &format!("NO_COLOR=1; export NO_COLOR; {line}"));
        assert!(!seen.is_empty(), "{line}");
        let bad = seen.chars().find(|char| {
            (char.is_control() && !matches!(char, '\r' | '\n'))
                || matches!(char, '\u{202e}' | '\u{200b}')
        });
        assert_eq!(bad, None, "{line}: {seen:?}");
        // The terminal itself puts a return before each line break, and that is all there is.
        assert!(!seen.replace("\r\n", "").contains('\r'), "{line}: {seen:?}");
    }
}

#[test]
fn names_are_whole_with_nul() {
    let place = Place::new();
    if !hostile(&place) {
        return;
    }
    let output = place.flr(&["ls", "-0", "h.img:/names"]).output().unwrap();
    let mut found: Vec<_> = output.stdout.split(|byte| *byte == 0).collect();
    assert_eq!(found.pop(), Some(&b""[..]));
    let mut expected = NAMES.to_vec();
    expected.sort_unstable();
    assert_eq!(found, expected);
    // Addresses that programs take from programs lead back to every one of them.
    let said = place.shell("flr find -0 h.img:/names --type f | xargs -0 flr cat | wc -c");
    assert_eq!(said.quiet().trim(), NAMES.len().to_string());
    let copied = place.shell("flr cp h.img:/names . && diff -r names tree/names");
    assert_eq!(copied.quiet(), "");
}

#[test]
fn a_list_of_hashes_brings_every_name_back() {
    let place = Place::new();
    if !hostile(&place) {
        return;
    }
    let said = place.shell(
        "flr ls -R --hash sha256 h.img:/names > ours; (cd tree/names && sha256sum -- *) > theirs; \
         flr hash -q --check ours h.img:/names && flr hash -q --check theirs h.img:/names; \
         flr hash --check ours h.img:/names | grep -c OK",
    );
    assert_eq!(said.out.trim(), NAMES.len().to_string(), "{}", said.err);
    assert_eq!((said.code, said.err.as_str()), (0, ""));
}

#[test]
fn colours_only_where_they_help() {
    let place = Place::new();
    let coloured = "\x1b[1;34malice\x1b[0m";
    let always = place.run(&["ls", "--color", "always", "web01.img:/home"]);
    assert!(always.out.starts_with(coloured));
    let piped = place.run(&["ls", "web01.img:/home"]);
    assert!(piped.out.starts_with("alice\n"));
    let json = place.run(&["ls", "--json", "--color", "always", "web01.img:/home"]);
    assert!(!json.out.contains('\x1b'));
    if !require(&["script"]) {
        return;
    }
    let seen = on_terminal(&place, "flr ls web01.img:/home");
    assert!(seen.starts_with(coloured), "{seen:?}");
    for quiet in ["NO_COLOR=1 flr ls", "flr ls --color never"] {
        let seen = on_terminal(&place, &format!("{quiet} web01.img:/home"));
        assert!(seen.starts_with("alice\r\n"), "{seen:?}");
    }
}

#[test]
fn progress_is_for_who_waits_at_a_terminal() {
    let place = Place::new();
    let piped = place.run(&["cp", "web01.img::raw", "raw.img"]);
    assert_eq!((piped.code, piped.err.as_str()), (0, ""));
    if !require(&["script"]) {
        return;
    }
    // Over before anybody could wonder; nobody asked; one who asked for silence.
    for line in [
        "flr cp web01.img:/etc etc",
        "flr cp --no-progress web01.img::raw raw.img",
        "flr cp -q web01.img::raw raw.img",
    ] {
        assert_eq!(on_terminal(&place, line), "", "{line}");
    }
}

/// A link whose target cannot be read is told by every command that shows targets, not left out.
#[test]
fn a_link_without_a_target_is_told() {
    let place = Place::new();
    for args in [
        &["tree", "ext4-encrypt.img"][..],
        &["tree", "--json", "ext4-encrypt.img"],
        &["find", "--json", "--type", "l", "ext4-encrypt.img"],
        &["ls", "-R", "-l", "ext4-encrypt.img"],
        &["ls", "-R", "--json", "ext4-encrypt.img"],
    ] {
        let said = place.run(args);
        let all = format!("{}{}", said.out, said.err);
        assert_eq!(said.code, 3, "{args:?}: {all}");
        assert!(all.contains("ext4.encrypted"), "{args:?}: {all}");
    }
}
