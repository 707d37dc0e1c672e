//! What the agent counts: one pair of numbers per stage of the loss ledger, written by many
//! threads, read by whoever reports.

use std::sync::atomic::{AtomicU64, Ordering};

use watchpost_model::ledger::{Ledger, Stage};

/// Counts since the agent started (spool and wire: since the spool's epoch).
#[derive(Debug, Default)]
pub struct Counters {
    passed: [AtomicU64; Stage::ALL.len()],
    lost: [AtomicU64; Stage::ALL.len()],
}

impl Counters {
    /// `count` records went through `stage`.
    pub fn pass(&self, stage: Stage, count: u64) {
        if let Some(cell) = self.passed.get(stage as usize) {
            cell.fetch_add(count, Ordering::Relaxed);
        }
    }

    /// `count` records were lost at `stage`.
    pub fn lose(&self, stage: Stage, count: u64) {
        if let Some(cell) = self.lost.get(stage as usize) {
            cell.fetch_add(count, Ordering::Relaxed);
        }
    }

    /// Sets a stage's counts to figures that someone else keeps (the kernel, the spool's ledger).
    pub fn set(&self, stage: Stage, passed: u64, lost: u64) {
        if let (Some(p), Some(l)) = (self.passed.get(stage as usize), self.lost.get(stage as usize)) {
            p.store(passed, Ordering::Relaxed);
            l.store(lost, Ordering::Relaxed);
        }
    }

    /// The counts as they are now; stages that nobody counted are left out.
    #[must_use]
    pub fn ledger(&self) -> Ledger {
        let mut ledger = Ledger::default();
        for (stage, (passed, lost)) in Stage::ALL.into_iter().zip(self.passed.iter().zip(&self.lost)) {
            let (passed, lost) = (passed.load(Ordering::Relaxed), lost.load(Ordering::Relaxed));
            if passed > 0 || lost > 0 {
                ledger.set(stage, passed, lost);
            }
        }
        ledger
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_appear_in_the_ledger() {
        let counters = Counters::default();
        counters.pass(Stage::Queue, 3);
        counters.lose(Stage::Queue, 1);
        let ledger = counters.ledger();
        assert_eq!(ledger.get(Stage::Queue).passed, 3);
        assert_eq!(ledger.lost(), 1);
        assert_eq!(ledger.0.len(), 1);
    }
}
