//! Layers: sources in, volumes out. One folder per format; a layer knows no filesystem.

pub mod gpt;
pub mod mbr;
