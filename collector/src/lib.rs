//! The collector: takes events over mutual TLS, keeps them, detects, answers.
#![forbid(unsafe_code)]

pub mod alerts;
pub mod api;
pub mod assets;
pub mod clock;
pub mod commands;
pub mod config;
pub mod hub;
pub mod identity;
pub mod incidents;
pub mod ingest;
pub mod journal;
pub mod pipeline;
pub mod pki;
pub mod ruleset;
pub mod run;
pub mod serve;
pub mod state;
