//! The agent's life.
pub mod batcher;
