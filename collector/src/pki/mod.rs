//! Who may speak: the collector's own certificate authority, the register of certificates and
//! the enrolment tokens.
//!
//! On first start a CA is made in the data directory; it signs the server's certificate and one
//! client certificate per agent and user, valid for client authentication only. What a
//! certificate allows is not written in it: the register says, by fingerprint, so a revocation
//! holds from the next request on. Files and token form: `docs/formats/pki.md`.

mod authority;
mod error;
mod file;
mod random;
mod register;
#[cfg(test)]
mod tests;
mod tls;
mod token;

pub use authority::{Authority, Issued, RENEW_AFTER};
pub use error::Error;
pub use file::write_secret;
pub use random::random;
pub use register::{Record, Register};
pub use tls::Tls;
pub use token::{Tokens, pinned};

/// SHA-256 of these bytes.
#[must_use]
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    use sha2::Digest as _;
    sha2::Sha256::digest(bytes).into()
}

/// Lower-case hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
