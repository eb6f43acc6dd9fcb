//! Which cluster, as whom: what a source of the configuration says.

use crate::clouds::Way;
use crate::config::{Config, SourceType, Values};
use crate::error::{Error, Result};
use crate::secret::{Secret, pem_file};

/// What proves who asks.
#[derive(Clone, Debug)]
pub enum Credentials {
    /// A user and a password.
    Basic {
        /// The user.
        user: String,
        /// The password.
        password: Secret,
    },
    /// A token of OAuth 2.0.
    Bearer(Secret),
    /// A client certificate and its key, as PEM.
    Certificate(Secret),
}

/// How a cluster is reached.
#[derive(Clone, Debug)]
pub struct OntapSettings {
    /// The source of the configuration, by which whoever cleans up finds the credentials again.
    pub source: Option<String>,
    /// `https://cluster1.example`: management of the cluster or of the SVM.
    pub endpoint: String,
    /// The SVM that addresses need not name.
    pub svm: Option<String>,
    /// As whom.
    pub credentials: Credentials,
}

impl OntapSettings {
    /// What the source `name` says. May run a command for the password, two minutes at most.
    ///
    /// # Errors
    /// There is no endpoint and no credentials, or the password cannot be read.
    pub fn of_source(name: &str, values: &Values) -> Result<Self> {
        let usage = |what: String, hint: &str| Error::Usage {
            what,
            hint: Some(hint.to_owned()),
        };
        let Some(endpoint) = values.endpoint() else {
            let what = format!("the source {name} has no endpoint");
            return Err(usage(what, "endpoint = \"https://cluster1.example\""));
        };
        let credentials = match (values.client_cert(), values.username()) {
            (Some(path), None) => Credentials::Certificate(pem_file(path)?),
            (Some(_), Some(_)) => {
                let what = format!("the source {name} has a client_cert and a username");
                return Err(usage(what, "keep one of them"));
            }
            (None, user) => match (user, values.password()?) {
                (Some(user), Some(password)) => Credentials::Basic {
                    user: user.to_owned(),
                    password,
                },
                (None, Some(token)) => Credentials::Bearer(token),
                (_, None) => {
                    let what = format!("the source {name} has no credentials");
                    let hint = "client_cert = \"/etc/flr/ontap.pem\", or username = \"flr\" and \
                        password_command, password_file or password_credential";
                    return Err(usage(what, hint));
                }
            },
        };
        Ok(Self {
            source: Some(name.to_owned()),
            endpoint: endpoint.to_owned(),
            svm: values.svm().map(str::to_owned),
            credentials,
        })
    }

    /// The way to this cluster, as the journal has it: names, no secrets.
    #[must_use]
    pub fn way(&self) -> Way {
        Way {
            source: self.source.clone(),
            endpoint: Some(self.endpoint.clone()),
            ..Way::default()
        }
    }

    /// Reads what the configuration of now says of a way's source. The endpoint is the way's.
    ///
    /// # Errors
    /// There is no such source any more, or as [`of_source`](Self::of_source).
    pub fn of_way(way: &Way) -> Result<Self> {
        let name = way.source.as_deref().unwrap_or_default();
        // Names were checked by whoever reads addresses; here it is only looked up.
        let config = Config::load(&|name| std::env::var_os(name), |_| true)?;
        let source = config.named(name)?;
        if source.kind != SourceType::Ontap {
            return Err(Error::Usage {
                what: format!("the source {name} is of type {}", source.kind.name()),
                hint: Some("flr source ls".to_owned()),
            });
        }
        let mut settings = Self::of_source(name, &config.effective(Some(source)))?;
        if let Some(endpoint) = &way.endpoint {
            settings.endpoint.clone_from(endpoint);
        }
        Ok(settings)
    }
}
