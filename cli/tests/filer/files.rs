//! Files of a volume, where they are.

use crate::schema::check;
use crate::stage::Stage;
use flr_tests::ontap_fake::BelowSnapshot;

#[test]
fn a_volume_is_a_tree_of_files() {
    let stage = Stage::new();
    let said = stage
        .run(&["ls", "filer:vol1@nightly.0:/www"])
        .ended_with(0);
    assert_eq!(said.out, "empty\nindex.html\nlogs\nstart\n", "{}", said.err);
    for (point, content) in [("nightly.0", "two\n"), ("nightly.1", "one\n")] {
        for path in ["/www/index.html", "/www/start"] {
            let said = stage.run(&["cat", &format!("ontap:svm1/vol1@{point}:{path}")]);
            assert_eq!(said.ended_with(0).out, content, "{point} {path}");
        }
    }
    let said = stage.run(&["cp", "-a", "filer:vol1@nightly.0:/www", "."]);
    assert!([0, 3].contains(&said.code), "{said:?}");
    let there = stage.shell("cat www/index.html; readlink www/start; ls www; wc -c < www/empty");
    assert_eq!(
        there.out,
        "two\nindex.html\nempty\nindex.html\nlogs\nstart\n0\n"
    );
    let said = stage
        .run(&["--json", "ls", "-R", "filer:vol1@nightly.0:/"])
        .ended_with(0);
    let lines: Vec<_> = said.out.lines().map(check).collect();
    let index = lines
        .iter()
        .find(|line| line["path"] == "/www/index.html")
        .unwrap();
    assert_eq!(
        (&index["size"], &index["mode"]),
        (&4.into(), &"0644".into())
    );
    stage
        .run(&["cat", "filer:vol1@nightly.0:/www/nothing"])
        .ended_with(4);
    // A LUN is not read as a file.
    let said = stage.run(&["cat", "filer:vol1@nightly.0:/web"]);
    assert_ne!(said.code, 0);
    assert!(said.err.contains("it is a LUN"), "{}", said.err);
    stage.assert_clean();
    assert_eq!(
        stage.fake.count("CreateLun") + stage.fake.count("CloneFile"),
        0
    );
}

#[test]
fn a_disk_image_in_it_is_opened() {
    let stage = Stage::new();
    let at = "filer:vol1@nightly.0:/vm/web01.img//etc/fstab";
    let local = stage.locally(&["cat", "web01.img:/etc/fstab"]);
    assert_eq!(stage.run(&["cat", at]).ended_with(0).out, local);
    let said = stage
        .run(&["cost", "filer:vol1@nightly.0:/vm/web01.img"])
        .ended_with(0);
    assert!(said.out.contains("nothing is made"), "{}", said.out);
    stage.assert_clean();
}

#[test]
fn snapshots_rotate_under_it_and_the_right_file_is_read() {
    for operation in ["ListSnapshots", "StatFile", "ReadFile", "GetSnapshot"] {
        for nth in 1..4 {
            let stage = Stage::new();
            let mut count = 0;
            stage.fake.state().watch(move |call, state| {
                count += usize::from(call.operation == operation);
                if call.operation == operation && count == nth {
                    state.rotate("svm1", "vol1", "nightly", 9);
                }
            });
            let id = stage.fake.state().volume("svm1", "vol1").unwrap().snapshots[0]
                .uuid
                .clone();
            let said = stage.run(&["cat", &format!("filer:vol1@{id}:/www/index.html")]);
            assert_eq!(said.ended_with(0).out, "one\n", "{operation} {nth}");
        }
    }
}

#[test]
fn what_may_not_be_read_below_snapshot_is_told() {
    for (below, word) in [
        (
            BelowSnapshot::Refused,
            "cannot read files of svm1/vol1 below .snapshot",
        ),
        (
            BelowSnapshot::NotThere,
            "cannot read files of svm1/vol1 below .snapshot",
        ),
        (BelowSnapshot::DataRefused, "Permission denied"),
    ] {
        let stage = Stage::new();
        stage.fake.state().settings.below_snapshot = below;
        let said = stage.run(&["cat", "filer:vol1@nightly.0:/www/index.html"]);
        assert_ne!(said.code, 0, "{below:?}");
        assert_eq!(said.out, "", "{below:?}");
        assert!(said.err.contains(word), "{below:?}: {}", said.err);
        stage.assert_clean();
    }
}
