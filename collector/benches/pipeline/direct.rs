//! The collector without its network: batches go through the handler of `POST /v1/batches`.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use tokio::runtime::Runtime;
use tower::ServiceExt as _;
use watchpost_collector::config::Settings;
use watchpost_collector::hub::Hub;
use watchpost_collector::identity::Identity;
use watchpost_collector::ingest::{self, Ingest};
use watchpost_collector::journal::{Journal, Reader};
use watchpost_collector::pipeline::{self, Desk, Pipeline};
use watchpost_collector::ruleset::Ruleset;
use watchpost_collector::state::State;
use watchpost_collector::{clock, run};
use watchpost_model::id::AgentId;
use watchpost_model::query::Role;

use crate::measure::Spans;
use crate::supply::Supply;

/// Requests under way at a time.
pub(crate) const SENDERS: usize = 32;

/// Everything of a collector but the door.
pub(crate) struct Site {
    pub(crate) runtime: Runtime,
    pub(crate) journal: Reader,
    state: Arc<dyn State>,
    rules: Arc<Ruleset>,
    router: Router,
    opened: run::Opened,
    writer: std::thread::JoinHandle<Journal>,
    detection: Option<(Pipeline, Arc<Desk>)>,
}

/// What pouring a supply in came to.
pub(crate) struct Poured {
    pub(crate) span: Duration,
    pub(crate) acks: Spans,
}

impl Site {
    pub(crate) fn open(directory: &Path, rules: Ruleset) -> Self {
        let settings = Settings { data_dir: directory.join("data"), ..Settings::default() };
        let opened = run::open(&settings).unwrap();
        let (journal, recovery) =
            Journal::open(settings.data_dir.join("journal"), &settings.journal()).unwrap();
        let reader = journal.reader();
        let state = Arc::clone(&opened.state);
        let (ingest, writer) = Ingest::start(journal, &recovery, Arc::clone(&state)).unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let router = ingest::router(ingest, opened.door.clone());
        let rules = Arc::new(rules);
        Self { runtime, journal: reader, state, rules, router, opened, writer, detection: None }
    }

    /// Detection begins.
    pub(crate) fn detect(&mut self) -> Arc<Desk> {
        let rules: Arc<dyn pipeline::Rules> = Arc::<Ruleset>::clone(&self.rules);
        let (journal, state) = (self.journal.clone(), Arc::clone(&self.state));
        let (pipeline, desk) =
            pipeline::start(pipeline::Settings::default(), journal, state, rules, Hub::default()).unwrap();
        self.detection = Some((pipeline, Arc::clone(&desk)));
        desk
    }

    /// Sends a whole supply as fast as it is taken, or at most `rate` events a second.
    pub(crate) fn pour(&self, supply: &Arc<Supply>, rate: Option<u64>) -> Poured {
        let begun = clock::monotonic();
        let senders = SENDERS.min(supply.agents.len());
        let per_round = supply.events / supply.rounds() as u64;
        let every = rate.map(|rate| Duration::from_secs_f64(per_round as f64 / rate as f64));
        let tasks: Vec<_> = (0..senders)
            .map(|sender| {
                let (supply, router) = (Arc::clone(supply), self.router.clone());
                self.runtime.spawn(send(supply, router, sender, senders, (begun, every)))
            })
            .collect();
        let mut acks = Spans::default();
        for task in tasks {
            acks.0.extend(self.runtime.block_on(task).unwrap());
        }
        Poured { span: begun.elapsed(), acks }
    }

    pub(crate) fn close(self) {
        let Self { runtime, router, writer, detection, opened, state, .. } = self;
        drop(router);
        runtime.shutdown_timeout(Duration::from_secs(5));
        drop(writer.join().unwrap());
        if let Some((pipeline, _)) = detection {
            pipeline.stop();
        }
        drop((state, opened));
    }
}

async fn send(
    supply: Arc<Supply>,
    router: Router,
    sender: usize,
    senders: usize,
    (begun, every): (Instant, Option<Duration>),
) -> Vec<Duration> {
    let share = supply.share(sender, senders);
    let mut acks = Vec::new();
    for round in 0..supply.rounds() {
        for (nth, agent) in share.iter().enumerate() {
            if let Some(every) = every {
                let at = round as f64 + nth as f64 / share.len() as f64;
                tokio::time::sleep_until((begun + every.mul_f64(at)).into()).await;
            }
            let mut request =
                Request::post("/v1/batches").body(Body::from(supply.batch(*agent, round))).unwrap();
            request.extensions_mut().insert(identity(supply.agents[*agent]));
            let asked = clock::monotonic();
            let answer = router.clone().oneshot(request).await.unwrap();
            assert!(answer.status().is_success(), "{}", answer.status());
            acks.push(asked.elapsed());
        }
    }
    acks
}

fn identity(agent: AgentId) -> Identity {
    Identity { name: agent.to_string(), role: Role::Agent, agent: Some(agent), fingerprint: [0; 32] }
}

/// Waits until detection has dealt with the whole journal.
pub(crate) fn caught_up(desk: &Desk) -> Duration {
    let begun = clock::monotonic();
    while desk.detected() < desk.journal.last() {
        std::thread::sleep(Duration::from_millis(5));
    }
    begun.elapsed()
}
