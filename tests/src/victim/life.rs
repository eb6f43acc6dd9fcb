//! The life of what is made for a while, where it is the same with every cloud.

use super::harness::Running;
use super::stage::{Scene, Stage, digest};
use crate::stand_in::Cloud;

/// All disks of a point are there, in their order.
///
/// # Panics
/// They are not.
pub fn of_all_disks<S: Scene>() {
    let stage = Stage::<S>::new();
    let [one, two] = S::SNAPSHOTS;
    let said = stage.run(&["use", "1", one, two]).ended_with(0);
    let digests: Vec<_> = said.out.lines().take(2).collect();
    assert_eq!(digests, [digest(1), digest(2)]);
    let gone = format!("gone {}", S::KIND);
    assert_eq!(said.out.matches(&gone).count(), 2);
    stage.assert_clean("at the end");
}

/// Whoever reads for long renews what it has, with a later expiry each time; `more` looks at the calls.
///
/// # Panics
/// It does not.
pub fn of_a_long_reader<S: Scene>(
    more: impl Fn(&crate::stand_in::Call<<S::Cloud as Cloud>::Service>),
) {
    let stage = Stage::<S>::new();
    let mut hold = stage.victim(&["hold", "1", S::SNAPSHOTS[0]]);
    let running = Running::start(hold.env("FLR_TEST_TTL", "4"));
    stage.wait_until("the second renewal", |fake| fake.count(S::TAG) >= 2);
    let renewals = stage.calls(S::TAG);
    let expiry = |place: usize| {
        let call = &renewals[place];
        assert_eq!(call.parameter("Tag.1.Key"), Some("flr:expires"));
        more(call);
        call.parameter("Tag.1.Value").expect("a time").to_owned()
    };
    assert!(expiry(0) < expiry(1));
    running.finish().ended_with(0);
    stage.assert_clean("at the end");
}

/// What is to be kept stays until it expires.
///
/// # Panics
/// It does not.
pub fn of_what_is_kept<S: Scene>() {
    let stage = Stage::<S>::new();
    let variables = [("FLR_TEST_KEEP", "1"), ("FLR_TEST_TTL", "4")];
    let said = stage.read_with(&variables).ended_with(0);
    let kept = format!("kept {}", S::KIND);
    assert!(said.out.contains(&kept), "{}", said.out);
    assert_eq!(stage.ours().len(), 1);
    let said = stage.gc().ended_with(0);
    assert!(said.out.contains(&kept), "{}", said.out);
    let gone = format!("gone {}", S::KIND);
    stage.wait_until("its end", |_| stage.gc().ended_with(0).out.contains(&gone));
    stage.assert_clean("once it has expired");
}
