//! A proxy on loopback that breaks what passes through it, as it is told.
