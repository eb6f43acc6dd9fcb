//! Names of one file that come from different addresses, against rsync.

use super::faithful::as_root;
use crate::place::Place;
use flr_tests::require::require;

/// One file with names in three folders, one with two names of which one is never asked for, and one whose
/// names are asked for themselves.
const BUILD: &str = r"
truncate -s 16M links.img; mkfs.ext4 -q -U 6e9a5a5e-0000-4000-8000-000000000001 links.img
mkdir m; mount -o loop links.img m; cd m
mkdir a b c; printf 1 > a/one; ln a/one b/one; ln a/one b/again; ln a/one c/deep
printf 2 > a/half; ln a/half half
printf 3 > single; ln single other
printf 4 > a/alone
cd ..; umount m
";

/// Names of the files with several, those of one file on a line.
const GROUPS: &str = r#"groups() { (cd "$1"; find . -type f -links +1 -printf '%i %P\n' | sort -k2 |
    awk '{ all[$1] = all[$1] " " $2 } END { for (i in all) print all[i] }' | sort); }
"#;

#[test]
fn names_in_different_addresses_stay_one_file_as_with_rsync() {
    if !require(&["root", "mount", "losetup", "rsync", "mkfs.ext4"]) {
        return;
    }
    let place = Place::new();
    let said = as_root(&place, BUILD);
    assert_eq!(said.code, 0, "{}", said.err);
    let said = as_root(
        &place,
        &format!(
            "{GROUPS} mount -o ro,loop links.img m; cd m
             rsync -aH a b c single other ../theirs/; cd ..; umount m; groups theirs"
        ),
    );
    assert_eq!(
        said.out, " a/one b/again b/one c/deep\n other single\n",
        "{}",
        said.err
    );
    let from = [
        "links.img:/a",
        "links.img:/b",
        // Another view of the same filesystem.
        "links.img::fs/6e9a5a5e-0000-4000-8000-000000000001/c",
        "links.img:/single",
        "links.img:/other",
    ];
    std::fs::write(
        place.path("jobs.json"),
        format!(
            r#"{{"version":1,"results":"results","job":[{{"from":{from:?},"to":"scripted"}}]}}"#
        ),
    )
    .unwrap();
    let named = |first: &[&'static str], last: &[&'static str]| [first, &from, last].concat();
    for (out, args) in [
        ("restored", named(&["restore"], &["--to", "restored"])),
        ("copied", named(&["cp", "-a"], &["copied"])),
        ("scripted", vec!["restore", "-f", "jobs.json"]),
    ] {
        std::fs::create_dir(place.path(out)).unwrap();
        let said = place.run(&args);
        assert_eq!(said.code, 0, "{args:?}: {}", said.err);
        let script = format!(
            "{GROUPS} rsync -aHn --checksum --delete --itemize-changes theirs/ {out}/; groups {out}; groups theirs >&2"
        );
        let found = place
            .program("bash")
            .args(["-c", &script])
            .output()
            .unwrap();
        let (ours, theirs) = (
            String::from_utf8_lossy(&found.stdout),
            String::from_utf8_lossy(&found.stderr),
        );
        assert_eq!(ours, theirs, "{out}");
        // Going on, nothing is copied, and a name that is gone is linked again.
        if out == "restored" {
            std::fs::remove_file(place.path("restored/c/deep")).unwrap();
            let said = place.run(&named(&["restore"], &["--to", "restored", "--resume"]));
            assert_eq!(said.code, 0, "{}", said.err);
            let groups = place.shell(&format!("{GROUPS} groups {out}"));
            assert_eq!(groups.out, theirs, "{}", groups.err);
        }
    }
}

#[test]
fn a_plan_counts_a_file_once_whatever_addresses_name_it() {
    if !require(&["root", "mount", "losetup", "mkfs.ext4"]) {
        return;
    }
    let place = Place::new();
    assert_eq!(as_root(&place, BUILD).code, 0);
    let from = ["links.img:/a", "links.img:/b", "links.img:/c"];
    for plan in [true, false] {
        let mut args = vec!["--json", "restore"];
        args.extend(from);
        args.extend(["--to", "out"]);
        if plan {
            args.push("-n");
        }
        let said = place.run(&args);
        let summary = crate::schema::check(said.out.lines().last().unwrap());
        let written = if plan { "bytes" } else { "bytes_written" };
        // One, half and alone have a byte each.
        assert_eq!(
            (&summary["files"], &summary[written]),
            (&6.into(), &3.into()),
            "{}",
            said.err
        );
    }
}
