//! Kinds whose attempts are made by workers: programs of their own, that ask for tasks, hold each for
//! as long as they give a sign of life, and say what has come of it.
//!
//! Here is what a plugin says of its kinds. Who holds which task, and for how long, is the engine's
//! business; who asks in whose name, and in which words, the server's.

mod manifest;

pub use manifest::{KIND_COUNT_MAX, MANIFEST_BYTES_MAX, Manifest};
