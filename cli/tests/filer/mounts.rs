//! Files of a volume, mounted.

use crate::stage::Stage;
use flr_tests::ontap_fake::BelowSnapshot;
use flr_tests::require::require;

/// Takes away what a failed test leaves.
struct Mounted(Stage);

impl Mounted {
    fn new() -> Option<Self> {
        if !require(&["root", "fuse"]) {
            return None;
        }
        let stage = Stage::new();
        std::fs::create_dir(stage.path("m")).unwrap();
        std::fs::create_dir(stage.path("run")).unwrap();
        Some(Self(stage))
    }

    fn run(&self, args: &[&str]) -> (i32, String) {
        let mut command = self.0.flr(args);
        let output = command
            .env("XDG_RUNTIME_DIR", self.0.path("run"))
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code().unwrap_or(-1), text)
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = self.run(&["umount", "--lazy", "m"]);
    }
}

#[test]
fn a_volume_and_a_directory_of_it_are_mounted() {
    let Some(mounted) = Mounted::new() else {
        return;
    };
    let stage = &mounted.0;
    for (address, index) in [
        ("ontap:svm1/vol1@nightly.0", "m/www/index.html"),
        ("filer:vol1@nightly.1:/www", "m/index.html"),
    ] {
        let (code, said) = mounted.run(&["mount", address, "m"]);
        assert_eq!(code, 0, "{address}: {said}");
        let content = if address.contains("nightly.0") {
            "two\n"
        } else {
            "one\n"
        };
        let read = std::fs::read_to_string(stage.path(index)).unwrap();
        assert_eq!(read, content, "{address}");
        let names = stage.shell("ls $(dirname $(find m -name index.html))");
        assert_eq!(names.out, "empty\nindex.html\nlogs\nstart\n", "{address}");
        let (code, said) = mounted.run(&["umount", "m"]);
        assert_eq!(code, 0, "{address}: {said}");
    }
    stage.assert_clean();
    assert_eq!(stage.fake.count("CloneFile"), 0);
}

#[test]
fn bytes_come_through_clones_that_end_with_the_mount() {
    let Some(mounted) = Mounted::new() else {
        return;
    };
    let stage = &mounted.0;
    stage.fake.state().settings.below_snapshot = BelowSnapshot::DataRefused;
    stage.fake.state().settings.owners = false;
    let (code, said) = mounted.run(&["mount", "filer:vol1@nightly.0", "m"]);
    assert_eq!(code, 0, "{said}");
    assert_eq!(
        std::fs::read_to_string(stage.path("m/www/index.html")).unwrap(),
        "two\n"
    );
    let sums = stage.shell("cmp -n 3000000 m/vm/web01.img web01.img && stat -c %u:%g m/www");
    assert_eq!(
        (sums.code, sums.out.as_str()),
        (0, "65534:65534\n"),
        "{}",
        sums.err
    );
    assert_eq!(stage.fake.state().leftovers().len(), 2);
    let (code, said) = mounted.run(&["umount", "m"]);
    assert_eq!(code, 0, "{said}");
    stage.assert_clean();
}
