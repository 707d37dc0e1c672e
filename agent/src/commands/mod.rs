//! What the command line can ask for, one file per command.

pub mod flows;
