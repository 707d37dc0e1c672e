//! DNS messages, through the `domain` crate. A message that breaks off gives what was read.

use std::net::IpAddr;

use domain::base::iana::{Opcode, Rcode};
use domain::base::{Message, ParsedName};
use domain::rdata::AllRecordData;
use watchpost_model::event::Dns;
use watchpost_model::{Timestamp, limits};

use super::Found;
use super::found::DnsExtra;

/// Answers kept of one message. Zone transfers have more; their point is made by then.
const MOST_ANSWERS: usize = 64;

/// Characters kept of one answer's data.
const MOST_DATA: usize = 4_096;

/// Ports on which UDP is taken for DNS: DNS, multicast DNS, LLMNR.
pub(super) const PORTS: [u16; 3] = [53, 5353, 5355];

/// Reads a message; `None` where it is not one.
pub(super) fn parse(data: &[u8], time: Timestamp, transport: &'static str) -> Option<Found> {
    let message = Message::from_octets(data).ok()?;
    let header = message.header();
    let counts = message.header_counts();
    // A guess that keeps foreign protocols on these ports out.
    if counts.qdcount() > 16 || (counts.qdcount() == 0 && counts.ancount() == 0 && !header.qr()) {
        return None;
    }
    let mut dns = Dns { time, transport, id: header.id(), answer: header.qr(), ..Dns::default() };
    let mut extra = DnsExtra { opcode: opcode_name(header.opcode()), ..DnsExtra::default() };
    if counts.qdcount() > 0 {
        let question = message.question().next()?.ok()?;
        dns.question = name_of(question.qname());
        dns.question_type = question.qtype().to_string();
        extra.class = question.qclass().to_string();
    }
    if dns.answer {
        dns.response_code = rcode_name(header.rcode());
        answers(&message, &mut dns);
    }
    let flags = [
        ("AA", header.aa()),
        ("TC", header.tc()),
        ("RD", header.rd()),
        ("RA", header.ra()),
        ("AD", header.ad()),
        ("CD", header.cd()),
    ];
    extra.flags = flags.into_iter().filter(|flag| flag.1).map(|flag| flag.0.to_owned()).collect();
    Some(Found::Dns(dns, extra))
}

fn name_of(name: &ParsedName<&[u8]>) -> String {
    let mut text = name.to_string().to_ascii_lowercase();
    if text.ends_with('.') && text.len() > 1 {
        text.pop();
    }
    text
}

fn opcode_name(code: Opcode) -> String {
    code.to_mnemonic_str().map_or_else(|| code.to_int().to_string(), str::to_owned)
}

fn rcode_name(code: Rcode) -> String {
    code.to_mnemonic()
        .map_or_else(|| code.to_int().to_string(), |name| String::from_utf8_lossy(name).into_owned())
}

fn answers(message: &Message<&[u8]>, dns: &mut Dns) {
    let Ok(section) = message.answer() else { return };
    for record in section.flatten().take(MOST_ANSWERS.min(limits::LIST_ITEMS)) {
        let kind = record.rtype().to_string();
        let ttl = record.ttl().as_secs();
        let Ok(Some(record)) = record.to_record::<AllRecordData<_, _>>() else { continue };
        match record.data() {
            AllRecordData::A(a) => dns.resolved.push(IpAddr::V4(a.addr())),
            AllRecordData::Aaaa(a) => dns.resolved.push(IpAddr::V6(a.addr())),
            _ => {}
        }
        let mut text = record.data().to_string();
        if text.len() > 1
            && matches!(record.data(), AllRecordData::Cname(_) | AllRecordData::Ptr(_) | AllRecordData::Ns(_))
        {
            text = text.trim_end_matches('.').to_ascii_lowercase();
        }
        dns.answers.push((kind, cut(text), ttl));
    }
}

fn cut(mut text: String) -> String {
    if text.len() > MOST_DATA {
        let end = (0..=MOST_DATA).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.truncate(end);
    }
    text
}
