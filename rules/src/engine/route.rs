//! Which plan an event meets.
//!
//! A plan is compiled for each set of logsources that events really have, when the first such
//! event comes; detectors of one rule set share it. What an event is, is read off a few of its
//! fields ([`Signature`]) and remembered, so that the usual event costs one look-up. What is
//! remembered is bounded, since foreign events may claim to be anything.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::{Arc, Mutex, PoisonError};

use foldhash::quality::RandomState;
use serde_json::{Number, Value as Json};
use watchpost_model::field::sigma::{self, Class, Logsource};
use watchpost_model::{Event, Kind, field};

use super::compiled::{Builder, Plan};
use super::{foreign_logsources, logsources};
use crate::compile::Core;
use crate::taxonomy::{self, OwnedLogsource};

/// Signatures and providers remembered by one detector; then it starts anew.
const MOST_REMEMBERED: usize = 4_096;

/// The buckets that each class of an event meets.
pub(crate) type Meets = Vec<(Option<Class>, Vec<usize>)>;

/// The way an event goes.
pub(crate) type Route = Arc<Plan>;

/// Every plan compiled so far.
#[derive(Debug, Default)]
pub(crate) struct Plans(Mutex<HashMap<Meets, Route>>);

impl Plans {
    /// The plan for these buckets; compiled if it is new.
    pub(crate) fn plan(&self, core: &Core, meets: Meets) -> Route {
        let mut plans = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        plans.entry(meets).or_insert_with_key(|meets| compile(core, meets)).clone()
    }

    /// Every bucket that an event has met so far, in order.
    pub(crate) fn met(&self) -> std::collections::BTreeSet<usize> {
        let plans = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        plans.keys().flatten().flat_map(|(_, buckets)| buckets).copied().collect()
    }
}

fn compile(core: &Core, meets: &Meets) -> Route {
    let mut builder = Builder::new(core);
    for (class, buckets) in meets {
        for bucket in buckets.iter().filter_map(|at| core.buckets.get(*at)) {
            bucket.rules.iter().for_each(|rule| builder.add(*rule, *class));
        }
    }
    Arc::new(builder.finish())
}

/// What one detector remembers of the events it saw.
#[derive(Debug, Default)]
pub(crate) struct Routes {
    kinds: Vec<(Kind, Route)>,
    providers: HashMap<String, Route>,
    given: Option<(OwnedLogsource, Route)>,
    foreign: HashMap<u64, (Signature, Route)>,
    hasher: RandomState,
}

impl Routes {
    /// The plan for an event of ours.
    pub(crate) fn typed(&mut self, core: &Core, event: &Event) -> Route {
        let classes = sigma::classes(event.kind);
        if classes.contains(&Class::LinuxLog) {
            let provider = event.text(field::EVENT_PROVIDER).unwrap_or_default();
            if let Some(known) = self.providers.get(provider) {
                return known.clone();
            }
            let route = core.plans.plan(core, typed_meets(core, event));
            remember(&mut self.providers, provider.to_owned(), route.clone());
            return route;
        }
        if let Some((_, known)) = self.kinds.iter().find(|(kind, _)| *kind == event.kind) {
            return known.clone();
        }
        let route = core.plans.plan(core, typed_meets(core, event));
        self.kinds.push((event.kind, route.clone()));
        route
    }

    /// The plan for a foreign event.
    pub(crate) fn foreign(&mut self, core: &Core, json: &Json, given: Option<&OwnedLogsource>) -> Route {
        let plan = || core.plans.plan(core, foreign_meets(core, json, given));
        if let Some(given) = given {
            if let Some((_, known)) = self.given.as_ref().filter(|(known, _)| known == given) {
                return known.clone();
            }
            let route = plan();
            self.given = Some((given.clone(), route.clone()));
            return route;
        }
        let seen = Seen::of(json);
        let hash = self.hasher.hash_one(seen);
        if let Some((signature, known)) = self.foreign.get(&hash)
            && signature.is(&seen)
        {
            return known.clone();
        }
        let route = plan();
        remember(&mut self.foreign, hash, (Signature::of(&seen), route.clone()));
        route
    }
}

fn remember<K: Eq + std::hash::Hash, V>(map: &mut HashMap<K, V>, key: K, value: V) {
    if map.len() >= MOST_REMEMBERED {
        map.clear();
    }
    map.insert(key, value);
}

/// The buckets that an event of ours meets, by class.
pub(crate) fn typed_meets(core: &Core, event: &Event) -> Meets {
    let of = |class: &Class| (Some(*class), core.wanting(&logsources(event, *class)));
    sigma::classes(event.kind).iter().map(of).collect()
}

/// The buckets that a foreign event meets.
pub(crate) fn foreign_meets(core: &Core, json: &Json, given: Option<&OwnedLogsource>) -> Meets {
    let found = foreign_logsources(json, given);
    let found: Vec<Logsource<'_>> = found.iter().map(OwnedLogsource::view).collect();
    vec![(None, core.wanting(&found))]
}

/// All that [`taxonomy::infer`] reads of an event: channel, provider and number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Seen<'e>([(Option<&'e str>, Option<&'e Number>); 3]);

impl<'e> Seen<'e> {
    fn of(json: &'e Json) -> Self {
        let read = |name: &str| {
            let first = taxonomy::first(json, name);
            (first.text, first.number)
        };
        let provider = match read("Provider_Name") {
            (None, None) => read("SourceName"),
            found => found,
        };
        Self([read("Channel"), provider, read("EventID")])
    }
}

/// The same, kept.
#[derive(Debug)]
struct Signature([(Option<Box<str>>, Option<Number>); 3]);

impl Signature {
    fn of(seen: &Seen<'_>) -> Self {
        Self(seen.0.map(|(text, number)| (text.map(Box::from), number.cloned())))
    }

    fn is(&self, seen: &Seen<'_>) -> bool {
        self.0
            .iter()
            .zip(&seen.0)
            .all(|(kept, seen)| (kept.0.as_deref(), kept.1.as_ref()) == (seen.0, seen.1))
    }
}
