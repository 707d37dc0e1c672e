//! The book of alerts, incidents and hosts: the only place that writes them.
//!
//! Detection and the analysts' triage change the same records, so both go through one lock and
//! each change is one state transaction: alerts, incidents, hosts and the cursor of detection
//! become durable together or not at all. What is kept in memory is only an index of the state;
//! when a transaction fails it is read from the state again.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use watchpost_model::alert::{Alert, Severity};
use watchpost_model::asset::{Host, Liveness};
use watchpost_model::id::{AgentId, AlertId, IncidentId};
use watchpost_model::incident::Incident;
use watchpost_model::ledger::Ledger;
use watchpost_model::query::{Live, Overview, TriageChange};
use watchpost_model::{Event, Timestamp};

use super::meter::Meter;
use super::page::Page;
use super::{Error, record};
use crate::alerts::{self, Board, Draft};
use crate::assets::{self, Arrival, Assets, Entry};
use crate::incidents::{self, Candidate};
use crate::pki::Record;
use crate::state::{State, Table, Writes};

/// Names in each top list of the overview.
const TOP: usize = 5;

/// What detection learned of one frame.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) agent: AgentId,
    pub(super) arrival: Arrival,
    pub(super) host: String,
    pub(super) ledger: Ledger,
    pub(super) states: Vec<Event>,
    pub(super) passed: u64,
    pub(super) lost: u64,
    pub(super) drafts: Vec<Draft>,
}

pub(super) struct Inner {
    pub(super) board: Board,
    pub(super) assets: Assets,
    pub(super) candidates: HashMap<AgentId, Vec<Candidate>>,
    pub(super) open_incidents: BTreeSet<IncidentId>,
    meter: Meter,
}

impl Inner {
    fn load(state: &dyn State) -> Result<Self, Error> {
        let mut inner = Self {
            board: Board::default(),
            assets: Assets::default(),
            candidates: HashMap::new(),
            open_incidents: BTreeSet::new(),
            meter: Meter::default(),
        };
        record::walk(state, Table::Alerts, |_, alert: Alert| inner.board.raise(&alert))?;
        record::walk(state, Table::Hosts, |_, entry: Entry| inner.assets.load(entry))?;
        record::walk(state, Table::Incidents, |_, incident: Incident| {
            if incident.closed.is_none() {
                inner.open_incidents.insert(incident.id);
            }
        })?;
        record::walk(state, Table::IncidentGroups, |_, candidate: Candidate| {
            inner.candidates.entry(candidate.agent).or_default().push(candidate);
        })?;
        Ok(inner)
    }
}

/// See the module.
pub struct Book {
    pub(super) state: Arc<dyn State>,
    inner: Mutex<Inner>,
}

impl std::fmt::Debug for Book {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Book").field("state", &self.state.backend()).finish_non_exhaustive()
    }
}

impl Book {
    /// Reads the index from the state.
    ///
    /// # Errors
    /// The state can not be read.
    pub fn open(state: Arc<dyn State>) -> Result<Self, Error> {
        let inner = Mutex::new(Inner::load(state.as_ref())?);
        Ok(Self { state, inner })
    }

    /// The state behind the book, for reading.
    #[must_use]
    pub fn state(&self) -> &dyn State {
        self.state.as_ref()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic while the lock was held leaves an index that the next failure repairs; to stop
        // all triage for it would be worse.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps what a step of detection learned, with its new cursor and what else must be written
    /// together with it, and says what to tell.
    pub(super) fn step(
        &self,
        seen: Vec<Seen>,
        cursor: u64,
        saved: Writes,
        now: Timestamp,
    ) -> Result<Vec<Live>, Error> {
        self.change(|inner, page| {
            page.writes.append(saved);
            let mut woke = false;
            for frame in seen {
                woke |= inner.assets.heard(frame.agent, frame.arrival);
                inner.assets.told(frame.agent, &frame.host, &frame.ledger, now);
                for state in &frame.states {
                    inner.assets.state(frame.agent, state);
                }
                inner.assets.detected(frame.agent, frame.passed, frame.lost, now);
                inner.meter.add(frame.passed, now);
                for draft in frame.drafts {
                    page.fold(inner, draft, now)?;
                }
            }
            page.hosts_changed |= woke;
            record::put_cursor(&mut page.writes, cursor)
        })
    }

    /// Keeps alerts that no event raised, together with what else must be written, and says what to
    /// tell.
    pub(super) fn raise(
        &self,
        drafts: Vec<Draft>,
        saved: Writes,
        now: Timestamp,
    ) -> Result<Vec<Live>, Error> {
        self.change(|inner, page| {
            page.writes.append(saved);
            drafts.into_iter().try_for_each(|draft| page.fold(inner, draft, now))
        })
    }

    /// Finds hosts that fell silent and says what to tell.
    pub(super) fn silence(
        &self,
        limit: Duration,
        since: Timestamp,
        now: Timestamp,
    ) -> Result<Vec<Live>, Error> {
        let grown = self.adopt()?;
        self.change(|inner, page| {
            let before = inner.assets.living();
            for entry in inner.assets.fall_silent(limit, since, now) {
                page.fold(inner, assets::silence_alert(&entry, now), now)?;
            }
            page.hosts_changed |= grown || inner.assets.living() != before;
            Ok(())
        })
    }

    /// Takes in what the register of certificates knows: agents enrolled or revoked since.
    fn adopt(&self) -> Result<bool, Error> {
        let mut agents: Vec<(AgentId, Record)> = Vec::new();
        record::walk(self.state.as_ref(), Table::Certificates, |_, found: Record| {
            agents.extend(found.agent.map(|agent| (agent, found)));
        })?;
        // The latest certificate of an agent says whether it still counts.
        agents.sort_by_key(|(agent, found)| (*agent, found.issued));
        let mut inner = self.lock();
        let before = inner.assets.len();
        for (agent, found) in agents {
            inner.assets.enrolled(agent, &found.host, found.issued, found.revoked.is_some());
        }
        Ok(inner.assets.len() != before)
    }

    /// Forgets groups whose last repeat is older than `before`.
    pub(super) fn prune(&self, before: Timestamp) -> Result<(), Error> {
        let state = Arc::clone(&self.state);
        self.change(|_, page| {
            let writes = &mut page.writes;
            record::walk(state.as_ref(), Table::AlertGroups, |key, way: record::Way| {
                if way.last() < before {
                    writes.delete(Table::AlertGroups, key);
                }
            })
        })
        .map(drop)
    }

    /// Changes an alert's handling in the name of `who`. `None` where there is no such alert;
    /// otherwise the alert as it is now and what to tell.
    ///
    /// # Errors
    /// [`Error::Triage`] where the change is not allowed, otherwise the state failed.
    pub fn triage(
        &self,
        id: AlertId,
        wanted: &TriageChange,
        who: &str,
        now: Timestamp,
    ) -> Result<Option<(Alert, Vec<Live>)>, Error> {
        let mut changed = None;
        let live = self.change(|inner, page| {
            let Some(mut alert) = page.alert(id)? else { return Ok(()) };
            alerts::change(&mut alert, wanted, who)?;
            inner.board.note(&alert);
            page.settle(inner, &alert, now)?;
            page.keep_alert(alert.clone());
            changed = Some(alert);
            Ok(())
        })?;
        Ok(changed.map(|alert| (alert, live)))
    }

    /// Every host, by name.
    #[must_use]
    pub fn hosts(&self) -> Vec<Host> {
        self.lock().assets.hosts()
    }

    /// The host of an agent.
    #[must_use]
    pub fn host(&self, agent: AgentId) -> Option<Host> {
        self.lock().assets.get(agent).map(|entry| entry.host.clone())
    }

    /// Fills in what the book knows of the situation.
    pub(super) fn overview(&self, overview: &mut Overview, now: Timestamp) {
        let inner = self.lock();
        let tops = inner.board.tops(TOP);
        overview.open = inner.board.open();
        overview.hourly = inner.board.hourly(now);
        overview.incidents = u64::try_from(inner.open_incidents.len()).unwrap_or(u64::MAX);
        overview.rate = inner.meter.rate(now);
        (overview.top_attackers, overview.top_targets, overview.top_rules) =
            (tops.attackers, tops.targets, tops.rules);
        for host in inner.assets.hosts() {
            match host.liveness {
                Liveness::Online => overview.online += 1,
                Liveness::Silent => overview.silent += 1,
                Liveness::Never | Liveness::Revoked => {}
            }
            overview.lost = overview.lost.saturating_add(host.ledger.lost());
        }
    }

    /// One transaction. On failure nothing of it stays, in memory or in the state.
    fn change(
        &self,
        work: impl FnOnce(&mut Inner, &mut Page<'_>) -> Result<(), Error>,
    ) -> Result<Vec<Live>, Error> {
        let mut inner = self.lock();
        let mut page = Page::new(self.state.as_ref());
        let outcome = work(&mut inner, &mut page).and_then(|()| self.finish(&mut inner, page));
        match outcome {
            // A refused change was refused before anything was touched.
            Err(error) if !matches!(error, Error::Triage(_)) => {
                *inner = Inner::load(self.state.as_ref())?;
                Err(error)
            }
            outcome => outcome,
        }
    }

    fn finish(&self, inner: &mut Inner, page: Page<'_>) -> Result<Vec<Live>, Error> {
        if page.touches_alerts() {
            inner.assets.count_alerts(&inner.board.by_agent());
        }
        let (mut writes, mut live, hosts_changed) = page.close()?;
        for entry in inner.assets.take_changed() {
            record::put_host(&mut writes, &entry)?;
        }
        self.commit(writes)?;
        if hosts_changed {
            live.push(Live::Hosts(inner.assets.hosts()));
        }
        Ok(live)
    }

    fn commit(&self, writes: Writes) -> Result<(), Error> {
        if writes.is_empty() { Ok(()) } else { Ok(self.state.commit(writes)?) }
    }
}

/// Alerts milder than this join incidents but open none: an incident is something to report.
pub(super) const OPENS: Severity = Severity::Medium;

/// The incident that an alert opens, as [`incidents::open`] makes it.
pub(super) fn opened(alert: &Alert, now: Timestamp) -> Option<Incident> {
    (alert.severity >= OPENS).then(|| incidents::open(alert, now))
}
