//! The agent: eyes and ears on one host.
//!
//! Sensors (capture, logs, processes, state) offer events to one bounded queue; a batcher packs
//! them into the spool; a shipper sends them. It runs on threads, holds no lock
//! across I/O but the spool's own, and counts whatever it can not keep.
#![deny(clippy::indexing_slicing)]

pub mod app;
pub mod audit;
pub mod capture;
pub mod clock;
pub mod commands;
pub mod config;
pub mod control;
pub mod counters;
pub mod decode;
pub mod enroll;
pub mod files;
pub mod flow;
pub mod journald;
pub mod mask;
pub mod owner;
pub mod parse;
pub mod process;
pub mod queue;
pub mod run;
pub mod ship;
pub mod spool;
pub mod state;
pub mod stop;
pub mod sys;
pub mod tail;
