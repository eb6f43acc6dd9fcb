//! Processes killed with SIGKILL at every request, before and after it had its effect: one clean-up
//! later nothing of ours is there.

use crate::stage::Aws;
use flr_tests::victim::kills;

#[test]
fn a_process_killed_at_any_request_leaves_nothing_behind() {
    kills::of_a_process::<Aws>();
}

#[test]
fn a_clean_up_killed_at_any_request_is_finished_by_the_next() {
    kills::of_a_clean_up::<Aws>();
}

#[test]
fn credentials_of_another_account_delete_nothing_and_do_not_say_that_it_is_clean() {
    kills::with_another_account::<Aws>();
}
