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
