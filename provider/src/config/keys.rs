//! Which keys there are, where each may stand, and what else says the same.

use super::near::nearest;

/// What a source is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SourceType {
    /// EC2 instances, EBS volumes and snapshots.
    Aws,
    /// Lightsail.
    Lightsail,
    /// Alibaba Cloud ECS.
    Ecs,
    /// NetApp ONTAP.
    Ontap,
    /// An NBD server.
    Nbd,
    /// An HTTP server.
    Https,
    /// An S3 bucket.
    S3,
    /// A folder of images.
    File,
}

impl SourceType {
    /// All of them, in the order in which they are documented.
    pub const ALL: [Self; 8] = [
        Self::Aws,
        Self::Lightsail,
        Self::Ecs,
        Self::Ontap,
        Self::Nbd,
        Self::Https,
        Self::S3,
        Self::File,
    ];

    /// As in `type = "aws"`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::Lightsail => "lightsail",
            Self::Ecs => "ecs",
            Self::Ontap => "ontap",
            Self::Nbd => "nbd",
            Self::Https => "https",
            Self::S3 => "s3",
            Self::File => "file",
        }
    }

    /// The type of this name.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The keys that a source of this type may have, beside `type`.
    pub fn keys(self) -> impl Iterator<Item = Key> {
        Key::ALL
            .into_iter()
            .filter(move |key| key.types().contains(&self))
    }

    /// The key without which a source of this type leads nowhere.
    #[must_use]
    pub const fn needs(self) -> Option<Key> {
        match self {
            Self::Aws | Self::Lightsail | Self::Ecs => None,
            Self::Ontap => Some(Key::Endpoint),
            Self::Nbd | Self::Https => Some(Key::Url),
            Self::S3 => Some(Key::Bucket),
            Self::File => Some(Key::Path),
        }
    }
}

/// What the value of a key is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Text without control characters.
    Text,
    /// A URL without user, password, query and fragment. Of `nbd+unix:` the query stays, which
    /// names the socket.
    Url,
    /// An absolute path.
    Path,
    /// `auto`, `direct` or `clone`.
    Access,
    /// A length of time: `30m`.
    Duration,
    /// A number of dollars.
    Dollars,
    /// A number of bytes, or text such as `512M`.
    Bytes,
    /// A table of text.
    Tags,
}

impl Form {
    /// What is expected, in words.
    #[must_use]
    pub const fn expected(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Url => "a URL such as https://host/path",
            Self::Path => "an absolute path",
            Self::Access => "auto, direct or clone",
            Self::Duration => "a length of time such as \"90s\", \"15m\", \"2h\" or \"3d\"",
            Self::Dollars => "a number of dollars from 0",
            Self::Bytes => "a number of bytes, or text such as \"512M\" or \"4G\"",
            Self::Tags => "a table of text such as { CostCenter = \"it-42\" }",
        }
    }
}

/// A key, in the order in which keys are shown and written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// Profile of the provider's own configuration.
    Profile,
    /// Region.
    Region,
    /// Address of the provider's interface.
    Endpoint,
    /// URL that names are appended to.
    Url,
    /// Bucket.
    Bucket,
    /// Folder that names are looked up in.
    Path,
    /// Storage virtual machine.
    Svm,
    /// Client certificate and its key, in one PEM file.
    ClientCert,
    /// User. Without one the password of an HTTP server is a bearer token.
    Username,
    /// Command of a shell that prints the password.
    PasswordCommand,
    /// File of the user alone that holds the password.
    PasswordFile,
    /// Name in `$CREDENTIALS_DIRECTORY` of the file that holds the password.
    PasswordCredential,
    /// How snapshots are read.
    Access,
    /// How long others leave alone what was made.
    Ttl,
    /// Dollars that reading may cost.
    MaxCostUsd,
    /// More tags for what is made.
    Tags,
    /// Folder of the disk cache.
    CacheDir,
    /// Bytes of the cache in memory.
    CacheBytes,
    /// Bytes of the disk cache.
    DiskCacheBytes,
}

/// What is known of a key.
struct Spec {
    name: &'static str,
    form: Form,
    /// The types of sources that may have it.
    types: &'static [SourceType],
    /// Whether it may stand outside of sources, for all of them and for addresses without one.
    top: bool,
    /// The variable and the option that say the same.
    variable: Option<&'static str>,
    option: Option<&'static str>,
}

const CLOUDS: &[SourceType] = &[SourceType::Aws, SourceType::Lightsail, SourceType::Ecs];
const ACCOUNTS: &[SourceType] = &[
    SourceType::Aws,
    SourceType::Lightsail,
    SourceType::Ecs,
    SourceType::S3,
];
const SNAPSHOTS: &[SourceType] = &[
    SourceType::Aws,
    SourceType::Lightsail,
    SourceType::Ecs,
    SourceType::Ontap,
];
const SERVERS: &[SourceType] = &[
    SourceType::Aws,
    SourceType::Lightsail,
    SourceType::Ecs,
    SourceType::Ontap,
    SourceType::S3,
];
const ONTAP: &[SourceType] = &[SourceType::Ontap];
const PASSWORDS: &[SourceType] = &[SourceType::Ontap, SourceType::Https];

const fn of_source(name: &'static str, form: Form, types: &'static [SourceType]) -> Spec {
    Spec {
        name,
        form,
        types,
        top: false,
        variable: None,
        option: None,
    }
}

const fn of_all(
    name: &'static str,
    form: Form,
    types: &'static [SourceType],
    variable: &'static str,
    option: Option<&'static str>,
) -> Spec {
    Spec {
        name,
        form,
        types,
        top: true,
        variable: Some(variable),
        option,
    }
}

impl Key {
    /// All of them, in order.
    pub const ALL: [Self; 19] = [
        Self::Profile,
        Self::Region,
        Self::Endpoint,
        Self::Url,
        Self::Bucket,
        Self::Path,
        Self::Svm,
        Self::ClientCert,
        Self::Username,
        Self::PasswordCommand,
        Self::PasswordFile,
        Self::PasswordCredential,
        Self::Access,
        Self::Ttl,
        Self::MaxCostUsd,
        Self::Tags,
        Self::CacheDir,
        Self::CacheBytes,
        Self::DiskCacheBytes,
    ];

    const fn spec(self) -> Spec {
        use SourceType::{File, Https, Nbd, S3};
        match self {
            Self::Profile => {
                let option = Some("--profile");
                of_all("profile", Form::Text, ACCOUNTS, "FLR_PROFILE", option)
            }
            Self::Region => {
                let option = Some("--region");
                of_all("region", Form::Text, ACCOUNTS, "FLR_REGION", option)
            }
            Self::Endpoint => {
                let option = Some("--endpoint-url");
                of_all("endpoint", Form::Url, SERVERS, "FLR_ENDPOINT_URL", option)
            }
            Self::Url => of_source("url", Form::Url, &[Nbd, Https]),
            Self::Bucket => of_source("bucket", Form::Text, &[S3]),
            Self::Path => of_source("path", Form::Path, &[File]),
            Self::Svm => of_source("svm", Form::Text, ONTAP),
            Self::ClientCert => of_source("client_cert", Form::Path, ONTAP),
            Self::Username => of_source("username", Form::Text, PASSWORDS),
            Self::PasswordCommand => of_source("password_command", Form::Text, PASSWORDS),
            Self::PasswordFile => of_source("password_file", Form::Path, PASSWORDS),
            Self::PasswordCredential => of_source("password_credential", Form::Text, PASSWORDS),
            Self::Access => {
                let option = Some("--access");
                of_all("access", Form::Access, SNAPSHOTS, "FLR_ACCESS", option)
            }
            Self::Ttl => {
                let option = Some("--ttl");
                of_all("ttl", Form::Duration, SNAPSHOTS, "FLR_TTL", option)
            }
            Self::MaxCostUsd => {
                let (variable, option) = ("FLR_MAX_COST", Some("--max-cost"));
                of_all("max_cost_usd", Form::Dollars, SNAPSHOTS, variable, option)
            }
            Self::Tags => Spec {
                top: true,
                ..of_source("tags", Form::Tags, CLOUDS)
            },
            Self::CacheDir => of_all("cache_dir", Form::Path, &[], "FLR_CACHE_DIR", None),
            Self::CacheBytes => of_all("cache_bytes", Form::Bytes, &[], "FLR_CACHE_BYTES", None),
            Self::DiskCacheBytes => {
                let variable = "FLR_DISK_CACHE_BYTES";
                of_all("disk_cache_bytes", Form::Bytes, &[], variable, None)
            }
        }
    }

    /// As in the file.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.spec().name
    }

    /// What its value is.
    #[must_use]
    pub const fn form(self) -> Form {
        self.spec().form
    }

    /// The types of sources that may have it.
    #[must_use]
    pub const fn types(self) -> &'static [SourceType] {
        self.spec().types
    }

    /// Whether it may stand outside of sources.
    #[must_use]
    pub const fn is_top(self) -> bool {
        self.spec().top
    }

    /// The variable that says the same.
    #[must_use]
    pub const fn variable(self) -> Option<&'static str> {
        self.spec().variable
    }

    /// The option that says the same.
    #[must_use]
    pub const fn option(self) -> Option<&'static str> {
        self.spec().option
    }

    /// The key of this name.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|key| key.name() == name)
    }
}

/// What to say about a name that is no key, or not one of these: the nearest of them, or all.
pub(super) fn instead(name: &str, keys: impl Iterator<Item = &'static str>) -> String {
    let keys: Vec<_> = keys.collect();
    match nearest(name, keys.iter().copied()) {
        Some(near) => format!("did you mean {near}?"),
        None => format!("keys are {}", keys.join(", ")),
    }
}

/// Whether a key of this name would hold a secret.
pub(super) fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase().replace('-', "_");
    let parts = [
        "password",
        "passwd",
        "passphrase",
        "secret",
        "token",
        "credential",
        "private_key",
        "api_key",
        "access_key",
    ];
    Key::of(&name).is_none() && parts.iter().any(|part| name.contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_keys_is_whole_and_in_order() {
        assert!(Key::ALL.is_sorted());
        for key in Key::ALL {
            assert_eq!(Key::of(key.name()), Some(key));
            assert!(key.is_top() || !key.types().is_empty(), "{key:?}");
            assert!(!is_secret(key.name()), "{key:?}");
        }
        for kind in SourceType::ALL {
            assert_eq!(SourceType::of(kind.name()), Some(kind));
            assert!(
                kind.needs()
                    .is_none_or(|key| kind.keys().any(|one| one == key))
            );
        }
    }

    #[test]
    fn secrets_are_known_by_their_names() {
        for name in [
            "password",
            "Password",
            "aws_secret_access_key",
            "session-token",
            "passphrase",
        ] {
            assert!(is_secret(name), "{name}");
        }
        for name in ["profile", "password_comand2", "pass"] {
            assert_eq!(is_secret(name), name.starts_with("password"), "{name}");
        }
    }
}
