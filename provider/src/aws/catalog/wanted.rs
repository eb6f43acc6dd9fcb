//! What an address's object means.

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// One snapshot.
    Snapshot(String),
    /// All snapshots of a volume.
    Volume(String),
    /// All snapshots of the volumes of an instance.
    Instance(String),
    /// The snapshots behind an image.
    Image(String),
    /// Whatever is called so.
    Name(String),
}

impl Wanted {
    /// By the form of `object`: an id, an ARN that ends in one, else a name.
    pub(super) fn of(object: &str) -> Self {
        let id = match object.strip_prefix("arn:") {
            // arn:PARTITION:ec2:REGION:ACCOUNT:snapshot/snap-…
            Some(arn) => arn.rsplit('/').next().unwrap_or(arn),
            None => object,
        };
        let make: fn(String) -> Self = match id.split_once('-') {
            Some((kind, digits)) if is_hex(digits) => match kind {
                "snap" => Self::Snapshot,
                "vol" => Self::Volume,
                "i" => Self::Instance,
                "ami" => Self::Image,
                _ => Self::Name,
            },
            _ => Self::Name,
        };
        make(id.to_owned())
    }
}

fn is_hex(digits: &str) -> bool {
    matches!(digits.len(), 8 | 17) && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_arns_and_names_are_told_apart() {
        let snapshot = "snap-0123456789abcdef0".to_owned();
        assert_eq!(Wanted::of(&snapshot), Wanted::Snapshot(snapshot.clone()));
        let arn = format!("arn:aws:ec2:us-east-1::snapshot/{snapshot}");
        assert_eq!(Wanted::of(&arn), Wanted::Snapshot(snapshot));
        for (text, wanted) in [
            ("vol-01234567", Wanted::Volume("vol-01234567".into())),
            ("i-01234567", Wanted::Instance("i-01234567".into())),
            ("ami-01234567", Wanted::Image("ami-01234567".into())),
            ("web-1", Wanted::Name("web-1".into())),
            ("vol-data", Wanted::Name("vol-data".into())),
            ("i-0123", Wanted::Name("i-0123".into())),
        ] {
            assert_eq!(Wanted::of(text), wanted);
        }
    }
}
