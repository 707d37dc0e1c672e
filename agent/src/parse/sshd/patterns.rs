//! The sentences that sshd knows, each with what it means.
//!
//! Tried from top to bottom; the first that fits the whole message wins. All are anchored at both
//! ends, so that text in the middle (a user name, a banner) can not pose as a sentence.

use std::sync::LazyLock;

use super::super::pattern::{Groups, Pattern};
use super::super::peer::Peer;
use super::session::Step;

/// A recognised message.
#[derive(Debug)]
pub(super) struct Found<'a> {
    pub(super) step: Step,
    pub(super) user: &'a str,
    pub(super) invalid: bool,
    pub(super) peer: Option<Peer>,
    pub(super) method: &'a str,
    pub(super) reason: &'a str,
    /// Whether sshd says that authentication was not over.
    pub(super) preauth: bool,
}

const TABLE: &[(Step, &str)] = &[
    (
        Step::Accepted,
        r"^Accepted (?P<method>\S+) for (?P<user>.*) from (?P<host>\S+)(?: port (?P<port>\d+))?(?: ssh\d*)?(?:: .*)?$",
    ),
    (
        Step::Failed,
        r"^Failed (?P<method>\S+) for (?:(?P<invalid>invalid|illegal) user |user )?(?P<user>.*) from (?P<host>\S+) port (?P<port>\d+)(?: ssh\d*)?(?::.*)?$",
    ),
    (
        Step::Failed,
        r"^Failed (?P<method>\S+) for (?P<invalid>(?:invalid|illegal) user )?(?P<user>.*) from (?P<host>\S+)(?: ssh\d*)?$",
    ),
    (
        Step::Noted,
        r"^Postponed (?P<method>\S+) for (?P<invalid>(?:invalid|illegal) user )?(?P<user>.*) from (?P<host>\S+) port (?P<port>\d+)(?: ssh\d*)?$",
    ),
    (Step::Failed, r"^(?P<invalid>Invalid|Illegal) user (?P<user>.*) from (?P<host>\S+) port (?P<port>\d+)$"),
    (Step::Failed, r"^(?P<invalid>Invalid|Illegal) user (?P<user>.*) from (?P<host>\S+)$"),
    (Step::Noted, r"^(?:input_userauth_request|userauth_pubkey): (?P<invalid>invalid) user (?P<user>.*)$"),
    (
        Step::Failed,
        r"^PAM: (?P<reason>.+?) for (?P<invalid>(?:invalid|illegal) user )?(?P<user>.*) from (?P<host>\S+?)(?: via \S+)?$",
    ),
    (
        Step::Failed,
        r"^maximum authentication attempts exceeded for (?P<invalid>(?:invalid|illegal) user )?(?P<user>.*) from (?P<host>\S+) port (?P<port>\d+)(?: ssh\d*)?$",
    ),
    (Step::Failed, r"^User (?P<user>.*) from (?P<host>\S+) not allowed because (?P<reason>.*)$"),
    (Step::Noted, r"^User (?P<user>.*) not allowed because (?P<reason>.*)$"),
    (Step::Failed, r"^(?P<user>ROOT) (?P<reason>LOGIN REFUSED) FROM (?P<host>\S+)(?: port (?P<port>\d+))?$"),
    (Step::Failed, r"^(?P<reason>refused connect) from \S+ \((?P<host>[^)\s]+)\)$"),
    (Step::Failed, r"^(?P<reason>refused connect) from (?P<host>\S+)$"),
    (
        Step::Failed,
        r"^Authentication (?P<reason>tried) for (?P<user>.*) with correct key but not from a permitted host \(host=\S+, ip=(?P<host>[^)\s]+)\).*$",
    ),
    (Step::Closed, r"^Received disconnect from (?P<host>\S+) port (?P<port>\d+): ?\d+: ?(?P<reason>.*)$"),
    (Step::Closed, r"^Received disconnect from (?P<host>\S+): \d+: ?(?P<reason>.*)$"),
    (
        Step::Closed,
        r"^Connection (?:closed|reset) by (?:(?P<invalid>invalid)|authenticating) user (?P<user>.*) (?P<host>\S+) port (?P<port>\d+)$",
    ),
    (Step::Closed, r"^Connection (?:closed|reset) by (?P<host>\S+)(?: port (?P<port>\d+))?$"),
    (
        Step::ClosedEcho,
        r"^Disconnected from (?:(?P<invalid>invalid |authenticating )?user (?P<user>.*) )?(?P<host>\S+) port (?P<port>\d+)$",
    ),
    (Step::ClosedEcho, r"^Disconnected from (?P<host>\S+)$"),
    (
        Step::ThrownOut,
        r"^Disconnecting(?: (?:(?P<invalid>invalid)|authenticating) user (?P<user>.*) (?P<host>\S+) port (?P<port>\d+))?: (?P<reason>Too many authentication failures)(?: for .*)?$",
    ),
    (
        Step::Failed,
        r"^Disconnecting(?: (?:(?P<invalid>invalid)|authenticating) user (?P<user>.*) (?P<host>\S+) port (?P<port>\d+))?: (?P<reason>Change of username or service not allowed.*)$",
    ),
    (
        Step::Probe,
        r"^(?P<reason>Did not receive identification string) from (?P<host>\S+)(?: port (?P<port>\d+))?$",
    ),
    (
        Step::Probe,
        r"^(?P<reason>Bad protocol version identification) '.*' from (?P<host>\S+)(?: port (?P<port>\d+))?$",
    ),
    (Step::Probe, r"^banner exchange: Connection from (?P<host>\S+) port (?P<port>\d+): (?P<reason>.*)$"),
    (
        Step::Probe,
        r"^ssh_dispatch_run_fatal: Connection from (?:(?:invalid|authenticating) user .* )?(?P<host>\S+) port (?P<port>\d+): (?P<reason>.*)$",
    ),
    (
        Step::Probe,
        r"^(?P<reason>Timeout before authentication) for (?:connection from )?(?P<host>[^\s,]+)(?: port (?P<port>\d+))?(?: to .*)?$",
    ),
    (Step::Probe, r"^(?P<reason>Timeout before authentication)\.?$"),
    (
        Step::Probe,
        r"^Unable to negotiate with (?P<host>\S+)(?: port (?P<port>\d+))?: (?P<reason>no matching .*? found).*$",
    ),
    (
        Step::Probe,
        r"^(?P<reason>Unable to negotiate a key exchange method|no matching \S+ found|no hostkey alg)(?:: .*)?$",
    ),
    (Step::Probe, r"^(?P<reason>Read from socket failed: Connection reset by peer)$"),
    (Step::Noted, r"^kex_exchange_identification: (?P<reason>banner line too long)$"),
    (Step::Probe, r"^(?:kex_exchange_identification|ssh_exchange_identification): (?P<reason>.*)$"),
    (
        Step::Noted,
        r"^Starting session: (?:shell|command|forced-command|subsystem) ?.*? for (?P<user>\S+) from (?P<host>\S+) port (?P<port>\d+)(?: id \d+)?$",
    ),
    (Step::Connected, r"^Connection from (?P<host>\S+)(?: port (?P<port>\d+))?(?: on .*)?$"),
    (Step::Connected, r"^SSH: Server;Ltype: Version;Remote: (?P<host>\S+)-(?P<port>\d+);.*$"),
    (Step::Noted, r"^SSH: Server;Ltype: \w+;Remote: (?P<host>\S+)-(?P<port>\d+);.*$"),
];

static ROWS: LazyLock<Vec<(Step, Pattern)>> =
    LazyLock::new(|| TABLE.iter().map(|(step, text)| (*step, Pattern::new(text))).collect());

/// What a message says, if it is one of the sentences.
pub(super) fn recognise(message: &str) -> Option<Found<'_>> {
    let (text, preauth) = bare(message);
    ROWS.iter().find_map(|(step, pattern)| Some(found(*step, &pattern.find(text)?, preauth)))
}

/// The sentence without what surrounds it: `[ID 8 auth.info]`, `error:`, `[preauth]`.
fn bare(message: &str) -> (&str, bool) {
    let mut text = message.trim();
    if let Some(rest) = text.strip_prefix("[ID ")
        && let Some((_, rest)) = rest.split_once("] ")
    {
        text = rest;
    }
    if let Some(rest) = text.strip_prefix("kernel:")
        && let Some((_, rest)) = rest.trim_start().strip_prefix('[').and_then(|rest| rest.split_once(']'))
    {
        text = rest.trim_start_matches([':', ' ']);
    }
    for level in ["error: ", "fatal: ", "info: "] {
        text = text.strip_prefix(level).unwrap_or(text);
    }
    match text.strip_suffix("[preauth]") {
        Some(rest) => (rest.strip_suffix(' ').unwrap_or(rest), true),
        None => (text, false),
    }
}

fn found<'a>(step: Step, groups: &Groups<'a>, preauth: bool) -> Found<'a> {
    let (user, method, reason) = (groups.text("user"), groups.text("method"), groups.text("reason"));
    let invalid = groups.has("invalid") || user == "<invalid username>";
    // A key that is refused is no failed login of a user who exists: clients offer all they hold.
    let key_refused = step == Step::Failed && method == "publickey" && !invalid;
    Found {
        step: if key_refused { Step::KeyRefused } else { step },
        user: if reason == "LOGIN REFUSED" { "root" } else { user },
        invalid,
        peer: Peer::new(groups.text("host"), groups.number("port")),
        method,
        reason,
        // `Auth fail` is what a client says that gave up, in whatever phase.
        preauth: preauth || reason.ends_with("Auth fail"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(message: &str, step: Step, user: &str, host: &str, port: Option<u16>) {
        let found = recognise(message).unwrap();
        assert_eq!((found.step, found.user, found.peer), (step, user, Peer::new(host, port)), "{message}");
    }

    #[test]
    fn patterns_compile() {
        for ((_, pattern), (_, text)) in ROWS.iter().zip(TABLE) {
            assert!(pattern.is_sound(), "{text}");
        }
    }

    #[test]
    fn the_peer_is_the_one_that_sshd_wrote() {
        let failed =
            "Failed password for invalid user a from 192.0.2.9 port 1 ssh2 from 192.0.2.1 port 22 ssh2";
        check(failed, Step::Failed, "a from 192.0.2.9 port 1 ssh2", "192.0.2.1", Some(22));
        let closed = "Connection closed by invalid user b 192.0.2.9 port 1 192.0.2.1 port 22 [preauth]";
        check(closed, Step::Closed, "b 192.0.2.9 port 1", "192.0.2.1", Some(22));
    }

    #[test]
    fn a_refused_key_of_a_known_user_is_no_failure() {
        check(
            "Failed publickey for git from 192.0.2.1 port 5 ssh2: RSA x",
            Step::KeyRefused,
            "git",
            "192.0.2.1",
            Some(5),
        );
        check(
            "Failed publickey for invalid user git from ::1 port 5 ssh2",
            Step::Failed,
            "git",
            "::1",
            Some(5),
        );
    }

    #[test]
    fn surroundings_are_taken_off() {
        let found =
            recognise("[ID 8 auth.info] error: Received disconnect from 2001:db8::1: 11: Bye [preauth]")
                .unwrap();
        assert!(found.preauth);
        assert_eq!(found.peer, Peer::new("2001:db8::1", None));
        assert_eq!(found.reason, "Bye");
    }

    #[test]
    fn other_talk_is_not_recognised() {
        for text in ["Server listening on 0.0.0.0 port 22.", "", "error: ", "Accepted", "Failed password for"]
        {
            assert!(recognise(text).is_none(), "{text}");
        }
    }
}
