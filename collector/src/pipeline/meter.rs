//! Events per second over the last minute.

use std::collections::VecDeque;
use std::time::Duration;

use watchpost_model::Timestamp;

const SPAN: Duration = Duration::from_secs(60);

/// Counts by second; holds at most a minute of them.
#[derive(Debug, Default)]
pub(super) struct Meter {
    counts: VecDeque<(i64, u64)>,
}

impl Meter {
    pub(super) fn add(&mut self, count: u64, now: Timestamp) {
        let second = now.as_seconds();
        match self.counts.back_mut() {
            Some((at, sum)) if *at == second => *sum = sum.saturating_add(count),
            _ => self.counts.push_back((second, count)),
        }
        let oldest = now.minus(SPAN).as_seconds();
        self.counts.retain(|(at, _)| *at > oldest);
    }

    #[expect(clippy::cast_precision_loss, reason = "a rate for the screen")]
    pub(super) fn rate(&self, now: Timestamp) -> f64 {
        let oldest = now.minus(SPAN).as_seconds();
        let sum: u64 = self.counts.iter().filter(|(at, _)| *at > oldest).map(|(_, count)| count).sum();
        sum as f64 / SPAN.as_secs_f64()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_older_than_a_minute_do_not_count() {
        let at = |seconds| Timestamp::from_parts(seconds, 0);
        let mut meter = Meter::default();
        meter.add(600, at(0));
        meter.add(60, at(30));
        assert!((meter.rate(at(30)) - 11.0).abs() < 1e-9);
        assert!((meter.rate(at(61)) - 1.0).abs() < 1e-9);
        assert!(meter.rate(at(200)).abs() < 1e-9);
    }
}
