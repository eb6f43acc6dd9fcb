//! Owners: names that cannot be read, and identifiers of NTFS.

use super::faithful::as_root;
use crate::owners::{list, users};
use crate::place::{Place, Said};
use flr_tests::image::image_path;
use flr_tests::require::require;

/// An image whose list of users cannot be read: its map is no map.
const BUILD: &str = r"
mkdir -p tree/etc tree/d; printf 'bob:x:1000:1000::/:/bin/sh\n' > tree/etc/passwd
printf 'bob:x:1000:\n' > tree/etc/group; printf a > tree/d/a; chown -R 1000:1000 tree/d
truncate -s 8M named.img; mke2fs -q -t ext4 -d tree named.img
cp named.img whole.img
debugfs -w -R 'sif /etc/passwd block[0] 0' named.img
";

const UNREADABLE: &str =
    "warning: owners go by number, because the image's /etc/passwd cannot be read: ";

#[test]
fn a_list_of_users_that_is_damaged_is_told_and_numbers_stay() {
    if !require(&["root", "mke2fs", "debugfs", "tar"]) {
        return;
    }
    let place = Place::new();
    let made = place.shell(BUILD);
    assert_eq!(made.code, 0, "{}", made.err);
    let told = |said: &Said| said.err.matches(UNREADABLE).count();
    let restored = |image: &str, to: &str, more: &[&str]| {
        let from = format!("{image}:/d");
        let said = place.run(&[&["restore", &from, "--to", to], more].concat());
        assert_eq!(said.code, 0, "{}", said.err);
        let owner = place.shell(&format!("stat -c %u:%g {to}/d/a")).quiet();
        (told(&said), owner)
    };
    assert_eq!(
        restored("named.img", "one", &[]),
        (1, "1000:1000\n".to_owned())
    );
    assert_eq!(restored("whole.img", "two", &[]).0, 0);
    // Where nobody asks for names, nothing is amiss.
    assert_eq!(restored("named.img", "three", &["--numeric"]).0, 0);
    assert_eq!(restored("named.img", "four", &["--owner", "none"]).0, 0);
    let said = place.run(&["-q", "restore", "named.img:/d", "--to", "five"]);
    assert_eq!((said.code, said.err.as_str()), (0, ""));

    let dumped = |image: &str, flags: &str| {
        let line = format!("flr {flags} dump {image}:/d > tar; echo $?; tar -tvf tar | head -1");
        let said = Said::of(&place.program("bash").args(["-c", &line]).output().unwrap());
        let owner = said.out.split_whitespace().nth(2).map(str::to_owned);
        (said, owner.unwrap())
    };
    let (said, owner) = dumped("named.img", "");
    assert_eq!(
        (told(&said), owner.as_str()),
        (1, "1000/bob"),
        "{}",
        said.err
    );
    assert!(said.out.starts_with("0\n"), "{}", said.out);
    let (said, owner) = dumped("whole.img", "");
    assert_eq!((said.err.as_str(), owner.as_str()), ("", "bob/bob"));
    let (said, _) = dumped("named.img", "-q");
    assert_eq!(said.err, "");
    let (said, _) = dumped("named.img", "--json");
    let lines: Vec<_> = said.err.lines().map(crate::schema::check).collect();
    assert_eq!(
        (&lines[0]["message_type"], &lines[0]["level"]),
        (&"status".into(), &"warning".into())
    );
    assert_eq!(lines.last().unwrap()["warnings"], 1);
    // Zip has no names of owners.
    let said = place.shell("flr dump --format zip named.img:/d > zip");
    assert_eq!((said.code, said.err.as_str()), (0, ""));
}

#[test]
fn a_table_of_identifiers_gives_the_owners_that_ntfs_3g_gives_by_it() {
    if !require(&["root", "fuse", "unshare", "ntfs-3g"]) {
        return;
    }
    let place = Place::new();
    let image = image_path("ntfs-security");
    std::os::unix::fs::symlink(&image, place.path("disk.img")).unwrap();
    std::fs::write(place.path("map"), users()).unwrap();
    // `uid:gid:SID` is what ntfs-3g reads, for users and groups at once; an empty field is none.
    let mut table = String::new();
    for line in users().lines().filter(|line| !line.starts_with('#')) {
        let fields: Vec<_> = line.split(':').collect();
        for (kind, number) in [("user", fields[0]), ("group", fields[1])] {
            if !number.is_empty() {
                table.push_str(&format!("{kind}:{}:{number}\n", fields[2]));
            }
        }
    }
    std::fs::write(place.path("table"), &table).unwrap();
    let said = place.run(&[
        "restore", "disk.img", "--to", "out", "--owner", "map", "--map", "table",
    ]);
    assert_eq!(said.code, 0, "{}", said.err);
    std::fs::create_dir(place.path("k")).unwrap();
    let script = format!(
        "ntfs-3g -o ro,usermapping=\"$PWD/map\" \"$(readlink -f disk.img)\" k; {}; umount k",
        list("k")
    );
    let theirs = as_root(&place, &script);
    // The descriptor of the root finds no room and is a file in it.
    let own = "/.flr-ntfs_acl 0 0\n";
    let ours = place.shell(&list("out")).quiet().replace(own, "");
    assert_eq!(ours, theirs.out, "{}", theirs.err);
    assert!(
        ours.contains("/owner-003 5003 7002\n") && ours.lines().count() > 300,
        "{ours}"
    );
    // One identifier, two owners.
    std::fs::write(place.path("table"), "user:S-1-5-18:1\nuser:S-1-5-18:2\n").unwrap();
    let said = place.run(&[
        "restore", "disk.img", "--to", "x", "--owner", "map", "--map", "table",
    ]);
    assert_eq!(said.code, 2, "{}", said.err);
    assert!(
        said.err.contains("said otherwise") && !place.path("x").exists(),
        "{}",
        said.err
    );
}
