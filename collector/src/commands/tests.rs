//! Administration, with and without a running collector.
