//! Access logs of nginx and Apache: the common and the combined format, with or without a virtual
//! host in front and any extra columns behind.
//!
//! The request is the client's text: quotes in it are escaped by the server, and a request that is
//! no HTTP at all still makes an event, with an empty method and the text as target.

use std::sync::LazyLock;

use watchpost_model::event::{Log, Web};
use watchpost_model::{Event, Timestamp, field as f};

use super::mask;
use super::pattern::Pattern;
use super::peer::Peer;
use super::stamp::{self, Reference};
use super::{syslog, web_error};

static LINE: LazyLock<Pattern> = LazyLock::new(|| {
    Pattern::new(concat!(
        r#"^(?:(?P<vhost>[\w.-]+(?::\d+)?) )?(?P<client>\S+) (?P<ident>\S+) (?P<user>.*?) \[(?P<time>[^\]]+)\] "#,
        r#""(?P<request>(?:[^"\\]|\\.)*)" (?P<status>\d{3}) (?P<bytes>\d+|-)"#,
        r#"(?: "(?P<referrer>(?:[^"\\]|\\.)*)" "(?P<agent>(?:[^"\\]|\\.)*)")?(?:\s.*)?$"#,
    ))
});

/// The event of a web server's line; raw where it is none.
pub(super) fn parse(text: &str, original: &str, reference: &Reference) -> Event {
    let now = reference.now;
    let known = parsed(text, original, now).or_else(|| web_error::parse(text, original, reference));
    // A server that logs through syslog puts a header before the same line.
    let wrapped = || {
        let header = syslog::header(text, reference);
        (!header.app.is_empty()).then(|| web_error::parse(header.message, original, reference))?
    };
    known.or_else(wrapped).unwrap_or_else(|| {
        Event::from(Log {
            time: now,
            original: original.to_owned(),
            message: original.to_owned(),
            ..Log::default()
        })
    })
}

/// `-` stands for nothing.
fn given(text: &str) -> String {
    if text == "-" { String::new() } else { text.to_owned() }
}

fn parsed(text: &str, original: &str, now: Timestamp) -> Option<Event> {
    let groups = LINE.find(text)?;
    let peer = Peer::new(groups.text("client"), None);
    let (method, target, version) = request(groups.text("request"));
    let (domain, port) = split_host(groups.text("vhost"));
    let mut event = Event::from(Web {
        log: Log {
            time: stamp::access(groups.text("time")).unwrap_or(now),
            original: original.to_owned(),
            message: mask(groups.text("request")).into_owned(),
            ..Log::default()
        },
        source_ip: None,
        user: given(groups.text("user")),
        method: method.to_owned(),
        host: domain.to_owned(),
        target: mask(target).into_owned(),
        status: groups.number("status"),
        bytes: groups.number("bytes"),
        referrer: mask(&given(groups.text("referrer"))).into_owned(),
        user_agent: given(groups.text("agent")),
    });
    note(&mut event, peer, version, port);
    Some(event)
}

fn note(event: &mut Event, peer: Option<Peer>, version: &str, port: Option<u16>) {
    if let Some(peer) = peer {
        peer.note(event);
    }
    if !version.is_empty() {
        event.record.set(f::HTTP_VERSION, version);
    }
    event.record.set_some(f::DESTINATION_PORT, port);
}

/// `GET /x HTTP/1.1` into its three parts; spaces in the target stay there.
fn request(text: &str) -> (&str, &str, &str) {
    let Some((method, rest)) = text.split_once(' ').filter(|(method, _)| is_method(method)) else {
        return ("", text, "");
    };
    match rest.rsplit_once(" HTTP/") {
        Some((target, version)) => (method, target, version),
        None => (method, rest, ""),
    }
}

fn is_method(text: &str) -> bool {
    (1..=32).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'-' || byte == b'_')
}

fn split_host(text: &str) -> (&str, Option<u16>) {
    match text.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().ok()),
        None => (text, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use watchpost_model::{Kind, Value};

    fn read(line: &str) -> Event {
        parse(line, line, &Reference { now: Timestamp::EPOCH, zone: jiff::tz::TimeZone::UTC })
    }

    #[test]
    fn combined_and_common_lines_are_read() {
        let line = r#"192.0.2.1 - bob [23/Nov/2026:10:05:09 +0800] "GET /a?b=1 HTTP/1.1" 404 12 "http://r/" "curl/8""#;
        let event = read(line);
        assert_eq!(event.kind, Kind::Web);
        assert_eq!(event.time, Timestamp::parse("2026-11-23T02:05:09Z").unwrap());
        for (field, text) in [
            (f::USER_NAME, "bob"),
            (f::HTTP_METHOD, "GET"),
            (f::URL_PATH, "/a"),
            (f::URL_QUERY, "b=1"),
            (f::HTTP_VERSION, "1.1"),
            (f::USER_AGENT, "curl/8"),
            (f::EVENT_OUTCOME, "failure"),
        ] {
            assert_eq!(event.text(field), Some(text));
        }
        let common = read(r#"::1 - - [23/Nov/2026:10:05:09 +0800] "GET / HTTP/1.0" 200 -"#);
        assert_eq!(common.record.get(f::HTTP_STATUS), Some(&Value::Uint(200)));
        assert_eq!(common.record.get(f::HTTP_RESPONSE_BYTES), None);
    }

    #[test]
    fn a_virtual_host_in_front_is_the_domain() {
        let event =
            read(r#"shop.example:443 192.0.2.1 - - [23/Nov/2026:10:05:09 +0800] "GET / HTTP/1.0" 200 5"#);
        assert_eq!(event.text(f::URL_DOMAIN), Some("shop.example"));
        assert_eq!(event.text(f::SOURCE_ADDRESS), Some("192.0.2.1"));
    }

    #[test]
    fn quotes_and_rubbish_in_a_request_do_not_break_it() {
        let event =
            read(r#"192.0.2.1 - - [23/Nov/2026:10:05:09 +0800] "GET /\" 200 1 \"x HTTP/1.1" 400 5 "-" "-""#);
        assert_eq!(event.record.get(f::HTTP_STATUS), Some(&Value::Uint(400)));
        let event = read(r#"192.0.2.1 - - [23/Nov/2026:10:05:09 +0800] "\x16\x03\x01" 400 5 "-" "-""#);
        assert_eq!(event.text(f::URL_ORIGINAL), Some(r"\x16\x03\x01"));
        assert_eq!(event.text(f::HTTP_METHOD), None);
    }

    #[test]
    fn other_lines_come_out_raw() {
        assert_eq!(read("hello").text(f::PARSE), Some("raw"));
    }

    #[test]
    fn patterns_compile() {
        assert!(LINE.is_sound());
    }
}
