//! NBD: exports of a server, read over its newstyle protocol.
