//! What commands say, word for word: see `shared/recorded.rs`. `PLACE` stands for the folder in which all
//! this happens.

use crate::place::Place;
use crate::recorded;

fn check(name: &str) {
    check_in(name, &Place::new());
}

fn check_in(name: &str, place: &Place) {
    recorded::check(name, |line| {
        let said = place.shell(line);
        let named = |text: String| text.replace(place.name(), "PLACE");
        (named(said.out), named(said.err), said.code)
    });
}

#[test]
fn first_steps() {
    check("first-steps");
}

#[test]
fn streams() {
    check("streams");
}

#[test]
fn addresses() {
    check("addresses");
}

#[test]
fn listing() {
    check("listing");
}

#[test]
fn content() {
    check("content");
}

#[test]
fn find() {
    check("find");
}

#[test]
fn hash() {
    check("hash");
}

#[test]
fn copying() {
    check("copying");
}

#[test]
fn damage() {
    check("damage");
}

#[test]
fn sessions() {
    let place = Place::new();
    crate::session::leave_behind(&place);
    check_in("sessions", &place);
}

#[test]
fn config() {
    check("config");
}

#[test]
fn usage() {
    check("usage");
}

#[test]
fn windows() {
    check("windows");
}
