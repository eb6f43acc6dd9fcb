//! A stand-in for AWS on loopback, for what no emulator has: paging, lazy reads, throttling, faults at will.
