//! What the command line does, a file a command.

pub mod flows;
pub mod logs;
