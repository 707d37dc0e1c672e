//! What the first bytes of a conversation say: DNS, TLS, QUIC, HTTP, SSH.
//!
//! Inspection is told by content, not by port (DNS over UDP excepted, which has no signature).
//! It sees each direction through a bounded `Stream`, gives up early on what it does
//! not know, and holds a finding back only until the other side has answered.

mod assembly;
mod certificate;
mod dns;
mod dtls;
mod fingerprint;
mod found;
mod hello;
mod http;
mod inspect;
mod names;
mod quic;
mod ssh;
mod stream;
#[cfg(test)]
mod tests;
mod tls;

pub use found::Found;
pub use inspect::Inspector;
pub use names::Names;
