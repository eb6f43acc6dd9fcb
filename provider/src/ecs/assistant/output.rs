//! What the plug-in for consistent snapshots says: `[snapshotgroup="ssg-…"][message="…"]`.

/// Longest id of a group.
const ID_MAX: usize = 64;

/// The group that was made. Nothing but an id is taken for one: the output is the instance's word.
pub(super) fn group(output: &str) -> Option<&str> {
    const KEY: &str = "snapshotgroup=\"";
    output.match_indices(KEY).find_map(|(at, key)| {
        let rest = output.get(at.saturating_add(key.len())..)?;
        let (id, _) = rest.split_once('"')?;
        is_group_id(id).then_some(id)
    })
}

/// Whether it may be the id of a group of snapshots.
pub(super) fn is_group_id(id: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    id.strip_prefix("ssg-")
        .is_some_and(|rest| (1..=ID_MAX).contains(&rest.len()) && rest.bytes().all(plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_group_is_found_in_what_is_said() {
        let documented = r#"[snapshotgroup="ssg-j6ciyh3k52qp7ovm****"][message="create success"]"#;
        // As in the documentation, where a part is made unreadable.
        assert_eq!(group(documented), None);
        let real = documented.replace("****", "abcd");
        assert_eq!(group(&real), Some("ssg-j6ciyh3k52qp7ovmabcd"));
        let chatty = format!("downloading…\nsnapshotgroup=\"none\"\n{real}\nbye");
        assert_eq!(group(&chatty), Some("ssg-j6ciyh3k52qp7ovmabcd"));
        for none in [
            "",
            "snapshotgroup=",
            "snapshotgroup=\"ssg-1",
            "snapshotgroup=\"\"",
            "snapshotgroup=\"ssg-\"",
            "snapshotgroup=\"ssg-1&Action=DeleteSnapshot\"",
            "snapshotgroup=\"ssg-Ä\"",
            "SnapshotGroup=\"ssg-1\"",
        ] {
            assert_eq!(group(none), None, "{none:?}");
        }
        let long = format!("snapshotgroup=\"ssg-{}\"", "a".repeat(65));
        assert_eq!(group(&long), None);
    }
}
