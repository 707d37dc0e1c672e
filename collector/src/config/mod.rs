//! The collector's configuration: one TOML file, every key optional.
//!
//! The doc comment of each field is its reference. A key that is not known, a value that means
//! nothing and a file that everyone may write are errors that name the file and the line.
//! Values come from the defaults, then the file, then the command line.

mod units;

use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use watchpost_rules::pack::PublicKey;
use watchpost_rules::parse::Placeholders;

use crate::state::Backend;
use crate::{journal, state};
pub use units::{Bytes, Span};

/// Where the file is looked for when none is named.
pub const DEFAULT_FILE: &str = "/etc/watchpost/collector.toml";

/// Everything that can be set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Where journal, state and certificates lie. Made on first start, readable by its owner only.
    pub data_dir: PathBuf,
    /// Address and port for agents and consoles. Port 0 takes a free one.
    pub listen: SocketAddr,
    /// Further names and addresses by which this host is reached; they go into the server's
    /// certificate beside the host's name, localhost and `watchpost-collector`.
    pub names: Vec<String>,
    /// The store of alerts, incidents and certificates.
    pub state: StateSettings,
    /// The store of raw events.
    pub journal: JournalSettings,
    /// Detection rules.
    pub rules: RuleSettings,
}

/// `[state]`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StateSettings {
    /// `redb` or `sled`. To change it: `backup`, then `restore` into a new data directory.
    pub backend: Backend,
}

/// `[journal]`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct JournalSettings {
    /// How long raw events are kept. Half a year is what the law asks of network logs.
    pub keep: Span,
    /// Bytes above which the oldest events are deleted although they are young; unset: no bound.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_bytes: Option<Bytes>,
    /// Bytes of one segment file, at least 1MiB and at most 1GiB.
    pub segment: Bytes,
}

/// `[rules]`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RuleSettings {
    /// Whether the rules that come with the collector are used.
    pub shipped: bool,
    /// Files or directories of Sigma rules, and signed packs of them (`*.wpack`).
    pub paths: Vec<PathBuf>,
    /// Groups (one source, one user…) that correlations keep in memory, of about half a kilobyte
    /// each. When there are more, those heard of longest ago are given up and counted.
    pub groups: usize,
    /// Public keys, one line each (`RW…`), whose rule packs are used. Packs of others are rejected.
    pub trusted_keys: Vec<PublicKey>,
    /// What stands for `%name%` in values with the modifier `expand`: name = ["value", …].
    pub placeholders: Placeholders,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            data_dir: "/var/lib/watchpost-collector".into(),
            listen: (Ipv4Addr::UNSPECIFIED, 7443).into(),
            names: Vec::new(),
            state: StateSettings::default(),
            journal: JournalSettings::default(),
            rules: RuleSettings::default(),
        }
    }
}

impl Default for JournalSettings {
    fn default() -> Self {
        let journal::Settings { segment_bytes, keep, max_bytes } = journal::Settings::default();
        Self { keep: Span(keep), max_bytes: max_bytes.map(Bytes), segment: Bytes(segment_bytes) }
    }
}

impl Default for RuleSettings {
    fn default() -> Self {
        Self {
            shipped: true,
            paths: Vec::new(),
            trusted_keys: Vec::new(),
            placeholders: Placeholders::new(),
            groups: crate::ruleset::GROUPS,
        }
    }
}

/// Why a configuration is not usable.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file can not be read.
    #[error("configuration: reading {} failed; check the path and its mode", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file's owner is not the only one who may write it.
    #[error("configuration: everyone may write {}; run `chmod o-w` on it", path.display())]
    WorldWritable {
        /// The file.
        path: PathBuf,
    },
    /// The file holds something else.
    #[error("configuration: {}: {reason}", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// Where and why.
        reason: String,
    },
    /// A value that means nothing.
    #[error("configuration: {key} = {value} is not usable: {reason}")]
    Value {
        /// The key.
        key: &'static str,
        /// The value.
        value: String,
        /// What to write instead.
        reason: &'static str,
    },
}

impl Settings {
    /// Reads a file.
    ///
    /// # Errors
    /// The file can not be read, may be written by everyone, or holds something else.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let read = |source| Error::Read { path: path.to_owned(), source };
        let mode = std::fs::metadata(path).map_err(read)?.mode();
        if mode & 0o002 != 0 {
            return Err(Error::WorldWritable { path: path.to_owned() });
        }
        Self::parse(&std::fs::read_to_string(path).map_err(read)?, path)
    }

    /// Reads a text; `path` is for messages.
    ///
    /// # Errors
    /// Names the line and the key.
    pub fn parse(text: &str, path: &Path) -> Result<Self, Error> {
        let bad = |error: toml::de::Error| Error::Parse { path: path.to_owned(), reason: error.to_string() };
        let settings: Self = toml::from_str(text).map_err(bad)?;
        settings.check()?;
        Ok(settings)
    }

    /// Refuses values that mean nothing.
    ///
    /// # Errors
    /// [`Error::Value`] names the key.
    pub fn check(&self) -> Result<(), Error> {
        let bad = |key, value: &dyn std::fmt::Display, reason| {
            Err(Error::Value { key, value: value.to_string(), reason })
        };
        let segment = self.journal.segment;
        if !(1 << 20..=1 << 30).contains(&segment.0) {
            return bad("journal.segment", &segment, "write a size from 1MiB to 1GiB");
        }
        if let Some(most) = self.journal.max_bytes.filter(|most| most.0 < segment.0.saturating_mul(2)) {
            return bad("journal.max_bytes", &most, "write at least twice journal.segment");
        }
        if self.journal.keep.0 < Duration::from_secs(3_600) {
            return bad("journal.keep", &self.journal.keep, "write at least 1h");
        }
        if !(1_000..=100_000_000).contains(&self.rules.groups) {
            return bad("rules.groups", &self.rules.groups, "write 1000 to 100000000");
        }
        Ok(())
    }

    /// As TOML text, every key with its value.
    #[must_use]
    pub fn show(&self) -> String {
        toml::to_string(self).unwrap_or_else(|error| format!("# {error}"))
    }

    /// For the journal.
    #[must_use]
    pub fn journal(&self) -> journal::Settings {
        journal::Settings {
            segment_bytes: self.journal.segment.0,
            keep: self.journal.keep.0,
            max_bytes: self.journal.max_bytes.map(|most| most.0),
        }
    }

    /// For the state.
    #[must_use]
    pub fn state(&self) -> state::Settings {
        state::Settings { directory: self.data_dir.clone(), backend: self.state.backend }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = include_str!("../../../packaging/watchpost-collector.toml");

    #[test]
    fn the_shipped_example_says_the_defaults() {
        let shown = Settings::parse(EXAMPLE, Path::new("example")).unwrap();
        assert_eq!(shown, Settings::default());
        for key in
            ["data_dir", "listen", "names", "backend", "keep", "segment", "shipped", "paths", "trusted_keys"]
        {
            assert!(EXAMPLE.contains(&format!("\n{key} = ")), "{key} is not in the example");
        }
        assert!(EXAMPLE.contains("# max_bytes = "));
        assert_eq!(Settings::parse(&shown.show(), Path::new("shown")).unwrap(), shown);
    }

    #[test]
    fn mistakes_name_file_line_and_key() {
        let check = |text: &str, expected: &[&str]| {
            let said = Settings::parse(text, Path::new("c.toml")).unwrap_err().to_string();
            for part in expected {
                assert!(said.contains(part), "{said:?} lacks {part:?}");
            }
        };
        check("\nlisten_on = \"x\"", &["c.toml", "line 2", "listen_on"]);
        check("[journal]\nkeep = \"soon\"", &["line 2", "soon"]);
        check("[journal]\nsegment = \"1KiB\"", &["journal.segment", "1KiB"]);
        check("[journal]\nmax_bytes = \"64MiB\"", &["journal.max_bytes", "twice"]);
        check("[state]\nbackend = \"sql\"", &["line 2", "sql"]);
        check("[rules]\ntrusted_keys = [\"hello\"]", &["line 2", "begins with RW"]);
        check("[rules.placeholders]\nadmins = \"root\"", &["line 2", "admins"]);
    }

    #[test]
    fn a_file_that_everyone_may_write_is_refused() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("c.toml");
        std::fs::write(&path, "").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666)).unwrap();
        assert!(matches!(Settings::read(&path), Err(Error::WorldWritable { .. })));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(Settings::read(&path).unwrap(), Settings::default());
    }
}
