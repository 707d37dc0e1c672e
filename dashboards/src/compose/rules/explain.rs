//! `rules explain`: for each event of a file, why a rule fires or which part fails.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value as Json;
use watchpost_model::{Event, Timestamp};
use watchpost_rules::explain::{Counted, Explanation};
use watchpost_rules::{Rejected, Rule, RuleSet, Subject, explain, pack};

use super::page::Page;
use super::{Error, tree};
use crate::commands::Output;
use crate::compose::detect;
use crate::words::Lang;
use crate::words::explain::{Words, words};

/// Counted rules that are explained where none of them fires.
const MOST_MEMBERS: usize = 3;

/// Bytes of the file with events.
const EVENT_BYTES: usize = 32 * 1024 * 1024;

/// Events that are explained; `detect` is for more.
const MOST_EVENTS: usize = 100_000;

/// What to explain and how.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// A rule file or the id of a shipped rule.
    pub rule: &'a str,
    /// Which rule of the file; without it a correlation that speaks, else the first.
    pub id: Option<&'a str>,
    /// File with events.
    pub event: &'a Path,
    /// What stands for placeholders.
    pub placeholders: Option<&'a Path>,
    /// How to print.
    pub output: Output,
}

/// Explains, for each event of a file, why a rule fires or which part fails; follows a correlation
/// over all of them. Returns whether it fires on any event.
///
/// # Errors
/// When the rule or the events can not be read.
pub fn explain(asked: &Asked<'_>, lang: Lang, out: &mut dyn Write) -> Result<bool, Error> {
    let values = asked.placeholders.map(super::placeholders).transpose()?.unwrap_or_default();
    let file = PathBuf::from(asked.rule);
    let (sources, unread) = if file.exists() {
        pack::read_paths(&[file])
    } else {
        (watchpost_rules::shipped::shipped(), Vec::new())
    };
    let set = RuleSet::load_with(&sources, &values);
    let id = known(&set, asked, &unread)?;
    let events = read_events(asked.event)?;
    if events.is_empty() {
        return Err(Error::NoEvents { path: asked.event.to_path_buf() });
    }
    if events.len() > MOST_EVENTS {
        let path = asked.event.to_path_buf();
        return Err(Error::TooLarge { path, most: MOST_EVENTS, what: "events" });
    }
    let events: Vec<Told> = events.into_iter().enumerate().map(Told::of).collect();
    let subjects: Vec<(Subject<'_>, Timestamp)> =
        events.iter().map(|told| (told.subject(), told.time)).collect();
    let said = match explain::count(&set, &id, &subjects) {
        Some(counted) => Said::Counted(&set, Box::new(counted), &subjects),
        None => Said::Single(each(&set, &id, &subjects)),
    };
    match asked.output {
        Output::Json => said.as_json(out)?,
        Output::Table => {
            let mut page = Page::default();
            said.tell(words(lang), &mut page);
            out.write_all(page.text().as_bytes())?;
        }
    }
    Ok(said.fires())
}

/// An event as it is held against rules: one of ours, or a foreign one.
struct Told {
    json: Json,
    typed: Option<Event>,
    time: Timestamp,
}

impl Told {
    fn of((at, json): (usize, Json)) -> Self {
        let typed = Event::from_json(&json);
        // Events without a time follow each other, a second apart.
        let place = Timestamp::from_parts(i64::try_from(at).unwrap_or(i64::MAX), 0);
        let time = typed.as_ref().map(|event| event.time).or_else(|| detect::stamp::time_of(&json));
        Self { json, typed, time: time.unwrap_or(place) }
    }

    fn subject(&self) -> Subject<'_> {
        let foreign = Subject::Foreign { json: &self.json, logsource: None };
        self.typed.as_ref().map_or(foreign, Subject::Typed)
    }
}

fn each(set: &RuleSet, id: &str, subjects: &[(Subject<'_>, Timestamp)]) -> Vec<Explanation> {
    subjects.iter().filter_map(|(subject, _)| explain::explain(set, id, subject)).collect()
}

/// What there is to say.
enum Said<'a> {
    Single(Vec<Explanation>),
    Counted(&'a RuleSet, Box<Counted>, &'a [(Subject<'a>, Timestamp)]),
}

impl Said<'_> {
    fn fires(&self) -> bool {
        match self {
            Self::Single(all) => all.iter().any(|one| one.fires),
            Self::Counted(_, counted, _) => counted.fires,
        }
    }

    fn as_json(&self, out: &mut dyn Write) -> Result<(), Error> {
        match self {
            Self::Single(all) => {
                for one in all {
                    writeln!(out, "{}", serde_json::to_string(one)?)?;
                }
            }
            Self::Counted(_, counted, _) => writeln!(out, "{}", serde_json::to_string(&**counted)?)?,
        }
        Ok(())
    }

    fn tell(&self, words: &Words, page: &mut Page) {
        match self {
            Self::Single(all) => {
                for (at, one) in all.iter().enumerate() {
                    tree::explanation(one, at + 1, words, page);
                }
            }
            Self::Counted(set, counted, subjects) => {
                tree::counted(counted, words, page);
                // Where nothing was counted at all, the first event says why.
                if counted.steps.iter().all(|step| step.fired.is_empty()) {
                    let first = subjects.get(..1).unwrap_or_default();
                    for (id, _) in counted.members.iter().take(MOST_MEMBERS) {
                        each(set, id, first).iter().for_each(|one| tree::explanation(one, 1, words, page));
                    }
                }
            }
        }
    }
}

/// The id of the rule meant: the one of that id, or what a file is about.
fn known(set: &RuleSet, asked: &Asked<'_>, unread: &[Rejected]) -> Result<String, Error> {
    let is_file = Path::new(asked.rule).exists();
    let wanted = asked.id.or(if is_file { None } else { Some(asked.rule) });
    let found = match wanted {
        Some(id) => set.rules().iter().find(|known| known.meta.id == id),
        None => subject_of(set),
    };
    if let Some(known) = found {
        return Ok(known.meta.id.clone());
    }
    let said: Vec<String> = unread.iter().chain(set.rejected()).map(detect::said).collect();
    if is_file && !said.is_empty() {
        return Err(Error::Rejected { said: said.join("\n") });
    }
    Err(Error::NoRule { rule: wanted.unwrap_or(asked.rule).to_owned() })
}

/// What a file is about: a correlation that speaks, as the other rules beside it are what it counts;
/// without one the first rule. The set keeps detections before correlations, whatever their order.
fn subject_of(set: &RuleSet) -> Option<&Arc<Rule>> {
    set.rules().iter().find(|rule| rule.is_correlation && !rule.is_silent).or_else(|| set.rules().first())
}

/// One JSON object, one a line, or arrays of them.
fn read_events(path: &Path) -> Result<Vec<Json>, Error> {
    let text = super::read(path, EVENT_BYTES)?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let wrong = |source| Error::NotJson { path: path.to_path_buf(), source };
    let values: Vec<Json> =
        serde_json::Deserializer::from_str(text).into_iter().collect::<Result<_, _>>().map_err(wrong)?;
    let spread = values.into_iter().flat_map(|value| match value {
        Json::Array(all) => all,
        one => vec![one],
    });
    // What is no object is no event: asking for a map says so in the words of the parser.
    spread.map(|one| serde_json::from_value(one).map(Json::Object)).collect::<Result<_, _>>().map_err(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked<'a>(rule: &'a str, event: &'a Path) -> Asked<'a> {
        Asked { rule, id: None, event, placeholders: None, output: Output::Json }
    }

    fn rule_file(folder: &tempfile::TempDir, text: &str) -> String {
        let file = folder.path().join("rule.yml");
        std::fs::write(&file, text).unwrap();
        file.display().to_string()
    }

    #[test]
    fn arrays_of_events_are_their_events_and_scalars_are_refused() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("events.json");
        std::fs::write(&path, "\u{feff}[{\"a\": 1},\n {\"a\": 2}]\n{\"a\": 3}\n").unwrap();
        assert_eq!(read_events(&path).unwrap().len(), 3);
        std::fs::write(&path, "[1]").unwrap();
        assert!(matches!(read_events(&path), Err(Error::NotJson { .. })));
    }

    const LOOKUP: &str = "title: Lookup\nid: lookup\nname: lookup\nlogsource: {category: dns}\ndetection: {s: {query: x}, condition: s}\n";

    #[test]
    fn events_without_end_are_not_read_to_the_end_of_memory() {
        let folder = tempfile::tempdir().unwrap();
        let rule = rule_file(&folder, LOOKUP);
        let endless = explain(&asked(&rule, Path::new("/dev/zero")), Lang::En, &mut Vec::new());
        assert!(matches!(endless, Err(Error::TooLarge { what: "bytes", .. })));
        let many = folder.path().join("many.ndjson");
        std::fs::write(&many, "{}\n".repeat(MOST_EVENTS + 1)).unwrap();
        let many = explain(&asked(&rule, &many), Lang::En, &mut Vec::new());
        assert!(matches!(many, Err(Error::TooLarge { what: "events", .. })));
    }

    const COUNTED: &str = "---\ntitle: Many lookups\nid: many\ncorrelation: {type: event_count, rules: [lookup], group-by: [query], timespan: 1m, condition: {gte: 2}}\n";

    #[test]
    fn a_file_with_a_correlation_is_about_the_correlation() {
        let folder = tempfile::tempdir().unwrap();
        let rule = rule_file(&folder, &format!("{LOOKUP}{COUNTED}"));
        let events = folder.path().join("events.ndjson");
        std::fs::write(&events, "{\"query\": \"y\"}\n").unwrap();
        let said = |id| {
            let mut out = Vec::new();
            explain(&Asked { id, ..asked(&rule, &events) }, Lang::En, &mut out).unwrap();
            serde_json::from_slice::<Json>(&out).unwrap()["rule"].clone()
        };
        assert_eq!(said(None), "many");
        assert_eq!(said(Some("lookup")), "lookup", "the rule that it counts, where asked for");
        let none = explain(&Asked { id: Some("gone"), ..asked(&rule, &events) }, Lang::En, &mut Vec::new());
        assert!(matches!(none, Err(Error::NoRule { rule }) if rule == "gone"));
    }

    #[test]
    fn a_file_without_events_explains_nothing_and_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let rule = rule_file(&folder, LOOKUP);
        let events = folder.path().join("none.ndjson");
        std::fs::write(&events, "\n\n").unwrap();
        let none = explain(&asked(&rule, &events), Lang::En, &mut Vec::new());
        assert!(matches!(none, Err(Error::NoEvents { .. })));
    }
}
