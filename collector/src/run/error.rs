//! Why the collector could not start.

use std::net::SocketAddr;
use std::path::PathBuf;

/// A failure to start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The data directory can not be made or used.
    #[error("the data directory {} can not be used; check its owner and mode, or set data_dir", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Another process uses the data directory.
    #[error("the data directory {} is in use by another collector; stop it first", path.display())]
    Locked {
        /// The directory.
        path: PathBuf,
    },
    /// The port can not be had.
    #[error("listening on {address} failed; is another program there, or does the port need privilege")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The operating system gives no threads or signals.
    #[error("the operating system refused threads or signals")]
    Runtime(#[source] std::io::Error),
    /// The administration socket.
    #[error("the administration socket {} can not be made", path.display())]
    Socket {
        /// The socket.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The state.
    #[error(transparent)]
    State(#[from] crate::state::Error),
    /// The journal.
    #[error(transparent)]
    Journal(#[from] crate::journal::Error),
    /// The authority.
    #[error(transparent)]
    Pki(#[from] crate::pki::Error),
    /// Ingest.
    #[error(transparent)]
    Ingest(#[from] crate::ingest::Error),
    /// Detection.
    #[error(transparent)]
    Detect(#[from] crate::pipeline::Error),
}
