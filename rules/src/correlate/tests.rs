//! Promises of correlations.
