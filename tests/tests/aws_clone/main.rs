//! Temporary volumes, as real processes make them against a stand-in for AWS: what is read is right, and
//! whatever happens on the way, nothing is left.

mod faults;
mod kills;
mod life;
mod moto;
mod others;
mod stage;
