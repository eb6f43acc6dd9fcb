//! The stand-in for ONTAP, driven by the vendor's client: other people's code says whether it is like the
//! real one.

use flr_tests::ontap_fake::{
    Access, Approval, Authority, BelowSnapshot, Config, Content, Fake, FakeFault, Space, User,
    Version, VolumeType, When,
};
use flr_tests::servers::{python, python_with};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;
use tempfile::TempDir;

const SCRIPT: &str = include_str!("../python/drive_ontap_fake.py");
const HOUR: Duration = Duration::from_secs(3600);

/// Whether the Python of the test command has the vendor's client.
fn has_client() -> bool {
    const LOOK: &str = "import importlib.util; print(importlib.util.find_spec('netapp_ontap'))";
    let Some(output) = python(LOOK) else {
        return false;
    };
    let is_there = output.stdout.starts_with(b"ModuleSpec");
    assert!(
        is_there || std::env::var_os("CI").is_none(),
        "this test needs netapp-ontap, which CI has to have: scripts/test-servers"
    );
    if !is_there {
        println!("skipped: this test needs netapp-ontap (scripts/test-servers gets it)");
    }
    is_there
}

struct Bench {
    fake: Fake,
    folder: TempDir,
}

impl Bench {
    fn new() -> Self {
        Self::with(Config::default())
    }

    fn with(config: Config) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let fake = Fake::start(config);
        let bench = Self { fake, folder };
        bench.fill();
        bench
    }

    fn image(&self) -> PathBuf {
        self.folder.path().join("image")
    }

    #[expect(clippy::disallowed_methods, reason = "an image that the test makes up")]
    fn fill(&self) {
        let lines = (0..130_000).map(|number| format!("line {number} of a LUN\n"));
        std::fs::write(self.image(), lines.collect::<String>()).expect("an image");
        let image = Content::from_file(&self.image()).expect("an image");
        let all_bytes: Vec<u8> = (0..4).flat_map(|_| 0..=255).collect();
        let mut state = self.fake.state();
        let now = state.now();
        let files = &mut state.add_volume("svm1", "vol1").files;
        files.add("vm/disk.vmdk", Content::from_bytes("vmdk before"), now);
        files.add("vm/a b+c.txt", Content::from_bytes("odd"), now);
        files.add_symlink("vm/link", "disk.vmdk", now);
        state.add_lun("svm1", "vol1", "lun0", image.clone());
        state.add_lun("svm1", "vol1", "binary", Content::from_bytes(all_bytes));
        state.take_snapshot("svm1", "vol1", "nightly.1");
        let latest = state.take_snapshot("svm1", "vol1", "nightly.0");
        latest.snapmirror_label = Some("daily".to_owned());
        latest.expires = Some(now + 1);
        let live = Content::from_bytes("LIVELIVE").with_len(image.len());
        state
            .lun_mut("svm1", "vol1", "lun0")
            .expect("a LUN")
            .content = live;
        let files = &mut state.volume_mut("svm1", "vol1").expect("a volume").files;
        files.add("vm/disk.vmdk", Content::from_bytes("vmdk after!"), now);
        state.add_volume("svm1", "many");
        for number in 0..23 {
            let path = format!("many_{number:02}");
            state.add_lun(
                "svm1",
                "many",
                &path,
                Content::from_bytes("x").with_len(512),
            );
        }
        state.add_volume("svm1", "mirror");
        state.add_lun("svm1", "mirror", "lun0", image);
        state.take_snapshot("svm1", "mirror", "nightly.0");
        let mirror = state.volume_mut("svm1", "mirror").expect("a volume");
        mirror.kind = VolumeType::Dp;
        let empty = state.add_volume("svm1", "empty_mirror");
        empty.kind = VolumeType::Dp;
        empty.initialised = false;
        state.add_volume("svm1", "group").flexgroup = true;
        state.add_volume("svm2", "other");
    }

    /// Runs a part of the script, which has to end well; whether it ran.
    fn drive(&self, part: &str) -> bool {
        self.drive_as(part, &[])
    }

    fn drive_as(&self, part: &str, more: &[(&str, &str)]) -> bool {
        if !has_client() {
            return false;
        }
        let (url, image) = (self.fake.url(), self.image());
        let user = &self.fake.config().users[0];
        let mut variables = vec![
            ("FAKE_URL", url.as_str()),
            ("FAKE_USER", &user.name),
            ("FAKE_PASSWORD", user.password.as_deref().unwrap_or("")),
            ("FAKE_TOKEN", user.token.as_deref().unwrap_or("")),
            // These would go before the authority that the script says.
            ("REQUESTS_CA_BUNDLE", ""),
            ("CURL_CA_BUNDLE", ""),
        ];
        variables.extend_from_slice(more);
        let image = image.to_str().expect("a path");
        python_with(SCRIPT, &[part, image], &variables).is_some()
    }

    /// What was forbidden, by operation.
    fn violations(&self) -> BTreeSet<String> {
        let all = self.fake.state().take_violations();
        let operation = |text: &String| text.split(':').next().expect("a word").to_owned();
        all.iter().map(operation).collect()
    }

    /// Nothing forbidden was done, and nothing is left.
    fn is_clean(&self) {
        assert_eq!(self.violations(), BTreeSet::new());
        assert_eq!(self.fake.state().leftovers(), Vec::<String>::new());
    }
}

#[test]
fn a_cluster_says_what_it_has() {
    let bench = Bench::new();
    bench.drive("cluster");
    bench.drive("volumes");
    bench.drive("snapshots");
    bench.drive("paging");
    bench.fake.state().settings.page_max = Some(4);
    bench.drive("paging");
    bench.is_clean();
}

#[test]
fn a_lun_of_a_snapshot_is_cloned_read_and_deleted() {
    let bench = Bench::new();
    if bench.drive("luns") {
        assert_eq!(bench.fake.count("CreateLun"), 2);
        assert_eq!(bench.fake.count("DeleteLun"), 2);
    }
    bench.is_clean();
}

#[test]
fn what_is_wrong_with_a_clone_is_said() {
    let bench = Bench::new();
    if bench.drive("lun_errors") {
        // The one that is too long, and the name that is no path.
        let expected = ["CreateLun", "ReadLun"].map(str::to_owned);
        assert_eq!(bench.violations(), BTreeSet::from(expected));
    }
    bench.is_clean();
}

#[test]
fn luns_may_be_made_by_jobs() {
    let bench = Bench::new();
    bench.fake.state().settings.luns_by_jobs = true;
    bench.drive("lun_jobs");
    bench.is_clean();
}

#[test]
fn a_clone_may_lack_space() {
    let bench = Bench::new();
    {
        let mut state = bench.fake.state();
        let volume = state.volume_mut("svm1", "vol1").expect("a volume");
        volume.space = Space::ForBrokenClones;
    }
    bench.drive("full");
    bench.is_clean();
}

#[test]
fn files_are_listed_and_read() {
    let bench = Bench::new();
    if bench.drive("files") {
        assert_eq!(bench.violations(), BTreeSet::from(["ReadFile".to_owned()]));
    }
    bench.is_clean();
}

#[test]
fn files_are_cloned_where_they_cannot_be_read() {
    let bench = Bench::new();
    bench.fake.state().settings.below_snapshot = BelowSnapshot::DataRefused;
    // By jobs, which releases answer with 202, and at once.
    for by_jobs in [true, false] {
        bench.fake.state().settings.file_clones_by_jobs = by_jobs;
        bench.drive("file_clones");
    }
    {
        let settings = &mut bench.fake.state().settings;
        settings.needs_approval.insert("CloneFile".to_owned());
        settings.approval = Approval::Refused;
    }
    bench.drive("file_clone_approvals");
    bench.is_clean();
}

#[test]
fn a_flexclone_volume_lives_and_ends() {
    let bench = Bench::new();
    if bench.drive("flexclones") {
        let expected = BTreeSet::from(["DeleteSnapshot".to_owned()]);
        assert_eq!(bench.violations(), expected);
    }
    bench.is_clean();
}

#[test]
fn without_force_a_volume_can_be_had_back() {
    let bench = Bench::new();
    if bench.drive("recovery_queue") {
        let expected = ["DeleteSnapshot", "DeleteVolume"].map(str::to_owned);
        assert_eq!(bench.violations(), BTreeSet::from(expected));
    }
    bench.is_clean();
}

#[test]
fn jobs_end_and_are_forgotten() {
    let bench = Bench::new();
    bench.fake.freeze();
    {
        let settings = &mut bench.fake.state().settings;
        settings.luns_by_jobs = true;
        settings.job_time = HOUR;
    }
    bench.drive("jobs");
    bench.is_clean();
}

#[test]
fn jobs_may_fail_and_callers_may_wait() {
    let bench = Bench::new();
    bench.fake.state().settings.luns_by_jobs = true;
    bench.fake.state().settings.jobs_that_fail = 1;
    bench.drive("jobs_that_fail");
    bench.fake.state().settings.jobs_that_fail = 0;
    bench.drive("waited");
    bench.is_clean();
}

#[test]
fn who_may_do_what_is_said_by_roles() {
    let mut config = Config::default();
    let reader = User::new("reader", "reads")
        .with_access("/api", Access::ReadOnly)
        .with_access("/api/storage/volumes/*/snapshots", Access::None);
    let mut of_svm2 = User::new("of_svm2", "reads");
    of_svm2.svm = Some("svm2".to_owned());
    config.users.extend([reader, of_svm2]);
    let bench = Bench::with(config);
    bench.drive("roles");
    bench.is_clean();
}

#[test]
fn others_may_have_to_agree() {
    let bench = Bench::new();
    {
        let settings = &mut bench.fake.state().settings;
        settings.needs_approval.insert("DeleteLun".to_owned());
        settings.approval = Approval::Accepted;
    }
    if bench.drive("approvals") {
        assert_eq!(bench.fake.state().pending_approvals(), 1);
        assert_eq!(bench.fake.state().leftovers().len(), 1);
        bench.fake.state().approve_all();
        bench.drive("approved");
    }
    bench.is_clean();
}

#[test]
fn what_is_forbidden_is_noted() {
    let bench = Bench::new();
    if bench.drive("san") {
        let expected = ["CreateIgroup", "CreateLunMap"].map(str::to_owned);
        assert_eq!(bench.violations(), BTreeSet::from(expected));
    }
    if bench.drive("written") {
        let expected = ["PatchLun", "WriteLun"].map(str::to_owned);
        assert_eq!(bench.violations(), BTreeSet::from(expected));
    }
    bench.is_clean();
}

#[test]
#[expect(clippy::disallowed_methods, reason = "certificates that are made here")]
fn callers_are_known_by_certificates() {
    let authority = Authority::new();
    let (known, unknown) = (authority.client("cert"), authority.client("nobody"));
    let mut user = User::new("cert", "");
    user.password = None;
    user.certificate = Some(known.der.clone());
    let mut config = Config {
        tls: Some(authority.clone()),
        ..Config::default()
    };
    config.users.push(user);
    let bench = Bench::with(config);
    let place = |name: &str, text: &str| {
        let path = bench.folder.path().join(name);
        std::fs::write(&path, text).expect("a file");
        path.to_str().expect("a path").to_owned()
    };
    let variables = [
        ("FAKE_CA", place("ca.pem", authority.pem())),
        ("FAKE_CERT", place("cert.pem", &known.pem)),
        ("FAKE_KEY", place("cert.key", &known.key)),
        ("FAKE_OTHER_CERT", place("other.pem", &unknown.pem)),
        ("FAKE_OTHER_KEY", place("other.key", &unknown.key)),
    ];
    let variables = variables
        .each_ref()
        .map(|(name, value)| (*name, value.as_str()));
    bench.drive_as("encrypted", &variables);
    bench.is_clean();
}

#[test]
fn what_fails_is_seen_by_the_client() {
    let bench = Bench::new();
    bench.fake.set_rule(|call| match call.operation.as_str() {
        "GetCluster" if call.nth == 1 => Some(FakeFault::Reset(When::BeforeEffect, 0)),
        _ => None,
    });
    // The client tries again by itself.
    if bench.drive("cluster") {
        assert!(bench.fake.count("GetCluster") >= 2);
    }
    bench.is_clean();
}

#[test]
fn jobs_may_be_unknown_or_never_end() {
    let bench = Bench::new();
    bench.fake.state().settings.luns_by_jobs = true;
    bench.fake.state().settings.jobs_that_vanish = 1;
    bench.fake.state().watch(|call, state| {
        let is_first = call.operation == "DeleteLun" && call.nth == 1;
        if is_first {
            state.settings.jobs_that_hang = 1;
        }
    });
    bench.drive("jobs_that_vanish");
    bench.is_clean();
}

#[test]
fn what_was_done_may_not_be_told() {
    let bench = Bench::new();
    bench.fake.set_rule(|call| {
        let is_change = ["CreateLun", "DeleteLun"].contains(&call.operation.as_str());
        (is_change && call.nth == 1).then_some(FakeFault::Reset(When::AfterEffect, 0))
    });
    bench.drive("lost");
    bench.is_clean();
}

#[test]
fn old_releases_know_less() {
    let bench = Bench::with(Config {
        version: Version(9, 8, 0),
        ..Config::default()
    });
    bench.drive("old");
    bench.is_clean();
}

#[test]
fn snapshots_rotate_while_they_are_read() {
    let bench = Bench::new();
    bench.fake.state().watch(|call, state| {
        if call.operation == "ReadFile" && call.nth == 2 {
            state.rotate("svm1", "vol1", "nightly", 3);
        }
    });
    bench.drive("rotated");
    bench.is_clean();
}

#[test]
fn what_is_said_may_be_behind() {
    let bench = Bench::new();
    bench.fake.freeze();
    // What is there at first has been there long enough.
    bench.fake.advance(HOUR);
    bench.fake.state().settings.lag = Duration::from_secs(60);
    bench.drive("stale");
    bench.is_clean();
}

#[test]
fn a_volume_may_refuse() {
    let bench = Bench::new();
    bench.fake.state().settings.below_snapshot = BelowSnapshot::Refused;
    bench.drive("below_refused");
    bench.fake.state().settings.below_snapshot = BelowSnapshot::NotThere;
    bench.drive("below_nothing");
    {
        let mut state = bench.fake.state();
        state.volume_mut("svm1", "vol1").expect("a volume").space = Space::Full;
    }
    bench.drive("no_space");
    {
        let mut state = bench.fake.state();
        state.volume_mut("svm1", "vol1").expect("a volume").space = Space::Enough;
        state.settings.disaggregated = true;
    }
    bench.drive("disaggregated");
    bench.is_clean();
}

#[test]
fn agreement_may_be_asked_for_by_an_error() {
    let bench = Bench::new();
    {
        let settings = &mut bench.fake.state().settings;
        settings.needs_approval.insert("DeleteLun".to_owned());
        settings.approval = Approval::Refused;
    }
    if bench.drive("approval_refused") {
        bench.fake.state().approve_all();
        bench.drive("approved");
    }
    bench.is_clean();
}

#[test]
fn what_is_forbidden_is_told_apart() {
    let bench = Bench::new();
    if bench.drive("forbidden") {
        let all = bench.fake.state().take_violations();
        let expected = [
            ("PatchVolume: ", "set back to a snapshot"),
            ("PatchVolume: ", "\"vol1\" does not begin with flr_"),
            ("DeleteLun: ", "\"many_00\" does not begin with flr_"),
            ("CreateLun: ", "None does not begin with flr:session="),
            ("ListLuns: ", "a secret of flr is in the address"),
            ("DeleteFile: ", "\"link\" does not begin with flr_"),
        ];
        for (start, part) in expected {
            let is_it = |text: &String| text.starts_with(start) && text.contains(part);
            assert!(all.iter().any(is_it), "{start}{part}: {all:#?}");
        }
        assert_eq!(all.len(), expected.len(), "{all:#?}");
    }
    bench.is_clean();
}

#[test]
fn a_test_fails_by_what_is_forbidden() {
    let bench = Bench::new();
    if !bench.drive("san") {
        return;
    }
    let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(bench)));
    let said = ended.expect_err("what was forbidden is found when the stand-in ends");
    let said = said.downcast_ref::<String>().expect("words");
    assert!(said.contains("CreateIgroup"), "{said}");
}
