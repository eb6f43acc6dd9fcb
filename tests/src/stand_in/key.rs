//! Keys of clients.

/// A key, as a client has it.
#[derive(Clone, Debug)]
pub struct AccessKey {
    /// `AKIA…` or `LTAI…`; of a session `ASIA…` or `STS.…`.
    pub id: String,
    /// The secret.
    pub secret: String,
    /// The token of a session.
    pub token: Option<String>,
    /// When the session ends, in milliseconds since 1970 of the stand-in's model.
    pub expires: Option<i64>,
    /// Whose it is.
    pub account: String,
    /// What STS calls the caller, if not the user `tester` of the account.
    pub arn: Option<String>,
}

impl AccessKey {
    /// A key without an end.
    #[must_use]
    pub fn new(id: &str, secret: &str, account: &str) -> Self {
        Self {
            id: id.to_owned(),
            secret: secret.to_owned(),
            token: None,
            expires: None,
            account: account.to_owned(),
            arn: None,
        }
    }

    /// What STS calls the caller; of a user it begins like `arn:aws:iam`.
    pub(crate) fn arn(&self, of_users: &str) -> String {
        let account = &self.account;
        let user = || format!("{of_users}::{account}:user/tester");
        self.arn.clone().unwrap_or_else(user)
    }
}
