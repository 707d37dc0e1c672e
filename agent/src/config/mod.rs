//! Configuration: default < file < environment < flag, each value with its origin.
//!
//! `schema` is what people write; [`Settings`] is what the agent uses, checked. A file that others
//! may write is refused: whoever can change it decides what this host hides.

mod schema;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::{Table, Value};

pub use schema::{Capture, Choice, Files, From, LogFile, Logs, Schema, Size, Span};

use crate::{mask, spool};

/// The checked configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Folder for identity, spool and status.
    pub state_dir: PathBuf,
    /// The collector's addresses; empty means those of the enrolment.
    pub collector: Vec<String>,
    /// Name in the collector's certificate.
    pub server_name: String,
    /// Network flows.
    pub capture: Capture,
    /// Logs.
    pub logs: Logs,
    /// Whether started programs are watched.
    pub process: bool,
    /// Files that decide who may do what.
    pub files: Files,
    /// Span between two reports of the host's state.
    pub state_interval: Duration,
    /// What is done with numbers of persons.
    pub mask: mask::Settings,
    /// Bounds of the spool.
    pub spool: spool::Settings,
}

/// Why a configuration is not usable.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file can not be read.
    #[error("could not read the configuration {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// Others may change the file.
    #[error("{} may be written by everyone; run chmod o-w on it", path.display())]
    Open {
        /// The file.
        path: PathBuf,
    },
    /// A key or value is wrong.
    #[error("the configuration {place} is not usable: {why}")]
    Content {
        /// Where it comes from.
        place: String,
        /// Key, line and what is wrong.
        why: String,
    },
    /// A value is out of bounds.
    #[error("{key} = {value} is not usable: {why}")]
    Value {
        /// The key.
        key: &'static str,
        /// What it holds.
        value: String,
        /// What it should hold.
        why: &'static str,
    },
}

/// Where a value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Built in.
    Default,
    /// The file.
    File,
    /// The environment.
    Environment,
    /// The command line.
    Flag,
}

/// Keys that the environment may set, as `WATCHPOST_AGENT_` and the key in capitals.
const KEYS: [&str; 18] = [
    "state_dir",
    "collector",
    "server_name",
    "capture.enabled",
    "capture.interfaces",
    "capture.max_flows",
    "logs.journald",
    "logs.from",
    "process.enabled",
    "files.enabled",
    "files.paths",
    "files.sweep",
    "state.interval",
    "mask.citizen_id",
    "mask.credit_code",
    "mask.bank_card",
    "mask.mobile",
    "spool.max_bytes",
];

/// A configuration with the origin of each value.
#[derive(Clone, Debug)]
pub struct Loaded {
    schema: Schema,
    origins: BTreeMap<String, Origin>,
}

/// Reads a configuration. `variables` is the environment, `flags` are keys with values as text.
///
/// # Errors
/// Names the file, key and line that is wrong.
pub fn load(
    file: Option<&Path>,
    variables: impl Fn(&str) -> Option<String>,
    flags: &[(&'static str, String)],
) -> Result<Loaded, Error> {
    let mut merged = Table::try_from(Schema::default()).unwrap_or_default();
    let mut origins = BTreeMap::new();
    if let Some(path) = file {
        let text = read(path)?;
        let place = path.display().to_string();
        let wrong = |error: toml::de::Error| Error::Content { place: place.clone(), why: error.to_string() };
        // First as a whole: this is where unknown keys are found, with their line.
        toml::from_str::<Schema>(&text).map_err(wrong)?;
        overlay(&mut merged, toml::from_str(&text).map_err(wrong)?, "", &mut origins);
    }
    for key in KEYS {
        let name = format!("WATCHPOST_AGENT_{}", key.replace('.', "_").to_uppercase());
        if let Some(text) = variables(&name) {
            set(&mut merged, key, &text, &name)?;
            origins.insert(key.to_owned(), Origin::Environment);
        }
    }
    for (key, text) in flags {
        set(&mut merged, key, text, "on the command line")?;
        origins.insert((*key).to_owned(), Origin::Flag);
    }
    let schema: Schema = merged.try_into().map_err(|error: toml::de::Error| Error::Content {
        place: "as a whole".into(),
        why: error.to_string(),
    })?;
    Ok(Loaded { schema, origins })
}

fn read(path: &Path) -> Result<String, Error> {
    use std::os::unix::fs::PermissionsExt;
    let failed = |source| Error::Read { path: path.to_owned(), source };
    let mode = std::fs::metadata(path).map_err(failed)?.permissions().mode();
    if mode & 0o002 != 0 {
        return Err(Error::Open { path: path.to_owned() });
    }
    let bytes = spool::read_small(path, 1 << 20).map_err(failed)?;
    String::from_utf8(bytes)
        .map_err(|error| failed(std::io::Error::new(std::io::ErrorKind::InvalidData, error)))
}

fn overlay(below: &mut Table, above: Table, prefix: &str, origins: &mut BTreeMap<String, Origin>) {
    for (key, value) in above {
        let dotted = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        match (below.get_mut(&key), value) {
            (Some(Value::Table(below)), Value::Table(above)) => overlay(below, above, &dotted, origins),
            (_, value) => {
                below.insert(key, value);
                origins.insert(dotted, Origin::File);
            }
        }
    }
}

/// Sets a key from text, in the type that the key has by default.
fn set(table: &mut Table, key: &str, text: &str, place: &str) -> Result<(), Error> {
    let wrong =
        |why: &str| Error::Content { place: place.to_owned(), why: format!("{key} = {text:?}: {why}") };
    if let Some((folder, rest)) = key.split_once('.') {
        return match table.get_mut(folder) {
            Some(Value::Table(inner)) => set(inner, rest, text, place),
            _ => Err(wrong("no such key")),
        };
    }
    let value = match table.get(key) {
        Some(Value::Boolean(_)) => Value::Boolean(text.parse().map_err(|_| wrong("neither true nor false"))?),
        Some(Value::Integer(_)) => Value::Integer(text.parse().map_err(|_| wrong("not a number"))?),
        Some(Value::Array(_)) => {
            let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
            Value::Array(parts.map(|part| Value::String(part.to_owned())).collect())
        }
        _ => Value::String(text.to_owned()),
    };
    table.insert(key.to_owned(), value);
    Ok(())
}

impl Loaded {
    /// The checked settings.
    ///
    /// # Errors
    /// A value is out of bounds.
    pub fn settings(&self) -> Result<Settings, Error> {
        let schema = self.schema.clone();
        for address in &schema.collector {
            let port =
                address.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse::<u16>().ok()?)));
            check(port.is_some_and(|(host, _)| !host.is_empty()), "collector", address, "give host:port")?;
        }
        let name = &schema.server_name;
        let is_name = !name.is_empty()
            && name.parse::<std::net::IpAddr>().is_err()
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '.');
        check(
            is_name,
            "server_name",
            name,
            "give the DNS name in the collector's certificate, not an address",
        )?;
        let flows = schema.capture.max_flows;
        check((64..=10_000_000).contains(&flows), "capture.max_flows", flows, "64 to 10000000")?;
        let interval = schema.state.interval;
        let fits = interval.0 >= Duration::from_secs(1) && interval.0 <= Duration::from_secs(300);
        check(fits, "state.interval", interval, "1s to 5m")?;
        let sweep = schema.files.sweep;
        let fits = sweep.0 >= Duration::from_secs(10) && sweep.0 <= Duration::from_hours(24);
        check(fits, "files.sweep", sweep, "10s to 24h")?;
        let odd = schema.files.paths.iter().find(|path| !path.is_absolute());
        let shown = odd.map(|path| path.display().to_string()).unwrap_or_default();
        check(odd.is_none(), "files.paths", shown, "give whole paths, from / on")?;
        let size = schema.spool.max_bytes;
        check(size.0 >= spool::Settings::LEAST_BYTES, "spool.max_bytes", size, "at least 32MiB")?;
        Ok(Settings {
            state_dir: schema.state_dir,
            collector: schema.collector,
            server_name: schema.server_name,
            capture: schema.capture,
            logs: schema.logs,
            process: schema.process.enabled,
            files: schema.files,
            state_interval: interval.0,
            mask: mask::Settings {
                citizen_id: schema.mask.citizen_id,
                credit_code: schema.mask.credit_code,
                bank_card: schema.mask.bank_card,
                mobile: schema.mask.mobile,
            },
            spool: spool::Settings::bounded(size.0),
        })
    }

    /// Every value with its origin, one `key = value  # origin` a line.
    #[must_use]
    pub fn show(&self) -> String {
        let mut lines = String::new();
        let table = Table::try_from(&self.schema).unwrap_or_default();
        self.show_table(&table, "", &mut lines);
        lines
    }

    fn show_table(&self, table: &Table, prefix: &str, lines: &mut String) {
        for (key, value) in table {
            let dotted = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
            match value {
                Value::Table(inner) => self.show_table(inner, &dotted, lines),
                value => {
                    let origin = match self.origins.get(&dotted) {
                        None | Some(Origin::Default) => "default",
                        Some(Origin::File) => "file",
                        Some(Origin::Environment) => "environment",
                        Some(Origin::Flag) => "flag",
                    };
                    lines.push_str(&format!("{dotted} = {value}  # {origin}\n"));
                }
            }
        }
    }
}

fn check(
    holds: bool,
    key: &'static str,
    value: impl std::fmt::Display,
    why: &'static str,
) -> Result<(), Error> {
    match holds {
        true => Ok(()),
        false => Err(Error::Value { key, value: value.to_string(), why }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("agent.toml");
        std::fs::write(&path, text).unwrap();
        (folder, path)
    }

    fn nothing(_: &str) -> Option<String> {
        None
    }

    #[test]
    fn the_shipped_example_equals_the_defaults() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/watchpost-agent.toml");
        let text = std::fs::read_to_string(path).unwrap();
        assert_eq!(toml::from_str::<Schema>(&text).unwrap(), Schema::default());
    }

    #[test]
    fn an_unknown_key_is_named_with_its_line() {
        let (_folder, path) = file("server_name = \"a\"\n[spool]\nmax_byte = \"64MiB\"\n");
        let error = load(Some(&path), nothing, &[]).unwrap_err().to_string();
        assert!(
            error.contains("max_byte") && error.contains("line 3") && error.contains("agent.toml"),
            "{error}"
        );
    }

    #[test]
    fn later_layers_win_and_say_so() {
        let (_folder, path) = file("collector = [\"file:1\"]\n[spool]\nmax_bytes = \"64MiB\"\n");
        let variables = |name: &str| match name {
            "WATCHPOST_AGENT_COLLECTOR" => Some("env:1, env:2".to_owned()),
            "WATCHPOST_AGENT_PROCESS_ENABLED" => Some("false".to_owned()),
            _ => None,
        };
        let loaded = load(Some(&path), variables, &[("state_dir", "/flag".into())]).unwrap();
        let settings = loaded.settings().unwrap();
        assert_eq!(settings.collector, ["env:1", "env:2"]);
        assert_eq!((settings.spool.max_bytes, settings.process), (64 << 20, false));
        assert_eq!(settings.state_dir, Path::new("/flag"));
        let shown = loaded.show();
        for line in [
            "spool.max_bytes = \"64MiB\"  # file",
            "process.enabled = false  # environment",
            "state_dir = \"/flag\"  # flag",
            "state.interval = \"10s\"  # default",
        ] {
            assert!(shown.contains(line), "{line} is not in\n{shown}");
        }
    }

    #[test]
    fn values_out_of_bounds_are_refused() {
        for (key, value) in [
            ("collector", "host"),
            ("server_name", "192.0.2.1"),
            ("capture.max_flows", "1"),
            ("state.interval", "1h"),
            ("state.interval", "soon"),
            ("files.sweep", "1s"),
            ("files.paths", "etc/passwd"),
            ("spool.max_bytes", "1MiB"),
            ("logs.from", "middle"),
            ("mask.mobile", "hide"),
        ] {
            let refused = load(None, nothing, &[(key, value.into())]).and_then(|loaded| loaded.settings());
            assert!(refused.is_err(), "{key} = {value} was taken");
        }
    }

    #[test]
    fn a_file_that_everyone_may_write_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let (_folder, path) = file("");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666)).unwrap();
        assert!(matches!(load(Some(&path), nothing, &[]), Err(Error::Open { .. })));
    }
}
