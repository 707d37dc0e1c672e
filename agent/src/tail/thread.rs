//! The thread that looks at all followed files in turn.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use jiff::tz::TimeZone;
use watchpost_model::event::Log;
use watchpost_model::ledger::Stage;
use watchpost_model::{Event, Kind, field as f};

use super::checkpoint::Checkpoint;
use super::follow::{Entry, Follow, From};
use super::paths::{self, MOST_FILES};
use super::{Files, Running, Settings};
use crate::clock;
use crate::counters::Counters;
use crate::parse::{Line, Reader, Reference};
use crate::queue::{Closed, Inlet, Position};
use crate::stop::Stop;

/// Starts reading. `resume` holds the last durable [`Position`] of each source; an empty one means
/// that the agent starts for the first time.
#[must_use]
pub fn start(
    settings: &Settings,
    resume: &HashMap<String, String>,
    inlet: Inlet,
    counters: Arc<Counters>,
    stop: Stop,
) -> Running {
    let from = if resume.is_empty() { settings.from } else { From::Beginning };
    let mut tail = Tail {
        files: settings.files.clone(),
        followed: BTreeMap::new(),
        refused: BTreeMap::new(),
        output: Output {
            inlet,
            counters,
            stop: stop.clone(),
            reference: Reference { now: clock::now(), zone: TimeZone::system() },
        },
    };
    tail.look_for_files(from, resume);
    let sources = tail.followed.values().map(|followed| followed.source.to_string()).collect();
    let blind = tail.refused.values().cloned().collect();
    let poll = settings.poll;
    let spawned = thread::Builder::new().name("tail".to_owned()).spawn(move || {
        while !stop.is_stopped() {
            tail.output.reference.now = clock::now();
            match tail.round() {
                Ok(true) => {}
                Ok(false) if !stop.sleep(poll) => {}
                Ok(false) | Err(Closed) => break,
            }
        }
    });
    match spawned {
        Ok(handle) => Running { threads: vec![handle], sources, blind },
        Err(error) => {
            let blind = vec![format!("no log file is read: the thread could not be started ({error})")];
            Running { threads: Vec::new(), sources: Vec::new(), blind }
        }
    }
}

/// One followed file with its reader.
struct Followed {
    source: Arc<str>,
    name: String,
    path: String,
    follow: Follow,
    reader: Reader,
    announced: bool,
}

struct Tail {
    files: Vec<Files>,
    followed: BTreeMap<PathBuf, Followed>,
    /// Files that could not be opened, with the sentence about each.
    refused: BTreeMap<PathBuf, String>,
    output: Output,
}

impl Tail {
    /// Looks at every file once; whether one has more than a fair share waiting.
    fn round(&mut self) -> Result<bool, Closed> {
        let mut more = false;
        self.look_for_files(From::Beginning, &HashMap::new());
        for followed in self.followed.values_mut() {
            followed.announce(&self.output)?;
            more |= followed.poll(&self.output)?;
        }
        Ok(more)
    }

    /// Finds files not yet followed; `from` says where to begin in those never read.
    fn look_for_files(&mut self, from: From, resume: &HashMap<String, String>) {
        for files in self.files.clone() {
            for path in paths::expand(&files.path) {
                if self.followed.len() >= MOST_FILES || self.followed.contains_key(&path) {
                    continue;
                }
                self.open(&files, path, from, resume);
            }
        }
    }

    fn open(&mut self, files: &Files, path: PathBuf, from: From, resume: &HashMap<String, String>) {
        let source: Arc<str> = format!("file:{}", path.display()).into();
        let checkpoint = resume.get(&*source).and_then(|value| Checkpoint::parse(value));
        let opened = match &checkpoint {
            Some(checkpoint) => readable(&path).and_then(|()| Follow::resume(&path, checkpoint)),
            None => readable(&path).and_then(|()| Follow::fresh(&path, from)),
        };
        match opened {
            Ok(follow) => {
                self.refused.remove(&path);
                let followed = Followed {
                    source,
                    name: files.name.clone(),
                    path: path.display().to_string(),
                    follow,
                    reader: Reader::new(files.format),
                    announced: checkpoint.is_some(),
                };
                self.followed.insert(path, followed);
            }
            // A host has only some of the files that we would read.
            Err(error) if error.kind() == io::ErrorKind::NotFound && checkpoint.is_none() => {}
            Err(error) => self.refuse(path, &error),
        }
    }

    fn refuse(&mut self, path: PathBuf, error: &io::Error) {
        if !self.refused.contains_key(&path) {
            self.output.counters.lose(Stage::Lines, 1);
            let sentence = format!("the log {} can not be read: {error}", path.display());
            tracing::warn!(path = %path.display(), %error, "log file can not be read");
            self.refused.insert(path, sentence);
        }
    }
}

/// Whether the file may be read; one that is absent is an error too.
fn readable(path: &Path) -> io::Result<()> {
    super::opened::Opened::new(path).map(drop)
}

impl Followed {
    /// Tells that the file is read from now on, and from where: without this, a file that stays
    /// silent until the next start would be unknown then.
    fn announce(&mut self, output: &Output) -> Result<(), Closed> {
        let Some(checkpoint) = self.follow.checkpoint().filter(|_| !self.announced) else { return Ok(()) };
        let mut event = Event::from(Log {
            time: output.reference.now,
            provider: "watchpost".to_owned(),
            message: format!("reading {} from byte {}", self.path, checkpoint.offset),
            ..Log::default()
        });
        event.record.remove(f::PARSE);
        event.record.set(f::EVENT_ACTION, "log_source_opened");
        event.record.set(f::LOG_FILE_PATH, self.path.as_str());
        event.record.set(f::LOG_SOURCE, self.name.as_str());
        self.announced = true;
        output.inlet.put(event, Some(self.position(&checkpoint)), &output.stop)
    }

    fn position(&self, checkpoint: &Checkpoint) -> Position {
        Position { source: self.source.clone(), value: checkpoint.to_value() }
    }

    fn poll(&mut self, output: &Output) -> Result<bool, Closed> {
        let Self { source, name, path, follow, reader, .. } = self;
        let more = follow.poll(&mut |entry| {
            output.counters.pass(Stage::Lines, 1);
            let events = events(&entry, reader, &output.reference, name, path);
            let last = events.len().saturating_sub(1);
            let holding = reader.is_holding();
            for (at, event) in events.into_iter().enumerate() {
                // The place belongs to the last event of a line, or a crash would lose the rest; and
                // to none while lines before it are not told yet.
                let position = entry
                    .checkpoint
                    .filter(|_| at == last && !holding)
                    .map(|checkpoint| Position { source: source.clone(), value: checkpoint.to_value() });
                output.inlet.put(event, position, &output.stop)?;
            }
            Ok(())
        })?;
        self.tell_overdue(output)?;
        Ok(more)
    }

    /// Tells the events whose other lines have not come in time.
    fn tell_overdue(&mut self, output: &Output) -> Result<(), Closed> {
        let mut events = self.reader.overdue(output.reference.now);
        let Some(mut last) = events.pop() else { return Ok(()) };
        for mut event in events {
            note_file(&mut event, &self.name, &self.path);
            output.inlet.put(event, None, &output.stop)?;
        }
        note_file(&mut last, &self.name, &self.path);
        let place = self.follow.checkpoint().filter(|_| !self.reader.is_holding());
        let position = place.map(|checkpoint| self.position(&checkpoint));
        output.inlet.put(last, position, &output.stop)
    }
}

/// The events that one line completes; none of an empty line.
fn events(
    entry: &Entry<'_>,
    reader: &mut Reader,
    reference: &Reference,
    name: &str,
    path: &str,
) -> Vec<Event> {
    let line = &entry.placed.line;
    let text = line.text();
    if text.trim().is_empty() {
        return Vec::new();
    }
    let mut events = reader.take(Line { text: &text, cut: line.cut }, reference);
    for event in &mut events {
        note_file(event, name, path);
        // An event of several lines has no place of its own.
        if event.kind != Kind::Audit {
            event.record.set(f::LOG_OFFSET, entry.placed.start);
        }
    }
    events
}

fn note_file(event: &mut Event, name: &str, path: &str) {
    event.record.set(f::LOG_FILE_PATH, path);
    event.record.set(f::LOG_SOURCE, name);
}

/// Where events go.
struct Output {
    inlet: Inlet,
    counters: Arc<Counters>,
    stop: Stop,
    reference: Reference,
}
