//! Enrolment tokens: who holds one may make one agent known, within an hour unless told
//! otherwise.
//!
//! The token tells the agent which authority to trust and carries a secret; the state keeps only
//! the secret's SHA-256, with an end and a number of uses.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use watchpost_model::Timestamp;

use super::{Error, hex, random, sha256};
use crate::state::{State, Table, Writes};

const PREFIX: &str = "wp1.";

/// Longest text looked at as a token.
const MOST_TEXT: usize = 1_024;

#[derive(Serialize, Deserialize)]
struct Body {
    ca_sha256: String,
    secret: String,
}

#[derive(Serialize, Deserialize)]
struct Record {
    expires: Timestamp,
    uses: u32,
}

/// The tokens that are still good.
pub struct Tokens {
    state: Arc<dyn State>,
    /// Looking and using up are one step.
    change: Mutex<()>,
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokens").finish_non_exhaustive()
    }
}

impl Tokens {
    /// Tokens kept in this state.
    #[must_use]
    pub fn new(state: Arc<dyn State>) -> Self {
        Self { state, change: Mutex::default() }
    }

    /// A new token for the authority of this hash.
    ///
    /// # Errors
    /// The state can not be written.
    pub fn make(&self, ca: &[u8; 32], ttl: Duration, uses: u32, now: Timestamp) -> Result<String, Error> {
        let _one = self.change.lock().unwrap_or_else(PoisonError::into_inner);
        let secret = hex(&random::<32>()?);
        let mut writes = Writes::default();
        self.forget_expired(&mut writes, now)?;
        let record = json(&Record { expires: now.plus(ttl), uses })?;
        writes.put(Table::Tokens, sha256(secret.as_bytes()), record);
        self.state.commit(writes)?;
        let body = json(&Body { ca_sha256: hex(ca), secret })?;
        Ok(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(body)))
    }

    /// Uses a token once; takes the whole token or its secret alone.
    ///
    /// # Errors
    /// [`Error::TokenUnknown`], [`Error::TokenExpired`], or the state fails: then the token is
    /// not used up.
    pub fn redeem(&self, text: &str, now: Timestamp) -> Result<(), Error> {
        let _one = self.change.lock().unwrap_or_else(PoisonError::into_inner);
        let secret = secret(text).ok_or(Error::TokenUnknown)?;
        let key = sha256(secret.as_bytes());
        let value = self.state.get(Table::Tokens, &key)?.ok_or(Error::TokenUnknown)?;
        let mut record: Record = serde_json::from_slice(&value).map_err(unreadable)?;
        if record.expires < now {
            return Err(Error::TokenExpired(record.expires));
        }
        record.uses = record.uses.saturating_sub(1);
        let mut writes = Writes::default();
        if record.uses == 0 {
            writes.delete(Table::Tokens, key);
        } else {
            writes.put(Table::Tokens, key, json(&record)?);
        }
        Ok(self.state.commit(writes)?)
    }

    /// Expired tokens stay for a day, so that their use is answered with the right words.
    fn forget_expired(&self, writes: &mut Writes, now: Timestamp) -> Result<(), Error> {
        for (key, value) in self.state.range(Table::Tokens, &[], None, false, 1_000)? {
            let record: Record = serde_json::from_slice(&value).map_err(unreadable)?;
            if now.since(record.expires) > Duration::from_secs(86_400) {
                writes.delete(Table::Tokens, key);
            }
        }
        Ok(())
    }
}

/// The hash of the authority that a token tells its holder to trust, as hexadecimal.
#[must_use]
pub fn pinned(token: &str) -> Option<String> {
    Some(body(token)?.ca_sha256)
}

fn secret(text: &str) -> Option<String> {
    let text = text.trim();
    if text.starts_with(PREFIX) { Some(body(text)?.secret) } else { Some(text.to_owned()) }
}

fn body(token: &str) -> Option<Body> {
    let encoded = token.trim().strip_prefix(PREFIX).filter(|text| text.len() <= MOST_TEXT)?;
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(encoded).ok()?).ok()
}

fn json(value: &impl Serialize) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(value).map_err(unreadable)
}

#[expect(clippy::needless_pass_by_value, reason = "an adapter for map_err")]
fn unreadable(error: serde_json::Error) -> Error {
    Error::Record { table: Table::Tokens.name(), reason: error.to_string() }
}
