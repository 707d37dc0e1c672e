//! Where packets were seen, and which addresses are this host's own.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::Arc;

use foldhash::fast::RandomState;
use watchpost_model::{Record, field};

/// The point of capture; its facts stand on every record.
#[derive(Clone, Debug, Default)]
pub struct Place {
    /// How packets are seen: `ring`, `pnet`, `sockets`, `replay`.
    pub rung: &'static str,
    /// Interface, where it is one.
    pub interface: Option<Arc<str>>,
    /// The host's own addresses; empty where the capture is not this host's.
    pub own: Arc<HashSet<IpAddr, RandomState>>,
}

impl Place {
    /// Which way a flow goes as seen from the host. Without own addresses, private networks are
    /// taken for the inside.
    #[must_use]
    pub fn direction(&self, source: IpAddr, destination: IpAddr) -> &'static str {
        let inside = |ip: IpAddr| {
            if self.own.is_empty() { is_private(ip) } else { self.own.contains(&ip) || ip.is_loopback() }
        };
        match (inside(source), inside(destination)) {
            (true, true) => "internal",
            (true, false) => "outbound",
            (false, true) => "inbound",
            (false, false) => "external",
        }
    }

    /// Whether an address is this host's own.
    #[must_use]
    pub fn is_own(&self, ip: IpAddr) -> bool {
        !self.own.is_empty() && (self.own.contains(&ip) || ip.is_loopback())
    }

    /// Puts the place on a record.
    pub fn mark(&self, record: &mut Record) {
        record.set(field::CAPTURE_RUNG, self.rung);
        record.set_some(field::CAPTURE_INTERFACE, self.interface.as_deref().map(str::to_owned));
    }

    /// What tells this place's flow ids from those of another.
    #[must_use]
    pub fn name(&self) -> &str {
        self.interface.as_deref().unwrap_or(self.rung)
    }
}

/// Addresses that are not routed over the internet.
fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => v4.is_private() || v4.is_loopback() || v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}
