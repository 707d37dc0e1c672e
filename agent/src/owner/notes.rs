//! Owners noted the moment a flow began, for the flow table, which hears of it later.
//!
//! A packet reaches the table some milliseconds late, when a short-lived process may be gone. So
//! one thread listens at a tap that only beginnings pass, asks at once, and leaves a note.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use foldhash::fast::RandomState;

use super::Finder;
use crate::clock;
use crate::decode::{Frame, Link, Transport, decode};
use crate::flow::{Endpoint, Owner, Owners};
use crate::stop::Stop;
use crate::sys::tap::Tap;

/// Notes kept; the oldest go first.
const MOST_NOTES: usize = 8_192;

/// How long the tap waits before we look whether to stop.
const PATIENCE: Duration = Duration::from_millis(200);

/// A pause after the tap failed.
const PAUSE: Duration = Duration::from_secs(1);

/// Protocol, this host's end, the other end.
pub(super) type Ends = (u8, Endpoint, Endpoint);

/// Notes that threads share.
#[derive(Clone, Debug, Default)]
pub struct Notes(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    owners: HashMap<Ends, Arc<Owner>, RandomState>,
    order: VecDeque<Ends>,
}

impl Notes {
    pub(super) fn read(&self, ends: &Ends) -> Option<Arc<Owner>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).owners.get(ends).cloned()
    }

    pub(super) fn write(&self, ends: Ends, owner: Arc<Owner>) {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if inner.owners.insert(ends, owner).is_none() {
            inner.order.push_back(ends);
        }
        if inner.order.len() > MOST_NOTES
            && let Some(oldest) = inner.order.pop_front()
        {
            inner.owners.remove(&oldest);
        }
    }
}

/// Starts listening; no thread where the tap can not be opened, which costs only short-lived names.
#[must_use]
pub fn listen(stop: Stop) -> (Notes, Option<JoinHandle<()>>) {
    let notes = Notes::default();
    let opened = Tap::open().and_then(|tap| Ok((tap, Finder::open(Notes::default())?)));
    let thread = opened.and_then(|(tap, finder)| {
        let notes = notes.clone();
        thread::Builder::new().name("owners".to_owned()).spawn(move || run(tap, finder, &notes, &stop))
    });
    if let Err(error) = &thread {
        tracing::warn!(%error, "flows of short-lived processes are not named");
    }
    (notes, thread.ok())
}

fn run(mut tap: Tap, mut finder: Finder, notes: &Notes, stop: &Stop) {
    while !stop.is_stopped() {
        match tap.next(PATIENCE) {
            Ok(Some(packet)) => {
                if let Some(ends) = ends(packet)
                    && let Some(owner) = finder.find(ends.0, ends.1, Some(ends.2), clock::now())
                {
                    notes.write(ends, owner);
                }
            }
            Ok(None) => {}
            // An interface that goes down says so once.
            Err(error) => {
                tracing::debug!(%error, "the tap can not be read; trying again");
                stop.sleep(PAUSE);
            }
        }
    }
}

fn ends(packet: &[u8]) -> Option<Ends> {
    let packet = decode(Frame { link: Link::RawIp, data: packet, original: packet.len() }).ok()?;
    let (Transport::Tcp { source, destination, .. } | Transport::Ports { source, destination }) =
        packet.transport
    else {
        return None;
    };
    let local = Endpoint { ip: packet.source, port: source };
    Some((packet.protocol, local, Endpoint { ip: packet.destination, port: destination }))
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;

    #[test]
    fn the_oldest_notes_go_first() {
        let notes = Notes::default();
        let at = |port| Endpoint { ip: IpAddr::V4(Ipv4Addr::LOCALHOST), port };
        for port in 0..=8_192_u16 {
            notes.write((6, at(port), at(1)), Arc::default());
        }
        assert!(notes.read(&(6, at(0), at(1))).is_none());
        assert!(notes.read(&(6, at(1), at(1))).is_some() && notes.read(&(6, at(8_192), at(1))).is_some());
    }
}
