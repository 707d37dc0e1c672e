//! The one room that sees agent and collector: it composes them for a single host (`up`), for a
//! file (`detect`), and tries the whole way out (`drill`).
//!
//! No view and no report may come here; a house rule holds that.

pub mod detect;
pub mod drill;
pub mod local;
pub mod rules;
pub mod up;
