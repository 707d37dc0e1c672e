//! `rules explain`: for each event of a file, why a rule fires or which part fails.

use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::Value as Json;
use watchpost_model::{Event, Timestamp};
use watchpost_rules::explain::{Counted, Explanation};
use watchpost_rules::{Rejected, RuleSet, Subject, explain, pack};

use super::page::Page;
use super::{Error, tree};
use crate::commands::Output;
use crate::compose::detect;
use crate::words::Lang;
use crate::words::explain::{Words, words};

/// Counted rules that are explained where none of them fires.
const MOST_MEMBERS: usize = 3;

/// What to explain and how.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// A rule file or the id of a shipped rule.
    pub rule: &'a str,
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
    let id = known(&set, asked.rule, &unread)?;
    let events: Vec<Told> = read_events(asked.event)?.into_iter().enumerate().map(Told::of).collect();
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

/// The id of the rule meant: the one of that id, or the first of that file.
fn known(set: &RuleSet, rule: &str, unread: &[Rejected]) -> Result<String, Error> {
    let is_file = Path::new(rule).exists();
    if let Some(known) = set.rules().iter().find(|known| is_file || known.meta.id == rule) {
        return Ok(known.meta.id.clone());
    }
    let said: Vec<String> = unread.iter().chain(set.rejected()).map(detect::said).collect();
    if is_file && !said.is_empty() {
        return Err(Error::Rejected { said: said.join("\n") });
    }
    Err(Error::NoRule { rule: rule.to_owned() })
}

/// One JSON object, one a line, or arrays of them.
fn read_events(path: &Path) -> Result<Vec<Json>, Error> {
    let text = super::read(path)?;
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

    #[test]
    fn arrays_of_events_are_their_events_and_scalars_are_refused() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("events.json");
        std::fs::write(&path, "\u{feff}[{\"a\": 1},\n {\"a\": 2}]\n{\"a\": 3}\n").unwrap();
        assert_eq!(read_events(&path).unwrap().len(), 3);
        std::fs::write(&path, "[1]").unwrap();
        assert!(matches!(read_events(&path), Err(Error::NotJson { .. })));
    }
}
