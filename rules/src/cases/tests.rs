//! Promises of cases.
