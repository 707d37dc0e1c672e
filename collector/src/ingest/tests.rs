//! Ingest over real TLS.
