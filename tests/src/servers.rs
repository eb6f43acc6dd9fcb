//! Other people's servers, started on loopback for a test and ended with it.
