//! A worker's part: decode a unit and hold its events against the base rules.

use jiff::tz::TimeZone;
use serde_json::Value as Json;
use watchpost_agent::parse::{Format, Reader, Reference};
use watchpost_model::id::EventRef;
use watchpost_model::{Event, Timestamp};
use watchpost_rules::{Detector, OwnedLogsource, RuleSet, Subject};

use crate::clock;

use super::unit::{Done, Fact, Held, Load, Unit};
use super::{evtx, json, stamp};

/// Holds units against the base rules; keeps nothing from one unit to the next but what is compiled.
pub(super) struct Search<'a> {
    detector: Detector,
    logsource: Option<&'a OwnedLogsource>,
    reference: Reference,
}

impl<'a> Search<'a> {
    pub(super) fn new(set: &RuleSet, logsource: Option<&'a OwnedLogsource>) -> Self {
        let reference = Reference { now: clock::now(), zone: TimeZone::system() };
        Self { detector: Detector::new(set), logsource, reference }
    }

    /// What the unit's events mean.
    pub(super) fn unit(&mut self, unit: Unit) -> Done {
        let mut done = Done { nth: unit.nth, file: unit.file, ..Done::default() };
        match unit.load {
            Load::Lines(first, bytes) => self.lines(first, &bytes, &mut done),
            Load::TooLong(line) => done.unreadable(line, || "longer than any event may be".to_owned()),
            Load::Chunk(number, bytes) => evtx::decode(bytes, number, &mut |found| match found {
                evtx::Found::Record(json) => self.foreign(json, &mut done),
                evtx::Found::Unreadable(reason) => done.unreadable(0, || reason),
                evtx::Found::Odd(reason) => done.odd(reason),
            }),
            Load::Typed(events) => events.into_iter().for_each(|event| self.typed(event, &mut done)),
        }
        done
    }

    fn lines(&mut self, first: u64, bytes: &[u8], done: &mut Done) {
        for (line, number) in bytes.split(|byte| *byte == b'\n').zip(first..) {
            if line.trim_ascii().is_empty() {
                continue;
            }
            match serde_json::from_slice::<Json>(line) {
                Ok(json) => self.json(json, done),
                Err(error) => done.unreadable(number, || json::bare(&error)),
            }
        }
    }

    /// Our own events are known by their dataset, and a syslog message in a forwarder's wrapping by
    /// that; everything else is matched on the names it bears.
    fn json(&mut self, json: Json, done: &mut Done) {
        if self.logsource.is_some() {
            return self.foreign(json, done);
        }
        if let Some(event) = Event::from_json(&json) {
            return self.typed(event, done);
        }
        match self.unwrapped(&json) {
            Some(events) => events.into_iter().for_each(|event| self.typed(event, done)),
            None => self.foreign(json, done),
        }
    }

    /// Workers share no memory of earlier lines, so each audit record stands for itself here; the
    /// parser of a log (`--input log --source json`) joins them.
    fn unwrapped(&self, json: &Json) -> Option<Vec<Event>> {
        let mut reader = Reader::new(Format::Structured);
        let mut events = reader.take_json(json, &self.reference)?;
        events.extend(reader.finish());
        Some(events)
    }

    fn typed(&mut self, event: Event, done: &mut Done) {
        let time = Some(event.time);
        if let Some(held) = self.hold(&Subject::Typed(&event), time, done) {
            done.held.push(held.with(|| Fact::Typed(Box::new(event))));
        }
    }

    fn foreign(&mut self, json: Json, done: &mut Done) {
        let time = stamp::time_of(&json);
        let subject = Subject::Foreign { json: &json, logsource: self.logsource };
        if let Some(held) = self.hold(&subject, time, done) {
            done.held.push(held.with(|| Fact::Foreign(json)));
        }
    }

    fn hold(
        &mut self,
        subject: &Subject<'_>,
        time: Option<Timestamp>,
        done: &mut Done,
    ) -> Option<(Held, bool)> {
        let at = done.events;
        done.events += 1;
        if let Some(time) = time {
            done.seen(time);
        }
        let here = EventRef { frame: at, index: 0 };
        let alone = self.detector.observe_alone(subject, here, time.unwrap_or(Timestamp::EPOCH));
        let held = Held { at, time, findings: alone.findings, counted: None };
        (alone.is_counted || !held.findings.is_empty()).then_some((held, alone.is_counted))
    }
}

/// Keeps the event where correlations count it.
trait With {
    fn with(self, fact: impl FnOnce() -> Fact) -> Held;
}

impl With for (Held, bool) {
    fn with(self, fact: impl FnOnce() -> Fact) -> Held {
        let (held, counted) = self;
        Held { counted: counted.then(fact), ..held }
    }
}
