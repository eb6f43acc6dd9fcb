//! Filesystems made on the spot, filled at random, and compared with what the kernel shows of them.

use flr_fs::Volume;
use flr_recover::{OpenOptions, Point};
use flr_tests::image::{fixtures, scratch};
use flr_tests::require::require;
use flr_tests::{FileSource, Golden, Rules, compare};
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

/// What `mke2fs` is told.
const CONFIGS: &[&str] = &[
    "-t ext4 -b 4096",
    "-t ext4 -b 1024 -O inline_data -I 512",
    "-t ext4 -b 1024 -O ea_inode,large_dir,meta_bg,^resize_inode",
    "-t ext4 -b 4096 -O bigalloc -C 65536",
    "-t ext4 -b 2048 -I 128 -O ^64bit,^metadata_csum,uninit_bg,^flex_bg",
    "-t ext3 -b 1024",
    "-t ext2 -b 4096 -I 128",
];

const SIZE: u64 = 256 << 20;
const STEP_COUNT: u32 = 180;

/// Numbers that look random and are the same every time (splitmix64).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let end = u64::try_from(end).expect("a number");
        usize::try_from((mixed ^ (mixed >> 31)) % end).expect("a small number")
    }

    fn of<'a>(&mut self, all: &'a [String]) -> &'a str {
        &all[self.below(all.len())]
    }
}

/// A shell script that fills the current folder.
fn script(seed: u64) -> String {
    let mut numbers = Numbers(seed);
    let (mut dirs, mut files) = (vec![".".to_owned()], vec!["./first".to_owned()]);
    let mut out = String::from("echo first > first\n");
    for step in 0..STEP_COUNT {
        let name = format!(
            "{}/n{step}-{}",
            numbers.of(&dirs),
            "x".repeat(numbers.below(90))
        );
        let file = numbers.of(&files).to_owned();
        let (small, large) = (numbers.below(400), numbers.below(300_000));
        let line = match numbers.below(16) {
            0 | 1 => {
                dirs.push(name.clone());
                format!("mkdir {name}")
            }
            2..=4 => {
                files.push(name.clone());
                format!("yes {step} | head -c {small} > {name}")
            }
            5 => {
                files.push(name.clone());
                format!("yes {step}-large | head -c {large} > {name}")
            }
            // Growing two files by turns makes pieces.
            6 => format!(
                "for i in $(seq 9); do yes $i | head -c 4096 >> {file}; echo $i >> first; sync -f first; done"
            ),
            7 => format!(
                "yes {step}-hole | dd of={file} conv=notrunc bs=1000 seek={large} count=3 status=none iflag=fullblock"
            ),
            8 => format!("fallocate -o {small}000 -l {large} {file} 2> /dev/null || true"),
            9 => format!("ln -s {} {name}", "target/".repeat(1 + small / 10)),
            10 => {
                files.push(name.clone());
                format!("ln {file} {name}")
            }
            11 => format!("mknod {name} {}", ["p", "b 7 300", "c 1 3"][small % 3]),
            12 => format!(
                "setfattr -n user.a{small} -v $(yes {step} | tr -d '\\n' | head -c {}) {file} 2> /dev/null || true",
                1 + large % 1500
            ),
            13 => format!(
                "chmod {:o} {file}; chown {small}:{large} {file}; touch -d @{} {file}",
                small * 10 % 0o10000,
                large * 12_345
            ),
            14 => format!("truncate -s {} {file}", large / 3),
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
        .env("LC_ALL", "C")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
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
    let (path, mount) = (image.display(), dir.join("mount"));
    let mount = mount.display();
    run(&format!(
        "rm -f {path}; truncate -s {SIZE} {path}; mke2fs -q -F -N 8192 {config} {path}
         mkdir -p {mount}; mount -o loop {path} {mount}; cd {mount}\n{}\ncd /; umount {mount}",
        script(seed)
    ));
    let oracle = fixtures().join("oracle");
    let tree = run(&format!("python3 {} kernel {path}", oracle.display()));
    let mut golden = Golden::parse(&tree);
    // Once a file has been read by one name, the kernel takes what it holds in memory of unwritten
    // extents for data when it is asked by the next.
    for node in golden
        .nodes
        .values_mut()
        .filter(|node| node.nlink != Some(1))
    {
        node.data = None;
    }
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
fn filled_at_random_the_kernel_agrees() {
    if !require(&["root", "unshare", "mke2fs", "setfattr", "python3"]) {
        return;
    }
    let dir = tempfile::tempdir_in(scratch()).expect("a folder");
    for (seed, config) in (1..).zip(CONFIGS) {
        check(config, seed, dir.path());
    }
}
