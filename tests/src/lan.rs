//! A small network of namespaces: hosts joined by veth pairs to a bridge of their own. Nothing
//! leaves it, and it goes when it is dropped.

use std::net::Ipv4Addr;
use std::process::{Command, Stdio};

/// A network with named hosts, addressed 10.99.0.1 and up in the order given.
#[derive(Debug)]
pub struct Lan {
    prefix: String,
    hosts: Vec<String>,
}

impl Lan {
    /// Builds it. `None` where that is not possible (not root, no `ip`).
    #[must_use]
    pub fn build(hosts: &[&str]) -> Option<Self> {
        let prefix = format!("wp{}", std::process::id());
        let lan = Self { prefix, hosts: hosts.iter().map(|name| (*name).to_owned()).collect() };
        let switch = lan.namespace("switch");
        ip(&["netns", "add", &switch])?;
        ip(&["-n", &switch, "link", "add", "bridge", "type", "bridge"])?;
        ip(&["-n", &switch, "link", "set", "bridge", "up"])?;
        for (index, host) in hosts.iter().enumerate() {
            lan.plug_in(index, host, &switch)?;
        }
        Some(lan)
    }

    fn plug_in(&self, index: usize, host: &str, switch: &str) -> Option<()> {
        let namespace = self.namespace(host);
        let port = format!("port{index}");
        ip(&["netns", "add", &namespace])?;
        ip(&["-n", &namespace, "link", "set", "lo", "up"])?;
        ip(&[
            "-n", &namespace, "link", "add", "eth0", "type", "veth", "peer", "name", &port, "netns", switch,
        ])?;
        ip(&["-n", switch, "link", "set", &port, "master", "bridge", "up"])?;
        ip(&["-n", &namespace, "addr", "add", &format!("{}/24", self.address(host)), "dev", "eth0"])?;
        ip(&["-n", &namespace, "link", "set", "eth0", "up"])
    }

    fn namespace(&self, host: &str) -> String {
        format!("{}-{host}", self.prefix)
    }

    /// The address of a host.
    #[must_use]
    pub fn address(&self, host: &str) -> Ipv4Addr {
        let index = self.hosts.iter().position(|name| name == host).unwrap_or(0);
        Ipv4Addr::new(10, 99, 0, u8::try_from(index + 1).unwrap_or(u8::MAX))
    }

    /// A command that runs on a host.
    #[must_use]
    pub fn on(&self, host: &str, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.namespace(host)]).arg(program);
        command
    }
}

impl Drop for Lan {
    fn drop(&mut self) {
        for host in self.hosts.iter().map(String::as_str).chain(["switch"]) {
            let _ = ip(&["netns", "del", &self.namespace(host)]);
        }
    }
}

/// Runs `ip`; `None` if it fails.
fn ip(arguments: &[&str]) -> Option<()> {
    let status =
        Command::new("ip").args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).status().ok()?;
    status.success().then_some(())
}
