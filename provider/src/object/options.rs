//! Where an object is, and as whom it is read.

use std::fmt;

/// How an object is opened.
#[derive(Clone, Debug, Default)]
pub struct ObjectOptions {
    /// Address of the service: another provider with the same interface, or a server on loopback. Else
    /// that of the service itself, or for S3 `AWS_ENDPOINT_URL_S3` and `AWS_ENDPOINT_URL`.
    pub endpoint: Option<String>,
    /// Region of S3. Else `AWS_REGION`, `AWS_DEFAULT_REGION`, or what the bucket says itself.
    pub region: Option<String>,
    /// As whom.
    pub credentials: ObjectCredentials,
    /// Read it although it may change meanwhile: versions are not compared.
    pub live: bool,
}

/// As whom an object is read.
#[derive(Clone, Default)]
pub enum ObjectCredentials {
    /// As whom the provider's own tools would: for S3 the chain of AWS with a profile, or without one
    /// whatever the environment says; for the others their variables and files.
    #[default]
    Default,
    /// The same with this profile of `~/.aws/config`; for S3 only.
    Profile(String),
    /// As nobody: what is public.
    Anonymous,
    /// These keys, for S3.
    Aws(AwsKeys),
    /// The key of an account of Azure.
    Azure {
        /// The account.
        account: String,
        /// Its key.
        key: String,
    },
}

impl fmt::Debug for ObjectCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("Default"),
            Self::Profile(profile) => f.debug_tuple("Profile").field(profile).finish(),
            Self::Anonymous => f.write_str("Anonymous"),
            Self::Aws(_) => f.write_str("Aws(…)"),
            Self::Azure { account, .. } => f
                .debug_struct("Azure")
                .field("account", account)
                .finish_non_exhaustive(),
        }
    }
}

/// Keys of AWS.
#[derive(Clone)]
pub struct AwsKeys {
    /// The key's id.
    pub id: String,
    /// The key.
    pub secret: String,
    /// The token of a session.
    pub token: Option<String>,
}

impl fmt::Debug for AwsKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AwsKeys(…)")
    }
}
