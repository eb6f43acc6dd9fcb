//! What may be said about an image behind a URL, and credentials.

use crate::error::{Error, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::HeaderValue;

/// How an image is opened.
#[derive(Clone, Debug, Default)]
pub struct HttpOptions {
    /// Read it although it may change meanwhile: versions are neither asked for nor compared.
    pub live: bool,
    /// What proves who asks. Signed URLs need none.
    pub authorization: Option<Authorization>,
}

/// The value of an `Authorization` header. Never printed.
#[derive(Clone, Debug)]
pub struct Authorization(HeaderValue);

impl Authorization {
    /// A token.
    ///
    /// # Errors
    /// It holds what cannot stand in a header.
    pub fn bearer(token: &str) -> Result<Self> {
        Self::sensitive(&format!("Bearer {token}"))
    }

    /// A user name without a colon, and a password.
    ///
    /// # Errors
    /// There is a colon in the name.
    pub fn basic(user: &str, password: &str) -> Result<Self> {
        if user.contains(':') {
            return Err(Error::Usage {
                what: "expected a user name without a colon".to_owned(),
                hint: Some("HTTP could not tell where the password begins".to_owned()),
            });
        }
        let pair = STANDARD.encode(format!("{user}:{password}"));
        Self::sensitive(&format!("Basic {pair}"))
    }

    fn sensitive(text: &str) -> Result<Self> {
        // The error of the parser is left out: it may quote its input one day.
        let mut value = HeaderValue::from_str(text).map_err(|_| Error::Usage {
            what: "expected a token of printable ASCII".to_owned(),
            hint: Some("does the command that prints it add a line?".to_owned()),
        })?;
        // From now on `Debug` of the header, here and in the client, prints `Sensitive`.
        value.set_sensitive(true);
        Ok(Self(value))
    }

    pub(crate) const fn header(&self) -> &HeaderValue {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_sent_but_never_printed() {
        // The pair is the example of RFC 7617, section 2.
        let basic = Authorization::basic("Aladdin", "open sesame").unwrap();
        assert_eq!(basic.header(), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        let options = HttpOptions {
            live: false,
            authorization: Some(basic),
        };
        assert!(!format!("{options:?}").contains("QWxh"), "{options:?}");
        let error = Authorization::bearer("s3cret\n").unwrap_err();
        assert!(!format!("{error} {error:?}").contains("s3cret"));
        assert!(Authorization::basic("a:b", "c").is_err());
    }
}
