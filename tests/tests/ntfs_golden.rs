//! Every NTFS volume of the fixtures against what ntfs-3g says about it.

use flr_fs::Volume;
use flr_recover::{OpenOptions, Point, point::Opened};
use flr_tests::{Golden, Rules, compare, golden, image};

fn guest(name: &str) -> Opened {
    let point = Point::open(vec![Volume::disk(image(name))], &OpenOptions::default());
    point.guest().expect(name)
}

fn names() -> Vec<String> {
    let is_volume = |name: &String| name.starts_with("ntfs-") && golden::exists(name);
    let names = flr_tests::image::names();
    names.into_iter().filter(is_volume).collect()
}

#[test]
fn volumes_are_what_ntfs_3g_says() {
    let names = names();
    assert_eq!(names.len(), 29);
    let mut failed = Vec::new();
    for name in names {
        let told = compare(&guest(&name).view, &Golden::load(&name), Rules::default());
        if !told.is_empty() {
            failed.push(format!("{name}:\n  {}", told.join("\n  ")));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
