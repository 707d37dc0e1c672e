//! The threads: one reads, many search, the caller's takes the results in order.
//!
//! Bounds: so many units are under way in all ([`UNDER_WAY`] a worker), whoever is slow; a unit is a
//! quarter of a mebibyte of lines, one chunk, or [`BATCH`] events. The reader takes a permit for
//! each unit, and the ordered end gives it back when the unit's findings are written. A worker that
//! panics on a unit says so, and the unit counts as unreadable.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, Scope};

use crossbeam_channel::{Receiver, Sender, bounded};
use watchpost_agent::commands::{flows, logs};
use watchpost_model::id::EventRef;
use watchpost_model::{Event, Timestamp};
use watchpost_rules::{Detector, RuleSet, Subject};

use super::progress::Progress;
use super::search::Search;
use super::source::{self, Place};
use super::unit::{Done, Fact, Held, Load, Unit, wider};
use super::{Arguments, Error, Input, Summary, evtx, json, print};

/// Units under way for each worker: one in hand, one waiting, and as many again that are done before
/// their turn.
const UNDER_WAY: usize = 4;

/// Decoded events handed over together.
const BATCH: usize = 256;

/// Reads, searches and prints.
///
/// # Errors
/// The output is closed, or no thread can be started. Inputs that can not be read are in the summary.
pub(super) fn run(arguments: &Arguments, set: &RuleSet, out: &mut dyn Write) -> Result<Summary, Error> {
    let places = source::places(&arguments.read)?;
    let cores = || thread::available_parallelism().map_or(1, usize::from);
    let workers = arguments.threads.map_or_else(cores, usize::from);
    let read = Arc::new(AtomicU64::new(0));
    let (permit, permits) = bounded(workers * UNDER_WAY);
    let (unit, units) = bounded(workers * UNDER_WAY);
    let (result, results) = bounded(workers * UNDER_WAY);
    for _ in 0..workers * UNDER_WAY {
        // There is room for every permit.
        let _ = permit.try_send(());
    }
    let progress = Progress::new(places.iter().map(|place| place.size).sum(), arguments.progress);
    let mut ordered = Ordered::new(set, arguments, &places, Arc::clone(&read), progress, out);
    let (failed, kinds) = thread::scope(|scope| {
        let mut reader = Reader { arguments, places: &places, read: &read, permits, unit, nth: 0 };
        let reading = start(scope, "read", move || reader.all())?;
        for _ in 0..workers {
            let (units, result) = (units.clone(), result.clone());
            start(scope, "search", move || work(set, arguments, &units, &result))?;
        }
        drop((units, result));
        // Both end here, also on failure: then the others see that nobody wants more.
        ordered.all(results, permit).map_err(Error::Write)?;
        Ok::<_, Error>(ended(reading.join(), places.len()))
    })?;
    Ok(ordered.finish(failed, &kinds))
}

/// Inputs that could not be read, and the kind of each that was opened.
type Read = (Vec<Error>, Vec<Option<Input>>);

/// What the reader said; one that panicked has not read everything, and that is no success.
fn ended(joined: thread::Result<Read>, places: usize) -> Read {
    joined.unwrap_or_else(|_| (vec![Error::Fault], vec![None; places]))
}

fn start<'scope, T: Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    name: &str,
    work: impl FnOnce() -> T + Send + 'scope,
) -> Result<thread::ScopedJoinHandle<'scope, T>, Error> {
    thread::Builder::new().name(name.to_owned()).spawn_scoped(scope, work).map_err(Error::Thread)
}

/// One worker, until there are no more units or nobody wants results.
fn work(set: &RuleSet, arguments: &Arguments, units: &Receiver<Unit>, result: &Sender<Done>) {
    let mut search = Search::new(set, arguments.logsource.as_ref());
    for unit in units {
        let (nth, file) = (unit.nth, unit.file);
        let done = catch_unwind(AssertUnwindSafe(|| search.unit(unit))).unwrap_or_else(|_| {
            search = Search::new(set, arguments.logsource.as_ref());
            let mut done = Done { nth, file, ..Done::default() };
            done.unreadable(0, || {
                "decoding it failed by a fault of the program; please report it".to_owned()
            });
            done
        });
        if result.send(done).is_err() {
            return;
        }
    }
}

/// The thread that reads.
struct Reader<'a> {
    arguments: &'a Arguments,
    places: &'a [Place],
    read: &'a Arc<AtomicU64>,
    permits: Receiver<()>,
    unit: Sender<Unit>,
    nth: u64,
}

impl Reader<'_> {
    /// Reads every input; which could not be read, and what kind each was.
    fn all(&mut self) -> Read {
        let (mut failed, mut kinds) = (Vec::new(), Vec::new());
        for (file, place) in self.places.iter().enumerate() {
            let mut kind = None;
            if let Err(error) = self.one(file, place, &mut kind) {
                failed.push(error);
            }
            kinds.push(kind);
        }
        (failed, kinds)
    }

    fn one(&mut self, file: usize, place: &Place, kind: &mut Option<Input>) -> Result<(), Error> {
        let opened = source::open(place, self.arguments, self.read)?;
        let path = place.shown();
        *kind = Some(opened.kind);
        match opened.kind {
            Input::Ndjson => json::blocks(opened.reader, &mut |load| self.give(file, load))
                .map_err(|source| Error::Read { path, source })?,
            Input::Evtx => {
                evtx::chunks(opened, &mut |load| self.give(file, load)).map_err(|refused| match refused {
                    evtx::Refused::Foreign => Error::NoEventLog { path },
                    evtx::Refused::Io(source) => Error::Read { path, source },
                    evtx::Refused::Headless(size) => {
                        Error::Cut { path, what: format!("its header ends after {size} bytes") }
                    }
                    evtx::Refused::Short(there, counted) => Error::Cut {
                        path,
                        what: format!("it holds {there} of the {counted} chunks its header counts"),
                    },
                })?;
            }
            Input::Pcap => {
                let mut batch = Vec::new();
                let read =
                    flows::each_from(opened.reader, &path, &mut |event| self.typed(file, event, &mut batch));
                self.give(file, Load::Typed(batch));
                read?;
            }
            Input::Log => {
                let mut batch = Vec::new();
                let source = &self.arguments.source;
                let take = &mut |event| self.typed(file, event, &mut batch);
                let read = logs::each_from(source, opened.reader, &path, take);
                self.give(file, Load::Typed(batch));
                read?;
            }
        }
        Ok(())
    }

    fn typed(&mut self, file: usize, event: Event, batch: &mut Vec<Event>) -> io::Result<()> {
        batch.push(event);
        if batch.len() < BATCH || self.give(file, Load::Typed(std::mem::take(batch))) {
            return Ok(());
        }
        Err(io::ErrorKind::BrokenPipe.into())
    }

    /// Hands a unit over; whether more are wanted.
    fn give(&mut self, file: usize, load: Load) -> bool {
        let unit = Unit { nth: self.nth, file, load };
        self.nth += 1;
        self.permits.recv().is_ok() && self.unit.send(unit).is_ok()
    }
}

/// What is known of one input.
#[derive(Default)]
struct Tally {
    events: u64,
    unreadable: u64,
    problem: Option<(u64, String)>,
    oddity: Option<String>,
    cut: Option<u64>,
}

/// The ordered end.
struct Ordered<'a> {
    detector: Detector,
    arguments: &'a Arguments,
    places: &'a [Place],
    read: Arc<AtomicU64>,
    progress: Progress,
    out: &'a mut dyn Write,
    early: BTreeMap<u64, Done>,
    next: u64,
    tallies: Vec<Tally>,
    summary: Summary,
}

impl<'a> Ordered<'a> {
    fn new(
        set: &RuleSet,
        arguments: &'a Arguments,
        places: &'a [Place],
        read: Arc<AtomicU64>,
        progress: Progress,
        out: &'a mut dyn Write,
    ) -> Self {
        let tallies = places.iter().map(|_| Tally::default()).collect();
        Self {
            detector: Detector::new(set),
            arguments,
            places,
            read,
            progress,
            out,
            early: BTreeMap::new(),
            next: 0,
            tallies,
            summary: Summary::default(),
        }
    }

    /// Takes every result in order.
    #[expect(clippy::needless_pass_by_value, reason = "dropping both ends the other threads")]
    fn all(&mut self, results: Receiver<Done>, permit: Sender<()>) -> io::Result<()> {
        for done in &results {
            self.early.insert(done.nth, done);
            while let Some(done) = self.early.remove(&self.next) {
                self.next += 1;
                self.one(done)?;
                let _ = permit.try_send(());
            }
            let Summary { events, findings, .. } = self.summary;
            self.progress.step(self.read.load(Ordering::Relaxed), events, findings);
        }
        self.silent()
    }

    fn one(&mut self, done: Done) -> io::Result<()> {
        for held in done.held {
            self.held(held, done.file)?;
        }
        self.summary.span = wider(self.summary.span, done.span);
        self.summary.events += done.events;
        self.summary.unreadable += done.unreadable;
        self.summary.timeless += done.timeless;
        self.summary.odd += done.odd;
        if let Some(tally) = self.tallies.get_mut(done.file) {
            tally.events += done.events;
            tally.unreadable += done.unreadable;
            tally.problem = tally.problem.take().or(done.problem);
            tally.cut = tally.cut.or(done.cut);
            tally.oddity = tally.oddity.take().or(done.oddity);
        }
        Ok(())
    }

    fn held(&mut self, held: Held, file: usize) -> io::Result<()> {
        let index = self.summary.events + held.at;
        let within = self.tallies.get(file).map_or(0, |tally| tally.events) + held.at;
        let place = self.places.get(file).filter(|_| self.places.len() > 1);
        let path = place.map(|place| place.path.to_string_lossy());
        // One without a time is told by its place, but no window counts it: it could be of any day.
        let time =
            held.time.unwrap_or_else(|| Timestamp::from_parts(i64::try_from(index).unwrap_or(i64::MAX), 0));
        let at = EventRef { frame: index, index: 0 };
        let findings = match held.counted.filter(|_| held.time.is_some()) {
            Some(Fact::Typed(event)) => self.detector.observe(&Subject::Typed(&event), at, time),
            Some(Fact::Foreign(json)) => {
                let logsource = self.arguments.logsource.as_ref();
                self.detector.observe(&Subject::Foreign { json: &json, logsource }, at, time)
            }
            None => held
                .findings
                .into_iter()
                .map(|mut finding| {
                    (finding.time, finding.events) = (time, vec![at]);
                    finding
                })
                .collect(),
        };
        for finding in findings {
            // A later version of a finding is none of its own.
            if !finding.standing.amends() {
                self.summary.found(&finding);
            }
            let file = path.as_deref().map(|path| (path, within));
            writeln!(self.out, "{}", print::as_json(&finding, index, file))?;
        }
        Ok(())
    }

    /// What was silent up to the end of the input, told by the last that was heard of it.
    fn silent(&mut self) -> io::Result<()> {
        for finding in self.detector.finish() {
            let index = finding.events.last().map_or(0, |at| at.frame);
            self.summary.found(&finding);
            writeln!(self.out, "{}", print::as_json(&finding, index, None))?;
        }
        Ok(())
    }

    /// A file of which no line is an event was not searched: an answer of "nothing found" would lie.
    fn finish(mut self, failed: Vec<Error>, kinds: &[Option<Input>]) -> Summary {
        self.progress.end();
        self.summary.failed = failed;
        self.summary.bytes = self.read.load(Ordering::Relaxed);
        let counters = self.detector.counters();
        (self.summary.late, self.summary.ungrouped) = (counters.late, counters.ungrouped);
        for ((tally, place), kind) in self.tallies.into_iter().zip(self.places).zip(kinds) {
            let path = place.shown();
            let oddity = tally.oddity.map(|reason| (0, reason));
            let Some((line, reason)) = tally.problem.or(oddity) else { continue };
            match kind {
                Some(Input::Ndjson) if tally.unreadable == tally.events => {
                    self.summary.failed.push(Error::NothingRead { path, line, reason });
                }
                Some(Input::Ndjson) if tally.unreadable > tally.events / 2 => {
                    let Tally { events, unreadable, .. } = tally;
                    self.summary.failed.push(Error::MostUnread { path, unreadable, events, line, reason });
                }
                Some(Input::Ndjson) if tally.cut.is_some() => {
                    let line = tally.cut.unwrap_or(line);
                    self.summary.failed.push(Error::Cut { path, what: format!("line {line} has no end") });
                }
                Some(Input::Evtx) if tally.unreadable == tally.events => {
                    self.summary.failed.push(Error::NoRecord { path, reason });
                }
                _ => self.summary.problems.push((path, line, reason)),
            }
        }
        self.summary.files =
            u64::try_from(self.places.len().saturating_sub(self.summary.failed.len())).unwrap_or(0);
        self.summary
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_that_panics_is_a_failed_input() {
        let joined = thread::spawn(|| -> Read { panic!("a test's own panic") }).join();
        let (failed, kinds) = ended(joined, 2);
        assert!(matches!(failed[..], [Error::Fault]));
        assert_eq!(kinds.len(), 2);
    }
}
