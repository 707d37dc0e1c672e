//! The enrolment token: `wp1.` and the base64url of `{"ca_sha256", "secret"}`, both hexadecimal.
//!
//! It proves each side to the other once: the hash proves the collector, the secret the host.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// A token taken apart.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    /// SHA-256 of the collector's CA certificate (DER).
    pub ca_sha256: [u8; 32],
    /// What the collector recognises.
    pub secret: String,
}

impl std::fmt::Debug for Token {
    /// Without the secret: tokens end up in logs.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Token").finish_non_exhaustive()
    }
}

/// Why a text is not a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadToken {
    /// Another kind of text.
    #[error("it does not begin with wp1.")]
    Prefix,
    /// Cut or changed.
    #[error("it is cut or was changed on the way")]
    Content,
}

#[derive(serde::Deserialize)]
struct Content {
    ca_sha256: String,
    secret: String,
}

impl Token {
    /// Reads a token; white space around it is fine.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, BadToken> {
        let packed = text.trim().strip_prefix("wp1.").ok_or(BadToken::Prefix)?;
        let json = URL_SAFE_NO_PAD.decode(packed.trim_end_matches('=')).map_err(|_| BadToken::Content)?;
        let content: Content = serde_json::from_slice(&json).map_err(|_| BadToken::Content)?;
        let ca_sha256 = unhex(&content.ca_sha256).ok_or(BadToken::Content)?;
        match content.secret.is_empty() {
            true => Err(BadToken::Content),
            false => Ok(Self { ca_sha256, secret: content.secret }),
        }
    }
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 {
        return None;
    }
    let mut bytes = [0; 32];
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(at * 2..at * 2 + 2)?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_and_a_cut_one_is_not() {
        let json = format!(r#"{{"ca_sha256":"{}","secret":"5e"}}"#, "ab".repeat(32));
        let text = format!(" wp1.{}\n", URL_SAFE_NO_PAD.encode(json));
        let token = Token::parse(&text).unwrap();
        assert_eq!((token.ca_sha256, token.secret.as_str()), ([0xab; 32], "5e"));
        assert!(!format!("{token:?}").contains("5e"));
        assert_eq!(Token::parse(&text[..text.len() - 9]), Err(BadToken::Content));
        assert_eq!(Token::parse("hello"), Err(BadToken::Prefix));
    }
}
