//! Restores by manifest, what they write, and the scripts of the documentation.

use super::{lines, of_type};
use crate::place::Place;
use crate::schema::{check, misfits};
use flr_tests::require::require;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;

const MANIFEST: &str = "
version = 1
results = 'results'

[defaults]
to = 'out'
owner = 'none'

[[job]]
name = 'configuration'
from = ['web01.img:/etc', 'web01.img:/opt/app']
exclude = ['/sites-enabled/', '*.d']

[[job]]
name = 'home'
from = 'web01.img:/home/'
to = 'homes'
include = ['*.odt']
";

fn write(place: &Place, name: &str, text: &str) {
    std::fs::write(place.path(name), text).unwrap();
}

#[test]
fn a_manifest_leaves_a_result_and_sums_that_other_programs_check() {
    if !require(&["sha256sum"]) {
        return;
    }
    let place = Place::new();
    write(&place, "jobs.toml", MANIFEST);
    let said = place.run(&["restore", "-f", "jobs.toml", "--json"]);
    assert_eq!(said.code, 0, "{}", said.err);
    // The same lines as on standard output.
    let result = place.read("results/RESULT.jsonl");
    assert_eq!(result, said.out);
    let told: Vec<_> = result.lines().map(check).collect();
    let files = of_type(&told, "restored")
        .into_iter()
        .filter(|line| line["type"] == "file");
    let files: Vec<_> = files.collect();
    assert!(
        files.len() > 10 && files.iter().all(|line| line["verified"] == true),
        "{files:?}"
    );
    // Names in the sums lead to the files from anywhere.
    let sums = place.shell("cd / && sha256sum --strict -c \"$OLDPWD/results/SHA256SUMS\"");
    assert_eq!(sums.code, 0, "{}{}", sums.out, sums.err);
    assert_eq!(sums.out.lines().count(), files.len());
    assert!(!place.path("out/etc/cron.d").exists() && place.path("out/etc/nginx").exists());
    assert!(place.path("homes/bob/Documents").exists() && !place.path("homes/alice").exists());
    assert_eq!(place.names("results"), ["RESULT.jsonl", "SHA256SUMS"]);
}

#[test]
fn what_was_not_kept_is_in_the_result() {
    let place = Place::new();
    let text = "version = 1\n[[job]]\nfrom = 'ext4-nodes.img:/mode-4755'\nto = 'out'\n";
    write(&place, "jobs.toml", text);
    // Quiet is quiet; what is written down says it all the same.
    place.run(&["-q", "restore", "-f", "jobs.toml"]).quiet();
    let result = place.read("RESULT.jsonl");
    let told: Vec<_> = result.lines().map(check).collect();
    let remarks = of_type(&told, "status");
    assert!(
        remarks.iter().any(|line| line["code"] == "setid"),
        "{result}"
    );
    let said = place.run(&["--json", "restore", "-f", "jobs.toml"]);
    assert_eq!(said.code, 0, "{}", said.err);
    assert!(!said.out.contains("\"status\""), "{}", said.out);
}

#[test]
fn done_again_a_manifest_reads_what_is_there_and_changes_nothing() {
    let place = Place::new();
    write(&place, "jobs.toml", MANIFEST);
    let first = lines(&place, &["-f", "jobs.toml"], 0);
    let sums = |place: &Place| {
        let text = place.read("results/SHA256SUMS");
        text.lines().map(str::to_owned).collect::<BTreeSet<_>>()
    };
    let (before, files) = (sums(&place), first.last().unwrap()["files"].clone());
    let inodes = "find out homes ! -type d -printf '%i %p\\n' | sort";
    let listed = place.shell(inodes).out;
    let second = lines(&place, &["-f", "jobs.toml"], 0);
    let summary = second.last().unwrap();
    assert_eq!(
        (&summary["files"], &summary["verified"]),
        (&json!(0), &files),
        "{summary}"
    );
    assert_eq!(sums(&place), before);
    assert_eq!(place.shell(inodes).out, listed);
    // One bit of one file, with its time as it was.
    let spoil = "f=out/etc/hosts; t=$(stat -c %y $f); printf X | dd of=$f conv=notrunc status=none; \
        touch -d \"$t\" $f";
    assert_eq!(place.shell(spoil).code, 0);
    let third = lines(&place, &["-f", "jobs.toml"], 0);
    let restored = of_type(&third, "restored")
        .into_iter()
        .filter(|line| line["type"] == "file");
    let restored: Vec<_> = restored.map(|line| line["destination"].clone()).collect();
    assert_eq!(restored, ["out/etc/hosts"]);
    assert_eq!(sums(&place), before);
}

#[test]
fn a_job_that_fails_does_not_hold_up_the_others() {
    let place = Place::new();
    let text = MANIFEST.replace("'web01.img:/home/'", "'nope.img:/home/'");
    write(&place, "jobs.toml", &text);
    let told = lines(&place, &["-f", "jobs.toml"], 3);
    let errors = of_type(&told, "error");
    assert_eq!(
        (errors.len(), &errors[0]["address"]),
        (1, &json!("job home"))
    );
    assert_eq!(errors[0]["exit"], 10);
    let message = errors[0]["message"].as_str().unwrap();
    assert!(message.starts_with("job home: "), "{message}");
    assert!(place.path("out/etc/hosts").exists());
    let result = place.read("results/RESULT.jsonl");
    assert!(result.contains("job home"), "{result}");
    // All of one kind keep its code.
    let text = text.replace("web01.img", "nope.img");
    write(&place, "jobs.toml", &text);
    lines(&place, &["-f", "jobs.toml"], 10);
}

#[test]
fn the_schema_takes_what_the_command_takes() {
    let place = Place::new();
    let job = |more: Value| {
        let mut job = json!({"from": "web01.img:/etc/hosts", "to": "out"});
        let fields = more.as_object().unwrap().clone();
        job.as_object_mut().unwrap().extend(fields);
        json!({"version": 1, "job": [job]})
    };
    let all = json!({
        "name": "n", "from": ["web01.img:/etc/hosts"], "include": ["*"], "exclude": ["x"],
        "overwrite": "if-newer", "backup": ".b", "in_place": true, "owner": "keep", "numeric": true,
        "acl": "keep", "xattr": "none", "times": "keep", "devices": false, "setid": false,
        "verify": "disk", "salvage": true, "sparse": true,
    });
    let good = [
        job(json!({})),
        job(all),
        json!({"version": 1, "results": "r", "defaults": {"to": "out", "owner": "none"},
            "job": [{"from": "web01.img:/etc/hosts"}]}),
    ];
    let bad = [
        json!({"version": 2, "job": [{"from": "x", "to": "y"}]}),
        json!({"version": 1, "job": []}),
        json!({"version": 1}),
        json!({"job": [{"from": "x", "to": "y"}]}),
        json!({"version": 1, "more": 1, "job": [{"from": "x", "to": "y"}]}),
        json!({"version": 1, "defaults": {"from": "x"}, "job": [{"from": "x", "to": "y"}]}),
        job(json!({"overwrite": "perhaps"})),
        job(json!({"onwer": "keep"})),
        job(json!({"in_place": "yes"})),
        job(json!({"sha256": "123"})),
        job(json!({"verify": true})),
    ];
    for (document, fits) in good
        .iter()
        .map(|it| (it, true))
        .chain(bad.iter().map(|it| (it, false)))
    {
        write(&place, "m.json", &document.to_string());
        let said = place.run(&["restore", "-f", "m.json", "-n"]);
        assert_eq!(said.code == 0, fits, "{document}: {}", said.err);
        assert!(fits || said.code == 2, "{document}: {}", said.err);
        let wrong = misfits("manifest", document);
        assert_eq!(wrong.is_empty(), fits, "{document}: {wrong:?}");
    }
    assert!(!place.path("out").exists() && !place.path("RESULT.jsonl").exists());
}

#[test]
fn a_plan_makes_nothing_and_names_what_is_in_the_way() {
    let place = Place::new();
    std::fs::create_dir_all(place.path("out/etc/fstab")).unwrap();
    write(&place, "out/etc/hosts", "mine");
    let args = ["restore", "web01.img:/etc", "--to", "out", "-n"];
    let said = place.run(&args);
    assert_eq!(said.code, 0, "{}", said.err);
    assert!(
        said.out
            .contains("out/etc/hosts: is another one and would stay"),
        "{}",
        said.out
    );
    assert!(
        said.out.contains("out/etc/fstab: is in the way"),
        "{}",
        said.out
    );
    assert!(said.out.contains("2 conflicts"), "{}", said.out);
    let told = lines(
        &place,
        &[&args[1..], &["--overwrite", "always"]].concat(),
        0,
    );
    let summary = told.last().unwrap();
    assert_eq!(
        (&summary["replaced"], &summary["conflicts"]),
        (&json!(1), &json!(1))
    );
    assert!(summary["bytes"].as_u64().unwrap() > 0);
    assert_eq!(place.names("out/etc"), ["fstab", "hosts"]);
    assert!(!place.path("state").exists());
}

#[test]
fn a_plan_of_several_jobs_counts_each_by_itself_and_goes_on() {
    let place = Place::new();
    let job = |name: &str, from: &str| {
        format!("[[job]]\nname = '{name}'\nfrom = '{from}'\nto = '{name}'\n")
    };
    let text = format!(
        "version = 1\n{}{}{}",
        job("one", "web01.img:/etc/hosts"),
        job("gone", "nope.img:/etc"),
        job("two", "web01.img:/etc/fstab"),
    );
    write(&place, "jobs.toml", &text);
    let said = place.run(&["restore", "-f", "jobs.toml", "-n"]);
    assert_eq!(said.code, 3, "{}", said.err);
    let counts: Vec<_> = said
        .out
        .lines()
        .filter_map(|line| line.strip_prefix("job ")?.split(" (").next())
        .collect();
    let expected = ["one: to one: 1 files", "two: to two: 1 files"];
    assert_eq!(counts, expected, "{}", said.out);
    assert!(said.err.contains("nope.img"), "{}", said.err);
    let told = lines(&place, &["-f", "jobs.toml", "-n"], 3);
    assert_eq!(told.last().unwrap()["files"], 2);
    // All of one kind keep its code, as when it is done.
    write(&place, "jobs.toml", &text.replace("web01.img", "nope.img"));
    lines(&place, &["-f", "jobs.toml", "-n"], 10);
}

#[test]
fn names_from_a_list_and_paths_in_place() {
    let place = Place::new();
    let names = b"/etc/hosts\0/opt/app/current\0";
    std::fs::write(place.path("list"), names).unwrap();
    let args = [
        "--from",
        "web01.img",
        "--files-from0",
        "list",
        "restore",
        "--to",
        "out",
        "--in-place",
    ];
    let said = place.run(&args);
    assert_eq!(said.code, 0, "{}", said.err);
    let found = place.shell("cd out && find . ! -type d | sort");
    assert_eq!(found.out, "./etc/hosts\n./opt/app/current\n");
    // What was replaced has another name, and nothing is lost.
    write(&place, "out/etc/hosts", "mine");
    let more = ["--overwrite", "if-changed", "--backup", ".pre"];
    let said = place.run(&[&args[..], &more].concat());
    assert_eq!(said.code, 0, "{}", said.err);
    assert_eq!(place.read("out/etc/hosts.pre"), "mine");
    assert!(place.read("out/etc/hosts").contains("localhost"));
}

/// The first block of shell of a page, from this mark on.
fn script(page: &str, mark: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../docs")
        .join(page);
    let text = std::fs::read_to_string(path).unwrap();
    let from = text
        .find(mark)
        .unwrap_or_else(|| panic!("{page}: no {mark}"));
    let block = text[from..].split("```sh\n").nth(1).expect("a script");
    block.split("```").next().unwrap().to_owned()
}

#[test]
fn the_nightly_drill_of_the_cookbook_works_and_sees_what_is_wrong() {
    if !require(&["sha256sum"]) {
        return;
    }
    let place = Place::new();
    let drill = script("cookbook.md", "# The nightly restore drill")
        .replace(
            "aws:web-1@yesterday",
            place.path("web01.img").to_str().unwrap(),
        )
        .replace("/var/lib/drill", place.path("drill").to_str().unwrap());
    write(&place, "drill.sh", &drill);
    let said = place.shell("sh drill.sh");
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    assert!(said.out.contains("drill: ok, "), "{}", said.out);
    // It can be done again, and it leaves a result each time.
    let said = place.shell("sh drill.sh");
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    // With an image that has not what is asked for it fails aloud.
    write(
        &place,
        "drill.sh",
        &drill.replace("web01.img", "ext4-nodes.img"),
    );
    let said = place.shell("sh drill.sh");
    assert_ne!(said.code, 0);
    assert!(said.err.contains("drill: FAILED"), "{}", said.err);
}

#[test]
fn the_loop_of_the_scripting_page_goes_on_until_it_is_done() {
    let place = Place::new();
    let text = script("scripting.md", "# Scripting")
        .replace("aws:web-1@yesterday", "web01.img")
        .replace("/srv/restored", place.path("out").to_str().unwrap());
    write(&place, "loop.sh", &text);
    let said = place.shell("sh loop.sh");
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    assert!(place.path("out").exists());
}
