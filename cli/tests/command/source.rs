//! `flr source`: the user's file is changed as text, whole or not at all.

use crate::place::{Place, Said};
use crate::schema::check;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

const FILE: &str = "config/flr/config.toml";

#[test]
fn the_file_keeps_its_mode_its_link_and_what_else_is_in_it() {
    let place = Place::new();
    std::fs::create_dir_all(place.path("config/flr")).unwrap();
    let text =
        "# remarks stay\nttl = \"1h\"   # here too\n\n[source.a]\ntype = \"aws\"\n# and here\n";
    std::fs::write(place.path("dotfile"), text).unwrap();
    let mode = std::fs::Permissions::from_mode(0o640);
    std::fs::set_permissions(place.path("dotfile"), mode).unwrap();
    std::os::unix::fs::symlink("../../dotfile", place.path(FILE)).unwrap();

    place
        .run(&[
            "source",
            "add",
            "b",
            "--type",
            "ecs",
            "--region",
            "cn-hangzhou",
        ])
        .quiet();
    let added = format!("{text}\n[source.b]\ntype = \"ecs\"\nregion = \"cn-hangzhou\"\n");
    assert_eq!(place.read("dotfile"), added);
    place.run(&["source", "rm", "a"]).quiet();
    let removed = added.replace("[source.a]\ntype = \"aws\"\n", "");
    assert_eq!(place.read("dotfile"), removed);
    place.run(&["source", "rm", "b"]).quiet();
    let metadata = place.path("dotfile").metadata().unwrap();
    assert_eq!(metadata.mode() & 0o7777, 0o640);
    assert!(place.path(FILE).symlink_metadata().unwrap().is_symlink());
    assert_eq!(place.names("config/flr"), ["config.toml"]);
}

#[test]
fn what_the_environment_says_is_not_written_down() {
    let place = Place::new();
    let mut add = place.flr(&[
        "source",
        "add",
        "prod",
        "--type",
        "aws",
        "--json",
        "--profile",
        "p",
    ]);
    add.env("FLR_REGION", "eu-west-1").env("FLR_PROFILE", "p");
    let said = Said::of(&add.output().unwrap()).quiet();
    let line = check(said.lines().next().unwrap());
    assert_eq!(
        (&line["source"], &line["action"]),
        (&"prod".into(), &"added".into())
    );
    assert_eq!(
        place.read(FILE),
        "[source.prod]\ntype = \"aws\"\nprofile = \"p\"\n"
    );
}

#[test]
fn two_at_once_both_get_in() {
    let place = Place::new();
    let names: Vec<_> = (0..12).map(|n| format!("prod-{n}")).collect();
    let spawn = |name: &String| {
        let mut add = place.flr(&["source", "add", name, "--type", "aws"]);
        add.stdout(std::process::Stdio::null()).spawn().unwrap()
    };
    let children: Vec<_> = names.iter().map(spawn).collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let listed = place.run(&["source", "ls", "--json"]).quiet();
    let lines: Vec<_> = listed.lines().map(check).collect();
    let mut found: Vec<_> = lines
        .iter()
        .filter_map(|line| line["source"].as_str())
        .collect();
    let mut names: Vec<_> = names.iter().map(String::as_str).collect();
    found.sort_unstable();
    names.sort_unstable();
    assert_eq!(found, names);
    assert_eq!(place.names("config/flr"), ["config.toml"]);
}

#[test]
fn what_a_killed_command_left_does_not_stand_in_the_way() {
    let place = Place::new();
    std::fs::create_dir_all(place.path("config/flr")).unwrap();
    std::fs::write(place.path("config/flr/.config.toml.flr-new"), "half of").unwrap();
    place
        .run(&["source", "add", "prod", "--type", "aws"])
        .quiet();
    assert_eq!(place.names("config/flr"), ["config.toml"]);
}

#[test]
fn a_file_that_cannot_be_changed_safely_is_left_as_it_is() {
    let place = Place::new();
    std::fs::create_dir_all(place.path("config/flr")).unwrap();
    for text in [
        "source.prod.type = \"aws\"\n",
        "source = { prod = { type = \"aws\" } }\n",
    ] {
        std::fs::write(place.path(FILE), text).unwrap();
        let said = place.run(&["source", "rm", "prod"]);
        assert_eq!((said.code, said.out.as_str()), (2, ""));
        assert!(said.err.contains("hint: edit "), "{}", said.err);
        let said = place.run(&["source", "add", "prod", "--type", "aws"]);
        assert_eq!(said.code, 2, "{}", said.err);
        assert_eq!(place.read(FILE), text);
    }
    let said = place.run(&["source", "add", "other", "--type", "aws"]);
    assert_eq!(
        said.code, 2,
        "a table cannot be added to an inline table: {}",
        said.err
    );
    assert!(place.read(FILE).starts_with("source = {"));
}

#[test]
fn a_folder_of_images_is_tested_by_looking() {
    let place = Place::new();
    let path = format!("path={}", place.name());
    place
        .run(&["source", "add", "here", "--type", "file", &path])
        .quiet();
    assert!(
        place
            .run(&["source", "test", "here"])
            .quiet()
            .contains("is there")
    );
    let said = place
        .run(&["source", "test", "here", "web01.img", "--json"])
        .quiet();
    let line = check(said.lines().next().unwrap());
    assert_eq!(
        line["size"],
        place.path("web01.img").metadata().unwrap().len()
    );
    let said = place.run(&["source", "test", "here", "nope.img"]);
    assert_eq!(said.code, 10, "{}", said.err);
    let other = format!("path={}", place.path("nope").display());
    place
        .run(&["source", "add", "there", "--type", "file", &other])
        .quiet();
    assert_eq!(place.run(&["source", "test", "there"]).code, 10);
}
