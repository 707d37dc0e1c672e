//! Inspection of one flow: tells the protocol by its first bytes, then hands each direction to
//! that protocol's reader.

use watchpost_model::Timestamp;

use super::fingerprint::Carrier;
use super::stream::{Pushed, Stream};
use super::{Found, dns, dtls, http, quic, ssh, tls};
use crate::decode::{Flags, Packet, Transport};

/// Segments with payload after which a connection that nobody recognised is left alone. Enough
/// for the plain-text talk before STARTTLS.
const MOST_UNKNOWN: u32 = 48;

/// Datagrams after which a flow over UDP that nobody recognised is left alone.
/// Calls exchange a handful of STUN messages before DTLS.
const MOST_DATAGRAMS: u32 = 24;

/// DNS messages read from one connection over TCP.
const MOST_DNS: u32 = 256;

/// What the flow speaks.
#[derive(Debug)]
enum Mode {
    /// Not known yet; counts segments looked at.
    Unknown(u32),
    Dns,
    /// Datagrams not known yet; counts those looked at.
    Datagrams(u32),
    Quic(Box<quic::Connection>),
    Dtls(Box<dtls::Connection>),
    DnsStream(u32),
    Http(http::Exchange),
    Tls(Box<tls::Handshake>),
    Ssh(ssh::Handshake),
    Done,
}

/// The inspector of one flow.
#[derive(Debug)]
pub struct Inspector {
    mode: Mode,
    protocol: Option<&'static str>,
    originator: Stream,
    responder: Stream,
}

impl Inspector {
    /// An inspector for flows that one of the readers may understand.
    #[must_use]
    pub fn suiting(protocol: u8, responder_port: u16, originator_port: u16) -> Option<Self> {
        let dns = dns::PORTS.contains(&responder_port) || dns::PORTS.contains(&originator_port);
        let mode = match protocol {
            6 if responder_port == 53 => Mode::DnsStream(0),
            6 => Mode::Unknown(0),
            17 if dns => Mode::Dns,
            17 => Mode::Datagrams(0),
            _ => return None,
        };
        Some(Self { mode, protocol: None, originator: Stream::default(), responder: Stream::default() })
    }

    /// The application protocol, once known.
    #[must_use]
    pub const fn protocol(&self) -> Option<&'static str> {
        self.protocol
    }

    /// Whether nothing more is to be expected.
    #[must_use]
    pub const fn is_done(&self) -> bool {
        matches!(self.mode, Mode::Done)
    }

    /// Memory in use for bytes that wait to be read.
    #[must_use]
    pub fn held(&self) -> usize {
        let own = match &self.mode {
            Mode::Quic(connection) => connection.held(),
            Mode::Dtls(connection) => connection.held(),
            _ => 0,
        };
        self.originator.held().saturating_add(self.responder.held()).saturating_add(own)
    }

    /// Looks into a packet; findings are appended.
    pub fn feed(
        &mut self,
        from_originator: bool,
        packet: &Packet<'_>,
        now: Timestamp,
        found: &mut Vec<Found>,
    ) {
        match packet.transport {
            Transport::Tcp { flags, sequence, .. } => {
                self.segment(from_originator, flags, sequence, packet.payload, now, found);
            }
            Transport::Ports { .. } if !packet.payload.is_empty() => {
                self.datagram(from_originator, packet.payload, now, found);
            }
            _ => {}
        }
    }

    fn datagram(&mut self, from_originator: bool, payload: &[u8], now: Timestamp, found: &mut Vec<Found>) {
        if let Mode::Datagrams(looked) = self.mode {
            let looked = looked.saturating_add(1);
            self.mode = if from_originator && quic::is_initial(payload) {
                Mode::Quic(Box::default())
            } else if dtls::is_hello(payload) {
                self.protocol = Some("dtls");
                Mode::Dtls(Box::default())
            } else if looked < MOST_DATAGRAMS {
                Mode::Datagrams(looked)
            } else {
                Mode::Done
            };
        }
        match &mut self.mode {
            Mode::Dns => {
                if let Some(Found::Dns(message, mut extra)) = dns::parse(payload, now, "udp") {
                    extra.reversed = message.answer == from_originator;
                    self.protocol = Some("dns");
                    found.push(Found::Dns(message, extra));
                }
            }
            Mode::Quic(connection) => {
                connection.read(from_originator, payload, now);
                if connection.is_recognised() {
                    self.protocol = Some("quic");
                }
                found.extend(connection.take(connection.is_done()));
                if connection.is_done() {
                    self.mode = Mode::Done;
                }
            }
            Mode::Dtls(connection) => {
                connection.read(from_originator, payload, now);
                found.extend(connection.take(connection.is_done()));
                if connection.is_done() {
                    self.mode = Mode::Done;
                }
            }
            _ => {}
        }
    }

    fn segment(
        &mut self,
        from_originator: bool,
        flags: Flags,
        sequence: u32,
        payload: &[u8],
        now: Timestamp,
        found: &mut Vec<Found>,
    ) {
        let stream = if from_originator { &mut self.originator } else { &mut self.responder };
        let syn = flags.has(Flags::SYN);
        if syn {
            stream.begin(sequence);
        }
        if payload.is_empty() {
            return;
        }
        match stream.push(if syn { sequence.wrapping_add(1) } else { sequence }, payload) {
            Pushed::Nothing => {}
            pushed => self.advance(from_originator, pushed, now, found),
        }
    }

    fn advance(&mut self, from_originator: bool, pushed: Pushed, now: Timestamp, found: &mut Vec<Found>) {
        if let Mode::Unknown(looked) = self.mode {
            self.recognise(from_originator, looked);
        }
        let stream = if from_originator { &mut self.originator } else { &mut self.responder };
        match &mut self.mode {
            Mode::Http(exchange) => {
                let request = from_originator;
                exchange.read(request, stream, pushed, now, found);
                if exchange.is_tunnel() {
                    exchange.flush(found);
                    self.mode = Mode::Unknown(0);
                }
            }
            Mode::Tls(handshake) => {
                handshake.read(from_originator, stream.data(), now);
                found.extend(handshake.take(false));
                if handshake.is_done() {
                    self.mode = Mode::Done;
                }
            }
            Mode::Ssh(handshake) => {
                handshake.read(from_originator, stream.data(), now);
                found.extend(handshake.take(false));
                if handshake.is_done() || stream.data().len() >= super::stream::MOST_BYTES {
                    found.extend(handshake.take(true));
                    self.mode = Mode::Done;
                }
            }
            Mode::DnsStream(_) => self.dns_stream(from_originator, now, found),
            _ => {}
        }
    }

    /// Tells the protocol by what stands at the front; drops what nobody knows.
    fn recognise(&mut self, from_originator: bool, looked: u32) {
        let (own, peer) = if from_originator {
            (&mut self.originator, &self.responder)
        } else {
            (&mut self.responder, &self.originator)
        };
        let data = own.data();
        let (mode, name) = if tls::is_handshake(data) {
            (Mode::Tls(Box::new(tls::Handshake::over(Carrier::Tcp))), "tls")
        } else if (http::is_request(data) && from_originator) || (http::is_answer(data) && !from_originator) {
            (Mode::Http(http::Exchange::default()), "http")
        } else if data.starts_with(b"SSH-") {
            (Mode::Ssh(ssh::Handshake::default()), "ssh")
        } else {
            let short = data.len() < 8 && peer.data().is_empty() && looked < 2;
            if !short {
                own.consume(usize::MAX);
            }
            self.mode =
                if looked < MOST_UNKNOWN { Mode::Unknown(looked.saturating_add(1)) } else { Mode::Done };
            return;
        };
        self.mode = mode;
        self.protocol = Some(name);
    }

    /// Messages with a length of two bytes before each.
    fn dns_stream(&mut self, from_originator: bool, now: Timestamp, found: &mut Vec<Found>) {
        let Mode::DnsStream(read) = &mut self.mode else { return };
        let stream = if from_originator { &mut self.originator } else { &mut self.responder };
        while let Some(([high, low], rest)) = stream.data().split_first_chunk::<2>()
            && let length = usize::from(u16::from_be_bytes([*high, *low]))
            && let Some(message) = rest.get(..length)
        {
            let Some(Found::Dns(message, mut extra)) = dns::parse(message, now, "tcp") else {
                self.mode = Mode::Done;
                return;
            };
            extra.reversed = message.answer == from_originator;
            self.protocol = Some("dns");
            found.push(Found::Dns(message, extra));
            stream.consume(length.saturating_add(2));
            *read = read.saturating_add(1);
            if *read >= MOST_DNS {
                self.mode = Mode::Done;
                return;
            }
        }
    }

    /// Gives out what waits for an answer that may never come.
    pub fn flush(&mut self, found: &mut Vec<Found>) {
        match &mut self.mode {
            Mode::Http(exchange) => exchange.flush(found),
            Mode::Tls(handshake) => found.extend(handshake.take(true)),
            Mode::Ssh(handshake) => found.extend(handshake.take(true)),
            Mode::Quic(connection) => found.extend(connection.take(true)),
            Mode::Dtls(connection) => found.extend(connection.take(true)),
            _ => {}
        }
    }
}
