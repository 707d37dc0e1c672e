//! Logins refused by mail, file, database and name servers.
//!
//! These write their sentences under many headers, so a sentence is looked for in the whole line;
//! the first one counts, and what a client may write (names, texts) comes after the address or can
//! not hold the marks around it. Only refusals are known: the rest of these logs stays raw.

use std::sync::LazyLock;

use watchpost_model::event::Auth;
use watchpost_model::{Event, field as f};

use super::pattern::{Groups, Pattern};
use super::peer::Peer;
use super::{Memory, Message, Parser};

/// What was refused, and the sentence.
type Row = (&'static str, &'static str);

const TABLE: &[Row] = &[
    // dovecot
    (
        "service_login",
        concat!(
            r"(?:^|[\s:])[\w-]*login: (?:Info: )?(?P<reason>[^<]*?\((?:auth failed|tried to use|proxy dest auth failed|",
            r"disconnected during TLS handshake|disconnected before auth|client didn't finish SASL)[^)]*\)[^<=]*): (?:user=<(?P<user>[^>]*)>, )?(?:method=(?P<method>[\w-]+), )?",
            r"rip=(?P<host>[0-9A-Fa-f.:]+)",
        ),
    ),
    (
        "service_login",
        concat!(
            r"(?:^|[\s:])(?:pam|passwd-file|sql|ldap|shadow|passwd|lua|static|bsdauth|checkpassword|oauth2)",
            r"\((?P<user>[^\s,()]*),(?P<host>[0-9A-Fa-f.:]+)(?:,[^)]*)?\): ",
            r"(?P<reason>(?i:unknown user|password mismatch|invalid credentials)|pam_authenticate\(\) failed: [^:]*)",
        ),
    ),
    (
        "service_login",
        concat!(
            r"(?:^|[\s:])auth(?:-worker)?\((?P<user>[^\s,()]*),(?P<host>[0-9A-Fa-f.:]+)[^)]*\)(?:<[^>]*>)?: (?:Info: )?\w+: ",
            r"(?P<reason>(?i:unknown user|password mismatch|invalid credentials))",
        ),
    ),
    // postfix
    (
        "service_login",
        concat!(
            r"warning: \S*\[(?P<host>[0-9A-Fa-f.:]+)\](?::\d+)?: SASL (?P<method>\S+) authentication failed",
            r"(?::\s*(?P<reason>.*?)(?:, sasl_username=(?P<user>.*))?)?$",
        ),
    ),
    (
        "mail_reject",
        r"(?:^|[\s:])(?:milter-)?reject: \w+ from \S*\[(?P<host>[0-9A-Fa-f.:]+)\](?::\d+)?: (?P<reason>\d{3} .*?)(?:; |$)",
    ),
    (
        "service_login",
        r"(?:^|[\s:])disconnect from \S*\[(?P<host>[0-9A-Fa-f.:]+)\](?: \w+=\S+)*? (?P<reason>auth=0/\d+)",
    ),
    (
        "mail_reject",
        r"(?:^|[\s:])(?P<reason>too many errors) after \w+(?: \(.*\))? from \S*\[(?P<host>[0-9A-Fa-f.:]+)\]",
    ),
    (
        "mail_reject",
        r"(?:^|[\s:])(?P<reason>\w[\w ]* rate limit exceeded): \d+ from \S*\[(?P<host>[0-9A-Fa-f.:]+)\]",
    ),
    (
        "mail_reject",
        concat!(
            r"(?:^|[\s:])(?P<reason>improper command pipelining after \w+|lost connection after (?:CONNECT|STARTTLS|EHLO|HELO))",
            r" from \S*\[(?P<host>[0-9A-Fa-f.:]+)\]",
        ),
    ),
    (
        "mail_reject",
        concat!(
            r"postscreen\[\d+\]: (?P<reason>PREGREET|HANGUP|COMMAND (?:TIME|COUNT|LENGTH) LIMIT|BARE NEWLINE|NON-SMTP COMMAND)(?: \d+)?",
            r"(?: after \S+)? from \[(?P<host>[0-9A-Fa-f.:]+)\](?::\d+)?",
        ),
    ),
    // Exim: what the client says of itself stands in brackets before its address.
    (
        "service_login",
        concat!(
            r"(?:^|[\s:])\w+ authenticator failed for (?:[^\s\[]\S* )?(?:\(\[?[^\[\]()]*\]?\) )?\[(?P<host>[0-9A-Fa-f.:]+)\](?::\d+)?",
            r"(?: [IU]=\S+)*: (?P<reason>\d{3} .*?)(?: \(set_id=(?P<user>.*)\))?\s*$",
        ),
    ),
    (
        "mail_reject",
        concat!(
            r"(?:^|[\s:])H=(?:[^\s\[(]\S* )?(?:\(\[?[^\[\]()]*\]?\) )?\[(?P<host>[0-9A-Fa-f.:]+)\](?::\d+)? .*?",
            r"(?P<reason>(?:temporarily )?rejected (?:RCPT|connection|MAIL|EHLO or HELO|HELO|after DATA|VRFY|EXPN)\b.*|sender verify fail\b.*)$",
        ),
    ),
    // MySQL and MariaDB
    (
        "service_login",
        r"(?P<reason>Access denied) for user '(?P<user>[^']*)'@'(?P<host>[^']*)'(?: \(using password: \w+\))?\s*$",
    ),
    // BIND
    (
        "dns_refused",
        concat!(
            r"(?:^|[\s:])client (?:@0x[0-9a-f]+ )?(?P<host>[0-9A-Fa-f.:]+)#(?P<port>\d+)(?: \([^)]*\))?: (?:view \S+ )?",
            r"(?P<reason>(?:query|update|zone transfer)(?: \(cache\))? '[^']*' denied|bad zone transfer request: .*)",
        ),
    ),
    // FTP
    ("service_login", r"\([^@()\s]*@(?P<host>[^()\s]+)\) \[WARNING\] (?P<reason>\S.*) \[(?P<user>.*)\]\s*$"),
    ("service_login", r#"\[(?P<user>[^\]]*)\] (?P<reason>FAIL LOGIN): Client "(?P<host>[^"]+)""#),
    (
        "service_login",
        concat!(
            r"\(\S+?\[(?P<host>[0-9A-Fa-f.:]+)\]\)[\s:-]+(?:USER (?P<user>.*?)(?: \(Login failed\))?: ?",
            r"(?P<reason>no such user.*|Incorrect password.*|Login failed.*|Limit .*|User in .*|.*(?:not|No) .*)|",
            r"(?P<reason2>SECURITY VIOLATION.*|Maximum login attempts.*))$",
        ),
    ),
];
static ROWS: LazyLock<Vec<(Row, Pattern)>> =
    LazyLock::new(|| TABLE.iter().map(|row| (*row, Pattern::new(row.1))).collect());

/// Parser of refusals by services.
#[derive(Debug)]
pub(super) struct Services;

impl Parser for Services {
    fn parse(&self, message: &Message<'_>, _memory: &mut Memory) -> Option<Event> {
        ROWS.iter()
            .find_map(|((action, _), pattern)| Some(event(message, action, &pattern.find(message.original)?)))
    }
}

fn event(message: &Message<'_>, action: &'static str, groups: &Groups<'_>) -> Event {
    let reason = if groups.has("reason") { groups.text("reason") } else { groups.text("reason2") };
    // The server could not ask; that says nothing of the client.
    let outcome = if reason.starts_with("Connection lost") { "unknown" } else { "failure" };
    let mut event = Event::from(Auth {
        user: groups.text("user").to_owned(),
        method: groups.text("method").to_owned(),
        ..message.auth(action, outcome)
    });
    if let Some(peer) = Peer::new(groups.text("host"), groups.number("port")) {
        peer.note(&mut event);
    }
    let record = &mut event.record;
    record.set(f::EVENT_TYPE, "denied");
    if !reason.is_empty() {
        record.set(f::EVENT_REASON, reason);
    }
    event
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_compile() {
        for ((_, text), pattern) in ROWS.iter() {
            assert!(pattern.is_sound(), "{text}");
        }
    }
}
