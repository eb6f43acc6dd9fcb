//! Reading snapshots directly: the bytes of the image, nothing made, and few calls.

use crate::schema::check;
use crate::stage::{SNAPSHOT, Said, Stage, VOLUME};
use flr_tests::aws_fake::{Blocks, Call, Service, Snapshot};
use flr_tests::image::scratch;
use flr_tests::require::require;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

/// A disk of 20 GiB with one partition, an ext4 with 200 directories and a clean journal, made once for each
/// build folder.
fn large_disk() -> PathBuf {
    let path = scratch().join("large-ext4.img");
    if path.exists() {
        return path;
    }
    let folder = tempfile::tempdir_in(scratch()).unwrap();
    let (image, tree) = (folder.path().join("image"), folder.path().join("tree"));
    for dir in 0..200 {
        let dir = tree.join(format!("d{dir}"));
        std::fs::create_dir_all(&dir).unwrap();
        for file in 0..10 {
            std::fs::write(dir.join(format!("f{file}")), format!("{file}")).unwrap();
        }
    }
    std::fs::create_dir_all(tree.join("etc")).unwrap();
    std::fs::write(tree.join("etc/hosts"), "127.0.0.1 localhost\n").unwrap();
    let script = "truncate -s 20G image && \
        printf 'label: gpt\\nstart=2048, type=L, name=root\\n' | sfdisk -q image && \
        mke2fs -q -F -t ext4 -E offset=1048576 -d tree image $((20 * 1024 - 2))M";
    let mut command = Command::new("sh");
    let path_with_sbin = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap());
    command
        .args(["-c", script])
        .current_dir(folder.path())
        .env("PATH", path_with_sbin);
    assert!(command.status().unwrap().success());
    std::fs::rename(image, &path).unwrap();
    path
}

/// The same as a snapshot, of which every block was written: as a disk in use has it.
fn large(stage: &Stage) -> &'static str {
    let id = "snap-0aaaaaaaaaaaaa201";
    let stored = Blocks::from_file(&large_disk()).unwrap();
    let full = Blocks::from_fn(20 * 2048, move |index| {
        Some(stored.read(index).unwrap_or_else(|| vec![0; 512 << 10]))
    });
    stage.fake.state().add_snapshot(Snapshot::new(id, full));
    id
}

/// The most calls of which each began when the one before it had ended.
fn in_a_row(calls: &[Call]) -> usize {
    let times = calls
        .iter()
        .filter_map(|call| Some((call.outcome.as_ref()?.at, call.at)));
    let mut times: Vec<_> = times.collect();
    times.sort();
    let (mut count, mut last) = (0, Duration::ZERO);
    for (end, begin) in times {
        if begin >= last {
            (count, last) = (count + 1, end);
        }
    }
    count
}

fn assert_same(stage: &Stage, remote: &[&str], local: &[&str]) -> Said {
    let (said, local) = (stage.run(remote), stage.run(local));
    assert_eq!(said.code, local.code, "{remote:?}: {}", said.err);
    let name = |text: &str| {
        text.replace(SNAPSHOT, "IMAGE")
            .replace("web01.img", "IMAGE")
    };
    assert_eq!(name(&said.out), name(&local.out), "{remote:?}");
    said
}

#[test]
fn every_command_reads_what_the_image_has() {
    let stage = Stage::new();
    let remote = |path: &str| format!("{SNAPSHOT}{path}");
    let local = |path: &str| format!("web01.img{path}");
    for (args, path) in [
        (&["ls", "-l", "-R", "-a"][..], ":/etc"),
        (&["tree"], ":/home"),
        (&["cat"], ":/var/log/syslog"),
        (&["cat", "--range", "3-9"], ":/etc/fstab"),
        (&["hash"], ":/etc/fstab"),
        (
            &["hash", "--algo", "blake3"],
            "::part/6/bob/Documents/shared.txt",
        ),
        (&["find", "--json"], ":/srv"),
        (&["stat", "--json"], ":/etc/fstab"),
        (
            &["ls", "--json", "-R", "--hash", "sha256", "--xattrs"],
            ":/",
        ),
    ] {
        let (remote, local) = (remote(path), local(path));
        let with = |address| [args, &[address][..]].concat();
        assert_same(&stage, &with(&remote), &with(&local));
    }
    let said = stage.run(&["volumes", "--json", SNAPSHOT]).ended_with(0);
    let volumes: Vec<_> = said.out.lines().map(check).collect();
    assert_eq!(volumes[0]["size"], 20_u64 << 30);
    let said = stage
        .run(&["volumes", &format!("{VOLUME}@latest")])
        .ended_with(0);
    assert!(said.out.contains("Debian GNU/Linux 12"), "{}", said.out);
    stage.run(&["check", &remote("::part/3/")]).ended_with(0);
    let nothing = |code: i32, path: &str| {
        let said = stage.run(&["cat", &remote(path)]).ended_with(code);
        said.told(&[SNAPSHOT]);
    };
    nothing(4, ":/etc/hostnmae");
    nothing(4, "::part/9/");
    assert_eq!(stage.changes(), [""; 0]);
    assert!(
        !stage.path("state").exists(),
        "nothing was made, so nothing is written down"
    );
    stage.assert_others();
}

#[test]
fn copies_are_whole() {
    if !require(&["root", "diff"]) {
        return;
    }
    let stage = Stage::new();
    let from = format!("{SNAPSHOT}:/");
    let there = stage.run(&["cp", "-a", &from, "there"]);
    let here = stage.run(&["cp", "-a", "web01.img:/", "here"]);
    assert_eq!(there.code, here.code, "{}", there.err);
    let list = "find . -mindepth 1 -printf '%P %y %m %U %G %n %s %T@ %l\\n' | sort";
    let script = format!(
        "diff -r --no-dereference here there && \
         (cd here && {list}) > 1 && (cd there && {list}) > 2 && diff 1 2 && wc -l < 1"
    );
    let said = stage.shell(&script).ended_with(0);
    assert!(
        said.out.trim().parse::<usize>().unwrap() > 100,
        "{}",
        said.out
    );
    assert_eq!(stage.changes(), [""; 0]);
}

#[test]
fn the_first_small_file_of_20_gib_takes_a_few_calls() {
    if !require(&["mke2fs", "sfdisk"]) {
        return;
    }
    let stage = Stage::new();
    let id = large(&stage);
    stage.fake.set_latency(Duration::from_millis(50));
    let begun = Instant::now();
    let said = stage
        .run(&["cat", &format!("{id}:/etc/hosts")])
        .ended_with(0);
    let took = begun.elapsed();
    assert_eq!(said.out, "127.0.0.1 localhost\n");
    let calls = stage.fake.requests();
    let (got, lists) = (
        stage.fake.count("GetSnapshotBlock"),
        stage.fake.count("ListSnapshotBlocks"),
    );
    let row = in_a_row(&calls);
    println!(
        "{got} blocks, {lists} lists, {} calls, {row} in a row, {took:?}",
        calls.len()
    );
    assert!(got <= 16 && lists <= 8, "{got} blocks, {lists} lists");
    // At 50 ms each.
    assert!(row <= 30, "{row} calls one after the other");
    assert_eq!(stage.changes(), [""; 0]);
}

/// Takes away what a failed test leaves.
pub(crate) struct Mounted<'a>(pub(crate) &'a Stage);

impl Drop for Mounted<'_> {
    fn drop(&mut self) {
        // OK to ignore: it is not there any more.
        let _ = self.0.run(&["umount", "--lazy", "m"]);
    }
}

#[test]
fn a_mount_reads_as_it_goes() {
    if !require(&["root", "fuse", "mke2fs", "sfdisk"]) {
        return;
    }
    let stage = Stage::new();
    let id = large(&stage);
    std::fs::create_dir(stage.path("m")).unwrap();
    let _mounted = Mounted(&stage);
    let said = stage.run(&["mount", "--json", id, "m"]).ended_with(0);
    for line in said.out.lines() {
        check(line);
    }
    assert_eq!(
        std::fs::read_to_string(stage.path("m/etc/hosts")).unwrap(),
        "127.0.0.1 localhost\n"
    );
    // A directory that nobody has looked at.
    stage.fake.clear_requests();
    let names = std::fs::read_dir(stage.path("m/d150")).unwrap();
    assert_eq!(names.count(), 10);
    let ebs = |call: &Call| call.service == Service::Ebs;
    let calls: Vec<_> = stage.fake.requests().into_iter().filter(ebs).collect();
    println!("{} calls, {} in a row", calls.len(), in_a_row(&calls));
    assert!(calls.len() <= 3, "{calls:#?}");
    stage.run(&["umount", "m"]).ended_with(0);
    assert_eq!(stage.changes(), [""; 0]);
    assert!(std::fs::read_dir(stage.path("m")).unwrap().next().is_none());
}

#[test]
fn an_error_of_the_network_is_no_content() {
    use flr_tests::aws_fake::FakeFault;
    let stage = Stage::new();
    // Every block is broken, however often it is asked for.
    stage.fake.set_rule(|call| {
        let block = call.operation == "GetSnapshotBlock";
        block.then_some(FakeFault::FlippedByte(77))
    });
    let begun = Instant::now();
    let said = stage.run(&["cat", &format!("{SNAPSHOT}:/etc/hostname")]);
    let took = begun.elapsed();
    assert_eq!(said.out, "");
    println!("{took:?} {said:?}");
    assert_eq!(said.code, 5, "{}", said.err);
    assert!(took < Duration::from_secs(75), "{took:?}");
    stage.fake.clear_rule();
    let said = stage
        .run(&["cat", &format!("{SNAPSHOT}:/etc/hostname")])
        .ended_with(0);
    assert_eq!(said.out, "web01\n");
}
