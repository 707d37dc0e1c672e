//! Which collector, under which identity: flags over environment over `console.toml`.
//!
//! The identity is one PEM file with certificate, key and the collector's CA, as
//! `watchpost-collector users add` writes it. It holds a private key, so a file that others may
//! read is refused rather than used.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::Error;

/// The name that a collector's certificate always carries, whatever address it is reached by.
pub const SERVER_NAME: &str = "watchpost-collector";

/// Which collector and who we are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// `HOST:PORT` to connect to.
    pub collector: String,
    /// PEM file with certificate, key and CA.
    pub identity: PathBuf,
    /// Name that the collector's certificate must carry.
    pub server_name: String,
}

/// What one layer says; the next fills what it leaves out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Layer {
    /// `HOST:PORT` of the collector.
    pub collector: Option<String>,
    /// PEM file with certificate, key and CA.
    pub identity: Option<PathBuf>,
    /// Name in the collector's certificate, if not the usual one.
    pub server_name: Option<String>,
}

impl Profile {
    /// From flags or environment (clap joins the two) over a profile file. `file` is the one asked
    /// for, else `console.toml` in the user's configuration folder, which may be absent.
    ///
    /// # Errors
    /// A file asked for is unreadable or wrong, or nothing names the collector or the identity.
    pub fn resolve(given: Layer, file: Option<&Path>, config_home: Option<&Path>) -> Result<Self, Error> {
        let usual = config_home.map(|home| home.join("watchpost").join("console.toml"));
        let path = file.map(Path::to_path_buf).or(usual);
        let below = match &path {
            Some(path) if file.is_some() || path.exists() => read_layer(path)?,
            _ => Layer::default(),
        };
        let shown = path.map_or_else(|| "console.toml".to_owned(), |path| path.display().to_string());
        let missing = |what, flag, variable| Error::Missing { what, flag, variable, file: shown.clone() };
        let collector = given.collector.or(below.collector);
        let identity = given.identity.or(below.identity);
        Ok(Self {
            collector: collector
                .ok_or_else(|| missing("collector", "--collector HOST:PORT", "WATCHPOST_COLLECTOR"))?,
            identity: identity.ok_or_else(|| missing("identity", "--identity FILE", "WATCHPOST_IDENTITY"))?,
            server_name: given.server_name.or(below.server_name).unwrap_or_else(|| SERVER_NAME.to_owned()),
        })
    }
}

fn read_layer(path: &Path) -> Result<Layer, Error> {
    let text =
        std::fs::read_to_string(path).map_err(|source| Error::Read { path: path.to_path_buf(), source })?;
    let mut layer: Layer = toml::from_str(&text)
        .map_err(|error| Error::Profile { path: path.to_path_buf(), reason: error.to_string() })?;
    // A relative identity lies beside the profile, wherever the console was started.
    if let (Some(identity), Some(folder)) = (&layer.identity, path.parent()) {
        layer.identity = Some(folder.join(identity));
    }
    Ok(layer)
}

/// Where the user's configuration lies: `XDG_CONFIG_HOME`, else `~/.config`.
#[must_use]
pub fn config_home(xdg: Option<&str>, home: Option<&str>) -> Option<PathBuf> {
    let xdg = xdg.filter(|text| !text.is_empty()).map(PathBuf::from);
    xdg.or_else(|| home.filter(|text| !text.is_empty()).map(|home| Path::new(home).join(".config")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_win_over_the_file_and_the_identity_lies_beside_it() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("watchpost");
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("console.toml"), "collector = \"a:1\"\nidentity = \"me.pem\"\n").unwrap();
        let given = Layer { collector: Some("b:2".into()), ..Layer::default() };
        let profile = Profile::resolve(given, None, Some(home.path())).unwrap();
        assert_eq!(profile.collector, "b:2");
        assert_eq!(profile.identity, folder.join("me.pem"));
        assert_eq!(profile.server_name, SERVER_NAME);
    }

    #[test]
    fn an_unknown_key_is_named_with_its_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("p.toml");
        std::fs::write(&path, "colector = \"a:1\"\n").unwrap();
        let text = Profile::resolve(Layer::default(), Some(&path), None).unwrap_err().to_string();
        assert!(text.contains("colector") && text.contains("line 1"), "{text}");
    }

    #[test]
    fn what_is_missing_is_told_with_the_ways_to_give_it() {
        let text = Profile::resolve(Layer::default(), None, None).unwrap_err().to_string();
        assert!(text.contains("--collector") && text.contains("WATCHPOST_COLLECTOR"), "{text}");
    }
}
