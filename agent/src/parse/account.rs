//! What the tools that keep accounts say: users and groups added, changed, deleted.

use std::sync::LazyLock;

use watchpost_model::event::Auth;
use watchpost_model::{Event, field as f};

use super::pattern::{Groups, Pattern};
use super::{Memory, Message, Parser};

/// What was done, its ECS type, and the sentence.
type Row = (&'static str, &'static str, &'static str);

const TABLE: &[Row] = &[
    ("user_added", "creation", r"^new user: name=(?P<user>[^,\s]+), UID=(?P<uid>\d+).*$"),
    ("user_added", "creation", r"^new account added - account=(?P<user>[^,\s]+), uid=(?P<uid>\d+).*$"),
    ("group_added", "creation", r"^new group: name=(?P<group>[^,\s]+), GID=\d+.*$"),
    ("group_added", "creation", r"^group added to /etc/group: name=(?P<group>[^,\s]+), GID=\d+.*$"),
    ("user_deleted", "deletion", r"^delete user [`'](?P<user>[^']+)'.*$"),
    (
        "group_changed",
        "change",
        r"^(?:add|delete) [`'](?P<user>[^']+)' (?:to|from) (?:shadow )?group [`'](?P<group>[^']+)'.*$",
    ),
    (
        "group_changed",
        "change",
        r"^(?:user|members?) (?P<user>\S+) (?:added|removed) (?:by (?P<by>\S+) )?(?:to|from) group (?P<group>\S+?)(?: by (?P<by2>\S+))?$",
    ),
    ("group_changed", "change", r"^set members of group (?P<group>\S+?) to .*$"),
    ("group_changed", "change", r"^removed (?:shadow )?group [`'](?P<group>[^']+)'.*$"),
    ("group_changed", "change", r"^group [`'](?P<group>[^']+)' removed.*$"),
    ("group_changed", "change", r"^(?:change of )?(?:group|GID).*?[`'](?P<group>[^']+)'.*$"),
    ("user_changed", "change", r"^(?:change|lock|unlock) user [`'](?P<user>[^']+)'.*$"),
    ("user_changed", "change", r"^changed user [`'](?P<user>[^']+)'.*$"),
    ("user_changed", "change", r"^(?:lock|unlock) user '?(?P<user>[^']+)'? password$"),
    (
        "user_changed",
        "change",
        r"^changed (?:password expiry|shell|user information) for [`']?(?P<user>[^'\s]+)'?$",
    ),
    (
        "password_changed",
        "change",
        r"^password for [`']?(?P<user>[^'\s]+)'? changed by [`']?(?P<by>[^'\s]+)'?$",
    ),
    ("password_changed", "change", r"^(?:pam_unix\([^)]*\): )?password changed for (?P<user>\S+)$"),
    ("password_changed", "change", r"^password (?:changed|for (?P<user>\S+) changed).*$"),
];
static ROWS: LazyLock<Vec<(Row, Pattern)>> =
    LazyLock::new(|| TABLE.iter().map(|row| (*row, Pattern::new(row.2))).collect());
static REFUSED: LazyLock<Pattern> = LazyLock::new(|| {
    Pattern::new(
        r"^(?P<reason>failed (?P<verb>adding|deleting|modifying) (?P<kind>user|group) [`'](?P<user>[^']+)'.*)$",
    )
});

/// Parser of the account tools' messages.
#[derive(Debug)]
pub(super) struct Account;

impl Parser for Account {
    fn parse(&self, message: &Message<'_>, _memory: &mut Memory) -> Option<Event> {
        let text = message.header.message.trim();
        let done = ROWS.iter().find_map(|((action, kind, _), pattern)| {
            Some(event(message, action, kind, "success", &pattern.find(text)?))
        });
        done.or_else(|| refused(message, text))
    }
}

fn event(
    message: &Message<'_>,
    action: &'static str,
    kind: &str,
    outcome: &'static str,
    groups: &Groups<'_>,
) -> Event {
    let by = if groups.has("by") { groups.text("by") } else { groups.text("by2") };
    let mut event = Event::from(Auth {
        user: by.to_owned(),
        target_user: groups.text("user").to_owned(),
        ..message.auth(action, outcome)
    });
    let record = &mut event.record;
    record.set(f::EVENT_CATEGORY, "iam");
    record.set(f::EVENT_TYPE, kind);
    for (field, name) in [(f::GROUP_NAME, "group"), (f::EVENT_REASON, "reason")] {
        if groups.has(name) {
            record.set(field, groups.text(name));
        }
    }
    event
}

fn refused(message: &Message<'_>, text: &str) -> Option<Event> {
    let groups = REFUSED.find(text)?;
    let action = match (groups.text("kind"), groups.text("verb")) {
        ("user", "adding") => "user_added",
        ("user", "deleting") => "user_deleted",
        ("user", _) => "user_changed",
        (_, "adding") => "group_added",
        _ => "group_changed",
    };
    Some(event(message, action, "info", "failure", &groups))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_compile() {
        for (row, pattern) in ROWS.iter() {
            assert!(pattern.is_sound(), "{}", row.2);
        }
        assert!(REFUSED.is_sound());
    }
}
