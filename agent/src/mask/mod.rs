//! Numbers of persons and organisations are hidden before an event is written anywhere.
//!
//! Every text of every event passes here on its way to the spool, whichever sensor it comes from.
//! A number counts as one only if its check digit holds, so that other long numbers stay. What is
//! done is chosen per kind: hide the middle, put a keyed token in its place (the same number gives
//! the same token, so that persons can be counted without being known), or nothing.

mod find;
mod number;

pub use number::Kind;

use std::io;
use std::path::Path;

use ring::hmac;
use serde::{Deserialize, Serialize};
use watchpost_model::{Event, Value};

/// What is done with numbers of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Deed {
    /// The middle is hidden: `110101********0011`.
    #[default]
    Mask,
    /// A token takes its place, the same for the same number: `citizen_id:5c0f…`.
    Token,
    /// It is left alone.
    Off,
}

/// What is done, by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Citizen identity numbers (GB 11643).
    pub citizen_id: Deed,
    /// Unified social credit codes (GB 32100).
    pub credit_code: Deed,
    /// Bank cards.
    pub bank_card: Deed,
    /// Mobile telephone numbers.
    pub mobile: Deed,
}

impl Settings {
    fn deed(&self, kind: Kind) -> Deed {
        match kind {
            Kind::CitizenId => self.citizen_id,
            Kind::CreditCode => self.credit_code,
            Kind::BankCard => self.bank_card,
            Kind::Mobile => self.mobile,
        }
    }
}

/// Hex digits of a token: 64 bits, so that tokens of a whole country do not meet by chance.
const TOKEN_DIGITS: usize = 16;
/// Bytes of the key.
const KEY_BYTES: usize = 32;

/// Hides numbers.
#[derive(Clone, Debug)]
pub struct Masker {
    settings: Settings,
    key: hmac::Key,
}

impl Masker {
    /// With the key of tokens at hand.
    #[must_use]
    pub fn new(settings: Settings, key: &[u8]) -> Self {
        Self { settings, key: hmac::Key::new(hmac::HMAC_SHA256, key) }
    }

    /// With the key kept in a file, made at the first start. Hosts that share the file share tokens.
    ///
    /// # Errors
    /// The file can not be read, made or is too short.
    pub fn open(settings: Settings, path: &Path) -> io::Result<Self> {
        let key = match crate::spool::read_small(path, 4_096) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => make_key(path)?,
            read => read?,
        };
        if key.len() < KEY_BYTES {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the key of tokens is too short"));
        }
        Ok(Self::new(settings, &key))
    }

    /// Hides the numbers in every text of an event.
    pub fn apply(&self, event: &mut Event) {
        let touched: Vec<_> =
            event.record.iter().filter(|(_, value)| self.concerns(value)).map(|(id, _)| id).collect();
        for id in touched {
            if let Some(value) = event.record.remove(id) {
                event.record.set(id, self.value(value));
            }
        }
    }

    fn concerns(&self, value: &Value) -> bool {
        match value {
            Value::Text(text) => {
                find::all(text).iter().any(|found| self.settings.deed(found.kind) != Deed::Off)
            }
            Value::List(items) => items.iter().any(|item| self.concerns(item)),
            _ => false,
        }
    }

    fn value(&self, value: Value) -> Value {
        match value {
            Value::Text(text) => Value::Text(self.text(&text)),
            Value::List(items) => Value::List(items.into_iter().map(|item| self.value(item)).collect()),
            other => other,
        }
    }

    /// The text with its numbers hidden.
    #[must_use]
    pub fn text(&self, text: &str) -> String {
        let mut hidden = String::with_capacity(text.len());
        let mut done = 0;
        for found in find::all(text) {
            let (Some(before), Some(number)) =
                (text.get(done..found.start), text.get(found.start..found.end))
            else {
                continue;
            };
            hidden.push_str(before);
            match self.settings.deed(found.kind) {
                Deed::Mask => hidden.push_str(&found.kind.masked(number)),
                Deed::Token => hidden.push_str(&self.token(found.kind, number)),
                Deed::Off => hidden.push_str(number),
            }
            done = found.end;
        }
        hidden.push_str(text.get(done..).unwrap_or_default());
        hidden
    }

    fn token(&self, kind: Kind, number: &str) -> String {
        // However it was written, it is one number.
        let plain: String = number.chars().filter(char::is_ascii_alphanumeric).collect();
        let tag = hmac::sign(&self.key, format!("{}:{}", kind.name(), plain.to_uppercase()).as_bytes());
        let hex: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{}:{}", kind.name(), hex.get(..TOKEN_DIGITS).unwrap_or_default())
    }
}

fn make_key(path: &Path) -> io::Result<Vec<u8>> {
    use ring::rand::SecureRandom;
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let mut key = vec![0; KEY_BYTES];
    let random = ring::rand::SystemRandom::new().fill(&mut key);
    random.map_err(|_| io::Error::other("the system gives no random bytes"))?;
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(&key)?;
    file.sync_all()?;
    Ok(key)
}

#[cfg(test)]
mod tests;
