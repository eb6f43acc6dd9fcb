//! Objects of S3, GCS and Azure as images, read by ranges.
