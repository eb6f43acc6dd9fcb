//! An access key, and the answers that give one out.

use super::super::fields::time_or_none;
use crate::engine::UnixTime;
use crate::secret::Secret;
use serde::{Deserialize, Deserializer};
use std::fmt;

/// Credentials that somebody already has.
#[derive(Clone, PartialEq, Eq)]
pub struct Keys {
    /// `LTAI…`, or `STS.…` with a token.
    pub id: String,
    /// The secret.
    pub secret: Secret,
    /// The token of a session.
    pub token: Option<Secret>,
    /// When they end.
    pub expires: Option<UnixTime>,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys")
            .field("id", &self.id)
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}

impl Keys {
    /// Keys without an end.
    #[must_use]
    pub fn new(id: String, secret: String, token: Option<String>) -> Self {
        Self {
            id,
            secret: Secret::new(secret),
            token: token.map(Secret::new),
            expires: None,
        }
    }

    /// What must not be in any message.
    pub(in super::super) fn secrets(&self) -> Vec<&str> {
        let token = self.token.as_ref().map(Secret::expose);
        std::iter::once(self.secret.expose()).chain(token).collect()
    }
}

/// As the metadata service, a server of credentials, and STS within `Credentials` write them.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Given {
    #[serde(default)]
    code: Option<String>,
    access_key_id: Option<String>,
    #[serde(default, deserialize_with = "hidden")]
    access_key_secret: Option<Secret>,
    #[serde(default, deserialize_with = "hidden")]
    security_token: Option<Secret>,
    #[serde(default, deserialize_with = "time_or_none")]
    expiration: Option<UnixTime>,
}

fn hidden<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Secret>, D::Error> {
    let text = Option::<String>::deserialize(from)?;
    Ok(text.filter(|text| !text.is_empty()).map(Secret::new))
}

impl Given {
    /// The keys, or why these are none.
    pub(super) fn keys(self) -> Result<Keys, &'static str> {
        if self.code.is_some_and(|code| code != "Success") {
            return Err("whoever gives them out refuses");
        }
        match (self.access_key_id, self.access_key_secret) {
            (Some(id), Some(secret)) if !id.is_empty() => Ok(Keys {
                id,
                secret,
                token: self.security_token,
                expires: self.expiration,
            }),
            _ => Err("the answer holds none"),
        }
    }
}

/// The keys of an answer. No error holds any of it.
pub(in super::super) fn given_out(text: &str) -> Result<Keys, &'static str> {
    let given: Given = serde_json::from_str(text).map_err(|_| "the answer makes no sense")?;
    given.keys()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the documentation of instance RAM roles has it.
    #[test]
    fn metadata_give_out_keys() {
        let text = r#"{
          "AccessKeyId" : "STS.J8XXXXXXXXXX4",
          "AccessKeySecret" : "9PjfXXXXXXXXXBf2XAW",
          "Expiration" : "2017-06-09T09:17:19Z",
          "SecurityToken" : "CAIXXXXXXXXXXXwmBkleCTkyI+",
          "LastUpdated" : "2017-06-09T03:17:18Z",
          "Code" : "Success"
        }"#;
        let keys = given_out(text).unwrap();
        assert_eq!(keys.id, "STS.J8XXXXXXXXXX4");
        assert_eq!(keys.secret.expose(), "9PjfXXXXXXXXXBf2XAW");
        assert_eq!(
            keys.token.as_ref().map(Secret::expose),
            Some("CAIXXXXXXXXXXXwmBkleCTkyI+")
        );
        let expires = keys.expires.unwrap().to_string();
        assert_eq!(expires, "2017-06-09T09:17:19Z");
        let shown = format!("{keys:?}");
        assert!(
            !shown.contains("9PjfX") && !shown.contains("CAIX"),
            "{shown}"
        );
    }

    #[test]
    fn what_holds_no_keys_is_refused_without_being_repeated() {
        for text in [
            r#"{"Code":"Failed","AccessKeyId":"a","AccessKeySecret":"canary-secret"}"#,
            r#"{"AccessKeySecret":"canary-secret"}"#,
            r#"{"AccessKeyId":"","AccessKeySecret":"canary-secret"}"#,
            r#"{"AccessKeyId":"a","AccessKeySecret":"canary-secret","Expiration":"soon"}"#,
            "canary-secret",
        ] {
            let why = given_out(text).unwrap_err();
            assert!(!why.contains("canary"), "{why}");
        }
    }
}
