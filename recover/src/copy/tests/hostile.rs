//! A thousand trees whose names and links want out, into destinations that have been prepared for them.

use super::*;
use std::os::unix::fs::symlink;
use std::sync::Arc;

const TREE_COUNT: u64 = 1000;

/// Numbers that are the same in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, max: u64) -> u64 {
        // xorshift64
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % max
    }

    fn of<T: Copy>(&mut self, list: &[T]) -> T {
        let at = self.below(u64::try_from(list.len()).unwrap());
        list[usize::try_from(at).unwrap()]
    }
}

const NAMES: [&str; 16] = [
    "a",
    "b",
    "c",
    "l",
    "..",
    ".",
    "",
    "/",
    "../x",
    "/etc",
    "a/b",
    "nul\0",
    "\u{202e}rtl",
    "a:b",
    "-rf",
    ".flr-0123456789abcdef-0.tmp",
];

fn grow(fs: &mut MemoryFs, numbers: &mut Numbers, outside: &Path) {
    let outside = outside.to_str().unwrap();
    let targets = [
        "..",
        "../..",
        "/",
        ".",
        "a",
        "l",
        "/proc/self/root",
        outside,
    ];
    let mut dirs = vec![ROOT];
    for _ in 0..12 {
        let dir = numbers.of(&dirs);
        let name = numbers.of(&NAMES);
        match numbers.below(5) {
            0 => dirs.push(fs.dir(dir, name)),
            1 => {
                fs.symlink(dir, name, numbers.of(&targets));
            }
            2 => {
                // Another name of a directory: a loop, if it is above.
                let other = numbers.of(&dirs);
                fs.enter(dir, name, other);
            }
            _ => {
                fs.file(dir, name, *b"secret");
            }
        }
    }
}

/// Links in the places where directories and files are to come.
fn prepare(top: &Path, numbers: &mut Numbers, outside: &Path) {
    for name in ["a", "b", "c", "l"] {
        match numbers.below(4) {
            0 => symlink(outside, top.join(name)).unwrap(),
            1 => symlink(outside.join("file"), top.join(name)).unwrap(),
            2 => {
                std::fs::create_dir(top.join(name)).unwrap();
                symlink(outside, top.join(name).join("a")).unwrap();
            }
            _ => {}
        }
    }
}

#[test]
fn a_thousand_hostile_trees_stay_inside() {
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("file"), "untouched").unwrap();
    let before = std::fs::metadata(outside.path())
        .unwrap()
        .modified()
        .unwrap();
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    let (mut done, mut failed) = (0, 0);
    for _ in 0..TREE_COUNT {
        let mut fs = MemoryFs::new();
        grow(&mut fs, &mut numbers, outside.path());
        let out = Out {
            // In memory, where there is such a place: these are thousands of directories.
            dir: tempfile::tempdir_in("/dev/shm")
                .or_else(|_| tempfile::tempdir())
                .unwrap(),
            ..Out::new()
        };
        prepare(out.dir.path(), &mut numbers, outside.path());
        let none: Arc<dyn Recorded> = Arc::new(NothingRecorded);
        let options = CopyOptions {
            overwrite: numbers.of(&[Overwrite::Never, Overwrite::IfChanged, Overwrite::Always]),
            backup: (numbers.below(2) == 0).then(|| ".old".into()),
            resume: (numbers.below(2) == 0).then_some(none),
            threads: std::num::NonZeroUsize::MIN,
            ..CopyOptions::restore()
        };
        let report = out.copy(&fs.view(), options);
        (done, failed) = (done + report.files, failed + report.failed);
        let temps = out.all().into_iter().filter(|name| name.contains(".flr-"));
        let own = temps.filter(|name| !name.contains(NAMES[15])).count();
        assert_eq!(own, 0);
    }
    assert!(done > 1000 && failed > 100, "{done} {failed}");
    assert_eq!(all_below(outside.path()), ["file"]);
    let after = std::fs::metadata(outside.path())
        .unwrap()
        .modified()
        .unwrap();
    assert_eq!(after, before);
    let text = std::fs::read_to_string(outside.path().join("file")).unwrap();
    assert_eq!(text, "untouched");
}
