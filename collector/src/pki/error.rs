//! Why a certificate or token could not be made or accepted.

use std::path::PathBuf;

/// A failure of the certificate authority, the register or the tokens.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file of the authority can not be read or written.
    #[error("pki: {doing} {} failed; check the owner and mode of the data directory", path.display())]
    File {
        /// What was attempted.
        doing: &'static str,
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Only one half of the authority is there.
    #[error(
        "pki: {} is missing beside its other half; restore both from a backup, or delete both to begin anew (every agent must then enrol again)",
        path.display()
    )]
    Half {
        /// The file that is missing.
        path: PathBuf,
    },
    /// The authority's files hold something else.
    #[error("pki: {} is not usable: {reason}; restore it from a backup", path.display())]
    Authority {
        /// Which file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// A configured name can stand in no certificate.
    #[error("pki: {name:?} is neither a host name nor an address; correct `names` in the configuration")]
    Name {
        /// The name.
        name: String,
    },
    /// Signing failed.
    #[error("pki: making a certificate failed")]
    Make(#[from] rcgen::Error),
    /// A signing request that is not one, or not signed by its own key.
    #[error("the certificate request is not valid: {0}; let the agent make a new one")]
    Request(String),
    /// A host name that lists and reports could not show as it is.
    #[error("{name:?} is not a host name; use letters, digits, `.`, `-` and `_`, at most {most}")]
    Host {
        /// What was given, cut.
        name: String,
        /// Most characters.
        most: usize,
    },
    /// TLS refuses what was made.
    #[error("pki: TLS does not accept the certificates: {0}")]
    Tls(String),
    /// No such token, or of a secret that does not match.
    #[error("the token is unknown or used up; make a new one with `watchpost-collector token`")]
    TokenUnknown,
    /// The token's time is over.
    #[error("the token expired at {0}; make a new one with `watchpost-collector token`")]
    TokenExpired(watchpost_model::Timestamp),
    /// The system gives no random bytes.
    #[error("pki: the operating system gave no random bytes")]
    Random,
    /// A name that already has a certificate in force.
    #[error("{name:?} already has a certificate in force; revoke it first")]
    Taken {
        /// The name.
        name: String,
    },
    /// Nobody of this name.
    #[error("there is no certificate in force for {name:?}; list them with `agents list` or `users list`")]
    Nobody {
        /// The name.
        name: String,
    },
    /// A record in the state that is not one.
    #[error("pki: a record in the table {table} is not readable: {reason}; restore the state from a backup")]
    Record {
        /// The table.
        table: &'static str,
        /// Why.
        reason: String,
    },
    /// The state failed.
    #[error(transparent)]
    State(#[from] crate::state::Error),
}
