//! `watchpost rules`: what loads, what does not and why; what is blind, dead, slow or told twice;
//! which techniques are covered; why a rule did or did not fire; packs signed and checked.
//!
//! Programs get JSON, people a table in their language. Nothing here speaks to a collector.

mod check;
mod coverage;
mod explain;
mod load;
mod packs;
mod page;
mod tree;

use std::io::{IsTerminal as _, Read as _, Write};
use std::path::{Path, PathBuf};

use clap::Subcommand;

use crate::commands::Output;
use crate::words::Lang;

pub use explain::explain;
pub use load::{From, keys, placeholders};

/// What can be asked about rules.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Load rules and tell what is rejected, and why, what can never fire, what is dead, slow or
    /// stands twice.
    Check {
        /// Where the rules are.
        #[command(flatten)]
        from: From,
        /// table or json; a table on a terminal, else json.
        #[arg(long, value_enum)]
        format: Option<Output>,
        /// List everything in the table.
        #[arg(long)]
        all: bool,
    },
    /// Count rules by ATT&CK tactic and technique, blind ones apart.
    Coverage {
        /// Where the rules are.
        #[command(flatten)]
        from: From,
        /// Also write a layer for the ATT&CK Navigator (format 4.5).
        #[arg(long, value_name = "FILE")]
        navigator: Option<PathBuf>,
        /// table or json.
        #[arg(long, value_enum, default_value = "table")]
        format: Output,
    },
    /// Tell why a rule fires on an event, or which part fails.
    Explain {
        /// A rule file, or the id of a shipped rule.
        rule: String,
        /// Which rule of the file, by its id; a correlation goes before the rules that it counts.
        #[arg(long)]
        id: Option<String>,
        /// File with one JSON event, or one a line.
        #[arg(long)]
        event: PathBuf,
        /// What stands for placeholders: a TOML file, name = ["value"].
        #[arg(long, value_name = "FILE")]
        placeholders: Option<PathBuf>,
        /// table (a tree for people) or json.
        #[arg(long, value_enum, default_value = "table")]
        format: Output,
    },
    /// Signed rule packs.
    #[command(subcommand)]
    Pack(Pack),
}

/// What can be done with packs.
#[derive(Clone, Debug, Subcommand)]
pub enum Pack {
    /// Make a key pair: KEY, which signs, and KEY.pub, which collectors trust.
    Key {
        /// File for the secret key; it must not exist.
        key: PathBuf,
    },
    /// Pack the rules of a folder into one file and sign it. Rules that do not load are not packed.
    Sign {
        /// The secret key: Ed25519, PKCS#8 in PEM.
        #[arg(long)]
        key: PathBuf,
        /// The folder.
        dir: PathBuf,
        /// The pack to write, *.wpack.
        #[arg(short, long)]
        out: PathBuf,
    },
    /// Check the signature of a pack and the rules in it.
    Verify {
        /// Public key (RW…) or file with one; may be given several times.
        #[arg(long, required = true)]
        key: Vec<String>,
        /// The pack.
        pack: PathBuf,
    },
}

/// Why an answer can not be given.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file can not be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file is longer than is read.
    #[error("{path} has more than {most} {what}; split it")]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The bound.
        most: usize,
        /// Of what.
        what: &'static str,
    },
    /// A file can not be written.
    #[error("cannot write {path}: {source}")]
    Make {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The event file holds no JSON object.
    #[error("{path} does not hold one JSON event: {source}; give one object, or one a line")]
    NotJson {
        /// The file.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// The event file holds nothing.
    #[error("{path} holds no events; give one JSON object, or one a line")]
    NoEvents {
        /// The file.
        path: PathBuf,
    },
    /// The rule file is there, but what it holds is no rule.
    #[error("{said}")]
    Rejected {
        /// File, line and reason of each rejection, one a line.
        said: String,
    },
    /// No such path.
    #[error("{path} is not found; give rule files or folders")]
    NotFound {
        /// The path given.
        path: PathBuf,
    },
    /// No such rule.
    #[error("no rule {rule:?}; give a rule file, or the id of a shipped rule")]
    NoRule {
        /// What was asked for.
        rule: String,
    },
    /// The placeholders can not be read.
    #[error(
        "{path} does not hold placeholders: {reason}; write lines such as admins = [\"root\", \"ops-*\"]"
    )]
    Placeholders {
        /// The file.
        path: PathBuf,
        /// Where and why.
        reason: String,
    },
    /// A key or pack can not be used.
    #[error("{path}: {source}")]
    Pack {
        /// The file or text.
        path: String,
        /// Why.
        source: watchpost_rules::pack::Error,
    },
    /// Nobody reads our output.
    #[error("cannot write the answer: {0}")]
    Write(#[from] std::io::Error),
    /// The answer can not be written as JSON.
    #[error("cannot write the answer as json: {0}")]
    Json(#[from] serde_json::Error),
}

/// Does what is asked. Whether the answer is good: nothing rejected, the rule fires, the signature
/// holds.
///
/// # Errors
/// A file can not be read or written.
pub fn run(command: &Command, lang: Lang, out: &mut dyn Write) -> Result<bool, Error> {
    match command {
        Command::Check { from, format, all } => {
            let usual = if std::io::stdout().is_terminal() { Output::Table } else { Output::Json };
            check::check(from, format.unwrap_or(usual), *all, lang, out)
        }
        Command::Coverage { from, navigator, format } => {
            coverage::coverage(from, navigator.as_deref(), *format, lang, out)
        }
        Command::Explain { rule, id, event, placeholders, format } => {
            let (id, placeholders) = (id.as_deref(), placeholders.as_deref());
            let asked = explain::Asked { rule, id, event, placeholders, output: *format };
            explain(&asked, lang, out)
        }
        Command::Pack(pack) => packs::run(pack, lang, out),
    }
}

/// Bytes of a key, or of a file with placeholders.
const TEXT_BYTES: usize = 1024 * 1024;

/// The content of a file, read no further than it may be long: the path may be a device.
fn bytes(path: &Path, most: usize) -> Result<Vec<u8>, Error> {
    let failed = |source| Error::Read { path: path.to_path_buf(), source };
    let file = std::fs::File::open(path).map_err(failed)?;
    let mut bytes = Vec::new();
    let bound = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    file.take(bound).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() > most {
        return Err(Error::TooLarge { path: path.to_path_buf(), most, what: "bytes" });
    }
    Ok(bytes)
}

/// The text of a file of at most so many bytes.
fn read(path: &Path, most: usize) -> Result<String, Error> {
    String::from_utf8(bytes(path, most)?).map_err(|_| Error::Read {
        path: path.to_path_buf(),
        source: std::io::Error::new(std::io::ErrorKind::InvalidData, "it is not UTF-8 text"),
    })
}
