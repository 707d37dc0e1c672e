//! Does what the core asked for, one request after the other, and answers with messages.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender};
use watchpost_model::id::IncidentId;
use watchpost_model::query::{AlertQuery, IncidentQuery, MOST_PAGE};

use super::{Options, guard};
use crate::app::{Answer, Effect, Message};
use crate::client::{Error, Source};
use crate::clock;
use crate::report::{self, Format};
use crate::words::Lang;

pub(super) fn start(options: &Options, asked: Receiver<Effect>, say: Sender<Message>) {
    let worker =
        Worker { source: Arc::clone(&options.source), lang: options.lang, reports: options.reports.clone() };
    guard::spawn("worker", move || {
        for effect in asked {
            for answer in worker.work(effect) {
                if say.send(Message::Answer(answer)).is_err() {
                    return;
                }
            }
        }
    });
}

struct Worker {
    source: Arc<dyn Source>,
    lang: Lang,
    reports: PathBuf,
}

impl Worker {
    fn work(&self, effect: Effect) -> Vec<Answer> {
        let source = &self.source;
        vec![match effect {
            Effect::Refresh => return self.refresh(),
            Effect::Evidence(id) => Answer::Evidence(id, source.evidence(id).map_err(told)),
            Effect::Story(id) => Answer::Story(id, source.story(id).map(Box::new).map_err(told)),
            Effect::Triage(id, change) => match source.triage(id, &change) {
                Ok(alert) => Answer::Triaged(Box::new(alert)),
                Err(error) => Answer::Failed(told(error)),
            },
            Effect::Hunt(query) => Answer::Hunt(query.q.clone(), source.events(&query).map_err(told)),
            Effect::Report(id) => match self.report(id) {
                Ok(path) => Answer::Reported(path),
                Err(why) => Answer::Failed(why),
            },
            Effect::Quit => return Vec::new(),
        }]
    }

    /// Everything that lists show; the first failure speaks for all.
    fn refresh(&self) -> Vec<Answer> {
        let source = &self.source;
        let alerts = AlertQuery { limit: Some(MOST_PAGE), ..AlertQuery::default() };
        let incidents = IncidentQuery { limit: Some(MOST_PAGE), before: None };
        let answers = [
            source.overview().map(|overview| Answer::Overview(Box::new(overview))),
            source.alerts(&alerts).map(Answer::Alerts),
            source.incidents(&incidents).map(Answer::Incidents),
            source.hosts().map(Answer::Hosts),
        ];
        let (mut good, mut failed) = (Vec::new(), None);
        for answer in answers {
            match answer {
                Ok(answer) => good.push(answer),
                Err(error) => failed = failed.or(Some(told(error))),
            }
        }
        good.extend(failed.map(Answer::Failed));
        good
    }

    fn report(&self, id: IncidentId) -> Result<String, String> {
        let story = self.source.story(id).map_err(told)?;
        let mut names = Vec::new();
        for format in [Format::Html, Format::Markdown] {
            let text = report::render(&story, self.lang, clock::now(), format);
            let path = write_report(&self.reports, id, self.lang, format, &text);
            let path = path.map_err(|error| format!("{}: {error}", self.reports.display()))?;
            names.extend(path.file_name().map(|name| name.to_string_lossy().into_owned()));
        }
        // Names first: a footer cuts the end, and the folder is what the analyst chose.
        let folder = std::path::absolute(&self.reports).unwrap_or_else(|_| self.reports.clone());
        Ok(format!("{} ({})", names.join(" "), folder.display()))
    }
}

fn told(error: Error) -> String {
    error.to_string()
}

/// Writes a report into a folder, making the folder where there is none. The name carries id and
/// language; an older report of the same incident is replaced only once the new one is whole, and
/// only its owner may read it.
///
/// # Errors
/// The folder or the file cannot be written.
pub fn write_report(
    folder: &Path,
    id: IncidentId,
    lang: Lang,
    format: Format,
    text: &str,
) -> std::io::Result<PathBuf> {
    std::fs::create_dir_all(folder)?;
    let path = folder.join(format!("incident-{id}.{}.{}", lang.tag(), format.extension()));
    crate::private::write(&path, text)?;
    Ok(path)
}
