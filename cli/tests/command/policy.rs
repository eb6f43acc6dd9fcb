//! `flr policy aws`: a document that AWS would take, and no action that AWS does not have.

use crate::place::{Place, Said};
use crate::schema::check;
use flr_tests::require::require;
use serde_json::Value;
use std::collections::BTreeSet;

fn policy(place: &Place, args: &[&str]) -> Value {
    let said = place
        .run(&[&["policy", "aws", "-q"], args].concat())
        .quiet();
    serde_json::from_str(&said).unwrap()
}

fn actions(policy: &Value) -> BTreeSet<String> {
    let statements = policy["Statement"].as_array().unwrap();
    let actions = statements
        .iter()
        .flat_map(|one| one["Action"].as_array().unwrap());
    actions
        .map(|action| action.as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn each_part_adds_to_reading() {
    let place = Place::new();
    let direct = actions(&policy(&place, &[]));
    assert_eq!(actions(&policy(&place, &["--direct"])), direct);
    let clone = actions(&policy(&place, &["--clone"]));
    let lightsail = actions(&policy(&place, &["--lightsail"]));
    assert!(clone.is_superset(&direct) && lightsail.is_superset(&direct));
    assert!(clone.contains("ec2:DeleteVolume") && !lightsail.contains("ec2:DeleteVolume"));
    let all = actions(&policy(&place, &["--clone", "--lightsail"]));
    assert_eq!(all, clone.union(&lightsail).cloned().collect());
}

#[test]
fn the_document_is_data_and_what_to_know_is_talk() {
    let place = Place::new();
    let said = place.run(&["policy", "aws", "--clone"]);
    assert_eq!(said.code, 0);
    serde_json::from_str::<Value>(&said.out).unwrap();
    assert!(
        said.err.lines().all(|line| line.starts_with("note: ")),
        "{}",
        said.err
    );
    let said = place.run(&["policy", "aws", "--json", "--region", "eu-west-1"]);
    let line = check(said.out.lines().next().unwrap());
    assert_eq!(line["policy"], policy(&place, &["--region", "eu-west-1"]));
    assert!(
        line["policy"]
            .to_string()
            .contains("arn:aws:ec2:eu-west-1::snapshot/*")
    );
    // The region of whoever asks is not that of those who use it.
    let mut asked = place.flr(&["policy", "aws", "-q"]);
    let asked = Said::of(&asked.env("FLR_REGION", "eu-west-1").output().unwrap()).quiet();
    assert_eq!(
        serde_json::from_str::<Value>(&asked).unwrap(),
        policy(&place, &[])
    );
}

/// Permissions that are not called like the operation they are for.
const OTHERWISE: [(&str, &str); 2] = [
    ("kms:ReEncryptFrom", "kms:ReEncrypt"),
    ("kms:ReEncryptTo", "kms:ReEncrypt"),
];

#[test]
fn aws_has_all_these_operations() {
    let place = Place::new();
    if !require(&["python3"]) {
        return;
    }
    if place.shell("python3 -c 'import botocore'").code != 0 {
        assert!(std::env::var_os("CI").is_none(), "this test needs botocore");
        println!("skipped: this test needs botocore");
        return;
    }
    // From the models that AWS ships its own Python library with.
    let operations = place.shell(
        "python3 -c '
import botocore.session
session = botocore.session.Session()
for service in [\"ebs\", \"ec2\", \"kms\", \"lightsail\", \"iam\"]:
    for name in session.get_service_model(service).operation_names:
        print(service + \":\" + name)
'",
    );
    let operations: BTreeSet<_> = operations.out.lines().map(str::to_owned).collect();
    assert!(operations.len() > 500);
    for action in actions(&policy(&place, &["--clone", "--lightsail"])) {
        let renamed = OTHERWISE
            .iter()
            .find(|(permission, _)| *permission == action);
        let operation = renamed.map_or(action.as_str(), |(_, operation)| operation);
        assert!(operations.contains(operation), "{action}");
    }
}
