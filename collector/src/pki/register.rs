//! The register of certificates: fingerprint to bearer.
//!
//! Held in memory whole (a few hundred bytes per certificate) and replaced at once on a change,
//! so that each request asks it without waiting. The state is written first: what the register
//! says survives a crash.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use serde::{Deserialize, Serialize};
use watchpost_model::Timestamp;
use watchpost_model::id::AgentId;
use watchpost_model::query::Role;

use super::Error;
use crate::identity::{Fingerprint, Identity};
use crate::state::{State, Table, Writes};

/// One certificate's record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The agent's id as text, or the user's name.
    pub name: String,
    /// What its bearer may do.
    pub role: Role,
    /// Set where the bearer is an agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentId>,
    /// The host's name as the agent gave it on enrolment; empty for users.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub host: String,
    /// When it was issued.
    pub issued: Timestamp,
    /// Since when it no longer counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked: Option<Timestamp>,
}

type Records = HashMap<Fingerprint, Record>;

/// All certificates ever issued.
pub struct Register {
    state: Arc<dyn State>,
    records: ArcSwap<Records>,
    /// One change at a time.
    change: Mutex<()>,
}

impl std::fmt::Debug for Register {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Register").field("records", &self.records.load().len()).finish_non_exhaustive()
    }
}

impl Register {
    /// Reads the register.
    ///
    /// # Errors
    /// The state can not be read, or holds something else.
    pub fn open(state: Arc<dyn State>) -> Result<Self, Error> {
        let mut records = Records::new();
        for (key, value) in state.range(Table::Certificates, &[], None, false, usize::MAX)? {
            let bad = |reason: String| Error::Record { table: Table::Certificates.name(), reason };
            let fingerprint = key.try_into().map_err(|_| bad("the key is no fingerprint".into()))?;
            let record = serde_json::from_slice(&value).map_err(|error| bad(error.to_string()))?;
            records.insert(fingerprint, record);
        }
        Ok(Self { state, records: ArcSwap::from_pointee(records), change: Mutex::default() })
    }

    /// The record of a certificate.
    #[must_use]
    pub fn find(&self, fingerprint: &Fingerprint) -> Option<Record> {
        self.records.load().get(fingerprint).cloned()
    }

    /// The bearer of a certificate in force.
    #[must_use]
    pub fn identity(&self, fingerprint: &Fingerprint) -> Option<Identity> {
        let records = self.records.load();
        let record = records.get(fingerprint).filter(|record| record.revoked.is_none())?;
        Some(Identity {
            name: record.name.clone(),
            role: record.role,
            agent: record.agent,
            fingerprint: *fingerprint,
        })
    }

    /// Every record, oldest first.
    #[must_use]
    pub fn list(&self) -> Vec<Record> {
        let mut list: Vec<Record> = self.records.load().values().cloned().collect();
        list.sort_by(|a, b| (a.issued, &a.name).cmp(&(b.issued, &b.name)));
        list
    }

    /// Adds a certificate.
    ///
    /// # Errors
    /// [`Error::Taken`] where the name has one in force.
    pub fn add(&self, fingerprint: Fingerprint, record: Record) -> Result<(), Error> {
        let _one = self.change.lock().unwrap_or_else(PoisonError::into_inner);
        let mut records = Records::clone(&self.records.load());
        if records.values().any(|known| known.name == record.name && known.revoked.is_none()) {
            return Err(Error::Taken { name: record.name });
        }
        records.insert(fingerprint, record.clone());
        self.commit(&[(fingerprint, record)])?;
        self.records.store(Arc::new(records));
        Ok(())
    }

    /// Ends every certificate of this name. It holds from the next request on.
    ///
    /// # Errors
    /// [`Error::Nobody`] where there is none in force.
    pub fn revoke(&self, name: &str, now: Timestamp) -> Result<(), Error> {
        let _one = self.change.lock().unwrap_or_else(PoisonError::into_inner);
        let mut records = Records::clone(&self.records.load());
        let mut changed = Vec::new();
        for (fingerprint, record) in &mut records {
            if record.name == name && record.revoked.is_none() {
                record.revoked = Some(now);
                changed.push((*fingerprint, record.clone()));
            }
        }
        if changed.is_empty() {
            return Err(Error::Nobody { name: name.into() });
        }
        self.commit(&changed)?;
        self.records.store(Arc::new(records));
        Ok(())
    }

    fn commit(&self, changed: &[(Fingerprint, Record)]) -> Result<(), Error> {
        let mut writes = Writes::default();
        for (fingerprint, record) in changed {
            let bad = |error: serde_json::Error| Error::Record {
                table: Table::Certificates.name(),
                reason: error.to_string(),
            };
            writes.put(Table::Certificates, *fingerprint, serde_json::to_vec(record).map_err(bad)?);
        }
        Ok(self.state.commit(writes)?)
    }
}
