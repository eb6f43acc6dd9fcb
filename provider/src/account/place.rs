//! Regions and endpoints that may be used.

use crate::error::{Error, Result};
use crate::http::check_url;
use reqwest::Url;

/// Whether it may be the name of a region. It becomes part of a host's name, so nothing else may be in it.
pub(crate) fn is_region(name: &str) -> bool {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    (1..=40).contains(&name.len())
        && name.chars().all(inner)
        && !name.starts_with('-')
        && !name.ends_with('-')
}

/// An endpoint that may be used: https, or http to this machine. Without a slash at its end.
///
/// # Errors
/// It may not; `name` says where it is from, `example` how one looks.
pub(crate) fn endpoint(name: &str, url: &str, example: &str) -> Result<String> {
    let refused = |what: &str| Error::Usage {
        what: format!("{name}: {what}"),
        hint: Some(format!("give an address such as {example}")),
    };
    let parsed = Url::parse(url).map_err(|_| refused("expected a URL"))?;
    check_url(&parsed).map_err(|error| refused(&error.to_string()))?;
    if parsed.query().is_some() || parsed.fragment().is_some() {
        return Err(refused("an endpoint has no query"));
    }
    Ok(parsed.as_str().trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_is_one_label() {
        for good in ["us-east-1", "cn-north-1", "us-gov-west-1", "local"] {
            assert!(is_region(good), "{good}");
        }
        let long = "a".repeat(41);
        for bad in [
            "",
            "evil.com/",
            "a.b",
            "a b",
            "US",
            "-a",
            "a-",
            "a#",
            "a@b",
            &long,
        ] {
            assert!(!is_region(bad), "{bad}");
        }
    }
}
