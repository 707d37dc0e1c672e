//! What sudo says: who ran what as whom, or was not allowed to.

use std::sync::LazyLock;

use watchpost_model::event::Auth;
use watchpost_model::{Event, field as f};

use super::pattern::{Groups, Pattern};
use super::{Memory, Message, Parser, mask};

// The command is last and may hold anything; the reason is first and may hold no `TTY=`.
static LINE: LazyLock<Pattern> = LazyLock::new(|| {
    Pattern::new(concat!(
        r"^\s*(?P<user>\S+) : (?:(?P<reason>[^;=]*?) ; )?(?:HOST=\S+ ; )?(?:TTY=(?P<tty>\S*) ; )?",
        r"(?:CHROOT=.*? ; )?(?:PWD=(?P<directory>.*?) ; )?(?:USER=(?P<target>\S+) ; )?(?:GROUP=(?P<group>\S+) ; )?",
        r"(?:TSID=\S+ ; )?(?:ENV=.*? ; )?COMMAND=(?P<command>.*)$",
    ))
});

/// Parser of sudo's messages.
#[derive(Debug)]
pub(super) struct Sudo;

impl Parser for Sudo {
    fn parse(&self, message: &Message<'_>, _memory: &mut Memory) -> Option<Event> {
        let groups = LINE.find(message.header.message)?;
        let reason = groups.text("reason");
        // sudo writes a reason only where it refused; `command continued` is the rest of a long line.
        let outcome = if reason.is_empty() || reason.contains("continued") { "success" } else { "failure" };
        let target = groups.text("target");
        let mut event = Event::from(Auth {
            user: groups.text("user").to_owned(),
            // Without USER= the right is that of root.
            target_user: if target.is_empty() { "root".to_owned() } else { target.to_owned() },
            ..message.auth("sudo", outcome)
        });
        note(&mut event, &groups);
        Some(event)
    }
}

fn note(event: &mut Event, groups: &Groups<'_>) {
    let record = &mut event.record;
    record.set(f::EVENT_TYPE, "start");
    for (field, name) in [
        (f::EVENT_REASON, "reason"),
        (f::PROCESS_TTY, "tty"),
        (f::PROCESS_WORKING_DIRECTORY, "directory"),
        (f::GROUP_NAME, "group"),
    ] {
        if !groups.text(name).is_empty() {
            record.set(field, groups.text(name));
        }
    }
    let command = groups.text("command");
    record.set(f::PROCESS_COMMAND_LINE, mask(command).into_owned());
    if let Some(program) = command.split_whitespace().next().filter(|program| program.starts_with('/')) {
        record.set(f::PROCESS_EXECUTABLE, program);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_compile() {
        assert!(LINE.is_sound());
    }

    #[test]
    fn a_command_can_not_pose_as_a_field() {
        let line =
            "  eve : TTY=pts/0 ; PWD=/home/a b ; USER=root ; COMMAND=/bin/echo ; USER=bob ; COMMAND=/bin/ls";
        let groups = LINE.find(line).unwrap();
        assert_eq!(groups.text("target"), "root");
        assert_eq!(groups.text("directory"), "/home/a b");
        assert_eq!(groups.text("command"), "/bin/echo ; USER=bob ; COMMAND=/bin/ls");
    }
}
