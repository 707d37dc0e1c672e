//! What cron and crontab say: commands run by the clock, and who changed the table.

use std::sync::LazyLock;

use watchpost_model::event::Auth;
use watchpost_model::{Event, field as f};

use super::pattern::Pattern;
use super::{Memory, Message, Parser, mask};

static LINE: LazyLock<Pattern> =
    LazyLock::new(|| Pattern::new(r"^\((?P<user>[^)]*)\) (?P<what>[A-Z][A-Z ]*) \((?P<detail>.*)\)\s*$"));

/// Parser of cron's messages.
#[derive(Debug)]
pub(super) struct Cron;

impl Parser for Cron {
    fn parse(&self, message: &Message<'_>, _memory: &mut Memory) -> Option<Event> {
        let groups = LINE.find(message.header.message.trim())?;
        let (user, detail) = (groups.text("user"), groups.text("detail"));
        let (action, outcome) = match groups.text("what") {
            "CMD" => ("cron_command", "success"),
            "REPLACE" | "BEGIN EDIT" | "END EDIT" | "DELETE" | "RELOAD" => ("crontab_changed", "success"),
            "AUTH" => ("cron_command", "failure"),
            _ => return None,
        };
        // `BEGIN EDIT` and `END EDIT` only frame a change, which is told as `REPLACE`.
        let outcome = if groups.text("what").ends_with("EDIT") { "unknown" } else { outcome };
        let mut event = Event::from(Auth { user: user.to_owned(), ..message.auth(action, outcome) });
        let record = &mut event.record;
        if action == "cron_command" {
            record.set(f::EVENT_CATEGORY, "process");
            record.set(f::EVENT_TYPE, "start");
            record.set(f::PROCESS_COMMAND_LINE, mask(detail).into_owned());
        } else {
            record.set(f::EVENT_CATEGORY, "configuration");
            record.set(f::EVENT_TYPE, "change");
            record.set(f::USER_TARGET, detail);
        }
        Some(event)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_compile() {
        assert!(LINE.is_sound());
    }
}
