//! The console: client, terminal views, reports and commands.
#![forbid(unsafe_code)]
