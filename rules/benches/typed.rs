//! What an event of ours costs against the shipped rules: instructions by callgrind, or time.
//!
//! Usage: `typed KIND COUNT [RULES]`: holds COUNT events of this kind (flow, dns, process, log,
//! auth, audit or web) against the shipped rules, and those in the folder RULES. All is warm
//! before [`steady`] runs, which is what `--toggle-collect='*steady*'` counts. Without arguments:
//! nanoseconds per event of each kind. The events are such as every host has all day; no rule
//! fires on them.
#![expect(clippy::print_stdout, clippy::disallowed_methods, reason = "a benchmark measures time and prints")]

use std::hint::black_box;
use std::path::PathBuf;
use std::time::Instant;

use serde_json::{Map, Value as Json};
use watchpost_model::id::EventRef;
use watchpost_model::{Event, Kind};
use watchpost_rules::{Detector, RuleSet, Subject, pack, shipped};

const WARM: usize = 100;
const TIMED: usize = 20_000;

type Fields = &'static [(&'static str, &'static str)];

/// One event of each kind, in the words of our schema.
const EVENTS: [(&str, Kind, Fields); 7] = [
    (
        "flow",
        Kind::Flow,
        &[
            ("event.category", "network"),
            ("event.type", "end"),
            ("source.ip", "192.0.2.14"),
            ("source.port", "50122"),
            ("destination.ip", "198.51.100.7"),
            ("destination.port", "443"),
            ("network.transport", "tcp"),
            ("network.direction", "egress"),
            ("network.community_id", "1:LQU9qZlK+B5F3KDmev6m5PMibrg="),
            ("watchpost.flow.state", "closed"),
            ("source.bytes", "1817"),
            ("destination.bytes", "90312"),
            ("process.executable", "/usr/bin/curl"),
        ],
    ),
    (
        "dns",
        Kind::Dns,
        &[
            ("event.category", "network"),
            ("event.action", "dns_query"),
            ("source.ip", "192.0.2.14"),
            ("source.port", "49812"),
            ("destination.ip", "192.0.2.1"),
            ("destination.port", "53"),
            ("network.transport", "udp"),
            ("dns.question.name", "deb.packages.example.org"),
            ("dns.question.type", "A"),
            ("dns.response_code", "NOERROR"),
            ("dns.answers.data", "198.51.100.7"),
        ],
    ),
    (
        "process",
        Kind::Process,
        &[
            ("event.category", "process"),
            ("event.type", "start"),
            ("process.pid", "4711"),
            ("process.name", "python3"),
            ("process.executable", "/usr/bin/python3.11"),
            (
                "process.command_line",
                "/usr/bin/python3 /opt/backup/nightly.py --target /srv/data --keep 14 --quiet",
            ),
            ("process.working_directory", "/opt/backup"),
            ("process.parent.pid", "812"),
            ("process.parent.executable", "/usr/sbin/cron"),
            ("process.parent.command_line", "/usr/sbin/cron -f -P"),
            ("user.name", "backup"),
            ("user.id", "34"),
        ],
    ),
    (
        "log",
        Kind::Log,
        &[
            ("event.provider", "systemd"),
            ("message", "Started session-417.scope - Session 417 of user deploy."),
            (
                "event.original",
                "Nov 23 10:00:01 web-1 systemd[1]: Started session-417.scope - Session 417 of user deploy.",
            ),
            ("log.syslog.appname", "systemd"),
            ("log.syslog.procid", "1"),
            ("log.file.path", "/var/log/syslog"),
        ],
    ),
    (
        "auth",
        Kind::Auth,
        &[
            ("event.category", "authentication"),
            ("event.action", "ssh_login"),
            ("event.outcome", "success"),
            ("event.provider", "sshd"),
            (
                "message",
                "Accepted publickey for deploy from 192.0.2.14 port 50122 ssh2: ED25519 SHA256:Jx7p2",
            ),
            ("source.ip", "192.0.2.14"),
            ("source.port", "50122"),
            ("user.name", "deploy"),
            ("watchpost.auth.method", "publickey"),
        ],
    ),
    (
        "audit",
        Kind::Audit,
        &[
            ("event.provider", "auditd"),
            ("auditd.log.record_type", "SYSCALL"),
            (
                "auditd.data",
                "arch=c000003e syscall=59 success=yes exit=0 a0=55d1 a1=55d2 a2=55d3 items=2 ppid=812 pid=4711 auid=1000 uid=0 comm=\"ls\" exe=\"/usr/bin/ls\" key=\"exec\"",
            ),
            ("process.executable", "/usr/bin/ls"),
            ("process.pid", "4711"),
        ],
    ),
    (
        "web",
        Kind::Web,
        &[
            ("event.category", "web"),
            ("source.ip", "192.0.2.14"),
            ("http.request.method", "GET"),
            ("http.response.status_code", "200"),
            ("url.original", "/articles/2026/11/autumn-harvest?page=2&sort=date"),
            ("url.path", "/articles/2026/11/autumn-harvest"),
            ("url.query", "page=2&sort=date"),
            ("http.request.referrer", "https://www.example.org/articles/"),
            ("user_agent.original", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
        ],
    ),
];

fn event(kind: &str) -> Option<Event> {
    let (_, kind, fields) = EVENTS.iter().find(|(name, ..)| *name == kind)?;
    let read = |text: &str| text.parse::<u64>().map_or_else(|_| Json::from(text), Json::from);
    let mut map: Map<String, Json> =
        fields.iter().map(|(name, text)| ((*name).to_owned(), read(text))).collect();
    map.insert("event.dataset".into(), kind.dataset().into());
    map.insert("@timestamp".into(), "2026-11-23T10:00:00Z".into());
    Event::from_json(&Json::Object(map))
}

fn detector(dir: Option<&str>) -> Detector {
    let mut sources = shipped::shipped();
    let dirs: Vec<PathBuf> = dir.into_iter().map(PathBuf::from).collect();
    sources.extend(pack::read_paths(&dirs).0);
    Detector::new(&RuleSet::load(&sources))
}

/// Findings on so many events, when all is warm.
#[inline(never)]
fn steady(detector: &mut Detector, event: &Event, count: usize) -> usize {
    let at = EventRef { frame: 1, index: 0 };
    (0..count).map(|_| detector.observe(&Subject::Typed(black_box(event)), at, event.time).len()).sum()
}

/// Lets the plan be compiled and buffers grow, uncounted.
fn warm(detector: &mut Detector, event: &Event) {
    for _ in 0..WARM {
        black_box(detector.observe(&Subject::Typed(event), EventRef { frame: 1, index: 0 }, event.time));
    }
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let (kinds, count, dir) = match args.as_slice() {
        [kind, count, dir] => (vec![*kind], count.parse().unwrap_or(1), Some(*dir)),
        [kind, count] => (vec![*kind], count.parse().unwrap_or(1), None),
        _ => (EVENTS.map(|(name, ..)| name).to_vec(), TIMED, None),
    };
    let mut detector = detector(dir);
    for kind in kinds {
        let Some(event) = event(kind) else { continue };
        warm(&mut detector, &event);
        let begin = Instant::now();
        let found = steady(&mut detector, &event, count);
        let each = begin.elapsed().as_secs_f64() * 1e9 / count as f64;
        println!("{kind:<8} {each:>8.0} ns/event, {found} findings");
    }
}
