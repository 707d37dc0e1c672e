//! How long to wait before the next try: doubling, bounded, and scattered so that a thousand
//! agents do not come back in the same second after a collector's restart.

use std::time::Duration;

/// A doubling delay between two bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The first delay.
    pub least: Duration,
    /// No delay is longer.
    pub most: Duration,
}

impl Backoff {
    /// The delay after `failures` failures in a row (from 1), between half of it and all of it as
    /// `jitter` says.
    #[must_use]
    pub fn delay(&self, failures: u32, jitter: u64) -> Duration {
        let doublings = failures.saturating_sub(1).min(20);
        let whole = self.least.saturating_mul(1_u32 << doublings).min(self.most);
        let half = u64::try_from(whole.as_nanos() / 2).unwrap_or(u64::MAX);
        Duration::from_nanos(half.saturating_add(jitter % half.saturating_add(1)))
    }
}

/// A stream of scattered numbers (SplitMix64): good enough to spread retries, never for secrets.
#[derive(Clone, Debug)]
pub struct Jitter(u64);

impl Jitter {
    /// From a seed that differs between hosts.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_the_bound_and_scatter_below() {
        let backoff = Backoff { least: Duration::from_millis(100), most: Duration::from_secs(5) };
        let mut jitter = Jitter::new(1);
        for (failures, whole) in [(1, 100), (2, 200), (3, 400), (7, 5_000), (4_000_000_000, 5_000)] {
            for _ in 0..50 {
                let delay = backoff.delay(failures, jitter.draw());
                let whole = Duration::from_millis(whole);
                assert!(delay >= whole / 2 && delay <= whole, "{failures}: {delay:?}");
            }
        }
    }

    #[test]
    fn jitter_differs_from_step_to_step() {
        let mut jitter = Jitter::new(7);
        assert_ne!(jitter.draw(), jitter.draw());
    }
}
