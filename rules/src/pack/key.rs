//! The keys that rule packs are signed with: Ed25519.
//!
//! A public key is one line of base64, as minisign writes it: `Ed`, eight bytes of key number, the
//! key. A secret key is PKCS#8 in PEM, as `openssl genpkey -algorithm ed25519` writes it too. The
//! number only helps to find the key; what is trusted is the key itself.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::rand::SystemRandom;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::Error;

/// Ed25519, as minisign names it.
const ALGORITHM: [u8; 2] = *b"Ed";

const NUMBER: usize = 8;
const KEY: usize = 32;
const SIGNATURE: usize = 64;

/// Bytes of a key text that are looked at.
const MOST_TEXT: usize = 4_096;

/// Who may have signed a pack.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PublicKey {
    number: [u8; NUMBER],
    key: [u8; KEY],
}

impl PublicKey {
    /// Reads a key: the line itself, or a file with comments above it.
    ///
    /// # Errors
    /// [`Error::Key`] says what the text is not.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let bad = || Error::Key { reason: "a public key is one line of base64 that begins with RW" };
        let line = last_line(text).ok_or_else(bad)?;
        let bytes = STANDARD.decode(line).map_err(|_| bad())?;
        let (number, key) = split::<KEY>(&bytes).ok_or_else(bad)?;
        Ok(Self { number, key })
    }

    /// The key's number as minisign prints it, for people to compare.
    #[must_use]
    pub fn number(&self) -> String {
        shown(self.number)
    }

    /// Whether this key signed these bytes.
    fn signed(&self, message: &[u8], signature: &Signature) -> bool {
        UnparsedPublicKey::new(&ED25519, self.key).verify(message, &signature.bytes).is_ok()
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&line(self.number, &self.key))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.number())
    }
}

impl TryFrom<String> for PublicKey {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        Self::parse(&text)
    }
}

impl From<PublicKey> for String {
    fn from(key: PublicKey) -> Self {
        key.to_string()
    }
}

/// Signs packs.
pub struct SecretKey {
    pair: Ed25519KeyPair,
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey({})", self.public().number())
    }
}

impl SecretKey {
    /// A new key as PEM text.
    ///
    /// # Errors
    /// The system gives no random numbers.
    pub fn generate() -> Result<String, Error> {
        let made = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new());
        let document = made.map_err(|_| Error::Key { reason: "the system gives no random numbers" })?;
        let text = STANDARD.encode(document.as_ref());
        let lines: Vec<&str> =
            (0..text.len()).step_by(64).filter_map(|at| text.get(at..text.len().min(at + 64))).collect();
        Ok(format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", lines.join("\n")))
    }

    /// Reads a key from PEM.
    ///
    /// # Errors
    /// [`Error::Key`] says what the text is not.
    pub fn parse(pem: &str) -> Result<Self, Error> {
        let bad = || Error::Key { reason: "a secret key is an Ed25519 key in PEM (BEGIN PRIVATE KEY)" };
        let pem = pem.get(..pem.len().min(MOST_TEXT)).unwrap_or_default();
        let text: String = pem.lines().map(str::trim).filter(|line| !line.starts_with("-----")).collect();
        let bytes = STANDARD.decode(text).map_err(|_| bad())?;
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&bytes).map_err(|_| bad())?;
        Ok(Self { pair })
    }

    /// What others check signatures of this key with.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        let mut key = [0; KEY];
        key.iter_mut().zip(self.pair.public_key().as_ref()).for_each(|(to, from)| *to = *from);
        let mut number = [0; NUMBER];
        number.iter_mut().zip(Sha256::digest(key)).for_each(|(to, from)| *to = from);
        PublicKey { number, key }
    }

    pub(super) fn sign(&self, message: &[u8]) -> String {
        line(self.public().number, self.pair.sign(message).as_ref())
    }
}

/// A signature and the number of the key that is said to have made it.
pub(super) struct Signature {
    number: [u8; NUMBER],
    bytes: [u8; SIGNATURE],
}

impl Signature {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let bytes = STANDARD.decode(text.trim()).ok()?;
        let (number, bytes) = split::<SIGNATURE>(&bytes)?;
        Some(Self { number, bytes })
    }

    /// Number of the key, for people.
    pub(super) fn number(&self) -> String {
        shown(self.number)
    }

    /// Which of these keys made it for this message.
    pub(super) fn made_by<'k>(&self, message: &[u8], keys: &'k [PublicKey]) -> Result<&'k PublicKey, Error> {
        let mut named = keys.iter().filter(|key| key.number == self.number).peekable();
        if named.peek().is_none() {
            return Err(Error::Untrusted { number: self.number() });
        }
        named.find(|key| key.signed(message, self)).ok_or_else(|| Error::Forged { number: self.number() })
    }
}

fn last_line(text: &str) -> Option<&str> {
    let text = text.get(..text.len().min(MOST_TEXT))?;
    text.lines().map(str::trim).rfind(|line| !line.is_empty())
}

fn split<const N: usize>(bytes: &[u8]) -> Option<([u8; NUMBER], [u8; N])> {
    let rest = bytes.strip_prefix(&ALGORITHM)?;
    let (number, rest) = rest.split_first_chunk::<NUMBER>()?;
    Some((*number, rest.try_into().ok()?))
}

fn line(number: [u8; NUMBER], bytes: &[u8]) -> String {
    STANDARD.encode([ALGORITHM.as_slice(), &number, bytes].concat())
}

fn shown(number: [u8; NUMBER]) -> String {
    format!("{:016X}", u64::from_le_bytes(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_written_and_read_back() {
        let secret = SecretKey::parse(&SecretKey::generate().unwrap()).unwrap();
        let public = secret.public();
        let file = format!("untrusted comment: rules key {}\n{public}\n", public.number());
        assert_eq!(PublicKey::parse(&file).unwrap(), public);
        assert!(public.to_string().starts_with("RW"));
        assert!(!format!("{secret:?}").contains("PRIVATE"));
    }

    #[test]
    fn a_public_key_made_by_minisign_is_read() {
        // The key of minisign's own documentation.
        let text = "untrusted comment: minisign public key\nRWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3\n";
        assert_eq!(PublicKey::parse(text).unwrap().number(), "E7620F1842B4E81F");
    }

    #[test]
    fn other_texts_are_not_keys() {
        for text in ["", "RW", "hello", "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO"] {
            assert!(PublicKey::parse(text).is_err(), "{text:?}");
        }
        assert!(SecretKey::parse("-----BEGIN PRIVATE KEY-----\nAAAA\n").is_err());
    }
}
