//! The syslog header: RFC 3164 as daemons really write it, RFC 5424, and lines that lost a part.
//!
//! Every part is optional: a header that can not be read leaves the whole line as the message, and
//! nothing is refused here. Which program wrote the line decides which parser sees it next.

use std::sync::LazyLock;

use watchpost_model::Timestamp;

use super::pattern::Pattern;
use super::stamp::{self, Reference, split_word};

/// What stands before the message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header<'a> {
    /// When the line was written, where it says so.
    pub time: Option<Timestamp>,
    /// Host name; empty where missing.
    pub host: &'a str,
    /// Program, without path and process id; empty where missing.
    pub app: &'a str,
    /// Module in parentheses after the program, as in `su(pam_unix)`.
    pub module: &'a str,
    /// Process id; empty where missing.
    pub pid: &'a str,
    /// Facility times eight plus severity, where the line carries it.
    pub priority: Option<u8>,
    /// What the program said.
    pub message: &'a str,
}

static TAGGED: LazyLock<Pattern> = LazyLock::new(|| {
    Pattern::new(concat!(
        r"^(?:(?P<host>[^\s\[\]:]+|[0-9A-Fa-f]*:[0-9A-Fa-f:.]*[0-9A-Fa-f])\s+)?",
        r"(?P<app>[^\s\[\]:()]+)(?:\((?P<module>[^()\s]*)\))?(?:\[(?P<pid>\d+)\])?:(?:\s(?P<message>.*))?$",
    ))
});
static BRACKETED: LazyLock<Pattern> = LazyLock::new(|| {
    Pattern::new(
        r"^(?:(?P<host>[^\s\[\]:]+)\s+)?\[(?P<app>[\w.-]+)\](?:\[(?P<pid>\d+)\])?:?\s(?P<message>.*)$",
    )
});
static MODERN: LazyLock<Pattern> = LazyLock::new(|| {
    Pattern::new(concat!(
        r"^(?P<host>\S+) (?P<app>\S+) (?P<pid>\S+) \S+ ",
        r#"(?:-|(?:\[(?:[^\]"\\]|\\.|"(?:[^"\\]|\\.)*")*\])+)(?: (?:\x{feff})?(?P<message>.*))?$"#,
    ))
});

/// Reads the header of a line. Never fails: what is not understood is the message.
#[must_use]
pub fn header<'a>(line: &'a str, reference: &Reference) -> Header<'a> {
    let (priority, rest) = priority(line);
    if let Some(text) = rest.strip_prefix("1 ")
        && let Some((time, rest)) = stamp::iso(text, reference)
        && let Some(header) = modern(rest)
    {
        return Header { time: Some(time), priority, ..header };
    }
    let stamped = stamp::rfc3164(rest, reference).or_else(|| stamp::iso(rest, reference));
    let (time, rest) = stamped.map_or((None, rest), |(time, rest)| (Some(time), rest));
    let tagged = tagged(rest.trim_start());
    Header { time, priority, ..tagged }
}

/// `<38>` and what follows it.
fn priority(line: &str) -> (Option<u8>, &str) {
    let found = line
        .strip_prefix('<')
        .and_then(|rest| rest.split_once('>'))
        .filter(|(digits, _)| digits.len() <= 3)
        .and_then(|(digits, rest)| Some((digits.parse::<u8>().ok().filter(|code| *code <= 191)?, rest)));
    found.map_or((None, line), |(code, rest)| (Some(code), rest))
}

fn nil(text: &str) -> &str {
    if text == "-" { "" } else { text }
}

fn modern(text: &str) -> Option<Header<'_>> {
    let groups = MODERN.find(text)?;
    Some(Header {
        host: nil(groups.text("host")),
        app: short(nil(groups.text("app"))),
        pid: nil(groups.text("pid")),
        message: groups.text("message"),
        ..Header::default()
    })
}

fn tagged(text: &str) -> Header<'_> {
    let Some(groups) = TAGGED.find(text).or_else(|| BRACKETED.find(text)) else {
        return untagged(text);
    };
    Header {
        host: groups.text("host"),
        app: short(groups.text("app")),
        module: groups.text("module"),
        pid: groups.text("pid"),
        message: groups.text("message"),
        ..Header::default()
    }
}

/// Some relays drop the structured part but keep `host app pid - - message`.
fn untagged(text: &str) -> Header<'_> {
    if let Some(header) = modern(text) {
        return header;
    }
    let (_, rest) = split_word(text);
    match modern(rest) {
        Some(header) => header,
        None => Header { message: text, ..Header::default() },
    }
}

/// A program's name without its path.
fn short(app: &str) -> &str {
    app.rsplit('/').next().unwrap_or(app)
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::tz::TimeZone;

    fn read(line: &str) -> Header<'_> {
        let now = Timestamp::parse("2026-11-23T00:00:00Z").unwrap();
        header(line, &Reference { now, zone: TimeZone::UTC })
    }

    #[track_caller]
    fn check(line: &str, host: &str, app: &str, pid: &str, message: &str) {
        let header = read(line);
        assert_eq!(
            (header.host, header.app, header.pid, header.message),
            (host, app, pid, message),
            "{line}"
        );
        assert!(header.time.is_some(), "{line}");
    }

    #[test]
    fn all_ways_of_writing_a_header_are_read() {
        check("Nov 22 10:00:00 web sshd[12]: Hello: you", "web", "sshd", "12", "Hello: you");
        check("Nov  2 10:00:00 sshd[12]: Hello", "", "sshd", "12", "Hello");
        check("Nov  2 10:00:00 [sshd] Hello", "", "sshd", "", "Hello");
        check("<38>Nov  2 10:00:00 web su(pam_unix)[7]: Hello", "web", "su", "7", "Hello");
        check("2026-11-22T10:00:00.1+01:00 web /usr/sbin/cron[3]: Hello", "web", "cron", "3", "Hello");
        check("<38>1 2026-11-22T10:00:00Z web sshd 12 - - Hello", "web", "sshd", "12", "Hello");
        check(
            r#"1 2026-11-22T10:00:00Z web sshd 12 ID [a b="]"][c@1 d="e\"f"] Hello"#,
            "web",
            "sshd",
            "12",
            "Hello",
        );
        check("Nov  2 10:00:00 fe80::1 app: Hello", "fe80::1", "app", "", "Hello");
    }

    #[test]
    fn a_line_without_header_is_all_message() {
        let header = read("something else entirely");
        assert_eq!((header.app, header.message, header.time), ("", "something else entirely", None));
        assert_eq!(read("").message, "");
    }

    #[test]
    fn a_priority_is_split_off_only_where_it_is_one() {
        assert_eq!(read("<38>Nov  2 10:00:00 web sshd[12]: x").priority, Some(38));
        assert_eq!(read("<999>x").priority, None);
        assert_eq!(read("<38 x").message, "<38 x");
    }

    #[test]
    fn patterns_compile() {
        assert!(TAGGED.is_sound() && BRACKETED.is_sound() && MODERN.is_sound());
    }
}
