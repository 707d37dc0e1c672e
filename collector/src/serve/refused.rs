//! Which refusals are worth a line in the log: one a minute and address.
//!
//! Whoever has no certificate can knock as often as the network allows; a line for each knock
//! would fill the disk that the journal needs. What is held back is counted and told with the
//! next line. Bounded, and pure: time is an argument.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use watchpost_model::Timestamp;

/// Time between two lines about one address.
const PAUSE: Duration = Duration::from_secs(60);

/// Addresses remembered; when there are more, those whose pause is over are forgotten.
const MOST_ADDRESSES: usize = 1_024;

/// Who was refused lately.
#[derive(Debug, Default)]
pub(super) struct Refused(Mutex<HashMap<IpAddr, (Timestamp, u64)>>);

impl Refused {
    /// A request from `address` was refused at `now`. If that is worth a line: how many were held
    /// back since the line before.
    pub(super) fn note(&self, address: IpAddr, now: Timestamp) -> Option<u64> {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((last, held)) = seen.get_mut(&address) {
            // A clock that was set back counts as a pause.
            if now >= *last && now.since(*last) < PAUSE {
                *held = held.saturating_add(1);
                return None;
            }
            *last = now;
            return Some(std::mem::take(held));
        }
        if seen.len() >= MOST_ADDRESSES {
            seen.retain(|_, (last, _)| now >= *last && now.since(*last) < PAUSE);
        }
        if seen.len() >= MOST_ADDRESSES {
            return None;
        }
        seen.insert(address, (now, 0));
        Some(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_parts(1_700_000_000 + seconds, 0)
    }

    #[test]
    fn each_address_has_one_line_a_minute_that_counts_what_was_held_back() {
        let refused = Refused::default();
        let (one, two) = ([192, 0, 2, 1].into(), [192, 0, 2, 2].into());
        let said = [0, 1, 59, 60, 61, 121].map(|seconds| refused.note(one, at(seconds)));
        assert_eq!(said, [Some(0), None, None, Some(2), None, Some(1)]);
        assert_eq!(refused.note(two, at(121)), Some(0));
    }

    #[test]
    fn many_addresses_make_neither_lines_nor_memory_without_end() {
        let refused = Refused::default();
        let from = |number: u32| IpAddr::from(number.to_be_bytes());
        let lines = (0..5_000).filter(|number| refused.note(from(*number), at(0)).is_some()).count();
        assert_eq!(lines, MOST_ADDRESSES);
        assert_eq!(refused.note(from(9_999), at(60)), Some(0), "the next minute has room again");
    }
}
