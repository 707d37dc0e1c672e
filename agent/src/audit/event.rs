//! The records of one event as one event of ours.
//!
//! Every decoded pair is kept in `auditd.data`, one text per record, so that rules written for
//! auditd find what they name. What has a field of its own is put there as well.

use std::net::IpAddr;

use watchpost_model::{Event, Kind, Record as Fields, Value, field as f, limits};

use super::record::Record;
use super::socket::Address;
use crate::parse::mask;

/// System calls that open a connection or send without one, and those that take one, by their
/// numbers on x86-64 and names.
const CONNECTS: [&str; 6] = ["42", "44", "46", "connect", "sendto", "sendmsg"];
const ACCEPTS: [&str; 4] = ["43", "288", "accept", "accept4"];
/// System calls that set the clock, as numbers on x86-64 and names.
const CLOCK: [&str; 8] =
    ["159", "164", "227", "305", "adjtimex", "settimeofday", "clock_settime", "clock_adjtime"];
/// The number that stands for "no user" and "no session".
const UNSET: [&str; 3] = ["4294967295", "-1", "unset"];

/// ECS category, type and action by record type.
type Row = (&'static [&'static str], &'static str, &'static str, &'static str);

const TABLE: &[Row] = &[
    (&["EXECVE", "AUOMS_EXECVE"], "process", "start", "exec"),
    (&["USER_LOGIN"], "authentication", "start", "login"),
    (&["USER_AUTH"], "authentication", "info", "authenticated"),
    (&["USER_ACCT"], "authentication", "info", "account_checked"),
    (&["USER_START"], "session", "start", "session_opened"),
    (&["USER_END"], "session", "end", "session_closed"),
    (&["USER_LOGOUT"], "authentication", "end", "logout"),
    (&["USER_ERR", "CRED_ACQ", "CRED_DISP", "CRED_REFR", "LOGIN"], "authentication", "info", ""),
    (&["ADD_USER"], "iam", "creation", "user_added"),
    (&["DEL_USER"], "iam", "deletion", "user_deleted"),
    (&["ADD_GROUP"], "iam", "creation", "group_added"),
    (&["DEL_GROUP"], "iam", "deletion", "group_deleted"),
    (&["USER_CHAUTHTOK"], "iam", "change", "password_changed"),
    (
        &["USER_MGMT", "ACCT_LOCK", "ACCT_UNLOCK", "ROLE_ASSIGN", "ROLE_REMOVE"],
        "iam",
        "change",
        "user_changed",
    ),
    (&["GRP_MGMT", "GRP_CHAUTHTOK", "CHGRP_ID"], "iam", "change", "group_changed"),
    (&["CONFIG_CHANGE", "DAEMON_CONFIG"], "configuration", "change", "audit_configured"),
    (&["DAEMON_START"], "process", "start", "auditd_started"),
    (&["DAEMON_END", "DAEMON_ABORT"], "process", "end", "auditd_stopped"),
    (&["SERVICE_START"], "process", "start", "service_started"),
    (&["SERVICE_STOP"], "process", "end", "service_stopped"),
    (&["USER_CMD"], "process", "start", "sudo"),
    (&["ANOM_ABEND"], "process", "end", "crashed"),
    (&["TIME_INJOFFSET", "TIME_ADJNTPVAL"], "host", "change", "clock_changed"),
    (&["KERN_MODULE"], "driver", "start", "module_loaded"),
    (&["SYSTEM_BOOT"], "host", "start", "boot"),
    (&["SYSTEM_SHUTDOWN"], "host", "end", "shutdown"),
    (&["NETFILTER_CFG"], "configuration", "change", "firewall_configured"),
];

/// The event that these records tell of; `None` where there is none but the end mark.
pub(super) fn of(mut records: Vec<Record>) -> Option<Event> {
    records.retain(|record| record.kind != "EOE");
    hide_secrets(&mut records);
    let first = records.first()?;
    let mut event = Event::new(Kind::Audit, first.id.time);
    let all = Records(&records);
    let fields = &mut event.record;
    fields.set(f::EVENT_PROVIDER, "auditd");
    fields.set(f::EVENT_ID, first.id.serial.to_string());
    let raw: Vec<&str> = records.iter().map(|record| record.raw.as_str()).collect();
    fields.set(f::EVENT_ORIGINAL, raw.join("\n"));
    set_list(fields, f::AUDIT_TYPE, distinct(records.iter().map(|record| record.kind.clone())));
    let data = records.iter().map(written).filter(|text| !text.is_empty());
    set_list(fields, f::AUDIT_DATA, data.take(limits::LIST_ITEMS).collect());
    let keys = all.each("key").flat_map(|key| key.split('\u{1}')).map(|key| key.trim_start_matches("key="));
    set_list(fields, f::AUDIT_KEY, distinct(keys.filter(|key| known(key)).map(str::to_owned)));
    all.note_kind(fields);
    all.note_process(fields);
    all.note_user(fields);
    all.note_ends(fields);
    let names = all.each("name").filter(|name| known(name)).map(str::to_owned);
    set_list(fields, f::FILE_PATH, distinct(names));
    Some(event)
}

fn known(text: &str) -> bool {
    !matches!(text, "" | "?" | "(null)" | "(none)")
}

fn distinct(texts: impl Iterator<Item = String>) -> Vec<String> {
    let mut seen: Vec<String> = Vec::new();
    for text in texts.take(limits::LIST_ITEMS) {
        if !seen.contains(&text) {
            seen.push(text);
        }
    }
    seen
}

/// One text as a text, several as a list.
fn set_list(fields: &mut Fields, field: watchpost_model::FieldId, mut texts: Vec<String>) {
    match texts.len() {
        0 => {}
        1 => fields.set(field, texts.remove(0)),
        _ => fields.set(field, texts.into_iter().map(Value::Text).collect::<Vec<_>>()),
    }
}

/// A record's pairs in the form that rules read: quotes where there are blanks. A quote within
/// blanks becomes a single one; `event.original` has it as it was.
fn written(record: &Record) -> String {
    let pairs = record.pairs.iter().map(|(key, value)| {
        if value.is_empty() || value.starts_with('"') || value.contains(char::is_whitespace) {
            format!("{key}=\"{}\"", value.replace('"', "'"))
        } else {
            format!("{key}={value}")
        }
    });
    pairs.collect::<Vec<_>>().join(" ")
}

/// Masks secrets in the decoded values. A record that held one is written anew, as its raw line
/// may hold the secret in hex; so is the title of a program whose arguments held one.
fn hide_secrets(records: &mut [Record]) {
    let mut before = String::new();
    let mut found = false;
    for record in records.iter_mut() {
        let mut changed = false;
        for (key, value) in &mut record.pairs {
            let program = record.kind == "EXECVE" && is_argument(key);
            // What follows a switch such as `--token` is its value, whatever it looks like.
            let follows = program && mask(&format!("{before} x")).ends_with(" ***");
            let masked = if follows { "***".into() } else { mask(value) };
            let masked = masked.into_owned();
            if program {
                before.clone_from(value);
            }
            changed |= *value != masked;
            *value = masked;
        }
        found |= changed;
        if changed {
            record.write_anew();
        }
    }
    for record in records.iter_mut().filter(|record| found && record.kind == "PROCTITLE") {
        record.pairs = vec![("proctitle".to_owned(), "***".to_owned())];
        record.write_anew();
    }
}

impl Record {
    fn write_anew(&mut self) {
        self.raw = format!("type={} msg=audit({}): {}", self.kind, self.id.serial, written(self));
    }
}

struct Records<'a>(&'a [Record]);

impl<'a> Records<'a> {
    /// The first value of a key that says something.
    fn get(&self, key: &str) -> Option<&'a str> {
        self.0.iter().find_map(|record| record.get(key).filter(|text| known(text)))
    }

    fn each(&self, key: &'static str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter_map(move |record| record.get(key))
    }

    fn has(&self, kind: &str) -> bool {
        self.0.iter().any(|record| record.kind == kind)
    }

    fn note_kind(&self, fields: &mut Fields) {
        let row = TABLE.iter().find(|(kinds, ..)| kinds.iter().any(|kind| self.has(kind)));
        let kind = self.0.first().map(|record| record.kind.to_lowercase()).unwrap_or_default();
        let (category, class, action) = match row {
            Some((_, category, class, action)) => (*category, *class, *action),
            None if self.get("syscall").is_some_and(|call| CLOCK.contains(&call)) => {
                ("host", "change", "clock_changed")
            }
            None if self.has("PATH") => ("file", "info", ""),
            None if self.has("SOCKADDR") => ("network", "connection", ""),
            None => ("process", "info", ""),
        };
        fields.set(f::EVENT_CATEGORY, category);
        fields.set(f::EVENT_TYPE, class);
        let named = self.get("SYSCALL").map(str::to_owned);
        fields
            .set(f::EVENT_ACTION, if action.is_empty() { named.unwrap_or(kind) } else { action.to_owned() });
        let result = self.get("success").or_else(|| self.get("res")).or_else(|| self.get("result"));
        fields.set(
            f::EVENT_OUTCOME,
            match result {
                Some("yes" | "success" | "1") => "success",
                Some("no" | "failed" | "0" | "fail") => "failure",
                _ => "unknown",
            },
        );
    }

    fn note_process(&self, fields: &mut Fields) {
        fields.set_some(f::PROCESS_PID, self.get("pid").and_then(|pid| pid.parse::<u32>().ok()));
        fields.set_some(f::PROCESS_PARENT_PID, self.get("ppid").and_then(|pid| pid.parse::<u32>().ok()));
        let executable = self.get("exe");
        let name = self.get("comm").or_else(|| executable?.rsplit('/').next());
        let tty = self.get("tty").or_else(|| self.get("terminal"));
        let unit = self.get("unit");
        for (field, text) in [
            (f::PROCESS_EXECUTABLE, executable),
            (f::PROCESS_NAME, name),
            (f::PROCESS_WORKING_DIRECTORY, self.get("cwd")),
            (f::PROCESS_TTY, tty),
            (f::SERVICE_NAME, unit),
        ] {
            fields.set_some(field, text.map(str::to_owned));
        }
        let arguments = self.arguments();
        let titles = ["cmdline", "proctitle", "cmd"];
        let title = || titles.iter().find_map(|key| self.get(key)).map(str::to_owned);
        let line = if arguments.is_empty() { title() } else { Some(arguments.join(" ")) };
        if let Some(line) = line {
            fields.set(f::MESSAGE, line.as_str());
            fields.set(f::PROCESS_COMMAND_LINE, line);
        }
        if !arguments.is_empty() {
            fields.set(f::PROCESS_ARGS, arguments);
        }
    }

    /// The arguments of a program, in order; its pieces may stand in several records.
    fn arguments(&self) -> Vec<String> {
        let records = self.0.iter().filter(|record| record.kind == "EXECVE");
        let pairs = records.flat_map(|record| &record.pairs);
        let mut found: Vec<(&str, String)> = Vec::new();
        for (key, value) in pairs.filter(|(key, _)| is_argument(key)) {
            let room = found.len() < limits::LIST_ITEMS;
            match found.last_mut() {
                Some((last, text)) if last == key => text.push_str(value),
                _ if room => found.push((key, value.clone())),
                _ => {}
            }
        }
        found.into_iter().map(|(_, text)| text).collect()
    }

    fn note_user(&self, fields: &mut Fields) {
        let name = |keys: &[&str]| {
            let mut found = keys.iter().filter_map(|key| self.get(key)).filter(|name| !UNSET.contains(name));
            found.next().map(str::to_owned)
        };
        fields.set_some(f::USER_ID, self.get("auid").or_else(|| self.get("uid")).map(str::to_owned));
        fields.set_some(f::USER_NAME, name(&["acct", "AUID", "UID", "user"]));
        fields.set_some(f::USER_EFFECTIVE, name(&["EUID"]));
        fields.set_some(f::GROUP_NAME, name(&["grp"]));
        fields.set_some(f::AUTH_SESSION, name(&["ses"]));
    }

    fn note_ends(&self, fields: &mut Fields) {
        // The peer of a login; the address of a socket is read below.
        let mut peers = self.0.iter().filter(|record| record.kind != "SOCKADDR");
        let peer = peers.find_map(|record| record.get("addr").and_then(|text| text.parse::<IpAddr>().ok()));
        if let Some(ip) = peer {
            fields.set(f::SOURCE_IP, ip.to_canonical());
        }
        let host = self.get("hostname").filter(|host| host.parse::<IpAddr>().is_err());
        fields.set_some(f::SOURCE_DOMAIN, host.map(str::to_owned));
        let call = self.get("syscall").unwrap_or_default();
        match self.get("saddr").and_then(Address::parse) {
            Some(Address::Internet(ip, port)) if CONNECTS.contains(&call) => {
                fields.set(f::DESTINATION_IP, ip);
                fields.set(f::DESTINATION_PORT, port);
            }
            Some(Address::Internet(ip, port)) if ACCEPTS.contains(&call) => {
                fields.set(f::SOURCE_IP, ip);
                fields.set(f::SOURCE_PORT, port);
            }
            Some(Address::Unix(path)) => fields.set(f::FILE_PATH, path),
            _ => {}
        }
    }
}

fn is_argument(key: &str) -> bool {
    key.strip_prefix('a').is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit()))
}
