//! What an address's object means.

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// One snapshot.
    Snapshot(String),
    /// All snapshots of a disk.
    Disk(String),
    /// All snapshots of the disks of an instance.
    Instance(String),
    /// The snapshots behind an image.
    Image(String),
    /// Whatever is called so.
    Name(String),
}

impl Wanted {
    /// By the form of `object`: an id, else a name.
    pub(super) fn of(object: &str) -> Self {
        let long = |digits: &str| digits.len() == 20;
        Self::id(object, long).unwrap_or_else(|| Self::Name(object.to_owned()))
    }

    /// An id as they were in the beginning: what nothing is called may be one.
    pub(super) fn of_old(name: &str) -> Option<Self> {
        let short = |digits: &str| {
            (8..20).contains(&digits.len()) && digits.bytes().any(|byte| byte.is_ascii_digit())
        };
        Self::id(name, short)
    }

    fn id(text: &str, fits: impl Fn(&str) -> bool) -> Option<Self> {
        let (kind, digits) = text.split_once('-')?;
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        if !fits(digits) || !digits.bytes().all(plain) {
            return None;
        }
        let make: fn(String) -> Self = match kind {
            "s" => Self::Snapshot,
            "d" => Self::Disk,
            "i" => Self::Instance,
            "m" => Self::Image,
            _ => return None,
        };
        Some(make(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_names_are_told_apart() {
        let id = |kind: &str| format!("{kind}-6we4k062vs82hmgt90pv");
        assert_eq!(Wanted::of(&id("s")), Wanted::Snapshot(id("s")));
        assert_eq!(Wanted::of(&id("d")), Wanted::Disk(id("d")));
        assert_eq!(Wanted::of(&id("i")), Wanted::Instance(id("i")));
        assert_eq!(Wanted::of(&id("m")), Wanted::Image(id("m")));
        for name in [
            "web-1",
            "d-database",
            "i-28m5zbua0",
            "S-6we4k062vs82hmgt90pv",
            "x-6we4k062vs82hmgt90pv",
            "s-6we4k062vs82hmgt90p!",
            "",
        ] {
            assert_eq!(Wanted::of(name), Wanted::Name(name.to_owned()));
        }
        let old = Some(Wanted::Disk("d-28m5zbua0".into()));
        assert_eq!(Wanted::of_old("d-28m5zbua0"), old);
        assert_eq!(Wanted::of_old("d-database"), None);
        assert_eq!(Wanted::of_old("web-1"), None);
    }
}
