//! What was lost since it was last told, stage by stage, as events.
//!
//! The ledger rides with every batch as figures; an event besides makes a loss something that
//! rules can see and people can search for. What was lost before the agent began is not told again.

use watchpost_model::event::Loss;
use watchpost_model::ledger::{Ledger, Stage};
use watchpost_model::{Event, Timestamp};

/// Remembers what has been told.
#[derive(Debug, Default)]
pub(super) struct Losses {
    told: Ledger,
}

impl Losses {
    /// Everything in `ledger` counts as told.
    pub(super) fn since(ledger: Ledger) -> Self {
        Self { told: ledger }
    }

    /// One event per stage that has lost more since the last call.
    pub(super) fn tell(&mut self, ledger: Ledger, now: Timestamp) -> Vec<Event> {
        let news = Stage::ALL.into_iter().filter_map(|stage| {
            let count = ledger.get(stage).lost.saturating_sub(self.told.get(stage).lost);
            (count > 0).then(|| Event::from(Loss { time: now, stage: stage.name(), count }))
        });
        let events = news.collect();
        self.told = ledger;
        events
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use watchpost_model::{Value, field as f};

    #[test]
    fn each_loss_is_told_once_and_old_ones_never() {
        let mut ledger = Ledger::default();
        ledger.set(Stage::Spool, 10, 4);
        let mut losses = Losses::since(ledger.clone());
        assert!(losses.tell(ledger.clone(), Timestamp::EPOCH).is_empty());
        ledger.set(Stage::Spool, 11, 7);
        ledger.set(Stage::Kernel, 5, 2);
        let told: Vec<_> = losses
            .tell(ledger.clone(), Timestamp::EPOCH)
            .iter()
            .map(|event| {
                let count = event.record.get(f::LOSS_COUNT).and_then(Value::as_uint);
                (event.text(f::LOSS_STAGE).map(str::to_owned), count)
            })
            .collect();
        assert_eq!(told, [(Some("kernel".to_owned()), Some(2)), (Some("spool".to_owned()), Some(3))]);
        assert!(losses.tell(ledger, Timestamp::EPOCH).is_empty());
    }
}
