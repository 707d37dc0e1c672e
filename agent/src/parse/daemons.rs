//! What services say besides refusing: who got in, who was banned, who asked for which name; and
//! refusals of those that [`super::services`] does not know.
//!
//! One table. A sentence is looked for in the whole line, as these write it under many headers;
//! groups named `user`, `host`, `port`, `method`, `name`, `kind`, `rule` and `reason` fill fields.

use std::sync::LazyLock;

use watchpost_model::event::Auth;
use watchpost_model::{Event, Kind, field as f};

use super::pattern::{Groups, Pattern};
use super::peer::Peer;
use super::{Memory, Message, Parser};

/// What the sentence is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum About {
    /// Someone logs in.
    Login,
    /// A name is asked for.
    Name,
    /// Anything else.
    Other,
}

/// Action, outcome, what it is about, and the sentence.
type Row = (&'static str, &'static str, About, &'static str);

const TABLE: &[Row] = &[
    // dovecot, postfix
    (
        "service_login",
        "success",
        About::Login,
        r"(?:^|[\s:])[\w-]+-login: (?:Info: )?Login: user=<(?P<user>[^>]*)>, method=(?P<method>[\w-]+), rip=(?P<host>[0-9A-Fa-f.:]+)",
    ),
    (
        "service_login",
        "success",
        About::Login,
        r"(?:^|[\s:])[0-9A-Za-z]+: client=\S*\[(?P<host>[0-9A-Fa-f.:]+)\](?::\d+)?, sasl_method=(?P<method>[\w-]+), sasl_username=(?P<user>\S+)",
    ),
    // FTP
    ("service_login", "success", About::Login, r#"\[(?P<user>[^\]]*)\] OK LOGIN: Client "(?P<host>[^"]+)""#),
    (
        "service_login",
        "success",
        About::Login,
        r"\([^@()\s]*@(?P<host>[^()\s]+)\) \[INFO\] (?P<user>\S+) is now logged in\s*$",
    ),
    (
        "service_login",
        "success",
        About::Login,
        r"\(\S+?\[(?P<host>[0-9A-Fa-f.:]+)\]\)[\s:-]+USER (?P<user>\S+): Login successful",
    ),
    // MySQL's general log
    (
        "service_login",
        "success",
        About::Login,
        r"^\S+\s+\d+ Connect\s+(?P<user>[^@\s]+)@(?P<host>\S+) on \S* using ",
    ),
    // PostgreSQL
    (
        "service_login",
        "failure",
        About::Login,
        r#"^(?:(?P<host>\d+\.\d+\.\d+\.\d+) )?.*?FATAL:\s+(?P<reason>\S+ authentication failed) for user "(?P<user>[^"]*)""#,
    ),
    (
        "service_login",
        "failure",
        About::Login,
        r#"FATAL:\s+(?P<reason>no pg_hba\.conf entry|pg_hba\.conf rejects connection) for host "(?P<host>[^"]+)", user "(?P<user>[^"]*)""#,
    ),
    (
        "service_login",
        "failure",
        About::Login,
        r#"^(?:(?P<host>\d+\.\d+\.\d+\.\d+) )?.*?FATAL:\s+role "(?P<user>[^"]*)" (?P<reason>does not exist)"#,
    ),
    ("service_login", "success", About::Login, r"LOG:\s+connection authorized: user=(?P<user>\S+)"),
    // Redis
    (
        "service_abused",
        "failure",
        About::Other,
        r"(?P<reason>Possible SECURITY ATTACK detected)\b.*?(?:Connection from (?P<host>[0-9A-Fa-f.]+):(?P<port>\d+) aborted\.?)?\s*$",
    ),
    // OpenVPN
    (
        "vpn_login",
        "failure",
        About::Login,
        concat!(
            r"(?:^|\s)(?:(?P<user>[^\s/]+)/)?(?P<host>\d+\.\d+\.\d+\.\d+):(?P<port>\d+) (?:\[\S*\] )?",
            r"(?P<reason>TLS Auth Error: .*|TLS Error: TLS handshake failed|TLS Error: incoming packet authentication failed\b.*|VERIFY ERROR: .*)$",
        ),
    ),
    (
        "vpn_login",
        "success",
        About::Login,
        r"\[(?P<user>[^\[\]\s]+)\] Peer Connection Initiated with \[AF_INET6?\](?P<host>[0-9A-Fa-f.]+):(?P<port>\d+)",
    ),
    // fail2ban
    (
        "address_banned",
        "success",
        About::Other,
        r"NOTICE\s+\[(?P<rule>[\w.-]+)\] (?:Restore )?Ban (?P<host>[0-9A-Fa-f.:]+)\s*$",
    ),
    (
        "address_unbanned",
        "success",
        About::Other,
        r"NOTICE\s+\[(?P<rule>[\w.-]+)\] Unban (?P<host>[0-9A-Fa-f.:]+)\s*$",
    ),
    // dnsmasq, BIND
    (
        "dns_query",
        "unknown",
        About::Name,
        r"(?:^|[\s:])query\[(?P<kind>[\w=]+)\] (?P<name>\S+) from (?P<host>[0-9A-Fa-f.:]+)(?:#(?P<port>\d+))?\s*$",
    ),
    (
        "dns_query",
        "unknown",
        About::Name,
        concat!(
            r"(?:^|[\s:])client (?:@0x[0-9a-f]+ )?(?P<host>[0-9A-Fa-f.:]+)#(?P<port>\d+)(?: \([^)]*\))?: (?:view \S+: )?",
            r"query: (?P<name>\S+) IN (?P<kind>\S+) ",
        ),
    ),
];
static ROWS: LazyLock<Vec<(Row, Pattern)>> =
    LazyLock::new(|| TABLE.iter().map(|row| (*row, Pattern::new(row.3))).collect());

/// Parser of services' sentences.
#[derive(Debug)]
pub(super) struct Daemons;

impl Parser for Daemons {
    fn parse(&self, message: &Message<'_>, _memory: &mut Memory) -> Option<Event> {
        ROWS.iter().find_map(|(row, pattern)| Some(event(message, row, &pattern.find(message.original)?)))
    }
}

fn event(message: &Message<'_>, (action, outcome, about, _): &Row, groups: &Groups<'_>) -> Event {
    let user = groups.text("user").trim_matches(['"', '\'']);
    let mut event = match about {
        About::Login => Event::from(Auth {
            user: if user == "UNDEF" { String::new() } else { user.to_owned() },
            method: groups.text("method").to_owned(),
            ..message.auth(action, outcome)
        }),
        About::Name | About::Other => Event { kind: Kind::Log, ..Event::from(message.log()) },
    };
    if let Some(peer) = Peer::new(groups.text("host"), groups.number("port")) {
        peer.note(&mut event);
    }
    let record = &mut event.record;
    record.remove(f::PARSE);
    record.set(f::EVENT_ACTION, *action);
    record.set(f::EVENT_OUTCOME, *outcome);
    match about {
        About::Login => record.set(f::EVENT_TYPE, if *outcome == "failure" { "denied" } else { "start" }),
        About::Name => {
            record.set(f::EVENT_CATEGORY, "network");
            record.set(f::DNS_QUESTION_NAME, groups.text("name").trim_end_matches('.').to_lowercase());
            record.set(f::DNS_QUESTION_TYPE, groups.text("kind"));
        }
        About::Other => record.set(f::EVENT_CATEGORY, "intrusion_detection"),
    }
    for (field, name) in [(f::EVENT_REASON, "reason"), (f::SERVICE_NAME, "rule")] {
        if groups.has(name) {
            record.set(field, groups.text(name));
        }
    }
    event
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::{Format, Line, Reader, Reference};

    #[test]
    fn patterns_compile() {
        for ((.., text), pattern) in ROWS.iter() {
            assert!(pattern.is_sound(), "{text}");
        }
    }

    #[track_caller]
    fn check(line: &str, action: &str, outcome: &str, user: &str, host: &str) {
        let now = watchpost_model::Timestamp::parse("2026-11-23T12:00:00Z").unwrap();
        let reference = Reference { now, zone: jiff::tz::TimeZone::UTC };
        let event = Reader::new(Format::Service).read(Line { text: line, cut: false }, &reference).event;
        let text = |field| event.record.get(field).map(ToString::to_string).unwrap_or_default();
        let found = [f::EVENT_ACTION, f::EVENT_OUTCOME, f::USER_NAME, f::SOURCE_IP].map(text);
        assert_eq!(found, [action, outcome, user, host].map(str::to_owned), "{line}");
        assert_eq!(event.text(f::PARSE), None, "{line}");
        assert_eq!(event.text(f::EVENT_ORIGINAL), Some(line));
    }

    #[test]
    fn logins_are_told_with_their_user_and_address() {
        for (line, outcome, user) in [
            (
                "Nov 22 10:00:00 m dovecot: imap-login: Login: user=<bob>, method=PLAIN, rip=192.0.2.1, lip=192.0.2.9, mpid=7, TLS",
                "success",
                "bob",
            ),
            (
                "Nov 22 10:00:00 m postfix/smtpd[7]: 4Zx9K: client=h.example[192.0.2.1], sasl_method=LOGIN, sasl_username=bob",
                "success",
                "bob",
            ),
            ("Sun Nov 22 10:00:00 2026 [pid 7] [bob] OK LOGIN: Client \"192.0.2.1\"", "success", "bob"),
            ("Nov 22 10:00:00 m pure-ftpd: (?@192.0.2.1) [INFO] bob is now logged in", "success", "bob"),
            (
                "Nov 22 10:00:00 m proftpd[7]: m (192.0.2.1[192.0.2.1]) - USER bob: Login successful.",
                "success",
                "bob",
            ),
            ("2026-11-22T10:00:00.1Z\t    7 Connect\tbob@192.0.2.1 on shop using TCP/IP", "success", "bob"),
            (
                "192.0.2.1 2026-11-22 10:00:00 UTC [7] bob@db FATAL:  password authentication failed for user \"bob\"",
                "failure",
                "bob",
            ),
            (
                "2026-11-22 10:00:00 UTC [7] FATAL:  no pg_hba.conf entry for host \"192.0.2.1\", user \"bob\", database \"x\"",
                "failure",
                "bob",
            ),
        ] {
            check(line, "service_login", outcome, user, "192.0.2.1");
        }
        check(
            "2026-11-22 10:00:00 192.0.2.1:5000 TLS Error: TLS handshake failed",
            "vpn_login",
            "failure",
            "",
            "192.0.2.1",
        );
        check(
            "2026-11-22 10:00:00 192.0.2.1:5000 [bob] Peer Connection Initiated with [AF_INET]192.0.2.1:5000",
            "vpn_login",
            "success",
            "bob",
            "192.0.2.1",
        );
    }

    #[test]
    fn exim_names_the_address_that_it_saw_and_not_the_one_it_was_told() {
        for (line, action, user) in [
            (
                "2026-11-22 10:00:00 login authenticator failed for ([192.0.2.9]) [192.0.2.1]:55379: 535 Incorrect authentication data (set_id=bob)",
                "service_login",
                "bob",
            ),
            (
                "2026-11-22 10:00:00 plain authenticator failed for a.example ([127.0.0.1]) [192.0.2.1]:1: 535 Incorrect authentication data",
                "service_login",
                "",
            ),
            (
                "2026-11-22 10:00:00 H=a.example [192.0.2.1]:5 F=<x@y.example> rejected RCPT <z@y.example>: no",
                "mail_reject",
                "",
            ),
            (
                "2026-11-22 10:00:00 H=(b) [192.0.2.1]:5 X=TLS1.3 CV=no F=<x@y.example> rejected RCPT <z@y.example>: H=c [192.0.2.7] no",
                "mail_reject",
                "",
            ),
            (
                "2026-11-22 10:00:00 H=a.example [192.0.2.1]:5 sender verify fail for <x@y.example>: unknown",
                "mail_reject",
                "",
            ),
        ] {
            check(line, action, "failure", user, "192.0.2.1");
        }
    }

    #[test]
    fn a_vpn_packet_that_fails_its_check_names_its_sender() {
        check(
            "2026-11-22 10:00:00 192.0.2.1:45321 TLS Error: incoming packet authentication failed from [AF_INET]192.0.2.1:45321",
            "vpn_login",
            "failure",
            "",
            "192.0.2.1",
        );
    }

    #[test]
    fn bans_names_and_abuse_are_told() {
        check(
            "2026-11-22 10:00:00,1 fail2ban.actions [7]: NOTICE  [sshd] Ban 192.0.2.1",
            "address_banned",
            "success",
            "",
            "192.0.2.1",
        );
        check(
            "Nov 22 10:00:00 m dnsmasq[7]: query[A] Shop.Example from 192.0.2.1",
            "dns_query",
            "unknown",
            "",
            "192.0.2.1",
        );
        check(
            "22-Nov-2026 10:00:00.1 client @0x7f 192.0.2.1#53 (a.example): query: a.example IN TXT +E(0)K (192.0.2.9)",
            "dns_query",
            "unknown",
            "",
            "192.0.2.1",
        );
        check(
            "7:M 22 Nov 2026 10:00:00.1 # Possible SECURITY ATTACK detected. It looks like somebody is sending POST or Host: commands to Redis. Connection from 192.0.2.1:5000 aborted.",
            "service_abused",
            "failure",
            "",
            "192.0.2.1",
        );
    }

    #[test]
    fn packets_refused_by_the_kernel_name_both_ends() {
        let now = watchpost_model::Timestamp::parse("2026-11-23T12:00:00Z").unwrap();
        let reference = Reference { now, zone: jiff::tz::TimeZone::UTC };
        let tail =
            "IN=eth0 OUT= MAC=00:01 SRC=192.0.2.1 DST=192.0.2.9 LEN=40 TTL=245 PROTO=TCP SPT=5000 DPT=22 SYN";
        for (prefix, action) in [
            ("[12.3] [UFW BLOCK] ", "firewall_drop"),
            ("IPT-ACCEPT: ", "firewall_accept"),
            ("", "firewall_log"),
        ] {
            let line = format!("Nov 22 10:00:00 m kernel: {prefix}{tail}");
            let event = Reader::new(Format::Syslog).read(Line { text: &line, cut: false }, &reference).event;
            assert_eq!(event.text(f::EVENT_ACTION), Some(action));
            assert_eq!(event.record.get(f::DESTINATION_PORT).map(ToString::to_string).as_deref(), Some("22"));
            assert_eq!(event.record.get(f::SOURCE_IP).map(ToString::to_string).as_deref(), Some("192.0.2.1"));
        }
        let line = "Nov 22 10:00:00 m kernel: usb 1-1: new device IN=x";
        let event = Reader::new(Format::Syslog).read(Line { text: line, cut: false }, &reference).event;
        assert_eq!(event.text(f::PARSE), Some("raw"));
    }
}
