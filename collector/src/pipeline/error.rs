//! Why detection could not go on.

/// A failure of the detection pipeline.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The state could not be read or written; nothing of the step was kept.
    #[error("detection can not use the state")]
    State(#[from] crate::state::Error),
    /// A record in the state is not what this build writes.
    #[error("record {key} of table {table} can not be read; restore the state from a backup")]
    Record {
        /// The table.
        table: &'static str,
        /// Its key, in hex.
        key: String,
        /// What the reader says.
        #[source]
        source: serde_json::Error,
    },
    /// A value that has no JSON form.
    #[error("a record of table {table} can not be written")]
    Encode {
        /// The table.
        table: &'static str,
        /// What the writer says.
        #[source]
        source: serde_json::Error,
    },
    /// A triage change that is not allowed.
    #[error(transparent)]
    Triage(#[from] crate::alerts::RefusedTriage),
    /// A drill that can not be announced.
    #[error(transparent)]
    Drill(#[from] crate::alerts::RefusedDrill),
    /// The thread could not be started.
    #[error("the detection thread could not be started; check the limit of threads")]
    Thread(#[source] std::io::Error),
}
