//! The queue between sensors and the batcher: bounded, with two policies.
//!
//! Packets and processes do not wait for us, so their events are *offered*: a full queue drops
//! the newest and counts it. Log lines do wait in their files, so they are *put*: a full queue
//! holds the reader back, and its checkpoint does not move.

use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, SendTimeoutError, Sender, TrySendError, bounded};
use watchpost_model::Event;
use watchpost_model::ledger::Stage;

use crate::counters::Counters;
use crate::stop::Stop;

/// How far a log source had been read once an event was taken from it. The value is opaque to
/// everyone but that source; the last one of each source is stored with the batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// Which source, for example `file:/var/log/auth.log`.
    pub source: Arc<str>,
    /// Where it stands, in the source's own words.
    pub value: String,
}

/// An event on its way to the batcher.
#[derive(Clone, Debug)]
pub struct Item {
    /// The event.
    pub event: Event,
    /// The position that its source may resume from once the event is durable.
    pub position: Option<Position>,
}

/// The sensors' end. Clones feed the same queue.
#[derive(Clone, Debug)]
pub struct Inlet {
    sender: Sender<Item>,
    counters: Arc<Counters>,
}

/// The batcher's end.
#[derive(Debug)]
pub struct Outlet {
    receiver: Receiver<Item>,
}

/// The queue is closed: the agent is ending.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the agent is stopping")]
pub struct Closed;

/// Makes a queue of at most `bound` events.
#[must_use]
pub fn queue(bound: usize, counters: Arc<Counters>) -> (Inlet, Outlet) {
    let (sender, receiver) = bounded(bound);
    (Inlet { sender, counters }, Outlet { receiver })
}

/// How often a waiting log reader looks whether it should stop.
const PATIENCE: Duration = Duration::from_millis(200);

impl Inlet {
    /// Offers an event that can not wait; a full queue drops it and counts.
    pub fn offer(&self, event: Event) {
        match self.sender.try_send(Item { event, position: None }) {
            Ok(()) => self.counters.pass(Stage::Queue, 1),
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => self.counters.lose(Stage::Queue, 1),
        }
    }

    /// Puts an event that can wait, until there is room.
    ///
    /// # Errors
    /// [`Closed`] when the agent is ending; the event has not been taken.
    pub fn put(&self, event: Event, position: Option<Position>, stop: &Stop) -> Result<(), Closed> {
        let mut item = Item { event, position };
        loop {
            match self.sender.send_timeout(item, PATIENCE) {
                Ok(()) => {
                    self.counters.pass(Stage::Queue, 1);
                    return Ok(());
                }
                Err(SendTimeoutError::Timeout(back)) if !stop.is_stopped() => item = back,
                Err(_) => return Err(Closed),
            }
        }
    }
}

impl Outlet {
    /// The next event, waiting at most `span`. `Ok(None)` when none came.
    ///
    /// # Errors
    /// [`Closed`] when every sensor has gone and the queue is empty.
    pub fn take(&self, span: Duration) -> Result<Option<Item>, Closed> {
        match self.receiver.recv_timeout(span) {
            Ok(item) => Ok(Some(item)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err(Closed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use watchpost_model::{Kind, Timestamp};

    fn event() -> Event {
        Event::new(Kind::Flow, Timestamp::EPOCH)
    }

    #[test]
    fn a_full_queue_drops_offers_and_counts_them() {
        let counters = Arc::new(Counters::default());
        let (inlet, outlet) = queue(2, counters.clone());
        for _ in 0..5 {
            inlet.offer(event());
        }
        let entry = counters.ledger().get(Stage::Queue);
        assert_eq!((entry.passed, entry.lost), (2, 3));
        assert!(outlet.take(Duration::ZERO).unwrap().is_some());
    }

    #[test]
    fn a_put_waits_for_room_and_gives_up_only_when_stopping() {
        let (inlet, outlet) = queue(1, Arc::new(Counters::default()));
        let stop = Stop::default();
        inlet.put(event(), None, &stop).unwrap();
        let waiting = {
            let (inlet, stop) = (inlet.clone(), stop.clone());
            std::thread::spawn(move || inlet.put(event(), None, &stop))
        };
        assert!(outlet.take(Duration::from_secs(5)).unwrap().is_some());
        assert_eq!(waiting.join().unwrap(), Ok(()));
        stop.stop();
        assert_eq!(inlet.put(event(), None, &stop), Err(Closed));
    }
}
