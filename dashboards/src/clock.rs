//! The only room of the console that reads a clock. Everything else takes time as an argument, so
//! that views, reports and the app core can be tested at any moment of any day.

use std::time::Instant;

use watchpost_model::Timestamp;

/// The wall clock.
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
