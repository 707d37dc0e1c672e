//! The only room of the agent that reads a clock. Everything else takes time as an argument.

use std::time::Instant;

use watchpost_model::Timestamp;

/// The host's wall clock.
#[expect(clippy::disallowed_methods, reason = "this is the clock room")]
#[must_use]
pub fn now() -> Timestamp {
    Timestamp::from(std::time::SystemTime::now())
}

/// A clock that never jumps, for measuring spans.
#[expect(clippy::disallowed_methods, reason = "this is the clock room")]
#[must_use]
pub fn monotonic() -> Instant {
    Instant::now()
}
