//! Why a pack or a key can not be used.

/// One reason.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Not a pack at all.
    #[error("file is not a signed rule pack; make one with `watchpost rules pack sign`")]
    NotAPack,
    /// Signed by someone else.
    #[error(
        "pack is signed by key {number}, which is not trusted; check where it comes from, then add that public key to rules.trusted_keys"
    )]
    Untrusted {
        /// Number of the key that it says signed it.
        number: String,
    },
    /// Changed after it was signed, or never signed.
    #[error(
        "pack was changed after key {number} signed it, or that key never did; fetch it again from its maker"
    )]
    Forged {
        /// Number of the key that it says signed it.
        number: String,
    },
    /// A bound is broken.
    #[error("{what} of the pack is larger than {most}; split it")]
    TooLarge {
        /// What is.
        what: &'static str,
        /// The bound.
        most: usize,
    },
    /// A name that can not stand in a pack.
    #[error("file {name:?} can not stand in a pack: {reason}")]
    Name {
        /// The name.
        name: String,
        /// Why.
        reason: &'static str,
    },
    /// What its maker calls the pack can not be shown.
    #[error("pack can not be called {name:?}: {reason}; make it again under another name")]
    Called {
        /// The name, cut.
        name: String,
        /// Why.
        reason: &'static str,
    },
    /// Signed, but not what a pack is.
    #[error("pack can not be unpacked: {reason}; make it again")]
    Damaged {
        /// Where and why.
        reason: String,
    },
    /// Not a key.
    #[error("key can not be used: {reason}")]
    Key {
        /// What is wrong.
        reason: &'static str,
    },
}
