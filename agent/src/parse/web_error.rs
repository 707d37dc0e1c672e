//! Error logs of Apache and nginx: who was refused, as far as they say so.
//!
//! Of the many things that go wrong in a web server, refusals of access are events of
//! authentication; the rest becomes log events with the client's address.

use std::sync::LazyLock;

use watchpost_model::event::{Auth, Log, Web};
use watchpost_model::{Event, Timestamp, field as f};

use super::pattern::{Groups, Pattern};
use super::peer::Peer;
use super::stamp::{self, Reference};

static APACHE: LazyLock<Pattern> = LazyLock::new(|| {
    Pattern::new(concat!(
        r"^(?:\[\w{3} (?P<time>[^\]]+)\] )?\[(?:[\w.]*:)?(?P<level>\w+)\] (?:\[pid (?P<pid>\d+)(?::tid \d+)?\] )?",
        r"\[(?:client|remote) (?P<peer>\[[0-9A-Fa-f:.]+\](?::\d+)?|[^\]\s]+)\] (?:(?P<code>AH\d+): )?(?P<text>.*)$",
    ))
});
static NGINX: LazyLock<Pattern> = LazyLock::new(|| {
    Pattern::new(concat!(
        r"^(?P<time>\d{4}/\d\d/\d\d \d\d:\d\d:\d\d) \[(?P<level>\w+)\] (?P<pid>\d+)#\d+: (?:\*\d+ )?",
        r"(?P<text>.*?)(?:,| while .*?,) client: (?P<peer>[0-9A-Fa-f.:]+),? ?.*$",
    ))
});
/// What a refusal says, after the client; the user where it names one.
static REFUSALS: LazyLock<[Pattern; 7]> = LazyLock::new(|| {
    [
        Pattern::new(r"^(?:Digest: )?user `?(?P<user>.*?)'? (?:in realm `.*' )?not found(?::.*)?$"),
        Pattern::new(r"^user (?P<user>.*?): (?P<reason>(?:authentication|authorization) failure) for .*$"),
        Pattern::new(r"^(?:Digest: )?user (?P<user>.*?): (?P<reason>password mismatch): .*$"),
        Pattern::new(r"^(?P<reason>Authorization) of user (?P<user>\S+) to access .* failed, reason: .*$"),
        Pattern::new(
            r"^(?P<reason>client denied by server configuration|client used wrong authentication scheme): .*$",
        ),
        Pattern::new(concat!(
            r"^(?:Digest: )?(?P<reason>invalid qop|invalid nonce .* received - (?:length is not|user attempted)|realm mismatch|",
            r"unknown algorithm|Hostname \S+ provided via SNI|No hostname was provided via SNI|",
            r"SSL_do_handshake\(\) failed).*$",
        )),
        // A name from basic authentication can hold no colon, so it can not forge a client.
        Pattern::new(
            r#"^user "(?P<user>[^:]*)"(?P<reason>:? (?:was not found in|password mismatch|not found)).*$"#,
        ),
    ]
});

/// A request that Apache refuses before its access log sees it.
static UNREADABLE: LazyLock<Pattern> = LazyLock::new(|| {
    Pattern::new(r"^Invalid URI in request (?P<method>[A-Za-z]{1,32}) (?P<target>\S+)(?: HTTP/.*)?$")
});

/// The event of a line of an error log.
pub(super) fn parse(text: &str, original: &str, reference: &Reference) -> Option<Event> {
    let apache = APACHE.find(text);
    let time = apache.as_ref().and_then(|groups| apache_time(groups.text("time"), reference));
    let (groups, time) = match apache {
        Some(groups) => (groups, time),
        None => {
            let groups = NGINX.find(text)?;
            let time = nginx_time(groups.text("time"), reference);
            (groups, time)
        }
    };
    let log = Log {
        time: time.unwrap_or(reference.now),
        original: original.to_owned(),
        message: super::mask(groups.text("text")).into_owned(),
        ..Log::default()
    };
    Some(event(log, &groups))
}

fn event(log: Log, groups: &Groups<'_>) -> Event {
    let text = groups.text("text");
    let mut event = unreadable(&log, text).unwrap_or_else(|| refusal(log, text));
    if let Some(peer) = peer(groups.text("peer")) {
        peer.note(&mut event);
    }
    for (field, name) in [(f::LOG_LEVEL, "level"), (f::EVENT_CODE, "code")] {
        if !groups.text(name).is_empty() {
            event.record.set(field, groups.text(name));
        }
    }
    event.record.set_some(f::PROCESS_PID, groups.number::<u32>("pid"));
    event
}

/// The request that the server could not make sense of, answered with 400.
fn unreadable(log: &Log, text: &str) -> Option<Event> {
    let groups = UNREADABLE.find(text)?;
    Some(Event::from(Web {
        log: log.clone(),
        method: groups.text("method").to_owned(),
        target: super::mask(groups.text("target")).into_owned(),
        status: Some(400),
        ..Web::default()
    }))
}

fn refusal(log: Log, text: &str) -> Event {
    match REFUSALS.iter().find_map(|pattern| pattern.find(text)) {
        Some(refusal) => {
            let user = refusal.text("user").to_owned();
            let mut event =
                Event::from(Auth { log, action: "web_login", outcome: "failure", user, ..Auth::default() });
            event.record.set(f::EVENT_TYPE, "denied");
            event
        }
        None => {
            let mut event = Event::from(log);
            event.record.remove(f::PARSE);
            event
        }
    }
}

/// `192.0.2.1`, `192.0.2.1:5`, `2001:db8::1`, `[2001:db8::1]:5`; `::1:37752` where more than four
/// digits, or one `::`, show that the last part is the port.
fn peer(text: &str) -> Option<Peer> {
    if let Ok(address) = text.parse::<std::net::SocketAddr>() {
        return Peer::new(&address.ip().to_string(), Some(address.port()));
    }
    let bare = text.trim_matches(['[', ']']);
    let alone = bare.parse::<std::net::IpAddr>();
    match bare.rsplit_once(':') {
        Some((ip, port)) if alone.is_err() && ip.parse::<std::net::IpAddr>().is_ok() => {
            Peer::new(ip, port.parse().ok())
        }
        _ => Peer::new(bare, None),
    }
}

/// `Jul 11 01:21:41.5 2013`.
fn apache_time(text: &str, reference: &Reference) -> Option<Timestamp> {
    let (rest, year) = text.rsplit_once(' ')?;
    let (date, clock) = rest.rsplit_once(' ')?;
    stamp::rfc3164(&format!("{date} {year} {clock} "), reference).map(|(time, _)| time)
}

/// `2026/11/23 10:05:09`.
fn nginx_time(text: &str, reference: &Reference) -> Option<Timestamp> {
    stamp::iso(&text.replace('/', "-"), reference).map(|(time, _)| time)
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::tz::TimeZone;
    use watchpost_model::Kind;

    #[track_caller]
    fn check(line: &str, kind: Kind, user: Option<&str>, address: &str, time: &str) {
        let reference = Reference { now: Timestamp::EPOCH, zone: TimeZone::UTC };
        let event = parse(line, line, &reference).unwrap();
        assert_eq!((event.kind, event.text(f::USER_NAME)), (kind, user), "{line}");
        assert_eq!(event.text(f::SOURCE_ADDRESS), Some(address), "{line}");
        assert_eq!(event.time.to_string(), time, "{line}");
    }

    #[test]
    fn refusals_name_user_and_client() {
        check(
            "[Sat Jul 20 21:39:11.978080 2013] [auth_basic:error] [pid 1:tid 2] [client [2001:db8::1]:51390] AH01617: user bob: authentication failure for \"/x\": Password Mismatch",
            Kind::Auth,
            Some("bob"),
            "2001:db8::1",
            "2013-07-20T21:39:11.97808Z",
        );
        check(
            r#"2026/11/22 10:05:09 [error] 28#0: *6 user "bob": password mismatch, client: 192.0.2.1, server: x, request: "GET / HTTP/1.1""#,
            Kind::Auth,
            Some("bob"),
            "192.0.2.1",
            "2026-11-22T10:05:09Z",
        );
    }

    #[test]
    fn other_errors_are_logs_with_a_client() {
        check(
            "[Sat Jul 20 21:39:11 2013] [error] [client 192.0.2.1] File does not exist: /x",
            Kind::Log,
            None,
            "192.0.2.1",
            "2013-07-20T21:39:11Z",
        );
    }

    #[test]
    fn a_request_that_the_server_can_not_read_is_a_request() {
        let line = "[Fri Oct 08 17:08:41.2 2021] [core:error] [pid 7] [client 192.0.2.1:14532] AH00126: Invalid URI in request GET /a/.%2E/%2E%2E/b HTTP/1.1";
        check(line, Kind::Web, None, "192.0.2.1", "2021-10-08T17:08:41.2Z");
        let reference = Reference { now: Timestamp::EPOCH, zone: TimeZone::UTC };
        let event = parse(line, line, &reference).unwrap();
        assert_eq!(event.text(f::URL_PATH), Some("/a/.%2E/%2E%2E/b"));
        assert_eq!(event.text(f::HTTP_METHOD), Some("GET"));
    }

    #[test]
    fn a_client_of_ipv6_may_carry_its_port_without_brackets() {
        for (client, ip) in
            [("::1:37752", "::1"), ("2001:db8::1", "2001:db8::1"), ("[2001:db8::1]:5", "2001:db8::1")]
        {
            let line =
                format!("[Sat Jul 20 21:39:11 2013] [error] [client {client}] File does not exist: /x");
            check(&line, Kind::Log, None, ip, "2013-07-20T21:39:11Z");
        }
    }

    #[test]
    fn patterns_compile() {
        assert!(APACHE.is_sound() && NGINX.is_sound() && REFUSALS.iter().all(Pattern::is_sound));
        assert!(UNREADABLE.is_sound());
    }
}
