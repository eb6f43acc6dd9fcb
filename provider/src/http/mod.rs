//! HTTP: the client that everything uses, and images behind a URL, read by ranges.
