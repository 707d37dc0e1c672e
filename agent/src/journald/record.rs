//! One record of the journal as `journalctl -o json` prints it.

use serde_json::{Map, Value as Json};
use watchpost_model::Timestamp;

use crate::parse::{Header, LINE_BYTES};

/// What is taken from a record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) cursor: String,
    pub(super) time: Option<Timestamp>,
    pub(super) message: String,
    pub(super) app: String,
    pub(super) pid: String,
    pub(super) host: String,
    pub(super) unit: String,
    pub(super) priority: Option<u8>,
    /// Whom the kernel saw writing; empty where the record does not say.
    pub(super) uid: String,
    /// Whether the message was too long and has been cut.
    pub(super) cut: bool,
}

/// Fields that are asked for; the rest of a record can be many times larger.
pub(super) const FIELDS: &str =
    "MESSAGE,SYSLOG_IDENTIFIER,SYSLOG_PID,_PID,_COMM,_UID,_HOSTNAME,_SYSTEMD_UNIT,PRIORITY,SYSLOG_FACILITY";

impl Record {
    /// Reads a line; `None` where it is no record with a cursor.
    pub(super) fn parse(line: &[u8]) -> Option<Self> {
        let fields: Map<String, Json> = serde_json::from_slice(line).ok()?;
        let field = |name: &str| fields.get(name).map(text).unwrap_or_default();
        let first =
            |a: &str, b: &str| Some(field(a)).filter(|found| !found.is_empty()).unwrap_or_else(|| field(b));
        let cursor = Some(field("__CURSOR")).filter(|cursor| !cursor.is_empty())?;
        let mut message = field("MESSAGE");
        let cut = message.len() > LINE_BYTES;
        if cut {
            let end = (0..=LINE_BYTES).rev().find(|at| message.is_char_boundary(*at)).unwrap_or(0);
            message.truncate(end);
        }
        let micros: Option<i64> = field("__REALTIME_TIMESTAMP").parse().ok();
        let facility: u8 = field("SYSLOG_FACILITY").parse().unwrap_or(3);
        let severity: Option<u8> = field("PRIORITY").parse().ok().filter(|severity| *severity < 8);
        Some(Self {
            cursor,
            time: micros.map(|micros| Timestamp::from_nanos(micros.saturating_mul(1_000))),
            message,
            app: first("SYSLOG_IDENTIFIER", "_COMM"),
            pid: first("SYSLOG_PID", "_PID"),
            host: field("_HOSTNAME"),
            unit: field("_SYSTEMD_UNIT"),
            priority: severity.map(|severity| facility.min(23) * 8 + severity),
            uid: field("_UID"),
            cut,
        })
    }

    /// The record in the words of syslog.
    pub(super) fn header(&self) -> Header<'_> {
        Header {
            time: self.time,
            host: &self.host,
            app: &self.app,
            pid: &self.pid,
            priority: self.priority,
            message: self.message.trim_end(),
            ..Header::default()
        }
    }

    /// Whether the writer only claims to be sshd: anyone may write under any name, but the journal
    /// knows the user, and sshd's verdicts come from root.
    pub(super) fn is_forged(&self) -> bool {
        self.app.starts_with("sshd") && !matches!(self.uid.as_str(), "" | "0")
    }
}

/// The text of a field: a string, the bytes of one that is no UTF-8, or the first of several.
fn text(json: &Json) -> String {
    match json {
        Json::String(text) => text.clone(),
        Json::Array(items) => {
            bytes(items).unwrap_or_else(|| items.first().map(text_of_one).unwrap_or_default())
        }
        _ => String::new(),
    }
}

fn text_of_one(json: &Json) -> String {
    match json {
        Json::String(text) => text.clone(),
        Json::Array(items) => bytes(items).unwrap_or_default(),
        _ => String::new(),
    }
}

fn bytes(items: &[Json]) -> Option<String> {
    let bytes: Option<Vec<u8>> = items.iter().map(|item| u8::try_from(item.as_u64()?).ok()).collect();
    bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_becomes_a_header() {
        let line = br#"{"__CURSOR":"s=1","__REALTIME_TIMESTAMP":"1795428309000001","MESSAGE":"hi","SYSLOG_IDENTIFIER":"sshd",
            "_PID":"7","_UID":"0","PRIORITY":"6","SYSLOG_FACILITY":"10","_HOSTNAME":"web","_SYSTEMD_UNIT":"ssh.service"}"#;
        let record = Record::parse(line).unwrap();
        let header = record.header();
        assert_eq!((header.app, header.pid, header.host, header.message), ("sshd", "7", "web", "hi"));
        assert_eq!(header.priority, Some(86));
        assert_eq!(header.time, Some(Timestamp::from_nanos(1_795_428_309_000_001_000)));
        assert!(!record.is_forged());
    }

    #[test]
    fn messages_of_bytes_and_several_messages_are_read() {
        let message = |json: &str| {
            let line = format!(r#"{{"__CURSOR":"c","MESSAGE":{json}}}"#);
            Record::parse(line.as_bytes()).unwrap().message
        };
        assert_eq!(message("[104,105,255]"), "hi\u{fffd}");
        assert_eq!(message(r#"["one","two"]"#), "one");
        assert_eq!(message("null"), "");
        assert_eq!(message("[300]"), "");
    }

    #[test]
    fn a_user_can_not_pose_as_sshd() {
        let line = br#"{"__CURSOR":"c","MESSAGE":"Accepted","SYSLOG_IDENTIFIER":"sshd","_UID":"1000"}"#;
        assert!(Record::parse(line).unwrap().is_forged());
    }

    #[test]
    fn what_has_no_cursor_is_no_record() {
        for line in ["", "{}", "[]", "-- cursor: x", r#"{"__CURSOR":""}"#] {
            assert!(Record::parse(line.as_bytes()).is_none(), "{line}");
        }
    }
}
