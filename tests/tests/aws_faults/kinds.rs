//! The kinds of faults.

use flr_provider::FaultKind;
use flr_tests::aws_fake::{Call, Fake, FakeFault, When};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// How far reads lag behind in the tests: less than what is waited for.
pub(crate) const LAG: Duration = Duration::from_millis(150);

/// A kind of fault.
#[derive(Clone, Debug)]
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    pub(crate) fault: FakeFault,
    /// What it is, if it stays. Nothing: it is no fault to the caller, or only at some calls.
    pub(crate) always: Option<FaultKind>,
    /// Whether the call cannot have had its effect.
    pub(crate) before: bool,
}

/// All kinds, for a call whose answer carries a checksum of its own or (`false`) none.
pub(crate) fn kinds(checked: bool) -> Vec<Kind> {
    let unknown = Some(FaultKind::Unknown);
    let kind = |name, fault, always, before| Kind {
        name,
        fault,
        always,
        before,
    };
    // Where nothing but the form of an answer tells, the form has to be broken.
    let flipped = if checked { 12_345 } else { 0 };
    let (before, after) = (When::BeforeEffect, When::AfterEffect);
    vec![
        kind("500", FakeFault::Status(before, 500), unknown, true),
        kind("503", FakeFault::Status(after, 503), unknown, false),
        kind(
            "throttle",
            FakeFault::Throttled,
            Some(FaultKind::Throttled),
            true,
        ),
        kind("silence before", FakeFault::NoAnswer(before), unknown, true),
        kind("silence after", FakeFault::NoAnswer(after), unknown, false),
        kind("half-closed", FakeFault::HalfClosed(after), unknown, false),
        kind("slow body", FakeFault::SlowBody(10), unknown, false),
        kind("cut short", FakeFault::TruncatedBody(5), unknown, false),
        kind(
            "flipped byte",
            FakeFault::FlippedByte(flipped),
            unknown,
            false,
        ),
        kind(
            "expired token",
            FakeFault::ExpiredToken,
            Some(FaultKind::Expired),
            true,
        ),
        kind(
            "clock skew",
            FakeFault::ClockSkew(3600),
            Some(FaultKind::Expired),
            true,
        ),
        kind("stale", FakeFault::Stale(LAG), None, false),
        kind("quota", FakeFault::Quota, Some(FaultKind::Quota), true),
    ]
}

/// Whether a fault passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Once,
    Always,
}

/// Where a fault happens: the nth call of an operation and, if it stays, all that follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Site {
    pub(crate) operation: &'static str,
    pub(crate) nth: usize,
}

pub(crate) const fn site(operation: &'static str, nth: usize) -> Site {
    Site { operation, nth }
}

impl Site {
    /// Makes it so. How often it has come to that is counted.
    pub(crate) fn break_it(self, fake: &Fake, fault: &FakeFault, form: Form) -> Arc<AtomicUsize> {
        let hits = Arc::new(AtomicUsize::new(0));
        let (counted, fault) = (Arc::clone(&hits), fault.clone());
        let mut calls = 0;
        fake.set_rule(move |call: &Call| {
            if call.operation != self.operation {
                return None;
            }
            calls += 1;
            let hit = match form {
                Form::Once => calls == self.nth,
                Form::Always => calls >= self.nth,
            };
            hit.then(|| {
                counted.fetch_add(1, Ordering::Relaxed);
                fault.clone()
            })
        });
        hits
    }

    /// As it stands in the table.
    pub(crate) fn name(self) -> String {
        match self.nth {
            1 => self.operation.to_owned(),
            nth => format!("{} ({nth}.)", self.operation),
        }
    }
}
