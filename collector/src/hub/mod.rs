//! The live stream's hub: one sender, many readers, nobody waits.
//!
//! The buffer is bounded. A reader that is slower than the events is told how many messages it
//! missed ([`Live::Missed`]) and asks for the lists again; it never holds up detection and never
//! makes the collector's memory grow. Messages are turned to JSON once, not once per reader.

use std::sync::Arc;

use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use watchpost_model::query::Live;

/// Messages kept for slow readers: half a minute of a busy collector.
pub const CAPACITY: usize = 1_024;

/// One message, ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The SSE event name: the variant's name.
    pub name: &'static str,
    /// The message as JSON, on one line.
    pub json: String,
}

impl Message {
    /// `None` for a message that has no JSON form (a number that is not finite).
    #[must_use]
    pub fn of(live: &Live) -> Option<Self> {
        let name = match live {
            Live::Alert(_) => "alert",
            Live::Incident(_) => "incident",
            Live::Overview(_) => "overview",
            Live::Hosts(_) => "hosts",
            Live::Missed(_) => "missed",
        };
        Some(Self { name, json: serde_json::to_string(live).ok()? })
    }
}

/// The sender's end. Clones send to the same readers.
#[derive(Clone, Debug)]
pub struct Hub {
    sender: broadcast::Sender<Arc<Message>>,
}

impl Default for Hub {
    fn default() -> Self {
        Self::new(CAPACITY)
    }
}

impl Hub {
    /// A hub that keeps `capacity` messages for slow readers; at least one.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self { sender: broadcast::Sender::new(capacity.max(1)) }
    }

    /// Sends to whoever listens now.
    pub fn publish(&self, live: &Live) {
        if self.readers() == 0 {
            return;
        }
        match Message::of(live) {
            // A send fails only when the last reader has just left.
            Some(message) => drop(self.sender.send(Arc::new(message))),
            None => tracing::warn!("a live message has no JSON form and was left out"),
        }
    }

    /// A new reader, of what is sent from now on.
    #[must_use]
    pub fn subscribe(&self) -> Subscription {
        Subscription { receiver: self.sender.subscribe() }
    }

    /// Readers right now.
    #[must_use]
    pub fn readers(&self) -> usize {
        self.sender.receiver_count()
    }
}

/// One reader.
#[derive(Debug)]
pub struct Subscription {
    receiver: broadcast::Receiver<Arc<Message>>,
}

impl Subscription {
    /// The next message; `None` when the hub is gone.
    pub async fn next(&mut self) -> Option<Arc<Message>> {
        match self.receiver.recv().await {
            Ok(message) => Some(message),
            Err(RecvError::Lagged(missed)) => Message::of(&Live::Missed(missed)).map(Arc::new),
            Err(RecvError::Closed) => None,
        }
    }
}

#[cfg(test)]
impl Subscription {
    /// Names of the messages that wait.
    pub(crate) fn try_names(&mut self) -> Vec<&'static str> {
        std::iter::from_fn(|| self.receiver.try_recv().ok()).map(|message| message.name).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_slow_reader_is_told_how_much_it_missed() {
        let hub = Hub::new(4);
        let mut reader = hub.subscribe();
        for _ in 0..10 {
            hub.publish(&Live::Hosts(Vec::new()));
        }
        let first = reader.next().await.unwrap();
        assert_eq!((first.name, first.json.as_str()), ("missed", r#"{"type":"missed","body":6}"#));
        assert_eq!(reader.next().await.unwrap().name, "hosts");
    }

    #[tokio::test]
    async fn readers_end_when_the_hub_is_gone() {
        let hub = Hub::default();
        let mut reader = hub.subscribe();
        hub.publish(&Live::Hosts(Vec::new()));
        drop(hub);
        assert_eq!(reader.next().await.unwrap().json, r#"{"type":"hosts","body":[]}"#);
        assert_eq!(reader.next().await, None);
    }
}
