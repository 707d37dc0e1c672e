//! The console: client, terminal views, reports and commands.
//!
//! It talks to a collector over mutual TLS and never sees its store. `app` is a pure core; views
//! draw it, `terminal` drives it, `report` tells one incident on paper, `commands` do the same work
//! without a screen. Every word lives in `words`.
#![forbid(unsafe_code)]

pub mod app;
pub mod clean;
pub mod cli;
pub mod client;
pub mod clock;
pub mod commands;
pub mod compose;
pub mod exit;
pub mod format;
pub mod keymap;
pub mod private;
pub mod report;
#[cfg(test)]
mod samples;
pub mod terminal;
pub mod theme;
pub mod view;
pub mod widgets;
pub mod words;
