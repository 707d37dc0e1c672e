//! The front door over real TLS.
