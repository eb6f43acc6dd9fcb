//! Files of a volume, where they are.

use crate::schema::check;
use crate::stage::Stage;
use flr_tests::ontap_fake::Sizes;

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
fn a_volume_is_a_filesystem_without_a_disk() {
    let stage = Stage::new();
    let said = stage
        .run(&["volumes", "filer:vol1@nightly.0"])
        .ended_with(0);
    let lines: Vec<_> = said
        .out
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .collect();
    assert_eq!(lines.len(), 2, "{}", said.out);
    assert_eq!(
        lines[1],
        [
            "vol1",
            "filesystem",
            "100.00",
            "GiB",
            "ontap",
            "vol1",
            "-",
            "-"
        ]
    );
    assert!(
        said.err
            .contains("to list them: flr ls filer:vol1@nightly.0:/"),
        "{}",
        said.err
    );
    let said = stage
        .run(&["--json", "volumes", "filer:vol1@nightly.0"])
        .ended_with(0);
    let lines: Vec<_> = said.out.lines().map(check).collect();
    let volume = lines.iter().find(|line| line["message_type"] == "volume");
    let volume = volume.expect("a volume");
    assert_eq!(volume["size"], 100_u64 << 30);
    let address = volume["address"].as_str().unwrap();
    assert_eq!(address, "filer:vol1@nightly.0:/");
    let said = stage.run(&["ls", address]).ended_with(0);
    assert!(said.out.contains("www\n"), "{}", said.out);
    stage.assert_clean();
}

#[test]
fn the_point_that_is_read_is_told_by_its_name_and_time() {
    let stage = Stage::new();
    let id = stage.fake.state().volume("svm1", "vol1").unwrap().snapshots[1]
        .uuid
        .clone();
    for at in [
        "filer:vol1@latest:/www/index.html",
        "filer:vol1/web@latest:/etc/hostname",
    ] {
        let said = stage.run(&["cat", at]).ended_with(0);
        assert!(
            said.err.contains("reading nightly.0 of 2026-11-"),
            "{}",
            said.err
        );
        assert!(!said.err.contains(&id), "{}", said.err);
    }
    stage.assert_clean();
}

#[test]
fn a_size_that_a_listing_lacks_is_asked_for_and_never_taken_for_none() {
    let stage = Stage::new();
    stage.fake.state().settings.sizes = Sizes::NotListed;
    let said = stage
        .run(&["ls", "-l", "filer:vol1@nightly.0:/www"])
        .ended_with(0);
    let index = said.out.lines().find(|line| line.ends_with("index.html"));
    assert!(index.unwrap().contains(" 4 "), "{}", said.out);
    let said = stage.run(&["cp", "filer:vol1@nightly.0:/www/", "there"]);
    assert!([0, 3].contains(&said.code), "{said:?}");
    assert_eq!(stage.shell("cat there/index.html").out, "two\n");
    assert_eq!(stage.shell("wc -c < there/empty").out, "0\n");
    stage.fake.state().settings.sizes = Sizes::Untold;
    let said = stage.run(&["cat", "filer:vol1@nightly.0:/www/index.html"]);
    assert_ne!(said.code, 0);
    let said = said.told(&["does not say how large the file is"]);
    assert_eq!(said.out, "");
    let said = stage.run(&["cp", "filer:vol1@nightly.0:/www/", "nowhere"]);
    assert_ne!(said.code, 0);
    assert!(!stage.path("nowhere/index.html").exists(), "{said:?}");
    let said = stage.run(&["ls", "-l", "filer:vol1@nightly.0:/www"]);
    assert_ne!(said.code, 0, "{said:?}");
    stage.assert_clean();
}

#[test]
fn what_is_of_no_known_type_is_told_and_a_stream_is_not() {
    let stage = Stage::new();
    stage.fake.set_change(|call, answer| {
        if !["ListFiles", "StatFile"].contains(&call.operation.as_str()) {
            return;
        }
        let mut body: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
        let records = body["records"].as_array_mut();
        for record in records.into_iter().flatten() {
            let is = |name: &str| {
                let path = record["path"].as_str().unwrap_or_default();
                record["name"] == name || (record["name"] == "" && path.ends_with(name))
            };
            if is("start") {
                record["type"] = "junction".into();
            } else if is("empty") {
                record["type"] = "stream".into();
            }
        }
        answer.body = body.to_string().into_bytes();
    });
    let www = "filer:vol1@nightly.0:/www";
    let said = stage.run(&["ls", www]).ended_with(3);
    assert_eq!(said.out, "index.html\nlogs\n", "{}", said.err);
    let said = said.told(&["\"start\"", "\"junction\"", "(ontap.type)"]);
    assert!(!said.err.contains("empty"), "{}", said.err);
    let said = stage.run(&["cp", "-a", www, "."]);
    assert!(![0, 20].contains(&said.code), "{said:?}");
    assert!(said.err.contains("ontap.type"), "{said:?}");
    assert_eq!(stage.shell("cat www/index.html").out, "two\n");
    let said = stage.run(&["stat", &format!("{www}/start")]).ended_with(7);
    said.told(&["\"junction\""]);
    stage.run(&["stat", &format!("{www}/empty")]).ended_with(4);
    stage.assert_clean();
}

#[test]
fn an_owner_that_is_not_told_is_nobody_s() {
    let stage = Stage::new();
    stage.fake.state().settings.owners = false;
    let at = "filer:vol1@nightly.0:/www/index.html";
    let said = stage.run(&["ls", "-l", at]).ended_with(0);
    assert!(said.out.contains(" ? ? "), "{}", said.out);
    let said = stage.run(&["stat", at]).ended_with(0);
    assert!(said.out.contains("Uid: ?  Gid: ?"), "{}", said.out);
    let said = stage.run(&["--json", "stat", at]).ended_with(0);
    let node = said.out.lines().map(check).next().unwrap();
    assert_eq!(
        (&node["uid"], &node["gid"]),
        (&u32::MAX.into(), &u32::MAX.into())
    );
    if !flr_tests::require::require(&["root"]) {
        return;
    }
    // Neither rights of others nor root's ownership come of it.
    let mut state = stage.fake.state();
    let volume = state.volume_mut("svm1", "vol1").unwrap();
    let snapshot = volume.snapshot_mut("nightly.0").unwrap();
    snapshot.files.get_mut("www/index.html").unwrap().mode = 0o6755;
    drop(state);
    stage
        .shell("mkdir out && echo old > out/index.html && chown 1234:4321 out/index.html")
        .ended_with(0);
    let said = stage.run(&["cp", "-a", "--setid", "--overwrite", "always", at, "out/"]);
    assert!([0, 3].contains(&said.code), "{said:?}");
    let there = stage.shell("cat out/index.html; stat -c '%u:%g %a' out/index.html");
    assert_eq!(there.out, "two\n1234:4321 755\n");
    stage.assert_clean();
}
