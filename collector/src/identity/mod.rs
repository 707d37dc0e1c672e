//! Who speaks: the bearer of a client certificate, as the collector knows it.
//!
//! The TLS layer proves that the bearer holds a key whose certificate our CA signed; the
//! register in the state says who that is and whether the certificate still counts. Every
//! request behind the middleware of `serve` carries an [`Identity`] as an axum `Extension`.

use watchpost_model::id::AgentId;
use watchpost_model::query::Role;

/// SHA-256 of a certificate's DER.
pub type Fingerprint = [u8; 32];

/// The bearer of an accepted certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The agent's id as text, or the user's name.
    pub name: String,
    /// What the bearer may do.
    pub role: Role,
    /// Set where the bearer is an agent.
    pub agent: Option<AgentId>,
    /// Of the certificate used.
    pub fingerprint: Fingerprint,
}
