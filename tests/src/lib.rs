//! What tests of several crates share: sources that fail on purpose, a filesystem held in memory.

pub mod faulty;
pub mod memory;
pub mod sample;
