//! The Sigma language and its engine.
#![forbid(unsafe_code)]
#![deny(clippy::indexing_slicing)]

pub mod shipped;
