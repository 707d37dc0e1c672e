//! What the agent does when it is not watching: one file per command.

pub mod logs;
