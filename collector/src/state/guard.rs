//! A wall around foreign stores: their panics become reasons.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs `work`. A panic inside it comes back as the text that it carried.
///
/// The store's own locks may be poisoned afterwards; then its next call panics too and is
/// caught again, so the caller sees errors and never an end of its thread.
pub(super) fn guarded<T>(work: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|thrown| Err(words(thrown.as_ref())))
}

fn words(thrown: &(dyn Any + Send)) -> String {
    let text = thrown
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| thrown.downcast_ref::<String>().cloned());
    format!("the store broke off: {}", text.unwrap_or_else(|| "no reason given".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_a_reason() {
        let broken = guarded::<()>(|| panic!("page {} is torn", 7));
        assert_eq!(broken.unwrap_err(), "the store broke off: page 7 is torn");
        assert_eq!(guarded(|| Ok(1)), Ok(1));
    }
}
