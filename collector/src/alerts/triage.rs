//! Changes of an alert's handling: who may not be asked twice, and what needs a reason.

use watchpost_model::alert::{Alert, Triage};
use watchpost_model::query::TriageChange;

/// Longest reason, in characters: a page of text is enough for a judgement.
const MOST_REASON: usize = 2_000;

/// Why a change is refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RefusedTriage {
    /// False positives and ignored alerts must say why.
    #[error("a reason is needed to call an alert a false positive or to ignore it; send `reason`")]
    NoReason,
    /// The text is too long to be kept.
    #[error("the reason has {0} characters, more than the limit of {MOST_REASON}; shorten it")]
    LongReason(usize),
}

/// Applies a change made by `who`.
///
/// # Errors
/// Refuses a change without the reason it needs, and a reason that is too long.
pub fn change(alert: &mut Alert, wanted: &TriageChange, who: &str) -> Result<(), RefusedTriage> {
    let reason = wanted.reason.trim();
    if wanted.triage.needs_reason() && reason.is_empty() {
        return Err(RefusedTriage::NoReason);
    }
    let length = reason.chars().count();
    if length > MOST_REASON {
        return Err(RefusedTriage::LongReason(length));
    }
    alert.triage = wanted.triage;
    reason.clone_into(&mut alert.reason);
    if wanted.triage == Triage::New {
        alert.owner.clear();
    } else {
        who.clone_into(&mut alert.owner);
    }
    Ok(())
}
