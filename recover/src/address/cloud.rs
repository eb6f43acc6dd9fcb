//! Cloud identifiers and ARNs, told by their form alone.
//!
//! | prefix | AWS: 8 or 17 hex digits | Alibaba: 20 base-36 characters |
//! |---|---|---|
//! | `vol-` | EBS volume | |
//! | `snap-` | EBS snapshot | |
//! | `i-` | instance | instance |
//! | `s-` | | snapshot |
//! | `d-` | | disk |
//!
//! Both clouds write them in lower case only; other forms are not taken for identifiers. An
//! identifier ends at `@`, at `:` or with the text: `snap-01234567.img` is a file.
//!
//! ARN: `arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE`, partition `aws` or `aws-…`; region and
//! account may be empty, so that `::` occurs (AWS documentation, "Amazon Resource Names").

use super::AddressError;
use super::object::Provider;

/// The provider and the length in bytes of the identifier a text begins with.
pub(super) fn id_at_start(text: &[u8]) -> Option<(Provider, usize)> {
    let id = text.split(|byte| matches!(byte, b':' | b'@')).next()?;
    Some((provider_of(id)?, id.len()))
}

/// Whose identifier this is, if it is one.
pub(super) fn provider_of(id: &[u8]) -> Option<Provider> {
    let dash = id.iter().position(|byte| *byte == b'-')?;
    let (kind, digits) = id.split_at_checked(dash.saturating_add(1))?;
    let hex = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let base_36 = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'z');
    match (kind, digits.len()) {
        (b"vol-" | b"snap-" | b"i-", 8 | 17) if digits.iter().all(hex) => Some(Provider::Aws),
        (b"i-" | b"s-" | b"d-", 20) if digits.iter().all(base_36) => Some(Provider::Ecs),
        _ => None,
    }
}

/// The offset of an ARN's resource, or `None` if the text does not begin as an ARN.
///
/// # Errors
/// A text that begins as an ARN but has no resource.
pub(super) fn arn_resource(text: &[u8]) -> Result<Option<usize>, AddressError> {
    let mut fields = text.splitn(6, |byte| *byte == b':');
    if fields.next() != Some(b"arn") {
        return Ok(None);
    }
    let Some(partition) = fields.next() else {
        return Ok(None);
    };
    let plain = partition
        .iter()
        .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'));
    if !plain || !partition.starts_with(b"aws") || fields.next().is_none() {
        return Ok(None);
    }
    // Region and account; then everything that is left.
    let named = fields.by_ref().take(2).all(|field| !field.contains(&b'/'));
    let resource = fields.next().unwrap_or_default();
    let position = text.len().saturating_sub(resource.len());
    if !named
        || resource
            .first()
            .is_none_or(|byte| matches!(byte, b':' | b'/' | b'@'))
    {
        return Err(AddressError::new(
            "expected an ARN's resource",
            position,
            "arn:aws:ec2:REGION::snapshot/snap-…:/path, or ./arn:… for a local file",
        ));
    }
    Ok(Some(position))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_told_by_length_and_alphabet() {
        for (id, provider) in [
            ("vol-01234567", Some(Provider::Aws)),
            ("snap-0123456789abcdef0", Some(Provider::Aws)),
            ("i-0123456789abcdef0", Some(Provider::Aws)),
            ("i-6we7nc6j9lm4iz6pypmh", Some(Provider::Ecs)),
            ("s-6we4k062vs82hmgt90pv", Some(Provider::Ecs)),
            ("d-6we4k062vs82hmgt90pv", Some(Provider::Ecs)),
            ("d-01234567", None),
            ("vol-6we4k062vs82hmgt90pv", None),
            ("vol-0123456g", None),
            ("vol-0123456A", None),
            ("VOL-01234567", None),
            ("vol-012345678", None),
            ("vol-", None),
            ("i-", None),
            ("-", None),
            ("", None),
        ] {
            assert_eq!(provider_of(id.as_bytes()), provider, "{id}");
        }
    }

    #[test]
    fn identifiers_end_at_a_mark() {
        let aws = |len| Some((Provider::Aws, len));
        assert_eq!(id_at_start(b"vol-01234567:/etc"), aws(12));
        assert_eq!(id_at_start(b"vol-01234567@3d"), aws(12));
        assert_eq!(id_at_start(b"vol-01234567"), aws(12));
        assert_eq!(id_at_start(b"vol-01234567.img:/etc"), None);
        assert_eq!(id_at_start(b"vol-01234567/x:/etc"), None);
    }

    #[test]
    fn arns_end_where_their_own_colons_do() {
        let resource = |text: &str| arn_resource(text.as_bytes());
        assert_eq!(
            resource("arn:aws:ec2:us-east-1::snapshot/snap-1"),
            Ok(Some(23))
        );
        assert_eq!(
            resource("arn:aws-cn:ec2:::volume/vol-1::part/1"),
            Ok(Some(17))
        );
        assert_eq!(resource("arn:aws"), Ok(None));
        assert_eq!(resource("arn:azure:a:b:c:d"), Ok(None));
        assert_eq!(resource("barn:aws:ec2:r:a:x"), Ok(None));
        for text in [
            "arn:aws:ec2",
            "arn:aws:ec2:r:a",
            "arn:aws:ec2:r:a:",
            "arn:aws:ec2:r::/etc",
        ] {
            assert!(resource(text).is_err(), "{text}");
        }
        assert!(resource("arn:aws:ec2:/etc/x:b:c").is_err());
    }
}
