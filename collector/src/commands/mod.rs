//! What an administrator may ask on the collector's own host.
//!
//! One [`Office`] answers every [`Request`]. While the collector runs, the command line reaches
//! it through a socket in the data directory, which only the owner may open; otherwise it opens
//! the data directory itself. Either way the answer is the same.

mod backup;
mod cli;
mod office;
pub mod socket;
#[cfg(test)]
mod tests;

pub use backup::restore;
pub use cli::{Cli, execute};
pub use office::{Office, Reply, Request};
