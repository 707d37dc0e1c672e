//! Where rules come from, as every command takes it: paths, trusted keys, placeholders.

use std::path::{Path, PathBuf};

use clap::Args;
use watchpost_rules::pack::PublicKey;
use watchpost_rules::parse::Placeholders;
use watchpost_rules::{Rejected, RuleSet, Source};

use super::{Error, TEXT_BYTES, read};
use crate::compose::detect;

/// Where the rules are.
#[derive(Clone, Debug, Default, Args)]
pub struct From {
    /// Rule files, folders or packs; the shipped rules without any.
    pub paths: Vec<PathBuf>,
    /// What stands for placeholders: a TOML file, name = ["value"], or the collector's configuration.
    #[arg(long, value_name = "FILE")]
    pub placeholders: Option<PathBuf>,
    /// Public key (RW…) or file with one, whose packs are used; may be given several times.
    #[arg(long, value_name = "KEY")]
    pub trust: Vec<String>,
}

/// Rules, and what could not be read or used.
pub(super) struct Loaded {
    pub(super) set: RuleSet,
    pub(super) sources: Vec<Source>,
    pub(super) rejected: Vec<Rejected>,
}

impl From {
    /// Loads what can be loaded.
    pub(super) fn load(&self) -> Result<Loaded, Error> {
        if let Some(path) = self.paths.iter().find(|path| !path.exists()) {
            return Err(Error::NotFound { path: path.clone() });
        }
        let values = self.placeholders.as_deref().map(placeholders).transpose()?.unwrap_or_default();
        let (sources, mut rejected) = detect::sources(&self.paths, &keys(&self.trust)?);
        let set = RuleSet::load_with(&sources, &values);
        rejected.extend(set.rejected().iter().cloned());
        Ok(Loaded { set, sources, rejected })
    }
}

/// Public keys, each given as text or as a file.
///
/// # Errors
/// A file can not be read, or holds no key.
pub fn keys(given: &[String]) -> Result<Vec<PublicKey>, Error> {
    let key = |given: &String| {
        let text =
            if Path::new(given).exists() { read(Path::new(given), TEXT_BYTES)? } else { given.clone() };
        PublicKey::parse(&text).map_err(|source| Error::Pack { path: given.clone(), source })
    };
    given.iter().map(key).collect()
}

/// Reads placeholders: `name = ["value", …]`, or the collector's configuration with its table
/// `[rules.placeholders]`.
///
/// # Errors
/// The file can not be read or holds something else.
pub fn placeholders(path: &Path) -> Result<Placeholders, Error> {
    let bad = |reason: String| Error::Placeholders { path: path.to_path_buf(), reason };
    let table: toml::Table =
        read(path, TEXT_BYTES)?.parse().map_err(|error: toml::de::Error| bad(error.to_string()))?;
    let of_collector = table.get("rules").and_then(toml::Value::as_table);
    let values = match of_collector {
        Some(rules) => rules.get("placeholders").cloned().unwrap_or_else(|| toml::Table::new().into()),
        None => table.into(),
    };
    values.try_into().map_err(|error: toml::de::Error| bad(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_read_from_a_list_and_from_the_collectors_configuration() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("values.toml");
        let read = |text: &str| {
            std::fs::write(&file, text).unwrap();
            placeholders(&file).map_err(|error| error.to_string())
        };
        let expected: Placeholders = [("admins".into(), vec!["root".into(), "ops-*".into()])].into();
        assert_eq!(read("admins = [\"root\", \"ops-*\"]\n").unwrap(), expected);
        let whole = "listen = \"127.0.0.1:1\"\n[rules]\nshipped = true\n[rules.placeholders]\nadmins = [\"root\", \"ops-*\"]\n";
        assert_eq!(read(whole).unwrap(), expected);
        assert_eq!(read("[rules]\nshipped = true\n").unwrap(), Placeholders::new());
        assert!(read("admins = 5\n").unwrap_err().contains("values.toml"));
    }
}
