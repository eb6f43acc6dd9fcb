//! Who asks: a name and a password, a token, or a certificate.

use super::config::{Access, User};
use super::error::unknown_user;
use super::state::State;
use crate::stand_in::Request;
use crate::stand_in::error::Result;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The user who asks. The scheme of a header goes before a certificate.
pub(crate) fn known<'s>(state: &'s State, request: &Request) -> Result<&'s User> {
    let header = request.header("authorization");
    let mut users = state.users.iter();
    let found = match header
        .as_deref()
        .map(|text| text.split_once(' ').unwrap_or((text, "")))
    {
        Some((scheme, value)) if scheme.eq_ignore_ascii_case("basic") => {
            let bytes = STANDARD.decode(value.trim()).unwrap_or_default();
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let (name, password) = text.split_once(':').unwrap_or_default();
            users.find(|user| user.name == name && user.password.as_deref() == Some(password))
        }
        Some((scheme, value)) if scheme.eq_ignore_ascii_case("bearer") => {
            users.find(|user| user.token.as_deref() == Some(value.trim()))
        }
        Some(_) => None,
        None => {
            let shown = request.certificate.as_ref();
            users.find(|user| shown.is_some() && user.certificate.as_ref() == shown)
        }
    };
    found.ok_or_else(unknown_user)
}

/// Whether a role allows a request.
pub(crate) fn may(user: &User, method: &str, parts: &[String]) -> bool {
    let fits = |path: &str| {
        let wanted: Vec<_> = path.split('/').filter(|part| !part.is_empty()).collect();
        let pairs = || wanted.iter().zip(parts);
        let is_it = wanted.len() <= parts.len()
            && pairs().all(|(wanted, part)| *wanted == "*" || wanted == part);
        is_it.then_some(wanted.len())
    };
    let fitting = user.role.iter();
    let fitting = fitting.filter_map(|(path, access)| Some((fits(path)?, *access)));
    let access = fitting
        .max_by_key(|(len, _)| *len)
        .map(|(_, access)| access);
    match access.unwrap_or(Access::All) {
        Access::All => true,
        Access::ReadOnly => method == "GET",
        Access::None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_path_of_a_role_holds() {
        let user = User::new("u", "p")
            .with_access("/api", Access::ReadOnly)
            .with_access("/api/storage/luns", Access::All)
            .with_access("/api/storage/volumes/*/files", Access::None);
        let may = |method: &str, path: &str| {
            let parts: Vec<_> = path.split('/').skip(1).map(str::to_owned).collect();
            super::may(&user, method, &parts)
        };
        assert!(may("GET", "/api/cluster"));
        assert!(!may("DELETE", "/api/storage/volumes/v"));
        assert!(may("DELETE", "/api/storage/luns/l"));
        assert!(!may("GET", "/api/storage/volumes/v/files/f"));
        assert!(may("GET", "/api/storage/volumes/v/snapshots"));
    }
}
