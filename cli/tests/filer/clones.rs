//! Files of a volume through clones of them, where the cluster hands out nothing below `.snapshot`.

use crate::schema::check;
use crate::stage::Stage;
use flr_tests::ontap_fake::{Access, BelowSnapshot, Config, FakeFault, User, When};
use std::process::Stdio;
use std::time::{Duration, Instant};

/// Whether bytes are refused, or everything.
const BOTH: [BelowSnapshot; 2] = [BelowSnapshot::DataRefused, BelowSnapshot::Refused];
const INDEX: &str = "filer:vol1@nightly.0:/www/index.html";

fn stage(below: BelowSnapshot) -> Stage {
    let stage = Stage::new();
    stage.fake.state().settings.below_snapshot = below;
    stage
}

#[test]
fn one_file_that_is_named_is_read_and_copied_and_nothing_is_left() {
    for below in BOTH {
        let stage = stage(below);
        let said = stage.run(&["cat", INDEX]).ended_with(0);
        assert_eq!(said.out, "two\n", "{below:?}");
        let words = "clone of it";
        assert!(said.err.contains(words), "{below:?}: {}", said.err);
        stage.assert_clean();
        stage.run(&["cp", "-a", INDEX, "here"]).ended_with(0);
        assert_eq!(stage.shell("cat here").out, "two\n", "{below:?}");
        let said = stage.run(&["--json", "stat", INDEX]).ended_with(0);
        let node = said.out.lines().map(check).next().unwrap();
        assert_eq!((&node["size"], &node["mode"]), (&4.into(), &"0644".into()));
        let said = stage.run(&["ls", INDEX]).ended_with(0);
        assert!(said.out.contains("index.html"), "{}", said.out);
        let said = stage
            .run(&["cat", "filer:vol1@nightly.0:/www/empty"])
            .ended_with(0);
        assert_eq!(said.out, "");
        stage
            .run(&["cat", "filer:vol1@nightly.0:/www/nothing"])
            .ended_with(4);
        stage.assert_clean();
    }
}

#[test]
fn a_disk_image_in_it_is_opened() {
    for below in BOTH {
        let stage = stage(below);
        let at = "filer:vol1@nightly.0:/vm/web01.img//etc/fstab";
        let local = stage.locally(&["cat", "web01.img:/etc/fstab"]);
        assert_eq!(
            stage.run(&["cat", at]).ended_with(0).out,
            local,
            "{below:?}"
        );
        assert_eq!(stage.fake.count("CloneFile"), 1, "{below:?}");
        stage.assert_clean();
    }
}

#[test]
fn what_cannot_be_listed_is_no_empty_directory() {
    let stage = stage(BelowSnapshot::Refused);
    for args in [
        ["ls", "filer:vol1@nightly.0:/www"],
        ["ls", "filer:vol1@nightly.0:/"],
    ] {
        let said = stage.run(&args);
        assert_eq!(
            (said.code, said.out.as_str()),
            (7, ""),
            "{args:?}: {}",
            said.err
        );
        said.told(&[
            "lists nothing below .snapshot",
            "name a file by its whole path",
        ]);
    }
    let said = stage.run(&["cp", "filer:vol1@nightly.0:/www", "out"]);
    assert_ne!(said.code, 0);
    stage.assert_clean();
    assert_eq!(stage.fake.count("CloneFile"), 0);
}

#[test]
fn a_link_of_now_leads_nowhere_then() {
    let stage = stage(BelowSnapshot::Refused);
    stage
        .run(&["cat", "filer:vol1@nightly.0:/www/start"])
        .ended_with(7)
        .told(&["it is a link now"]);
    stage.assert_clean();
}

#[test]
fn direct_access_makes_nothing() {
    for below in BOTH {
        let stage = stage(below);
        let said = stage
            .run(&["cat", "--access", "direct", INDEX])
            .ended_with(7);
        let said = said.told(&["--access clone"]);
        assert_eq!(said.out, "");
        // Nor does a look at what it would cost.
        let exit = if below == BelowSnapshot::Refused {
            7
        } else {
            0
        };
        stage.run(&["cost", INDEX]).ended_with(exit);
        assert_eq!(stage.fake.count("CloneFile"), 0, "{below:?}");
        stage.assert_clean();
    }
    let stage = stage(BelowSnapshot::Allowed);
    let said = stage
        .run(&["cat", "--access", "clone", INDEX])
        .ended_with(0);
    assert_eq!(said.out, "two\n");
    assert_eq!(stage.fake.count("CloneFile"), 1);
    stage.assert_clean();
}

#[test]
fn volumes_that_take_no_clones_say_so() {
    for below in BOTH {
        let stage = stage(below);
        let mut state = stage.fake.state();
        state.volume_mut("svm1", "vol1").unwrap().flexgroup = true;
        drop(state);
        let said = stage.run(&["--json", "cat", INDEX]).ended_with(7);
        let told = format!("{}{}", said.out, said.err);
        assert!(told.contains("FlexGroup"), "{below:?}: {told}");
        let has_code = told.contains("\"ontap.flexgroup\"");
        assert_eq!(has_code, below == BelowSnapshot::DataRefused, "{told}");
        stage
            .run(&["cat", "--access", "clone", INDEX])
            .ended_with(7)
            .told(&["FlexGroup"]);
        stage.assert_clean();
    }
}

#[test]
fn what_is_kept_is_kept_until_it_is_closed() {
    for below in BOTH {
        let stage = stage(below);
        let said = stage
            .run(&["cat", "--keep", "--ttl", "2h", INDEX])
            .ended_with(0);
        assert_eq!(said.out, "two\n");
        assert!(said.err.contains("kept "), "{}", said.err);
        assert_eq!(stage.fake.state().leftovers().len(), 1);
        let said = stage.run(&["session", "ls"]).ended_with(0);
        let session = said.out[..32].to_owned();
        assert!(said.out.contains("kept"), "{}", said.out);
        assert!(stage.run(&["gc"]).ended_with(0).out.contains("kept "));
        stage
            .run(&["session", "extend", &session, "--ttl", "5h"])
            .ended_with(0);
        stage.run(&["session", "close", &session]).ended_with(0);
        stage.assert_clean();
    }
}

#[test]
fn a_command_that_is_killed_is_cleaned_up_after() {
    for below in BOTH {
        let stage = stage(below);
        stage.fake.set_rule(|call| {
            let it = call.operation == "ReadFile" && call.nth == 2;
            it.then_some(FakeFault::NoAnswer(When::BeforeEffect))
        });
        let at = "filer:vol1@nightly.0:/vm/web01.img//etc/fstab";
        let mut command = stage.flr(&["cat", at]);
        let mut child = command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let start = Instant::now();
        while stage.fake.count("ReadFile") < 2 {
            assert!(start.elapsed() < Duration::from_secs(60), "not in time");
            std::thread::sleep(Duration::from_millis(2));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        stage.fake.clear_rule();
        assert_eq!(stage.fake.state().leftovers().len(), 1, "{below:?}");
        let said = stage.run(&["--json", "gc"]).ended_with(0);
        said.out.lines().for_each(|line| drop(check(line)));
        stage.assert_clean();
    }
}

#[test]
fn the_role_that_is_printed_is_enough() {
    let stage = Stage::new();
    let said = stage
        .run(&["--json", "policy", "ontap", "--file-clones"])
        .ended_with(0);
    let rights = said.out.lines().map(check).next().unwrap()["policy"]["rights"].clone();
    let mut user = User::new("flr", "netapp1!secret").with_access("/api", Access::None);
    for right in rights.as_array().unwrap() {
        let access = match right["access"].as_str().unwrap() {
            "all" => Access::All,
            _ => Access::ReadOnly,
        };
        user = user.with_access(right["api"].as_str().unwrap(), access);
    }
    let stage = Stage::with(Config {
        users: vec![user],
        ..Config::default()
    });
    for below in BOTH {
        stage.fake.state().settings.below_snapshot = below;
        assert_eq!(stage.run(&["cat", INDEX]).ended_with(0).out, "two\n");
    }
    stage.assert_clean();
}
