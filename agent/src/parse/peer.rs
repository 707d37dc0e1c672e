//! The other end of a connection as a log names it: an address, a host name, or neither.

use std::net::IpAddr;

use watchpost_model::{Event, field as f};

/// A remote end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Peer {
    /// As written.
    pub(super) written: String,
    /// Port, where given.
    pub(super) port: Option<u16>,
}

impl Peer {
    /// From what a line says; `None` where it says nothing.
    pub(super) fn new(written: &str, port: Option<u16>) -> Option<Self> {
        let known = !matches!(written, "" | "?" | "-" | "UNKNOWN" | "UNKNOWN)");
        known.then(|| Self { written: written.to_owned(), port })
    }

    /// The address, if it is written as one; an IPv4 address in IPv6 clothes is IPv4.
    pub(super) fn ip(&self) -> Option<IpAddr> {
        let bare = self.written.split('%').next().unwrap_or_default();
        bare.parse::<IpAddr>().ok().map(|ip| ip.to_canonical())
    }

    /// Sets the `source.*` fields.
    pub(super) fn note(&self, event: &mut Event) {
        let record = &mut event.record;
        record.set(f::SOURCE_ADDRESS, self.written.as_str());
        record.set_some(f::SOURCE_PORT, self.port);
        match self.ip() {
            Some(ip) => record.set(f::SOURCE_IP, ip),
            // Digits and dots that are no address are no host name either.
            None if self.written.contains(|c: char| c.is_ascii_alphabetic())
                && !self.written.contains(':') =>
            {
                record.set(f::SOURCE_DOMAIN, self.written.as_str());
            }
            None => {}
        }
    }
}
