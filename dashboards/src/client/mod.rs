//! The console's end of the collector's API.
//!
//! [`Client`] speaks HTTPS with a client certificate; [`Source`] is what the rest of the console
//! knows of it, so that tests and replays can stand in for a collector. Calls block: they belong on
//! a worker thread, never on the one that draws, and never inside an async runtime.

mod error;
mod http;
mod profile;
mod source;
mod stream;
#[cfg(test)]
mod tests;

pub use error::Error;
pub use http::Client;
pub use profile::{Layer, Profile, SERVER_NAME, config_home};
pub use source::{Lives, Source};
pub use stream::{Backoff, Heard, follow};
