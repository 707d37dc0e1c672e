//! PAM's modules speaking through the program that called them.
//!
//! `pam_unix(sshd:auth): …`, the older `(pam_unix) …` and `su(pam_unix)[7]: …` are one language.
//! sshd repeats PAM's verdict in its own words, so there a refusal is only noted (see
//! `sshd::session`), unless the source is read as PAM's own log; everywhere else it is final.

use std::sync::LazyLock;

use watchpost_model::event::Auth;
use watchpost_model::{Event, field as f};

use super::pattern::{Groups, Pattern};
use super::peer::Peer;
use super::{Format, Memory, Message, Parser};

static MODULE: LazyLock<Pattern> = LazyLock::new(|| {
    Pattern::new(concat!(
        r"^(?:\((?P<old>pam_\w+)\)|(?P<module>pam_\w+)(?:\((?P<service>[^():]*)(?::(?P<kind>\w+))?\))?:)\s*",
        r"(?P<text>.*?)(?:\s*\[preauth\])?$",
    ))
});
const REFUSED: &str = r"^(?:authentication failure|PAM \d+ more authentication failures?); logname=(?P<logname>.*?) uid=(?P<uid>\S*) euid=\S* tty=(?P<tty>\S*) ";
// With a user after the host, the remote user is one word; without, it is all up to the last host.
static REFUSED_USER: LazyLock<Pattern> = LazyLock::new(|| {
    Pattern::new(&format!(r"{REFUSED}ruser=(?P<ruser>\S*) rhost=(?P<host>\S*)\s+user=(?P<user>.*)$"))
});
static REFUSED_HOST: LazyLock<Pattern> =
    LazyLock::new(|| Pattern::new(&format!(r"{REFUSED}ruser=(?P<ruser>.*) ?rhost=(?P<host>\S*)\s*$")));
static SESSION: LazyLock<Pattern> = LazyLock::new(|| {
    Pattern::new(concat!(
        r"^session (?P<what>opened|closed) for user (?P<user>[^\s(]+)(?:\(uid=(?P<uid>\d+)\))?",
        r"(?: by (?P<by>[^\s(]*)(?:\(uid=(?P<by_uid>\d+)\))?)?.*$",
    ))
});
static UNKNOWN: LazyLock<Pattern> =
    LazyLock::new(|| Pattern::new(r"^(?:check pass; user unknown|bad username \[(?P<user>.*)\])$"));
static ACCOUNT: LazyLock<Pattern> = LazyLock::new(|| {
    Pattern::new(
        r"^(?P<reason>account (?P<user>\S+) has expired|expired password for user (?P<user2>\S+)).*$",
    )
});
static CHANGED: LazyLock<Pattern> = LazyLock::new(|| Pattern::new(r"^password changed for (?P<user>\S+)$"));
static NOBODY: LazyLock<Pattern> =
    LazyLock::new(|| Pattern::new(r#"^user "(?P<user>.*)" does not exist in /etc/passwd$"#));
static LOCKED: LazyLock<Pattern> = LazyLock::new(|| {
    Pattern::new(
        r"^(?:Consecutive login failures for )?user (?P<user>\S+) (?:account temporarily locked|\(\d+\) has time).*$",
    )
});

/// Parser of PAM's messages.
#[derive(Debug)]
pub(super) struct Pam;

impl Parser for Pam {
    fn parse(&self, message: &Message<'_>, memory: &mut Memory) -> Option<Event> {
        let text = if message.header.module.starts_with("pam_") {
            message.header.message
        } else {
            // What libpam itself says bears no module: `PAM 5 more authentication failures; …`.
            let own = message.header.message.starts_with("PAM ").then_some(message.header.message);
            own.or_else(|| Some(MODULE.find(message.header.message)?.text("text")))?
        };
        refused(message, text, memory)
            .or_else(|| session(message, text))
            .or_else(|| unknown(message, text))
            .or_else(|| account(message, text))
            .or_else(|| changed(message, text))
            .or_else(|| unchanged(message, text))
    }
}

fn is_sshd(message: &Message<'_>) -> bool {
    message.header.app.starts_with("sshd")
}

fn refused(message: &Message<'_>, text: &str, memory: &mut Memory) -> Option<Event> {
    // The widest user is taken: what follows `user=` is the rest of the line.
    let groups = REFUSED_USER.find(text).or_else(|| last_host(text))?;
    let (user, remote) = (groups.text("user").trim(), groups.text("ruser").trim());
    let who = if user.is_empty() { remote } else { user };
    let peer = Peer::new(groups.text("host"), None);
    let outcome = if is_sshd(message) && message.format != Format::Pam {
        memory.sessions.of(message.header.host, message.header.pid).refuse(who, peer.as_ref()).name()
    } else {
        "failure"
    };
    // For su and sudo the one who acts is the remote user, and `user=` is whose rights are wanted.
    let takes_rights = matches!(message.header.app, "su" | "sudo") && !remote.is_empty();
    let (actor, target) = if takes_rights { (remote, user) } else { (who, "") };
    let mut event = Event::from(Auth {
        user: actor.to_owned(),
        target_user: target.to_owned(),
        ..message.auth("pam_auth", outcome)
    });
    if let Some(peer) = peer {
        peer.note(&mut event);
    }
    note_tty(&mut event, &groups);
    Some(event)
}

/// The form without user; the remote user may hold spaces, so the last `rhost=` is PAM's own.
fn last_host(text: &str) -> Option<Groups<'_>> {
    REFUSED_HOST.find(text)
}

fn note_tty(event: &mut Event, groups: &Groups<'_>) {
    let tty = groups.text("tty");
    if !tty.is_empty() {
        event.record.set(f::PROCESS_TTY, tty);
    }
    if !groups.text("uid").is_empty() {
        event.record.set(f::USER_ID, groups.text("uid"));
    }
}

fn session(message: &Message<'_>, text: &str) -> Option<Event> {
    let groups = SESSION.find(text)?;
    let opened = groups.text("what") == "opened";
    let action = if opened { "session_opened" } else { "session_closed" };
    let (user, by) = (groups.text("user"), groups.text("by"));
    let (actor, target) = if by.is_empty() { (user, "") } else { (by, user) };
    let mut event = Event::from(Auth {
        user: actor.to_owned(),
        target_user: target.to_owned(),
        ..message.auth(action, "success")
    });
    event.record.set(f::EVENT_TYPE, if opened { "start" } else { "end" });
    event.record.set(f::USER_EFFECTIVE, user);
    Some(event)
}

fn unknown(message: &Message<'_>, text: &str) -> Option<Event> {
    let groups = UNKNOWN.find(text)?;
    // The refusal itself follows in a line of its own.
    let mut event =
        Event::from(Auth { user: groups.text("user").to_owned(), ..message.auth("pam_auth", "unknown") });
    event.record.set(f::AUTH_INVALID_USER, true);
    Some(event)
}

fn account(message: &Message<'_>, text: &str) -> Option<Event> {
    let groups = ACCOUNT.find(text).or_else(|| LOCKED.find(text))?;
    let user = if groups.has("user") { groups.text("user") } else { groups.text("user2") };
    let mut event = Event::from(Auth { user: user.to_owned(), ..message.auth("pam_auth", "failure") });
    event.record.set(f::EVENT_REASON, text);
    Some(event)
}

fn changed(message: &Message<'_>, text: &str) -> Option<Event> {
    let groups = CHANGED.find(text)?;
    let mut event = Event::from(Auth {
        target_user: groups.text("user").to_owned(),
        ..message.auth("password_changed", "success")
    });
    event.record.set(f::EVENT_CATEGORY, "iam");
    event.record.set(f::EVENT_TYPE, "change");
    Some(event)
}

fn unchanged(message: &Message<'_>, text: &str) -> Option<Event> {
    let user = NOBODY.find(text)?.text("user").to_owned();
    let mut event = Event::from(Auth { target_user: user, ..message.auth("password_changed", "failure") });
    event.record.set(f::EVENT_CATEGORY, "iam");
    event.record.set(f::AUTH_INVALID_USER, true);
    Some(event)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_compile() {
        for pattern in
            [&MODULE, &REFUSED_USER, &REFUSED_HOST, &SESSION, &UNKNOWN, &ACCOUNT, &CHANGED, &LOCKED, &NOBODY]
        {
            assert!(pattern.is_sound());
        }
    }

    #[test]
    fn a_forged_host_in_a_name_does_not_count() {
        let line =
            "authentication failure; logname= uid=0 euid=0 tty=x ruser=a rhost=192.0.2.9 rhost=192.0.2.1";
        assert_eq!(last_host(line).unwrap().text("host"), "192.0.2.1");
        let line = "authentication failure; logname= uid=0 euid=0 tty=x ruser= rhost=192.0.2.1 user=a rhost=192.0.2.9";
        assert_eq!(REFUSED_USER.find(line).unwrap().text("host"), "192.0.2.1");
    }
}
