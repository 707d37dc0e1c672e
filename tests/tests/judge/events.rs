//! Every event that the external test data holds or that our readers make of it.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde_json::Value as Json;
use watchpost_agent::commands::{flows, logs};
use watchpost_agent::parse::Format;
use watchpost_model::{Event, Timestamp};
use watchpost_rules::{OwnedLogsource, Subject};

/// An event, whosever it is, and where it comes from.
pub(crate) enum Held {
    Typed(String, Box<Event>),
    Foreign(String, Json, Option<OwnedLogsource>),
}

impl Held {
    pub(crate) fn subject(&self) -> Subject<'_> {
        match self {
            Self::Typed(_, event) => Subject::Typed(event),
            Self::Foreign(_, json, logsource) => Subject::Foreign { json, logsource: logsource.as_ref() },
        }
    }

    pub(crate) fn time(&self) -> Timestamp {
        match self {
            Self::Typed(_, event) => event.time,
            Self::Foreign(..) => Timestamp::EPOCH,
        }
    }

    pub(crate) fn name(&self) -> String {
        match self {
            Self::Typed(name, event) => format!("{name}: {}", event.to_json()),
            Self::Foreign(name, json, _) => format!("{name}: {json}"),
        }
    }
}

fn lines(path: &Path) -> Vec<Json> {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn rows<'a>(json: &'a Json, key: &str) -> &'a [Json] {
    json.get(key).and_then(Json::as_array).map_or(&[], Vec::as_slice)
}

fn text<'a>(json: &'a Json, key: &str) -> &'a str {
    json.get(key).and_then(Json::as_str).unwrap_or_default()
}

/// Files below a folder, in the order of their names.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> = fs::read_dir(folder).into_iter().flatten().flatten().map(|e| e.path()).collect();
    paths.sort();
    let below = |path: PathBuf| if path.is_dir() { files(&path) } else { vec![path] };
    paths.into_iter().flat_map(below).collect()
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Events with known matches, and those of rules' own regression cases.
pub(crate) fn foreign(data: &Path) -> Vec<Held> {
    let mut held = Vec::new();
    for case in lines(&data.join("sigma/regression.jsonl")) {
        let of = format!("regression {}", text(&case, "case"));
        held.extend(rows(&case, "events").iter().map(|json| Held::Foreign(of.clone(), json.clone(), None)));
    }
    for path in files(&data.join("sigma/reference")) {
        let given = match name(&path).as_str() {
            "auditd.ndjson" => OwnedLogsource::parse("product=linux,service=auditd"),
            "web.ndjson" => OwnedLogsource::parse("category=webserver"),
            _ => None,
        };
        held.extend(lines(&path).into_iter().map(|json| Held::Foreign(name(&path), json, given.clone())));
    }
    held
}

/// What our readers make of every capture and every log.
pub(crate) fn typed(data: &Path) -> Vec<Held> {
    let mut held = Vec::new();
    for path in files(&data.join("pcap")) {
        if [".pcap", ".pcapng", ".cap"].iter().any(|ending| name(&path).ends_with(ending)) {
            // A capture that is cut on purpose still tells of its whole packets.
            let _ = flows::each(&path, &mut |event| keep(&mut held, &name(&path), event));
        }
    }
    let folder = data.join("logs");
    for path in files(&folder) {
        let found = name(&path);
        match found.rsplit('.').next() {
            Some("zst") => {
                let kind = if found.starts_with("apache") { "apache" } else { "auth" };
                log(
                    &mut held,
                    kind,
                    zstd::stream::read::Decoder::new(fs::File::open(&path).unwrap()).unwrap(),
                    &path,
                );
            }
            Some("log") if path.starts_with(folder.join("auditd")) => {
                log(&mut held, "auditd", fs::File::open(&path).unwrap(), &path)
            }
            _ => {}
        }
    }
    listed(&mut held, &folder);
    held
}

/// Logs and lines that an index tells the kind of.
fn listed(held: &mut Vec<Held>, folder: &Path) {
    let index = |path: &str| -> Json {
        fs::read(folder.join(path)).map_or(Json::Null, |bytes| serde_json::from_slice(&bytes).unwrap())
    };
    for case in rows(&index("crowdsec/expected.json"), "cases") {
        let path = folder.join(text(case, "log"));
        if let Ok(file) = fs::File::open(&path) {
            log(held, text(case, "log_type"), file, &path);
        }
    }
    for (path, list, kind, entries) in [
        ("fail2ban/expected.json", "filters", "filter", "entries"),
        ("wazuh/expected.json", "cases", "product", "logs"),
    ] {
        for case in rows(&index(path), list) {
            let lines: Vec<&str> = rows(case, entries).iter().map(|entry| text(entry, "line")).collect();
            log(held, text(case, kind), std::io::Cursor::new(lines.join("\n")), Path::new(path));
        }
    }
}

/// Reads a log as its kind; one of a kind that we do not know as a system log, whose odd lines come
/// out raw.
fn log(held: &mut Vec<Held>, kind: &str, from: impl Read, path: &Path) {
    let kind = kind.trim_end_matches(|letter: char| letter.is_ascii_digit());
    let kind = if Format::named(kind).is_some() { kind } else { "syslog" };
    logs::each_from(kind, from, path, &mut |event| keep(held, &name(path), event)).unwrap();
}

#[expect(clippy::unnecessary_wraps, reason = "what readers ask for")]
fn keep(held: &mut Vec<Held>, from: &str, event: Event) -> std::io::Result<()> {
    held.push(Held::Typed(from.to_owned(), Box::new(event)));
    Ok(())
}
