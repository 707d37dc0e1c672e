//! The thread of one live source: packets to the sensor, events to the queue, figures to the ledger.

use std::io;
use std::thread::JoinHandle;
use std::time::Duration;

use watchpost_model::ledger::Stage;

use super::{Error, Feed, PacketSource, Sensor, Settings};
use crate::clock;
use crate::flow::{Owners, Place};
use crate::owner::{Finder, Notes};

/// Packets after which counters are published and the wish to stop is looked at.
const ROUND: u32 = 256;

/// How often the kernel is asked what it dropped.
const DROPS_EVERY: Duration = Duration::from_secs(2);

/// A pause after the interface went down, before it is read again.
const DOWN: Duration = Duration::from_secs(1);

/// Starts the thread of one source.
pub(super) fn spawn<S: PacketSource<Error = io::Error> + Send + 'static>(
    source: S,
    place: Place,
    settings: &Settings,
    feed: &Feed,
    notes: &Notes,
) -> Result<JoinHandle<()>, Error> {
    let sensor = Sensor::new(settings.flow, place.clone(), settings.exclude.clone())
        .with_owners(finder(notes.clone()));
    let worker = Worker { source, sensor, feed: feed.clone(), known: Counted::default() };
    feed.spawn(format!("capture {}", place.name()), move || worker.run())
}

/// Who tells which process a flow belongs to.
fn finder(notes: Notes) -> Option<Box<dyn Owners>> {
    match Finder::open(notes) {
        Ok(finder) => Some(Box::new(finder)),
        Err(error) => {
            tracing::warn!(%error, "flows are not tied to processes: the kernel does not tell of sockets");
            None
        }
    }
}

/// What has been published so far.
#[derive(Debug, Default)]
struct Counted {
    frames: u64,
    lost: u64,
    dropped: u64,
}

struct Worker<S> {
    source: S,
    sensor: Sensor,
    feed: Feed,
    known: Counted,
}

impl<S: PacketSource<Error = io::Error>> Worker<S> {
    fn run(mut self) {
        let mut events = Vec::new();
        let mut asked = clock::monotonic();
        while !self.feed.stop.is_stopped() {
            if let Err(error) = self.round(&mut events) {
                tracing::warn!(%error, "the interface can not be read; trying again");
                self.feed.stop.sleep(DOWN);
            }
            self.sensor.tick(clock::now(), &mut events);
            self.feed.offer(&mut events);
            if asked.elapsed() >= DROPS_EVERY {
                asked = clock::monotonic();
                self.ask_drops();
            }
            self.publish();
        }
        self.ask_drops();
        self.sensor.finish(&mut events);
        self.feed.offer(&mut events);
        self.publish();
    }

    /// Reads until nothing comes or a round is full.
    fn round(&mut self, events: &mut Vec<watchpost_model::Event>) -> io::Result<()> {
        for _ in 0..ROUND {
            let Some(captured) = self.source.next_packet()? else { return Ok(()) };
            self.sensor.take(&captured, events);
        }
        Ok(())
    }

    fn ask_drops(&mut self) {
        if let Some(dropped) = self.source.dropped() {
            let fresh = dropped.saturating_sub(self.known.dropped);
            self.feed.counters.lose(Stage::Kernel, fresh);
            self.known.dropped = self.known.dropped.max(dropped);
        }
    }

    fn publish(&mut self) {
        let frames = self.sensor.frames().saturating_sub(self.known.frames);
        let lost = self.sensor.problems().lost().saturating_sub(self.known.lost);
        self.feed.counters.pass(Stage::Kernel, frames);
        self.feed.counters.pass(Stage::Decode, frames.saturating_sub(lost));
        self.feed.counters.lose(Stage::Decode, lost);
        self.known.frames = self.known.frames.saturating_add(frames);
        self.known.lost = self.known.lost.saturating_add(lost);
    }
}
