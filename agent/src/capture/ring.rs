//! The `ring` rung: packets in memory shared with the kernel, one ring and one thread an interface.
//!
//! Read in blocks instead of one by one, time stamped by the kernel, and the kernel
//! says how many it had no room for.

use std::io;
use std::time::Duration;

use watchpost_model::Timestamp;

use super::interfaces::{Wanted, link_of};
use super::{Captured, Error, Feed, PacketSource, Running, Settings, worker};
use crate::decode::{Frame, Link};
use crate::owner;
use crate::sys::ring::{Ring, Shape};

/// How long a read waits, and with it how late a record may be written on a silent wire.
const PATIENCE: Duration = Duration::from_millis(50);

/// A ring and what its packets begin with.
struct Live {
    ring: Ring,
    link: Link,
}

impl PacketSource for Live {
    type Error = io::Error;

    fn next_packet(&mut self) -> Result<Option<Captured<'_>>, io::Error> {
        let link = self.link;
        Ok(self.ring.next(PATIENCE)?.map(|raw| Captured {
            time: Timestamp::from_parts(raw.time.0.into(), raw.time.1),
            frame: Frame { link, data: raw.data, original: raw.original },
        }))
    }

    fn dropped(&self) -> Option<u64> {
        self.ring.dropped()
    }
}

/// Opens rings on all interfaces wanted and starts their threads.
pub(super) fn start(settings: &Settings, feed: &Feed) -> Result<Running, Error> {
    let wanted = Wanted::choose(&settings.interfaces)?;
    let mut opened = Vec::new();
    for interface in &wanted.interfaces {
        let (shape, link) = if interface.is_loopback() {
            (Shape::Incoming, Link::RawIp)
        } else {
            (Shape::Frames, link_of(&interface.name))
        };
        let ring = Ring::open(interface.index, shape, wanted.interfaces.len())
            .map_err(|source| Error::Open { interface: interface.name.clone(), source })?;
        opened.push((Live { ring, link }, wanted.place("ring", interface)));
    }
    let (notes, listener) = owner::listen(feed.stop.clone());
    let mut threads = opened
        .into_iter()
        .map(|(source, place)| worker::spawn(source, place, settings, feed, &notes))
        .collect::<Result<Vec<_>, _>>()?;
    threads.extend(listener);
    Ok(Running { rung: "ring".into(), blind: wanted.blind(true), threads })
}
