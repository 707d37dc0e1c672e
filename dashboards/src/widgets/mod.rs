//! Widgets that know nothing of alerts: text measured in cells, tables, bars, sparklines, panels.
//!
//! Every widget passes every text through [`crate::clean`] while it draws, so no view can forget
//! it, and measures in terminal cells, so a Chinese host name never pushes a column aside.

pub mod cells;
pub mod panel;
pub mod prose;
pub mod spark;
pub mod table;
