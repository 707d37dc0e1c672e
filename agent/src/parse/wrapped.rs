//! Syslog messages that a forwarder has wrapped in JSON: `{"SyslogMessage": "…", "ProcessName": …}`.
//!
//! The wrapping is taken off, so that the same parsers read the message as read it on the host.

use serde_json::{Map, Value as Json};

use super::Header;
use super::stamp::{self, Reference};

/// Names of the message; one that has such a name is wrapped.
const MESSAGES: [&str; 3] = ["SyslogMessage", "syslog_message", "syslogMessage"];
const HOSTS: [&str; 4] = ["HostName", "Computer", "hostname", "host"];
const PROGRAMS: [&str; 4] = ["ProcessName", "AppName", "appname", "program"];
const TIMES: [&str; 4] = ["EventTime", "TimeGenerated", "@timestamp", "timestamp"];
const PIDS: [&str; 3] = ["ProcessID", "ProcId", "pid"];

/// What is under the wrapping; `None` where there is none.
pub(super) fn header<'j>(json: &'j Json, reference: &Reference) -> Option<Header<'j>> {
    let map = json.as_object()?;
    let message = text(map, &MESSAGES).filter(|message| !message.is_empty())?;
    let times = TIMES.iter().filter_map(|name| map.get(*name).and_then(Json::as_str));
    Some(Header {
        time: times.filter_map(|time| stamp::iso(time, reference)).map(|(time, _)| time).next(),
        host: text(map, &HOSTS).unwrap_or_default(),
        app: text(map, &PROGRAMS).unwrap_or_default(),
        pid: text(map, &PIDS).unwrap_or_default(),
        message,
        ..Header::default()
    })
}

fn text<'j>(map: &'j Map<String, Json>, names: &[&str]) -> Option<&'j str> {
    names.iter().find_map(|name| map.get(*name).and_then(Json::as_str))
}

#[cfg(test)]
mod tests {
    use watchpost_model::{Event, Kind, Timestamp, field as f};

    use super::super::{Format, Line, Reader, Reference};

    /// The one event of a line.
    fn read(text: &str) -> Event {
        let reference = Reference { now: Timestamp::EPOCH, zone: jiff::tz::TimeZone::UTC };
        let mut reader = Reader::new(Format::Structured);
        let mut events = reader.take(Line { text, cut: false }, &reference);
        events.extend(reader.finish());
        assert_eq!(events.len(), 1, "{events:?}");
        events.remove(0)
    }

    #[test]
    fn a_wrapped_message_is_read_by_the_parser_of_its_program() {
        let found = read(
            r#"{"TimeGenerated": "2026-01-02T03:04:05Z", "HostName": "web", "ProcessName": "sshd",
                "SyslogMessage": "Failed password for root from 192.0.2.9 port 5 ssh2"}"#,
        );
        assert_eq!(found.kind, Kind::Auth);
        assert_eq!(found.text(f::LOG_SYSLOG_HOST), Some("web"));
        assert_eq!(Some(found.time), Timestamp::parse("2026-01-02T03:04:05Z"));
    }

    #[test]
    fn a_wrapped_audit_record_is_an_audit_event() {
        let found = read(
            r#"{"ProcessName": "auoms", "SyslogMessage": "type=AUOMS_EXECVE audit(1700000000.500:7): pid=5 user=www success=yes exe=\"/bin/bash\" cmdline=\"bash -i\""}"#,
        );
        assert_eq!(found.kind, Kind::Audit);
        assert_eq!(found.text(f::PROCESS_EXECUTABLE), Some("/bin/bash"));
        assert_eq!(found.text(f::PROCESS_COMMAND_LINE), Some("bash -i"));
        assert_eq!(found.text(f::USER_NAME), Some("www"));
        assert_eq!(found.text(f::EVENT_ACTION), Some("exec"));
    }

    #[test]
    fn a_connection_with_its_program_is_a_flow() {
        let found = read(
            r#"{"Type": "VMConnection", "TimeGenerated": "2026-01-02T03:04:05Z", "Direction": "outbound",
                "ProcessName": "java", "SourceIp": "192.0.2.1", "DestinationIp": "192.0.2.2", "DestinationPort": 389}"#,
        );
        assert_eq!(found.kind, Kind::Flow);
        assert_eq!(found.text(f::PROCESS_NAME), Some("java"));
        assert_eq!(found.record.get(f::DESTINATION_PORT), Some(&389_u32.into()));
    }

    #[test]
    fn an_event_of_ours_comes_back_as_it_was_unless_it_speaks_for_an_agent() {
        let mut event = Event::new(Kind::Flow, Timestamp::from_millis(1_500));
        event.record.set(f::PROCESS_NAME, "java");
        assert_eq!(read(&event.to_json().to_string()), event);
        let loss = Event::new(Kind::Loss, Timestamp::from_millis(1_500));
        assert_ne!(read(&loss.to_json().to_string()).kind, Kind::Loss);
    }
}
