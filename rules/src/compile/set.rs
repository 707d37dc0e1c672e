//! A loaded rule set.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use sha2::{Digest, Sha256};
use watchpost_model::FieldId;

use super::core::{Body, Bucket, Core, Joined};
use super::names::NameId;
use super::rule::{Rule, rule};
use crate::ast::{Compare, CorrelationRule, Counting, DetectionRule, Document, FilterRule, Head};
use crate::correlate::allowance;
use crate::lint;
use crate::pack::{Blind, Rejected, Source};
use crate::parse::{self, Placeholders};
use crate::taxonomy::OwnedLogsource;

/// Rules ready to match, and what could not be loaded.
#[derive(Debug)]
pub struct RuleSet {
    pub(crate) core: Arc<Core>,
    rejected: Vec<Rejected>,
    remarks: Vec<Rejected>,
    twins: Vec<Twin>,
    hash: String,
}

/// A rule left out because its id was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Twin {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) file: String,
    /// Where the rule stands that took the id.
    pub(crate) other: String,
}

impl RuleSet {
    /// Loads rules. Never fails: see [`RuleSet::rejected`].
    #[must_use]
    pub fn load(sources: &[Source]) -> Self {
        Self::load_with(sources, &Placeholders::new())
    }

    /// Loads rules whose placeholders (`expand`) stand for these values.
    #[must_use]
    pub fn load_with(sources: &[Source], placeholders: &Placeholders) -> Self {
        let digests: Vec<String> =
            sources.iter().map(|source| hex(&Sha256::digest(source.text.as_bytes()))).collect();
        let hash = hash(&digests, placeholders);
        let files = sources.iter().map(|source| source.name.clone()).zip(digests).collect();
        let mut loading = Loading { hash, files, ..Loading::default() };
        for source in sources {
            loading.text = text_digest(&source.text, placeholders);
            let parsed = parse::parse_with(source, placeholders);
            loading.rejected.extend(parsed.rejected);
            loading.remarks.extend(parsed.remarks);
            for document in parsed.documents {
                loading.take(document, &source.name);
            }
        }
        let mut set = loading.finish();
        parse::complete(&mut set.rejected, sources);
        parse::complete(&mut set.remarks, sources);
        set
    }

    /// Every loaded rule, detections first.
    #[must_use]
    pub fn rules(&self) -> &[Arc<Rule>] {
        &self.core.rules
    }

    /// Documents that are not used.
    #[must_use]
    pub fn rejected(&self) -> &[Rejected] {
        &self.rejected
    }

    /// Documents that are used although something in them was not understood.
    #[must_use]
    pub fn remarks(&self) -> &[Rejected] {
        &self.remarks
    }

    /// Rules that no event kind of ours can make fire, with the reason.
    #[must_use]
    pub fn blind(&self) -> Vec<Blind> {
        lint::blind(&self.core)
    }

    pub(crate) fn twins(&self) -> &[Twin] {
        &self.twins
    }

    /// Detection rules whose logsource no event has had so far: of an input searched to its end, those
    /// that could not fire on it whatever it says. All of them count as met after [`RuleSet::prepare`].
    #[must_use]
    pub fn unmet(&self) -> usize {
        let met = self.core.plans.met();
        let buckets = self.core.buckets.iter().enumerate();
        buckets.filter(|(at, _)| !met.contains(at)).map(|(_, bucket)| bucket.rules.len()).sum()
    }

    /// Compiles the rules of every logsource that a rule names, which else happens when the first
    /// event of a logsource comes. For a collector that would rather wait now.
    pub fn prepare(&self) {
        for bucket in &self.core.buckets {
            let meets = vec![(None, self.core.wanting(&[bucket.logsource.view()]))];
            self.core.plans.plan(&self.core, meets);
        }
    }

    /// SHA-256 over the hashes (hex, sorted) of the files, then the placeholders, hex: equal for the same rules (and the same values for
    /// their placeholders) wherever they lie.
    #[must_use]
    pub fn hash(&self) -> &str {
        &self.hash
    }
}

/// Entries that a window needs before its condition can hold.
fn least(from: &CorrelationRule) -> u64 {
    let bound = |(how, number): &(Compare, u64)| match how {
        Compare::Gte | Compare::Eq => *number,
        Compare::Gt => number.saturating_add(1),
        Compare::Lt | Compare::Lte | Compare::Neq => 0,
    };
    match from.kind {
        Counting::When(..) | Counting::Figure(..) | Counting::Silence => 1,
        _ => from.bounds.iter().map(bound).max().unwrap_or(0),
    }
}

fn text_digest(text: &str, placeholders: &Placeholders) -> [u8; 32] {
    let values = if placeholders.is_empty() { String::new() } else { format!("{placeholders:?}") };
    joined_digest([text.as_bytes(), values.as_bytes()])
}

fn joined_digest<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
        hasher.update(part);
    }
    hasher.finalize().into()
}

fn hash(digests: &[String], placeholders: &Placeholders) -> String {
    let mut digests: Vec<&str> = digests.iter().map(String::as_str).collect();
    digests.sort_unstable();
    let mut hasher = Sha256::new();
    for digest in digests {
        hasher.update(digest);
    }
    if !placeholders.is_empty() {
        hasher.update(format!("{placeholders:?}").as_bytes());
    }
    hex(&hasher.finalize())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Correlations that may stand on each other; bounds the rounds of loading.
const MOST_LEVELS: usize = 8;

#[derive(Default)]
struct Loading {
    core: Core,
    /// Digest of the file that is being taken in.
    text: [u8; 32],
    /// By rule: digest of every text that has a say in what it means.
    digests: Vec<[u8; 32]>,
    correlations: Vec<(CorrelationRule, String, [u8; 32])>,
    filters: Vec<(FilterRule, String, [u8; 32])>,
    by_name: BTreeMap<String, usize>,
    rejected: Vec<Rejected>,
    remarks: Vec<Rejected>,
    twins: Vec<Twin>,
    /// Of the set.
    hash: String,
    /// Of each file, by name.
    files: HashMap<String, String>,
}

impl Loading {
    fn take(&mut self, document: Document, file: &str) {
        match document {
            Document::Detection(found) => self.detection(*found, file),
            Document::Correlation(found) => self.correlations.push((*found, file.to_owned(), self.text)),
            Document::Filter(found) => self.filters.push((*found, file.to_owned(), self.text)),
        }
    }

    fn detection(&mut self, from: DetectionRule, file: &str) {
        let public = Rule { logsource: from.logsource, ..rule(&from.head, file) };
        let names = &mut self.core.names;
        let detection = from.detection.rename(&mut |name: String| names.intern(&name));
        let text = self.text;
        self.add(&from.head, public, Body::Detection(detection), text);
    }

    /// Adds a rule unless its id is taken.
    fn add(&mut self, head: &Head, mut public: Rule, body: Body, text: [u8; 32]) {
        public.meta.set.clone_from(&self.hash);
        public.meta.hash = self.files.get(&public.file).cloned().unwrap_or_default();
        let at = self.core.rules.len();
        for name in head.ours.group_by.iter().filter(|name| FieldId::named(name).is_none()) {
            let reason =
                format!("rule '{}' is grouped by '{name}', which no event has; use an ECS name", head.title);
            self.remarks.push(note(&public.file, reason));
        }
        match self.core.by_id.entry(public.meta.id.clone()) {
            Entry::Occupied(taken) => {
                let other = self.core.rules.get(*taken.get()).map_or("", |other| other.file.as_str());
                let reason =
                    format!("rule id '{}' is already used by {other}; give it an id of its own", taken.key());
                self.rejected.push(note(&public.file, reason));
                let (name, file, other) = (public.meta.name, public.file, other.to_owned());
                self.twins.push(Twin { id: public.meta.id, name, file, other });
                return;
            }
            Entry::Vacant(free) => {
                free.insert(at);
            }
        }
        if !head.name.is_empty() {
            self.by_name.entry(head.name.clone()).or_insert(at);
        }
        self.digests.push(joined_digest([public.meta.id.as_bytes(), &text]));
        self.core.rules.push(Arc::new(public));
        self.core.bodies.push(body);
    }

    fn finish(mut self) -> RuleSet {
        for (filter, file, text) in std::mem::take(&mut self.filters) {
            self.filter(filter, &file, text);
        }
        self.core.feeds = vec![Vec::new(); self.core.rules.len()];
        self.correlations();
        self.bucket();
        self.core.names.resolve();
        RuleSet {
            core: Arc::new(self.core),
            rejected: self.rejected,
            remarks: self.remarks,
            twins: self.twins,
            hash: self.hash,
        }
    }

    fn filter(&mut self, filter: FilterRule, file: &str, text: [u8; 32]) {
        let targets: Vec<usize> = if filter.rules.is_empty() {
            (0..self.core.rules.len()).collect()
        } else {
            filter.rules.iter().filter_map(|name| self.find(name)).collect()
        };
        let names = &mut self.core.names;
        let detection = filter.detection.rename(&mut |name: String| names.intern(&name));
        let mut applied = 0_usize;
        for at in targets {
            let wanted = self
                .core
                .rules
                .get(at)
                .is_some_and(|rule| filter.logsource.view().wants(&rule.logsource.view()));
            if let (true, Some(Body::Detection(body))) = (wanted, self.core.bodies.get_mut(at)) {
                body.and(detection.clone(), "filter");
                if let Some(digest) = self.digests.get_mut(at) {
                    *digest = joined_digest([digest.as_slice(), &text]);
                }
                applied += 1;
            }
        }
        if applied == 0 {
            let title = &filter.head.title;
            self.remarks.push(note(
                file,
                format!("filter '{title}' applies to no rule; check its 'rules' and logsource"),
            ));
        }
    }

    fn find(&self, name: &str) -> Option<usize> {
        self.core.by_id.get(name).or_else(|| self.by_name.get(name)).copied()
    }

    /// Adds every correlation. One may count another, wherever that stands: those whose rules are
    /// there go first, round by round, so that none can count itself.
    fn correlations(&mut self) {
        let mut waiting = std::mem::take(&mut self.correlations);
        for _ in 1..MOST_LEVELS {
            let ready = |loading: &Self, from: &CorrelationRule| {
                from.rules.iter().all(|name| loading.find(name).is_some())
            };
            let (now, later): (Vec<_>, Vec<_>) =
                waiting.into_iter().partition(|(from, ..)| ready(self, from));
            waiting = later;
            if now.is_empty() {
                break;
            }
            self.add_correlations(now);
        }
        self.add_correlations(waiting);
    }

    fn add_correlations(&mut self, correlations: Vec<(CorrelationRule, String, [u8; 32])>) {
        for (correlation, file, text) in correlations {
            if let Err(reason) = self.correlation(&correlation, &file, text) {
                self.rejected.push(note(&file, reason));
            }
        }
    }

    fn correlation(&mut self, from: &CorrelationRule, file: &str, text: [u8; 32]) -> Result<(), String> {
        let mut members = Vec::with_capacity(from.rules.len());
        for name in &from.rules {
            let at = self.find(name).ok_or_else(|| {
                format!(
                    "correlation '{}' names rule '{name}', which is not loaded; add it or correct the name",
                    from.head.title
                )
            })?;
            members.push(at);
        }
        let group = from.group_by.iter().map(|key| (key.clone(), self.fields(from, key, &members))).collect();
        let counted = match &from.kind {
            Counting::Values(fields) => fields.iter().map(|key| self.fields(from, key, &members)).collect(),
            Counting::Figure(_, field) => vec![self.fields(from, field, &members)],
            _ => Vec::new(),
        };
        let joined = Joined {
            kind: from.kind.clone(),
            members: members.clone(),
            group,
            counted,
            timespan: from.timespan,
            allowance: allowance(from.timespan),
            bounds: from.bounds.clone(),
            least: least(from),
            digest: self.meaning(from, &members, text),
        };
        let before = self.core.rules.len();
        let public = Rule { is_correlation: true, ..rule(&from.head, file) };
        self.add(&from.head, public, Body::Correlation(joined), text);
        if self.core.rules.len() > before {
            self.core.feeds.push(Vec::new());
            self.feed(before, &members, from.generate);
        }
        Ok(())
    }

    /// What says that a correlation of another set is the same one.
    fn meaning(&self, from: &CorrelationRule, members: &[usize], text: [u8; 32]) -> [u8; 16] {
        let id = if from.head.id.is_empty() { &from.head.title } else { &from.head.id };
        let own: [&[u8]; 2] = [id.as_bytes(), &text];
        let counted = members.iter().filter_map(|at| self.digests.get(*at)).map(<[u8; 32]>::as_slice);
        let whole = joined_digest(own.into_iter().chain(counted));
        whole.first_chunk().copied().unwrap_or_default()
    }

    /// The field that `key` means in each base rule: through an alias, or itself.
    fn fields(&mut self, from: &CorrelationRule, key: &str, members: &[usize]) -> Vec<NameId> {
        let alias = from.aliases.iter().find(|(alias, _)| alias == key).map(|(_, mapping)| mapping);
        let mut fields = Vec::with_capacity(members.len());
        for member in members {
            let named = alias.and_then(|mapping| {
                mapping
                    .iter()
                    .find(|(rule, _)| self.find(rule) == Some(*member))
                    .map(|(_, field)| field.as_str())
            });
            fields.push(self.core.names.intern(named.unwrap_or(key)));
        }
        fields
    }

    fn feed(&mut self, correlation: usize, members: &[usize], generate: bool) {
        for member in members {
            if let Some(feeds) = self.core.feeds.get_mut(*member)
                && !feeds.contains(&correlation)
            {
                feeds.push(correlation);
            }
            // One correlation that wants them heard is enough to let base rules speak.
            let generated = generate || self.generating(*member, correlation);
            if let Some(rule) = self.core.rules.get_mut(*member) {
                Arc::make_mut(rule).is_silent = !generated;
            }
        }
    }

    /// Whether an earlier correlation already let this base rule fire on its own.
    fn generating(&self, member: usize, but: usize) -> bool {
        let fed_before =
            self.core.feeds.get(member).is_some_and(|feeds| feeds.iter().any(|other| *other != but));
        fed_before && self.core.rules.get(member).is_some_and(|rule| !rule.is_silent)
    }

    fn bucket(&mut self) {
        let mut buckets: BTreeMap<OwnedLogsource, Vec<usize>> = BTreeMap::new();
        for (at, (rule, body)) in self.core.rules.iter().zip(&self.core.bodies).enumerate() {
            if let Body::Detection(_) = body {
                buckets.entry(rule.logsource.clone()).or_default().push(at);
            }
        }
        let bucket = |(logsource, rules): (OwnedLogsource, Vec<usize>)| Bucket { logsource, rules };
        self.core.buckets = buckets.into_iter().map(bucket).collect();
    }
}

fn note(file: &str, reason: String) -> Rejected {
    Rejected { file: file.to_owned(), line: None, reason }
}
