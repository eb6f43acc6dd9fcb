//! Objects of S3, GCS and Azure as images, read by ranges.
//!
//! Addresses, signatures and credentials are those of the `object_store` crate; what goes over the wire
//! passes a gate of ours: the same client, the same rules about who is talked to, and the same checks of
//! every answer as for images behind plain URLs.
//!
//! | module | |
//! |---|---|
//! | `address` | `s3://`, `gs://` and `az://` taken apart |
//! | [`options`] | where, and as whom |
//! | `build` | the client of a service for one object |
//! | `gate` | requests out, checked answers in |
//! | `keys` | credentials of the AWS chain, handed over |
//! | `fault` | what the services say when they refuse |
//! | [`store`] | the object as chunks |

mod address;
mod build;
mod fault;
mod gate;
mod keys;
pub mod options;
pub mod store;

pub use options::{AwsKeys, ObjectCredentials, ObjectOptions};
pub use store::ObjectStoreImage;
