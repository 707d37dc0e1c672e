//! Log lines into events: one parser per program, one entry for all.
//!
//! A [`Reader`] belongs to one log source. It reads the header, hands the message to the parser of
//! the program that wrote it, and keeps what later lines need (the peer of an sshd process). A line
//! that no parser knows is not lost: it becomes an event marked `watchpost.parse: raw`. Nothing
//! here fails, and time arrives as an argument. Lines are foreign bytes: bounded by [`LINE_BYTES`],
//! matched by regular expressions that take linear time.

mod account;
mod cron;
mod daemons;
mod firewall;
mod mask;
mod pam;
mod pattern;
mod peer;
mod services;
mod sshd;
mod stamp;
mod structured;
mod su;
mod sudo;
mod syslog;
mod sysmon;
mod web;
mod web_error;
mod wrapped;

pub use mask::mask;
pub use stamp::Reference;
pub use syslog::{Header, header};

use watchpost_model::event::{Auth, Log};
use watchpost_model::{Event, Kind, Timestamp, field as f};

use crate::audit::{Joiner, Record};

/// Bytes of a line that are kept; a longer one is cut and marked. The wire carries no longer text.
pub const LINE_BYTES: usize = watchpost_model::limits::TEXT_BYTES;

/// rsyslog folds equal lines into one; more than this many in one fold are not unfolded, so that a
/// forged count can not flood the queue.
const MOST_REPEATS: u16 = 64;

/// How a source's lines are to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Syslog of any program.
    Syslog,
    /// Syslog of a service that leaves the verdict to PAM: what PAM says is final.
    Pam,
    /// Syslog or own log of a mail, file, database or name server.
    Service,
    /// Access or error log of nginx or Apache.
    Web,
    /// The kernel's audit as auditd writes it: several lines per event.
    Audit,
    /// JSON lines (Suricata, Zeek, others), Zeek's columns, CEF and LEEF.
    Structured,
}

impl Format {
    /// Names of sources and the format of each. `logs --source` takes these.
    pub const SOURCES: [(&'static str, Self); 36] = [
        ("auth", Self::Syslog),
        ("syslog", Self::Syslog),
        ("messages", Self::Syslog),
        ("secure", Self::Syslog),
        ("sshd", Self::Syslog),
        ("sudo", Self::Syslog),
        ("su", Self::Syslog),
        ("cron", Self::Syslog),
        ("pam", Self::Pam),
        ("nginx", Self::Web),
        ("apache", Self::Web),
        ("auditd", Self::Audit),
        ("audit", Self::Audit),
        ("dovecot", Self::Service),
        ("postfix", Self::Service),
        ("exim", Self::Service),
        ("vsftpd", Self::Service),
        ("proftpd", Self::Service),
        ("pure-ftpd", Self::Service),
        ("mysql", Self::Service),
        ("named", Self::Service),
        ("mariadb", Self::Service),
        ("postgresql", Self::Service),
        ("redis", Self::Service),
        ("openvpn", Self::Service),
        ("fail2ban", Self::Service),
        ("dnsmasq", Self::Service),
        ("kernel", Self::Syslog),
        ("iptables", Self::Syslog),
        ("ufw", Self::Syslog),
        ("json", Self::Structured),
        ("suricata", Self::Structured),
        ("eve", Self::Structured),
        ("zeek", Self::Structured),
        ("cef", Self::Structured),
        ("leef", Self::Structured),
    ];

    /// The format of a source name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::SOURCES.into_iter().find(|(known, _)| *known == name).map(|(_, format)| format)
    }
}

/// One line as it was found.
#[derive(Clone, Copy, Debug)]
pub struct Line<'a> {
    /// The text without its line end; at most [`LINE_BYTES`].
    pub text: &'a str,
    /// Whether it was longer and has been cut.
    pub cut: bool,
}

/// A message under its header, as parsers see it.
#[derive(Clone, Debug)]
pub struct Message<'a> {
    /// The header.
    pub header: Header<'a>,
    /// When it was written, or read where the header has no time.
    pub time: Timestamp,
    /// The whole line, masked.
    pub original: &'a str,
    /// How the source is read.
    pub format: Format,
}

impl Message<'_> {
    /// The form that every line of a log fills.
    fn log(&self) -> Log {
        Log {
            time: self.time,
            provider: self.header.app.to_owned(),
            original: self.original.to_owned(),
            message: mask(self.header.message).into_owned(),
        }
    }

    /// An authentication form with nothing known but the line.
    fn auth(&self, action: &'static str, outcome: &'static str) -> Auth {
        Auth { log: self.log(), action, outcome, ..Auth::default() }
    }
}

/// What a source remembers from line to line; bounded.
#[derive(Debug, Default)]
pub struct Memory {
    /// sshd's processes.
    sessions: sshd::Sessions,
    /// The columns of Zeek's lines.
    columns: structured::Columns,
}

/// The parser of one program's messages.
pub trait Parser: Sync {
    /// The event that a message tells of; `None` where this parser does not know it.
    fn parse(&self, message: &Message<'_>, memory: &mut Memory) -> Option<Event>;
}

/// Which parsers may know a message, by the program that wrote it; tried in order.
fn parsers(app: &str, format: Format) -> &'static [&'static dyn Parser] {
    match app {
        _ if format == Format::Service => &[&pam::Pam, &services::Services, &daemons::Daemons],
        "sshd" | "sshd-session" | "sshd-auth" => &[&sshd::Sshd, &pam::Pam],
        "sudo" => &[&sudo::Sudo, &pam::Pam],
        "su" => &[&su::Su, &pam::Pam],
        "useradd" | "userdel" | "usermod" | "groupadd" | "groupdel" | "groupmod" | "gpasswd" | "passwd"
        | "chpasswd" | "adduser" | "deluser" | "chage" | "chfn" | "chsh" => &[&account::Account, &pam::Pam],
        "cron" | "CRON" | "crond" | "crontab" | "anacron" => &[&cron::Cron, &pam::Pam],
        "login" => &[&su::Login, &pam::Pam],
        "sysmon" => &[&sysmon::Sysmon],
        "kernel" => &[&firewall::Firewall],
        "dovecot" | "postfix" | "smtpd" | "exim" | "exim4" | "mysql" | "mysqld" | "mariadbd" | "named"
        | "pure-ftpd" | "proftpd" | "vsftpd" | "postgres" | "postgresql" | "redis" | "redis-server"
        | "openvpn" | "ovpn-server" | "fail2ban" | "fail2ban.actions" | "dnsmasq" => {
            &[&pam::Pam, &services::Services, &daemons::Daemons]
        }
        "" => &[],
        _ => &[&pam::Pam, &sysmon::Sysmon],
    }
}

/// Reads the lines of one source.
#[derive(Debug)]
pub struct Reader {
    format: Format,
    memory: Memory,
    joiner: Joiner,
}

/// What one line told.
#[derive(Clone, Debug)]
pub struct Parsed {
    /// The event.
    pub event: Event,
    /// How many times it happened, at least 1: syslog daemons fold equal lines.
    pub times: u16,
}

impl Reader {
    /// A reader that remembers nothing yet.
    #[must_use]
    pub fn new(format: Format) -> Self {
        Self { format, memory: Memory::default(), joiner: Joiner::default() }
    }

    /// The events that a line completes; none where it waits for others of its event.
    pub fn take(&mut self, line: Line<'_>, reference: &Reference) -> Vec<Event> {
        if self.format == Format::Audit
            && let Some(record) = Record::parse(line.text)
        {
            return self.joiner.take(record, reference.now);
        }
        if self.format == Format::Structured
            && (line.text.contains("yslog") || line.text.contains("dataset"))
            && let Some(events) = self.unwrap(line, reference)
        {
            return events;
        }
        if self.format == Format::Structured && structured::describes(line.text, &mut self.memory.columns) {
            return Vec::new();
        }
        let parsed = self.read(line, reference);
        vec![parsed.event; usize::from(parsed.times)]
    }

    /// The events of a message that a forwarder has wrapped in JSON, or the event of ours that an
    /// offline run has written; `None` where the line is neither.
    fn unwrap(&mut self, line: Line<'_>, reference: &Reference) -> Option<Vec<Event>> {
        let json = serde_json::from_str(line.text).ok()?;
        self.take_json(&json, reference).or_else(|| Some(vec![ours(&json)?]))
    }

    /// The events of a syslog message that is wrapped in a JSON object, read by the parser of the
    /// program that wrote it, or as an audit record; `None` where the object wraps none.
    pub fn take_json(&mut self, json: &serde_json::Value, reference: &Reference) -> Option<Vec<Event>> {
        let header = wrapped::header(json, reference)?;
        if header.message.starts_with("type=")
            && let Some(record) = Record::parse(header.message)
        {
            let now = header.time.unwrap_or(reference.now);
            return Some(self.joiner.take(record, now));
        }
        let original = mask(header.message);
        let (event, times) = self.dispatch(header, &original, reference.now);
        Some(vec![event; usize::from(times)])
    }

    /// The events whose other lines have not come in time.
    pub fn overdue(&mut self, now: Timestamp) -> Vec<Event> {
        self.joiner.overdue(now)
    }

    /// The events whose other lines will not come, as the log has ended.
    pub fn finish(&mut self) -> Vec<Event> {
        self.joiner.finish()
    }

    /// Whether lines that were taken are not yet told: the log may not be resumed behind them.
    #[must_use]
    pub fn is_holding(&self) -> bool {
        self.joiner.is_holding()
    }

    /// The event of a line that stands for itself; never none: what is not known comes out raw.
    pub fn read(&mut self, line: Line<'_>, reference: &Reference) -> Parsed {
        let original = mask(line.text);
        let (mut event, times) = match self.format {
            Format::Web => (web::parse(line.text, &original, reference), 1),
            Format::Structured => {
                let known = structured::parse(line.text, &original, &mut self.memory.columns, reference);
                known.map_or_else(|| self.read_syslog(line.text, &original, reference), |event| (event, 1))
            }
            Format::Syslog | Format::Pam | Format::Service | Format::Audit => {
                self.read_syslog(line.text, &original, reference)
            }
        };
        if line.cut {
            event.record.set(f::PARSE, "cut");
        }
        Parsed { event, times }
    }

    /// The event of a message whose header came by another way (the journal).
    pub fn read_message(&mut self, header: Header<'_>, now: Timestamp) -> Parsed {
        let original = mask(header.message);
        let (event, times) = self.dispatch(header, &original, now);
        Parsed { event, times }
    }

    fn read_syslog(&mut self, text: &str, original: &str, reference: &Reference) -> (Event, u16) {
        self.dispatch(header(text, reference), original, reference.now)
    }

    fn dispatch(&mut self, header: Header<'_>, original: &str, now: Timestamp) -> (Event, u16) {
        let (text, times) = unfold(header.message);
        let header = Header { message: text, ..header };
        let time = header.time.unwrap_or(now);
        let message = Message { header, time, original, format: self.format };
        let found = parsers(message.header.app, self.format)
            .iter()
            .find_map(|parser| parser.parse(&message, &mut self.memory));
        let mut event = found.unwrap_or_else(|| Event::from(message.log()));
        note_header(&mut event, &message.header);
        (event, times)
    }
}

/// `message repeated 3 times: [ text]` into the text and 3.
fn unfold(text: &str) -> (&str, u16) {
    let folded = text.strip_prefix("message repeated ").and_then(|rest| {
        let (count, rest) = rest.split_once(" times: [")?;
        let inner = rest.strip_suffix(']')?.trim_start();
        Some((inner, count.parse::<u64>().ok()?))
    });
    folded.map_or((text, 1), |(inner, count)| {
        (inner, u16::try_from(count).unwrap_or(MOST_REPEATS).clamp(1, MOST_REPEATS))
    })
}

/// An event as our own offline commands write it. What an agent says of itself and its host is said
/// by that agent alone: a line in a file is no word of it.
fn ours(json: &serde_json::Value) -> Option<Event> {
    Event::from_json(json).filter(|event| !matches!(event.kind, Kind::HostState | Kind::Loss))
}

fn note_header(event: &mut Event, header: &Header<'_>) {
    let record = &mut event.record;
    for (field, text) in
        [(f::LOG_SYSLOG_HOST, header.host), (f::LOG_SYSLOG_APP, header.app), (f::LOG_SYSLOG_PID, header.pid)]
    {
        if !text.is_empty() {
            record.set(field, text);
        }
    }
    // Some messages tell of another process than the one that wrote them.
    if record.get(f::PROCESS_PID).is_none() {
        record.set_some(f::PROCESS_PID, header.pid.parse::<u32>().ok());
    }
    if !header.app.is_empty() && record.get(f::PROCESS_NAME).is_none() {
        record.set(f::PROCESS_NAME, header.app);
    }
    if let Some(priority) = header.priority {
        record.set(f::LOG_SYSLOG_FACILITY, u64::from(priority / 8));
        record.set(f::EVENT_SEVERITY, u64::from(priority % 8));
    }
}

#[cfg(test)]
mod foreign;
#[cfg(test)]
mod tests;
