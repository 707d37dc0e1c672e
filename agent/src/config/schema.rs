//! The configuration as people write it. The comment on each key is its reference text.
//!
//! Unknown keys are errors: a misspelt key that is ignored is a setting that someone believes in.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::mask::Deed;

/// The whole file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Schema {
    /// Folder for identity, spool and status. Only its owner may read it.
    pub state_dir: PathBuf,
    /// Addresses (`host:port`) of the collector, tried in turn. Empty: those of the enrolment.
    pub collector: Vec<String>,
    /// DNS name in the collector's certificate.
    pub server_name: String,
    /// Network flows.
    pub capture: Capture,
    /// Logs.
    pub logs: Logs,
    /// Processes.
    pub process: Process,
    /// Files that decide who may do what.
    pub files: Files,
    /// The host's own state.
    pub state: State,
    /// Numbers of persons and organisations in any text.
    pub mask: Mask,
    /// What waits for the collector.
    pub spool: Spool,
}

/// Network flows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Capture {
    /// Whether flows are watched at all.
    pub enabled: bool,
    /// Interfaces to watch. Empty: all that are up.
    pub interfaces: Vec<String>,
    /// Most flows followed at once; under pressure those idle longest are reported and let go.
    pub max_flows: usize,
}

/// Logs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Logs {
    /// systemd's journal: `auto` reads it where there is one, and then not the files it repeats.
    pub journald: Choice,
    /// Where reading begins at the very first start: `end` or `beginning` of what exists.
    pub from: From,
    /// Files to follow. Empty: the usual ones of this host.
    pub files: Vec<LogFile>,
}

/// One log to follow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogFile {
    /// A name for people and rules, such as `shop-access`.
    pub name: String,
    /// The path; `*` may stand in its last part.
    pub path: String,
    /// How its lines are read: `auth`, `syslog`, `nginx`, `apache`…
    pub parser: String,
}

/// On, off, or as the host has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Choice {
    /// As the host has it.
    #[default]
    Auto,
    /// Always.
    On,
    /// Never.
    Off,
}

/// Where reading of existing logs begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum From {
    /// Only what is written from now on.
    #[default]
    End,
    /// All that is there.
    Beginning,
}

/// Processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Process {
    /// Whether started programs are watched.
    pub enabled: bool,
}

/// Files that decide who may do what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Files {
    /// Whether changes of files are watched.
    pub enabled: bool,
    /// Files and folders to watch; `*` may stand in any part of a path.
    pub paths: Vec<PathBuf>,
    /// Span between two comparisons where the kernel gives no notice, `10s` to `24h`.
    pub sweep: Span,
}

/// The host's own state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct State {
    /// Span between two reports, `1s` to `5m`. The collector calls a host silent by it.
    pub interval: Span,
}

/// What is done with valid numbers of each kind: `mask` hides the middle, `token` puts a keyed
/// token in their place (the key is `mask.key` in the state folder), `off` leaves them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Mask {
    /// Citizen identity numbers (GB 11643).
    pub citizen_id: Deed,
    /// Unified social credit codes (GB 32100).
    pub credit_code: Deed,
    /// Bank cards.
    pub bank_card: Deed,
    /// Mobile telephone numbers.
    pub mobile: Deed,
}

/// What waits for the collector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Spool {
    /// Most bytes on disk, at least `32MiB`. When it is full the oldest go, and are counted.
    pub max_bytes: Size,
}

impl Default for Schema {
    fn default() -> Self {
        Self {
            state_dir: "/var/lib/watchpost-agent".into(),
            collector: Vec::new(),
            server_name: "watchpost-collector".into(),
            capture: Capture::default(),
            logs: Logs::default(),
            process: Process::default(),
            files: Files::default(),
            state: State::default(),
            mask: Mask::default(),
            spool: Spool::default(),
        }
    }
}

impl Default for Capture {
    fn default() -> Self {
        Self { enabled: true, interfaces: Vec::new(), max_flows: 65_536 }
    }
}

impl Default for Process {
    fn default() -> Self {
        Self { enabled: true }
    }
}

impl Default for Files {
    fn default() -> Self {
        let paths = crate::files::USUAL.map(PathBuf::from).into();
        Self { enabled: true, paths, sweep: Span(Duration::from_mins(5)) }
    }
}

impl Default for State {
    fn default() -> Self {
        Self { interval: Span(Duration::from_secs(10)) }
    }
}

impl Default for Spool {
    fn default() -> Self {
        Self { max_bytes: Size(512 << 20) }
    }
}

/// Bytes, written as `64MiB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

/// A span of time, written as `30s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub Duration);

const SIZES: [(&str, u64); 4] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];
const SPANS: [(&str, u64); 4] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000)];

/// `number` and one of `units`, as a count of the smallest.
fn measured(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let split = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at_checked(split)?;
    let factor = units.iter().find(|(name, _)| *name == unit.trim())?.1;
    number.parse::<u64>().ok()?.checked_mul(factor)
}

/// The largest of `units` that divides `count`.
fn measure(count: u64, units: impl Iterator<Item = (&'static str, u64)>) -> String {
    let mut units = units.filter(|(_, factor)| count.is_multiple_of(*factor));
    units.next().map_or_else(|| count.to_string(), |(unit, factor)| format!("{}{unit}", count / factor))
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&measure(self.0, SIZES.into_iter()))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX);
        f.write_str(&measure(millis, SPANS.into_iter().rev()))
    }
}

impl Serialize for Size {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let count = measured(text.trim(), &SIZES);
        count.map(Self).ok_or_else(|| D::Error::custom(format!("{text:?} is not a size such as \"64MiB\"")))
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let millis = measured(text.trim(), &SPANS);
        let span = millis.map(|millis| Self(Duration::from_millis(millis)));
        span.ok_or_else(|| D::Error::custom(format!("{text:?} is not a span such as \"30s\"")))
    }
}
