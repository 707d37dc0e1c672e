//! Requests and replies of administration, and who answers them.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use watchpost_model::Timestamp;
use watchpost_model::query::Role;

use super::backup;
use crate::ingest::Door;
use crate::pki::{self, Record};
use crate::ruleset::Ruleset;
use crate::state::State;

/// Longest life of a token.
pub(super) const MOST_TTL: Duration = Duration::from_secs(30 * 86_400);

/// Most agents that one token may enrol.
pub(super) const MOST_USES: u32 = 10_000;

/// What can be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// A new enrolment token.
    Token {
        /// Seconds until it expires.
        ttl: u64,
        /// Agents that it may enrol.
        uses: u32,
    },
    /// All certificates of agents.
    Agents,
    /// All certificates of users.
    Users,
    /// A certificate and key for a user.
    AddUser {
        /// The user's name.
        name: String,
        /// What the user may do.
        role: Role,
    },
    /// The end of a user's or an agent's certificates.
    Revoke {
        /// The user's name or the agent's id.
        name: String,
    },
    /// The rules read again and put in force.
    ReloadRules,
    /// Which rules are in force.
    Rules,
    /// A copy of state, journal and authority.
    Backup {
        /// A directory that does not exist yet.
        into: PathBuf,
    },
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reply", content = "body", rename_all = "snake_case")]
pub enum Reply {
    /// A token, a bundle of PEM or a sentence.
    Text(String),
    /// Certificates.
    Records(Vec<Record>),
    /// What failed and what to do.
    Failed(String),
}

/// Answers requests. Clones are cheap.
#[derive(Clone)]
pub struct Office {
    door: Door,
    state: Arc<dyn State>,
    data_dir: PathBuf,
    /// Only where detection runs.
    rules: Option<Arc<Ruleset>>,
}

impl std::fmt::Debug for Office {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Office").field("data_dir", &self.data_dir).finish_non_exhaustive()
    }
}

impl Office {
    /// An office over an open data directory.
    #[must_use]
    pub fn new(door: Door, state: Arc<dyn State>, data_dir: PathBuf) -> Self {
        Self { door, state, data_dir, rules: None }
    }

    /// The same office, which also answers for the rules in force.
    #[must_use]
    pub fn with_rules(self, rules: Arc<Ruleset>) -> Self {
        Self { rules: Some(rules), ..self }
    }

    /// Answers a request. Blocks while the state is written.
    #[must_use]
    pub fn answer(&self, request: &Request, now: Timestamp) -> Reply {
        match request {
            Request::Token { ttl, uses } => {
                said(self.token(Duration::from_secs(*ttl), *uses, now).map_err(|error| error.to_string()))
            }
            Request::Agents => self.records(|record| record.role == Role::Agent),
            Request::Users => self.records(|record| record.role != Role::Agent),
            Request::AddUser { name, role } => said(self.add_user(name, *role, now)),
            Request::Revoke { name } => {
                let done = self.door.register.revoke(name, now);
                said(done.map(|()| format!("{name} is revoked")).map_err(|error| error.to_string()))
            }
            Request::ReloadRules => said(self.reload(now)),
            Request::Rules => said(self.rules().map(|rules| rules.standing())),
            Request::Backup { into } => said(
                backup::backup(self.state.as_ref(), &self.data_dir, into).map_err(|error| error.to_string()),
            ),
        }
    }

    /// A token that enrols up to `uses` agents before `ttl` is over.
    ///
    /// # Errors
    /// The state can not be written.
    pub fn token(&self, ttl: Duration, uses: u32, now: Timestamp) -> Result<String, pki::Error> {
        let (ttl, uses) = (ttl.min(MOST_TTL), uses.clamp(1, MOST_USES));
        self.door.tokens.make(&self.door.authority.sha256(), ttl, uses, now)
    }

    /// A certificate, its key and the authority's certificate, as one PEM text.
    ///
    /// # Errors
    /// Says what failed and what to do.
    pub fn add_user(&self, name: &str, role: Role, now: Timestamp) -> Result<String, String> {
        let plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '@');
        if name.is_empty() || name.len() > 64 || name.starts_with('.') || !name.chars().all(plain) {
            return Err(format!(
                "{name:?} is not a user name; use letters, digits, - _ . @ (64 bytes at most)"
            ));
        }
        if role == Role::Agent {
            return Err("agents enrol with a token; choose another role".into());
        }
        let register = |error: pki::Error| error.to_string();
        let (issued, key) = self.door.authority.issue_with_key(name, now).map_err(register)?;
        let record =
            Record { name: name.into(), role, agent: None, host: String::new(), issued: now, revoked: None };
        self.door.register.add(issued.fingerprint, record).map_err(register)?;
        Ok(format!("{}{key}{}", issued.pem, self.door.authority.pem()))
    }

    fn rules(&self) -> Result<&Ruleset, String> {
        let none = "no collector runs on this data directory; rules are read when it starts";
        self.rules.as_deref().ok_or_else(|| none.to_owned())
    }

    fn reload(&self, now: Timestamp) -> Result<String, String> {
        let rules = self.rules()?;
        let changed = rules.reload(now).map_err(|error| error.to_string())?;
        let head = if changed { "new rules are in force" } else { "nothing changed" };
        Ok(format!("{head}\n{}", rules.standing()))
    }

    fn records(&self, wanted: impl Fn(&Record) -> bool) -> Reply {
        Reply::Records(self.door.register.list().into_iter().filter(wanted).collect())
    }
}

fn said(result: Result<String, String>) -> Reply {
    result.map_or_else(Reply::Failed, Reply::Text)
}
