//! Waiting for a condition, with a limit that says what did not come.

use std::time::{Duration, Instant};

/// How long a test waits for something that takes milliseconds on an idle machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Looks until `look` gives something, at most [`PATIENCE`].
///
/// # Panics
/// When nothing came: the message names `what`.
#[track_caller]
pub fn eventually<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    within(PATIENCE, what, look)
}

/// Looks until `look` gives something, at most `limit`.
///
/// # Panics
/// When nothing came: the message names `what`.
#[track_caller]
#[expect(clippy::disallowed_methods, reason = "a test waits by the real clock")]
pub fn within<T>(limit: Duration, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < limit, "waited {limit:?} in vain for: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
