//! Credentials of the AWS chain, handed to the client of S3: asked for when a request is signed, kept
//! until they end, and forgotten when S3 says that they have.

use crate::aws::CredentialSource;
use crate::fault::Fault;
use aws_credential_types::Credentials;
use object_store::aws::AwsCredential;
use object_store::{CredentialProvider, Error};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

/// The chain, and what it gave last.
#[derive(Debug)]
pub(super) struct Chain {
    source: CredentialSource,
    last: Mutex<Option<Credentials>>,
}

impl Chain {
    pub(super) fn new(source: CredentialSource) -> Self {
        Self {
            source,
            last: Mutex::new(None),
        }
    }

    /// Forgets what S3 says has ended.
    pub(super) async fn forget(&self) {
        let last = self
            .last
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(last) = last {
            self.source.forget(&last).await;
        }
    }

    async fn get(&self) -> Result<Arc<AwsCredential>, Fault> {
        let credentials = self.source.get(SystemTime::now()).await?;
        let credential = AwsCredential {
            key_id: credentials.access_key_id().to_owned(),
            secret_key: credentials.secret_access_key().to_owned(),
            token: credentials.session_token().map(str::to_owned),
        };
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        *last = Some(credentials);
        drop(last);
        Ok(Arc::new(credential))
    }
}

type Given<'a> =
    Pin<Box<dyn Future<Output = object_store::Result<Arc<AwsCredential>>> + Send + 'a>>;

impl CredentialProvider for Chain {
    type Credential = AwsCredential;

    fn get_credential<'a, 'b>(&'a self) -> Given<'b>
    where
        'a: 'b,
        Self: 'b,
    {
        Box::pin(async move {
            let wrap = |fault: Fault| Error::Generic {
                store: "S3",
                // Found again behind whatever is wrapped around it.
                source: Box::new(fault),
            };
            self.get().await.map_err(wrap)
        })
    }
}
