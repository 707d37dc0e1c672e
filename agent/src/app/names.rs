//! Which name an address was last asked for, so that a flow to it can say where it goes.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;

use foldhash::fast::RandomState;

use super::Found;

/// Addresses remembered. A resolver that answers with floods of addresses pushes out the oldest.
const REMEMBERED: usize = 8_192;

/// Names by address, from DNS answers seen on the same wire.
#[derive(Debug, Default)]
pub struct Names {
    known: HashMap<IpAddr, Box<str>, RandomState>,
    order: VecDeque<IpAddr>,
}

impl Names {
    /// Takes in a DNS answer; ignores everything else.
    pub fn learn(&mut self, found: &Found) {
        let Found::Dns(dns, _) = found else { return };
        if dns.question.is_empty() {
            return;
        }
        for ip in &dns.resolved {
            if self.known.insert(*ip, dns.question.as_str().into()).is_none() {
                self.order.push_back(*ip);
            }
        }
        while self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }

    /// The name an address answered to.
    #[must_use]
    pub fn of(&self, ip: IpAddr) -> Option<Box<str>> {
        self.known.get(&ip).cloned()
    }
}
