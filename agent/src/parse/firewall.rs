//! What the kernel's packet filter logs: iptables, nftables and ufw write the same pairs.
//!
//! The words before `IN=` are the rule's own prefix; whether the packet was let through is only
//! known where the prefix says so. A packet's fields are its sender's, so all of them are data.

use watchpost_model::{Event, field as f};

use super::{Memory, Message, Parser, mask};

/// Words of a prefix, in lower case, and what they say was done.
const VERDICTS: [(&[&str], &str, &str); 2] = [
    (&["drop", "block", "deny", "denied", "reject"], "firewall_drop", "denied"),
    (&["accept", "allow", "pass"], "firewall_accept", "allowed"),
];

/// Parser of packet filter lines.
#[derive(Debug)]
pub(super) struct Firewall;

impl Parser for Firewall {
    fn parse(&self, message: &Message<'_>, _memory: &mut Memory) -> Option<Event> {
        let text = message.header.message;
        let at = text.find("IN=").filter(|_| text.contains(" OUT=") && text.contains(" SRC="))?;
        let (prefix, pairs) = text.split_at_checked(at)?;
        let value = |key: &str| {
            pairs.split_whitespace().find_map(|word| word.strip_prefix(key)).filter(|v| !v.is_empty())
        };
        let source: std::net::IpAddr = value("SRC=")?.parse().ok()?;
        let destination: std::net::IpAddr = value("DST=")?.parse().ok()?;
        let mut event = Event::from(message.log());
        let (action, kind) = verdict(prefix);
        let record = &mut event.record;
        record.remove(f::PARSE);
        record.set(f::EVENT_CATEGORY, "network");
        record.set(f::EVENT_ACTION, action);
        record.set(f::EVENT_TYPE, kind);
        record.set(f::SOURCE_IP, source);
        record.set(f::DESTINATION_IP, destination);
        record.set_some(f::SOURCE_PORT, value("SPT=").and_then(|port| port.parse::<u16>().ok()));
        record.set_some(f::DESTINATION_PORT, value("DPT=").and_then(|port| port.parse::<u16>().ok()));
        record.set_some(f::NETWORK_TRANSPORT, value("PROTO=").map(str::to_lowercase));
        record.set_some(f::NETWORK_BYTES, value("LEN=").and_then(|bytes| bytes.parse::<u64>().ok()));
        record.set_some(f::CAPTURE_INTERFACE, value("IN=").or_else(|| value("OUT=")).map(str::to_owned));
        record.set_some(f::EVENT_REASON, reason(prefix).map(|text| mask(text).into_owned()));
        Some(event)
    }
}

fn verdict(prefix: &str) -> (&'static str, &'static str) {
    let words = prefix.to_lowercase();
    let known = VERDICTS.iter().find(|(marks, ..)| marks.iter().any(|mark| words.contains(mark)));
    known.map_or(("firewall_log", "info"), |(_, action, kind)| (*action, *kind))
}

/// The prefix without the kernel's clock.
fn reason(prefix: &str) -> Option<&str> {
    let text = prefix.trim_start();
    let text = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((clock, rest)) if clock.trim().bytes().all(|b| b.is_ascii_digit() || b == b'.') => rest,
        _ => text,
    };
    Some(text.trim().trim_end_matches(':')).filter(|text| !text.is_empty())
}
