//! What su and login say.

use std::sync::LazyLock;

use watchpost_model::event::Auth;
use watchpost_model::{Event, field as f};

use super::pattern::{Groups, Pattern};
use super::peer::Peer;
use super::{Memory, Message, Parser};

static SU: LazyLock<[Pattern; 4]> = LazyLock::new(|| {
    [
        // shadow: `Successful su for root by bob`, `FAILED su for root by bob`.
        Pattern::new(
            r"^(?P<how>Successful|FAILED|pam_authenticate:) su for (?P<target>\S+) by (?P<user>\S+)$",
        ),
        // util-linux: `(to root) bob on pts/0`, `FAILED SU (to root) bob on pts/0`.
        Pattern::new(r"^(?:(?P<how>FAILED) SU )?\(to (?P<target>[^)]+)\) (?P<user>\S+) on (?P<tty>\S+)$"),
        // shadow's short form: `+ pts/0 bob:root`, `- pts/0 bob:root`.
        Pattern::new(r"^(?P<how>[+-]) (?P<tty>\S+) (?P<user>[^:\s]+)[:-](?P<target>\S+)$"),
        // BSD: `BAD SU bob to root on /dev/ttyp0`, `bob to root on /dev/ttyp0`.
        Pattern::new(r"^(?:(?P<how>BAD) SU )?(?P<user>\S+) to (?P<target>\S+) on (?P<tty>\S+)$"),
    ]
});
static LOGIN: LazyLock<[Pattern; 3]> = LazyLock::new(|| {
    [
        Pattern::new(
            r#"^(?P<how>FAILED) LOGIN (?:SESSION )?\(?\d*\)?\s*(?:on '?(?P<tty>[^' ]+)'? )?(?:from '?(?P<host>[^' ]+)'? )?(?:FOR|for) '?(?P<user>[^',]+)'?,? ?(?P<reason>.*)$"#,
        ),
        Pattern::new(
            r"^(?P<user>ROOT|\S+)? ?LOGIN ON (?P<tty>\S+)(?: BY (?P<by>\S+))?(?: FROM (?P<host>\S+))?$",
        ),
        Pattern::new(r"^(?P<user>ROOT) LOGIN\s+on '(?P<tty>[^']+)'(?: from '(?P<host>[^']+)')?$"),
    ]
});

/// Parser of su's messages.
#[derive(Debug)]
pub(super) struct Su;

impl Parser for Su {
    fn parse(&self, message: &Message<'_>, _memory: &mut Memory) -> Option<Event> {
        let text = message.header.message.trim();
        let groups = SU.iter().find_map(|pattern| pattern.find(text))?;
        let failed = matches!(groups.text("how"), "FAILED" | "-" | "BAD" | "pam_authenticate:");
        let mut event = Event::from(Auth {
            user: groups.text("user").to_owned(),
            target_user: groups.text("target").to_owned(),
            ..message.auth("su", if failed { "failure" } else { "success" })
        });
        event.record.set(f::EVENT_TYPE, "start");
        note_tty(&mut event, &groups);
        Some(event)
    }
}

/// Parser of login's messages: someone at the machine itself.
#[derive(Debug)]
pub(super) struct Login;

impl Parser for Login {
    fn parse(&self, message: &Message<'_>, _memory: &mut Memory) -> Option<Event> {
        let text = message.header.message.trim();
        let groups = LOGIN.iter().find_map(|pattern| pattern.find(text))?;
        let failed = groups.text("how") == "FAILED";
        let user = match (groups.text("by"), groups.text("user")) {
            ("", "ROOT") => "root",
            ("", user) => user,
            (by, _) => by,
        };
        let outcome = if failed { "failure" } else { "success" };
        let action = if failed { "pam_auth" } else { "session_opened" };
        let mut event = Event::from(Auth { user: user.to_owned(), ..message.auth(action, outcome) });
        event.record.set(f::EVENT_TYPE, "start");
        note_tty(&mut event, &groups);
        if let Some(peer) = Peer::new(groups.text("host"), None) {
            peer.note(&mut event);
        }
        Some(event)
    }
}

fn note_tty(event: &mut Event, groups: &Groups<'_>) {
    let tty = groups.text("tty").trim_start_matches("/dev/");
    if !tty.is_empty() {
        event.record.set(f::PROCESS_TTY, tty);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_compile() {
        assert!(SU.iter().chain(LOGIN.iter()).all(Pattern::is_sound));
    }
}
