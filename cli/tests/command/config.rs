//! `flr config show`: what holds is what its origin says.

use crate::place::Place;
use crate::schema::check;
use serde_json::Value;

fn configure(place: &Place, text: &str) {
    std::fs::create_dir_all(place.path("config/flr")).unwrap();
    std::fs::write(place.path("config/flr/config.toml"), text).unwrap();
}

/// The lines of `config show`.
fn show(place: &Place, env: &[(&str, &str)], args: &[&str]) -> Vec<Value> {
    let mut command = place.flr(&[&["config", "show", "--json"], args].concat());
    command.envs(env.iter().copied());
    let said = crate::place::Said::of(&command.output().unwrap());
    let mut lines: Vec<_> = said.quiet().lines().map(check).collect();
    assert_eq!(lines.pop().unwrap()["message_type"], "summary");
    lines
}

fn of<'a>(lines: &'a [Value], source: Option<&str>, key: &str) -> &'a Value {
    let fits = |line: &&Value| line["key"] == key && line["source"].as_str() == source;
    lines.iter().find(fits).unwrap()
}

#[test]
fn the_command_line_wins_over_the_environment_and_that_over_files() {
    let place = Place::new();
    configure(
        &place,
        "ttl = \"1h\"\n[source.prod]\ntype = \"aws\"\nttl = \"2h\"\n",
    );
    let lines = show(&place, &[], &[]);
    let top = of(&lines, None, "ttl");
    assert_eq!(
        (&top["value"], &top["origin"], &top["line"]),
        (&"1h".into(), &"file".into(), &1.into())
    );
    let own = of(&lines, Some("prod"), "ttl");
    assert_eq!((&own["value"], &own["line"]), (&"2h".into(), &4.into()));
    assert!(
        own["file"]
            .as_str()
            .unwrap()
            .ends_with("config/flr/config.toml")
    );

    let lines = show(&place, &[("FLR_TTL", "3h")], &[]);
    for source in [None, Some("prod")] {
        let line = of(&lines, source, "ttl");
        assert_eq!(
            (&line["value"], &line["variable"]),
            (&"3h".into(), &"FLR_TTL".into())
        );
    }
    // The same value from both: what was typed is what wins, before the command or behind it.
    for args in [&["--ttl", "3h"][..], &["--ttl=4h"]] {
        let lines = show(&place, &[("FLR_TTL", "3h")], args);
        let line = of(&lines, Some("prod"), "ttl");
        assert_eq!(
            (&line["origin"], &line["option"]),
            (&"option".into(), &"--ttl".into())
        );
    }
    let mut before = place.flr(&["--ttl", "3h", "config", "show", "--origin"]);
    let said = crate::place::Said::of(&before.env("FLR_TTL", "3h").output().unwrap());
    assert!(said.quiet().contains("# --ttl\n"));
}

#[test]
fn what_is_shown_is_a_configuration() {
    let place = Place::new();
    configure(
        &place,
        "max_cost_usd = 0.5\ncache_dir = \"/var/c ache\"\ntags = { \"a b\" = \"c\\\"d\" }\n\
         [source.\"f.1\"]\ntype = \"ontap\"\nendpoint = \"https://h\"\npassword_command = \"a \\\\ 'b' \u{202e}\"\n",
    );
    let shown = place.run(&["config", "show"]).quiet();
    assert!(
        shown.contains("\\U0000202E") && !shown.contains('\u{202e}'),
        "{shown}"
    );
    std::fs::write(place.path("again.toml"), &shown).unwrap();
    let mut again = place.flr(&["config", "show"]);
    let again = again
        .env("FLR_CONFIG", place.path("again.toml"))
        .output()
        .unwrap();
    assert_eq!(crate::place::Said::of(&again).quiet(), shown);
    let commented = place.run(&["config", "show", "--origin"]).quiet();
    std::fs::write(place.path("again.toml"), &commented).unwrap();
    let mut again = place.flr(&["config", "show"]);
    let again = again
        .env("FLR_CONFIG", place.path("again.toml"))
        .output()
        .unwrap();
    assert_eq!(crate::place::Said::of(&again).quiet(), shown);
}

#[test]
fn a_configuration_that_makes_no_sense_stops_before_anything_is_done() {
    let place = Place::new();
    configure(
        &place,
        "[source.prod]\ntype = \"aws\"\nsecret_key = \"hunter2\"\n",
    );
    for args in [
        &["config", "show"][..],
        &["source", "ls"],
        &["source", "add", "other", "--type", "aws"],
        &["source", "rm", "prod"],
    ] {
        let said = place.run(args);
        assert_eq!((said.code, said.out.as_str()), (2, ""), "{args:?}");
        assert!(
            said.err.contains("config.toml:3: the key secret_key"),
            "{}",
            said.err
        );
        assert!(!said.err.contains("hunter2"), "{}", said.err);
    }
    let said = place.run(&["config", "show", "--json"]);
    assert_eq!(check(said.err.trim())["code"], 2);
}
