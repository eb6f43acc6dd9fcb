//! Every kind of fault at every call of AWS: right bytes or a clear error, in bounded time, and nothing
//! that is left without a word.
//!
//! Each cell of the matrix is tried twice: with a fault that passes, which must be survived, and with one
//! that stays, which must be told. Then the stand-in is healed, and a clean-up leaves nothing.

mod clone;
mod direct;
mod kinds;
mod lightsail;
mod network;
#[path = "../aws_clone/stage.rs"]
mod stage;
mod table;
