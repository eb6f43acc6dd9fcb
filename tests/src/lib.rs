//! What the tests share: images and their golden trees, a filesystem held in memory, sources with
//! faults, and the tools of the machine they run on.

pub mod compare;
pub mod content;
pub mod exercise;
pub mod fault;
pub mod faulty;
pub mod golden;
pub mod image;
pub mod memory;
pub mod patch;
pub mod require;
pub mod sample;

pub use compare::{Rules, compare};
pub use exercise::exercise;
pub use fault::{Counting, Flaky, Truncated};
pub use golden::{Expect, Golden, Node, VolumeRow};
pub use image::{FileSource, image};
pub use patch::Patch;
