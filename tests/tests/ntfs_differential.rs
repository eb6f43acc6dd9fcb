//! NTFS volumes made on the spot, aged at random, and compared with what ntfs-3g shows of them.

use flr_fs::Volume;
use flr_recover::{OpenOptions, Point};
use flr_tests::fuzz::mutate::Random;
use flr_tests::image::{fixtures, scratch};
use flr_tests::require::require;
use flr_tests::{FileSource, Golden, Rules, compare};
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

/// What `mkntfs` is told.
const CONFIGS: &[&str] = &[
    "-s 512 -c 512",
    "-s 512 -c 1024",
    "-s 512 -c 4096",
    "-s 4096 -c 4096",
    "-s 512 -c 65536",
];

const SIZE: u64 = 48 << 20;
const STEP_COUNT: u32 = 220;

/// A shell script that ages the current folder.
fn script(seed: u64) -> String {
    let mut random = Random::new(seed);
    let (mut dirs, mut files) = (vec![".".to_owned()], vec!["./first".to_owned()]);
    let mut out = String::from(
        "echo first > first; mkdir c; setfattr -n system.ntfs_attrib_be -v 0x00000800 c\n",
    );
    dirs.push("./c".to_owned());
    for step in 0..STEP_COUNT {
        let dir = dirs[random.below(dirs.len())].clone();
        let name = format!("{dir}/n{step}-{}", "x".repeat(random.below(90)));
        let file = files[random.below(files.len())].clone();
        let (small, large) = (random.below(400), random.below(300_000));
        let line = match random.below(14) {
            0 | 1 => {
                dirs.push(name.clone());
                format!("mkdir {name}")
            }
            2..=4 => {
                files.push(name.clone());
                format!("yes {step} | head -c {small} > {name}")
            }
            5 | 6 => {
                files.push(name.clone());
                format!("yes {step}-large | head -c {large} > {name}")
            }
            // Growing two files by turns makes pieces.
            7 => format!(
                "for i in $(seq 40); do yes $i | head -c 4096 >> {file}; echo $i >> first; done"
            ),
            8 if !file.contains("/c/") => {
                format!(
                    "yes {step}-hole | dd of={file} conv=notrunc bs=1000 seek={small} count=3 status=none iflag=fullblock"
                )
            }
            9 => format!("ln -s {} {name}", "target/".repeat(1 + small / 10)),
            10 => {
                files.push(name.clone());
                format!("ln {file} {name}")
            }
            11 => format!(
                "yes {step} | head -c {} > '{file}:stream-{small}'",
                large % 20_000
            ),
            12 => format!("touch -d @{} {file}", large * 12_345),
            _ => format!("for i in $(seq {small}); do echo $i > {name}-$i; done; rm -f {name}-*3"),
        };
        writeln!(out, "{line}").expect("room");
    }
    out
}

/// Runs a shell script in a mount namespace of its own; the answer is its output.
fn run(script: &str) -> String {
    let mut child = Command::new("unshare")
        .args(["--mount", "sh", "-e"])
        .env("LC_ALL", "C.UTF-8")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("unshare");
    let mut input = child.stdin.take().expect("its input");
    input.write_all(script.as_bytes()).expect("a script");
    drop(input);
    let done = child.wait_with_output().expect("its output");
    assert!(done.status.success(), "{}", done.status);
    String::from_utf8(done.stdout).expect("text")
}

fn check(config: &str, seed: u64, dir: &Path) {
    let image = dir.join("image");
    let path = image.display();
    run(&format!(
        "rm -f {path}; truncate -s {SIZE} {path}; mkntfs -F -Q -q -T -p 0 -H 0 -S 0 {config} {path} > /dev/null
         ntfs-3g -o no_detach,streams_interface=windows,compression {path} /mnt & daemon=$!
         until mountpoint -q /mnt; do kill -0 $daemon; done
         cd /mnt\n{}\ncd /; umount /mnt; wait $daemon",
        script(seed)
    ));
    let oracle = fixtures().join("oracle");
    let tree = run(&format!("python3 {} ntfs-3g {path}", oracle.display()));
    let golden = Golden::parse(&tree);
    assert!(golden.nodes.len() > 100, "{} nodes", golden.nodes.len());
    let file = std::fs::File::open(&image).expect("the image");
    let disk = Volume::disk(Arc::new(FileSource::new(file)));
    let opened = Point::open(vec![disk], &OpenOptions::default())
        .guest()
        .expect(config);
    let told = compare(&opened.view, &golden, Rules::default());
    assert!(
        told.is_empty(),
        "{config}, seed {seed}:\n{}",
        told.join("\n")
    );
}

#[test]
fn aged_at_random_ntfs_3g_agrees() {
    if !require(&[
        "root", "fuse", "unshare", "mkntfs", "ntfs-3g", "setfattr", "python3",
    ]) {
        return;
    }
    let dir = tempfile::tempdir_in(scratch()).expect("a folder");
    for (seed, config) in (1..).zip(CONFIGS) {
        check(config, seed, dir.path());
    }
}
