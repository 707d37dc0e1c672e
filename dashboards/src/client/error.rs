//! What can go wrong between the console and its collector.

use std::path::PathBuf;

use crate::exit::Exit;

/// A failure, told with what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file could not be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The profile is not as it must be.
    #[error("{}: {reason}", path.display())]
    Profile {
        /// Which file.
        path: PathBuf,
        /// What is wrong, with line and key.
        reason: String,
    },
    /// Nobody said which collector or identity to use.
    #[error("no {what} given: use {flag}, set {variable}, or write it to {file}")]
    Missing {
        /// What is missing.
        what: &'static str,
        /// The flag for it.
        flag: &'static str,
        /// The environment variable for it.
        variable: &'static str,
        /// The profile for it.
        file: String,
    },
    /// The identity file lacks a part or holds nonsense.
    #[error("identity {}: {reason}; ask for a new one with watchpost-collector users add", path.display())]
    Identity {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The address does not resolve.
    #[error("cannot find collector {address}: {reason}; expected HOST:PORT")]
    Address {
        /// As given.
        address: String,
        /// Why.
        reason: String,
    },
    /// The connection failed.
    #[error("cannot reach collector {address}: {reason}")]
    Connect {
        /// As given.
        address: String,
        /// Why, down to the cause.
        reason: String,
    },
    /// The collector refused.
    #[error("collector {address} answered {status}: {reason}")]
    Refused {
        /// As given.
        address: String,
        /// HTTP status.
        status: u16,
        /// What the collector says.
        reason: String,
    },
    /// The answer is not what the protocol says.
    #[error(
        "collector {address} gave an answer that cannot be read ({reason}); are both of the same version?"
    )]
    Answer {
        /// As given.
        address: String,
        /// What is wrong.
        reason: String,
    },
    /// The stream ended.
    #[error("collector {address} closed the stream")]
    Closed {
        /// As given.
        address: String,
    },
}

impl Error {
    /// How a command ends with this failure.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::Missing { .. } | Self::Refused { status: 400 | 404 | 422, .. } => Exit::Usage,
            _ => Exit::Broken,
        }
    }
}

/// An error with all its causes, in one line. The outermost of an HTTP client says little.
pub(super) fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let more = cause.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        next = cause.source();
    }
    text
}
