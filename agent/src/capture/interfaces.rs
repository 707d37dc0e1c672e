//! Which interfaces are captured, and what their frames look like.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::Arc;

use foldhash::fast::RandomState;
use pnet_datalink::NetworkInterface;

use super::Error;
use crate::decode::Link;
use crate::flow::Place;

/// The interfaces to capture on, and the host's own addresses.
pub(super) struct Wanted {
    pub(super) interfaces: Vec<NetworkInterface>,
    own: Arc<HashSet<IpAddr, RandomState>>,
}

impl Wanted {
    /// Those of these names, or all that are up.
    pub(super) fn choose(names: &[String]) -> Result<Self, Error> {
        let all = pnet_datalink::interfaces();
        let own = all.iter().flat_map(|interface| &interface.ips).map(|network| network.ip()).collect();
        Ok(Self { own: Arc::new(own), interfaces: choose(all, names)? })
    }

    /// How flows seen on one of them are marked.
    pub(super) fn place(&self, rung: &'static str, interface: &NetworkInterface) -> Place {
        Place { rung, interface: Some(interface.name.as_str().into()), own: Arc::clone(&self.own) }
    }

    /// What a rung that sees packets does not see.
    pub(super) fn blind(&self, metered: bool) -> Vec<String> {
        let names: Vec<&str> = self.interfaces.iter().map(|interface| interface.name.as_str()).collect();
        let mut blind = vec![
            format!(
                "interfaces that appear after the start are not captured; these are: {}",
                names.join(", ")
            ),
            "a packet that passes several interfaces of this host is counted once on each".into(),
            "encrypted payloads and the contents of tunnels are not looked into".into(),
            "a process that ends within some milliseconds of its first packet may not be named on its flow"
                .into(),
        ];
        if !metered {
            blind.push("the kernel does not tell how many packets it dropped before we read them".into());
        }
        blind
    }
}

fn choose(all: Vec<NetworkInterface>, names: &[String]) -> Result<Vec<NetworkInterface>, Error> {
    if let Some(missing) = names.iter().find(|name| !all.iter().any(|interface| interface.name == **name)) {
        return Err(Error::NoInterface(format!("{missing} does not exist")));
    }
    let wanted: Vec<_> = all
        .into_iter()
        .filter(|interface| interface.is_up() && (names.is_empty() || names.contains(&interface.name)))
        .collect();
    if wanted.is_empty() { Err(Error::NoInterface("none is up".into())) } else { Ok(wanted) }
}

/// What packets of an interface begin with, by the kernel's hardware type.
pub(super) fn link_of(name: &str) -> Link {
    let kind = std::fs::read_to_string(format!("/sys/class/net/{name}/type")).unwrap_or_default();
    match kind.trim() {
        // Point-to-point: ppp, the IP tunnels, tun and wireguard.
        "512" | "768" | "769" | "776" | "778" | "65534" => Link::RawIp,
        _ => Link::Ethernet,
    }
}
