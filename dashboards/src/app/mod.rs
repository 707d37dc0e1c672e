//! The dashboard's core: a state, messages that change it, effects that it asks for.
//!
//! Pure: no I/O, no clock, no terminal. `update(state, message, now)` is the only way the state
//! changes, so every behaviour of the screen can be tested by handing messages over. Lists are
//! kept by id and bounded; the cursor is an id, never a row number, so a row stays selected while
//! new ones arrive above it.

pub mod effect;
pub mod message;
pub mod state;
pub mod update;

#[cfg(test)]
mod tests;

pub use effect::Effect;
pub use message::{Answer, Link, Message};
pub use state::State;
pub use update::update;
