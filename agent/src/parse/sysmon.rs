//! Sysmon for Linux: one XML document per syslog message.
//!
//! Program starts, connections and written files become events of their kinds, as if our own sensors
//! had seen them; what has no kind of ours (a program's end, a deleted file, Sysmon's own state) stays
//! a log event with its fields. The XML is machine-made and flat, so it is read as such: elements are
//! looked for, nothing is unfolded, and a document that a syslog daemon has cut still gives what it has.

use std::borrow::Cow;
use std::net::IpAddr;

use watchpost_model::event::{File, Process};
use watchpost_model::{Event, Kind, Timestamp, field as f};

use super::{Memory, Message, Parser, mask};

/// `Data` elements looked at.
const MOST_DATA: usize = 128;

/// Parser of Sysmon's messages.
#[derive(Debug)]
pub(super) struct Sysmon;

impl Parser for Sysmon {
    fn parse(&self, message: &Message<'_>, _memory: &mut Memory) -> Option<Event> {
        let said = Said::read(message.header.message)?;
        let time = said.time().or(message.header.time).unwrap_or(message.time);
        let mut event = match said.code {
            "1" => said.started(time),
            "3" => said.connected(time),
            "11" => said.written(time),
            _ => said.other(time),
        };
        let record = &mut event.record;
        record.set(f::EVENT_PROVIDER, "sysmon");
        record.set(f::EVENT_CODE, said.code);
        record.set(f::EVENT_ORIGINAL, message.original);
        record.set_some(f::PROCESS_PID, said.number("ProcessId"));
        for (field, name) in [(f::PROCESS_EXECUTABLE, "Image"), (f::USER_NAME, "User")] {
            record.set_some(field, said.get(name));
        }
        if let Some(image) = said.get("Image") {
            record.set(f::PROCESS_NAME, image.rsplit('/').next().unwrap_or_default());
        }
        Some(event)
    }
}

/// Whether a message is one of Sysmon's, whoever the header says wrote it.
pub(super) fn is_ours(message: &str) -> bool {
    let text = message.trim_start();
    text.starts_with("<Event") && text.get(..256).unwrap_or(text).contains("Linux-Sysmon")
}

/// What the document says.
struct Said<'t> {
    code: &'t str,
    system: &'t str,
    data: Vec<(&'t str, &'t str)>,
}

impl<'t> Said<'t> {
    fn read(text: &'t str) -> Option<Self> {
        if !is_ours(text) {
            return None;
        }
        let (system, body) = text.split_once("<EventData>").unwrap_or((text, ""));
        let code = between(system, "<EventID>", "</EventID>")?;
        if code.is_empty() || code.len() > 5 || !code.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let named = |part: &'t str| {
            let (name, rest) = part.split_once("\">")?;
            Some((name, rest.split_once("</Data>")?.0))
        };
        let data = body.split("<Data Name=\"").skip(1).take(MOST_DATA).filter_map(named).collect();
        Some(Self { code, system, data })
    }

    /// A value that says something: Sysmon writes `-` where it has none.
    fn get(&self, name: &str) -> Option<String> {
        let (_, value) = self.data.iter().find(|(had, _)| *had == name)?;
        Some(plain(value).into_owned()).filter(|value| !matches!(value.as_str(), "" | "-"))
    }

    fn text(&self, name: &str) -> String {
        self.get(name).unwrap_or_default()
    }

    fn number(&self, name: &str) -> Option<u32> {
        self.get(name)?.parse().ok()
    }

    /// When it happened, as Sysmon measured it; else when it was written.
    fn time(&self) -> Option<Timestamp> {
        let said = self.get("UtcTime").map(|text| format!("{}Z", text.replacen(' ', "T", 1)));
        let written = || between(self.system, "SystemTime=\"", "\"").map(str::to_owned);
        said.as_deref().and_then(Timestamp::parse).or_else(|| Timestamp::parse(&written()?))
    }

    fn started(&self, time: Timestamp) -> Event {
        let mut event = Event::from(Process {
            time,
            pid: self.number("ProcessId").unwrap_or(0),
            parent_pid: self.number("ParentProcessId").unwrap_or(0),
            executable: self.text("Image"),
            command_line: mask(&self.text("CommandLine")).into_owned(),
            working_directory: self.text("CurrentDirectory"),
            parent_executable: self.text("ParentImage"),
            parent_command_line: mask(&self.text("ParentCommandLine")).into_owned(),
            user: self.text("User"),
            exit_code: None,
        });
        let hashes = self.text("Hashes");
        let sha256 = hashes.split(',').find_map(|hash| hash.strip_prefix("SHA256="));
        event.record.set_some(f::PROCESS_HASH, sha256.map(str::to_ascii_lowercase));
        event
    }

    fn connected(&self, time: Timestamp) -> Event {
        let mut event = Event::new(Kind::Flow, time);
        let record = &mut event.record;
        record.set(f::EVENT_ACTION, "connection_opened");
        record.set(f::EVENT_TYPE, "connection");
        let ip = |name: &str| self.get(name)?.parse::<IpAddr>().ok().map(|ip| ip.to_canonical());
        let destination = ip("DestinationIp");
        record.set_some(f::SOURCE_IP, ip("SourceIp"));
        record.set_some(f::DESTINATION_IP, destination);
        record.set_some(f::SOURCE_PORT, self.number("SourcePort"));
        record.set_some(f::DESTINATION_PORT, self.number("DestinationPort"));
        record.set_some(f::SOURCE_DOMAIN, self.get("SourceHostname"));
        record.set_some(f::DESTINATION_DOMAIN, self.get("DestinationHostname"));
        record.set_some(f::NETWORK_TRANSPORT, self.get("Protocol"));
        if let Some(ip) = destination {
            record.set(f::NETWORK_TYPE, if ip.is_ipv4() { "ipv4" } else { "ipv6" });
        }
        let direction = match self.get("Initiated").as_deref() {
            Some("true") => Some("outbound"),
            Some("false") => Some("inbound"),
            _ => None,
        };
        record.set_some(f::NETWORK_DIRECTION, direction);
        event
    }

    fn written(&self, time: Timestamp) -> Event {
        Event::from(File { time, change: "creation", path: self.text("TargetFilename"), ..File::default() })
    }

    /// A log event: what it says stays in its fields and in the original.
    fn other(&self, time: Timestamp) -> Event {
        let mut event = Event::new(Kind::Log, time);
        let (category, kind, action) = match self.code {
            "5" => ("process", "end", "exit"),
            "23" | "26" => ("file", "deletion", "file_deletion"),
            "9" => ("process", "access", "raw_device_read"),
            "4" | "16" => ("configuration", "change", "sysmon_changed"),
            _ => ("host", "info", "sysmon"),
        };
        let record = &mut event.record;
        record.set(f::EVENT_CATEGORY, category);
        record.set(f::EVENT_TYPE, kind);
        record.set(f::EVENT_ACTION, action);
        record.set_some(f::FILE_PATH, self.get("TargetFilename").or_else(|| self.get("Device")));
        event
    }
}

fn between<'t>(text: &'t str, before: &str, after: &str) -> Option<&'t str> {
    Some(text.split_once(before)?.1.split_once(after)?.0)
}

/// The text that XML's entities stand for; one that is unknown stays as it is.
fn plain(text: &str) -> Cow<'_, str> {
    if !text.contains('&') {
        return Cow::Borrowed(text);
    }
    let (mut out, mut left) = (String::with_capacity(text.len()), text);
    while let Some((before, rest)) = left.split_once('&') {
        out.push_str(before);
        let named = rest.split_once(';').and_then(|(name, after)| Some((entity(name)?, after)));
        match named {
            Some((sign, after)) => {
                out.push(sign);
                left = after;
            }
            None => {
                out.push('&');
                left = rest;
            }
        }
    }
    out.push_str(left);
    Cow::Owned(out)
}

fn entity(name: &str) -> Option<char> {
    match name {
        "lt" => Some('<'),
        "gt" => Some('>'),
        "amp" => Some('&'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Format, Line, Reader, Reference};
    use super::*;

    fn document(code: &str, data: &[(&str, &str)]) -> String {
        let data: String =
            data.iter().map(|(name, value)| format!("<Data Name=\"{name}\">{value}</Data>")).collect();
        format!(
            "<Event><System><Provider Name=\"Linux-Sysmon\" Guid=\"{{0}}\"/><EventID>{code}</EventID>\
             <TimeCreated SystemTime=\"2026-01-02T03:04:05.678901000Z\"/></System>\
             <EventData><Data Name=\"RuleName\">-</Data>{data}</EventData></Event>"
        )
    }

    fn event(text: &str) -> Event {
        let reference = Reference { now: Timestamp::EPOCH, zone: jiff::tz::TimeZone::UTC };
        let line = format!("Jan  2 03:04:06 web sysmon[77]: {text}");
        Reader::new(Format::Syslog).take(Line { text: &line, cut: false }, &reference).remove(0)
    }

    #[test]
    fn a_started_program_is_a_process_event() {
        let event = event(&document(
            "1",
            &[
                ("UtcTime", "2026-01-02 03:04:05.100"),
                ("ProcessId", "41"),
                ("Image", "/bin/bash"),
                ("CommandLine", "bash -c &quot;a &amp;&amp; b&quot; &gt; c &unknown; &#65;"),
                ("CurrentDirectory", "/tmp"),
                ("User", "www-data"),
                ("ParentProcessId", "40"),
                ("ParentImage", "/usr/sbin/httpd"),
                ("Hashes", "MD5=0,SHA256=AB"),
            ],
        ));
        assert_eq!(event.kind, Kind::Process);
        assert_eq!(Some(event.time), Timestamp::parse("2026-01-02T03:04:05.1Z"));
        assert_eq!(event.text(f::PROCESS_COMMAND_LINE), Some("bash -c \"a && b\" > c &unknown; A"));
        assert_eq!(event.text(f::PROCESS_PARENT_EXECUTABLE), Some("/usr/sbin/httpd"));
        assert_eq!(event.text(f::USER_NAME), Some("www-data"));
        assert_eq!(event.text(f::PROCESS_HASH), Some("ab"));
        assert_eq!(event.text(f::EVENT_CODE), Some("1"));
        assert_eq!(event.record.get(f::PROCESS_PID), Some(&41_u32.into()), "not that of the header");
    }

    #[test]
    fn a_connection_is_a_flow_and_a_written_file_a_file_event() {
        let flow = event(&document(
            "3",
            &[
                ("Image", "/usr/bin/java"),
                ("Protocol", "tcp"),
                ("Initiated", "true"),
                ("SourceIp", "192.0.2.1"),
                ("SourcePort", "5000"),
                ("DestinationIp", "198.51.100.7"),
                ("DestinationHostname", "-"),
                ("DestinationPort", "389"),
            ],
        ));
        assert_eq!(flow.kind, Kind::Flow);
        assert_eq!(flow.text(f::NETWORK_DIRECTION), Some("outbound"));
        assert_eq!(flow.text(f::PROCESS_NAME), Some("java"));
        assert_eq!(flow.record.get(f::DESTINATION_PORT), Some(&389_u32.into()));
        assert_eq!(flow.record.get(f::DESTINATION_DOMAIN), None);
        assert_eq!(Some(flow.time), Timestamp::parse("2026-01-02T03:04:05.678901Z"));
        let file = event(&document("11", &[("TargetFilename", "/etc/cron.d/x"), ("Image", "/bin/sh")]));
        assert_eq!((file.kind, file.text(f::FILE_PATH)), (Kind::File, Some("/etc/cron.d/x")));
    }

    #[test]
    fn a_programs_end_and_a_deleted_file_are_no_start_and_no_write() {
        let end = event(&document("5", &[("Image", "/bin/bash"), ("ProcessId", "9")]));
        assert_eq!((end.kind, end.text(f::EVENT_ACTION)), (Kind::Log, Some("exit")));
        assert_eq!(end.text(f::PARSE), None);
        let gone = event(&document("23", &[("TargetFilename", "/tmp/x")]));
        assert_eq!((gone.kind, gone.text(f::FILE_PATH)), (Kind::Log, Some("/tmp/x")));
    }

    #[test]
    fn a_document_that_was_cut_gives_what_it_has_and_junk_stays_raw() {
        let whole = document("1", &[("Image", "/bin/sh"), ("CommandLine", "sh -c id")]);
        let cut = whole.split_once("</Data></EventData>").unwrap().0;
        let event_of_cut = event(cut);
        assert_eq!(event_of_cut.text(f::PROCESS_EXECUTABLE), Some("/bin/sh"));
        assert_eq!(event_of_cut.text(f::PROCESS_COMMAND_LINE), None);
        for junk in ["<Event>", "<Event>Linux-Sysmon", "<Event>Linux-Sysmon<EventID>x</EventID>"] {
            assert_eq!(event(junk).text(f::PARSE), Some("raw"), "{junk}");
        }
    }
}
