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
        let marked = first == 1 && bytes.starts_with(b"\xef\xbb\xbf");
        let bytes = if marked { bytes.get(3..).unwrap_or_default() } else { bytes };
        let is_wide = first == 1 && (bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff"));
        for (line, number) in bytes.split(|byte| *byte == b'\n').zip(first..) {
            if line.trim_ascii().is_empty() {
                continue;
            }
            match serde_json::from_slice::<Json>(line) {
                Ok(json) => self.value(json, number, done),
                Err(_) if is_wide => done.unreadable(number, || "it is UTF-16; give it as UTF-8".to_owned()),
                Err(error) => {
                    // Only the last line of an input has no end; a whole object may do without.
                    let is_last = line.as_ptr_range().end == bytes.as_ptr_range().end;
                    done.cut = done.cut.or((is_last && error.is_eof()).then_some(number));
                    done.unreadable(number, || json::bare(&error));
                }
            }
        }
    }

    /// An array on one line stands for its events; what else is no object is no event.
    fn value(&mut self, json: Json, line: u64, done: &mut Done) {
        match json {
            Json::Array(all) => all.into_iter().for_each(|one| self.object(one, line, done)),
            one => self.object(one, line, done),
        }
    }

    fn object(&mut self, json: Json, line: u64, done: &mut Done) {
        if json.is_object() {
            self.json(json, done);
        } else {
            done.unreadable(line, || "it is JSON, but no object".to_owned());
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
        } else {
            done.timeless += 1;
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

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(bytes: &[u8]) -> Done {
        let mut search = Search::new(&RuleSet::load(&[]), None);
        search.unit(Unit { nth: 0, file: 0, load: Load::Lines(1, bytes.to_vec()) })
    }

    #[test]
    fn an_array_is_its_events_and_what_is_no_object_is_none() {
        let done = lines(b"[{\"a\":1},{\"a\":2},3]\n{\"a\":3}\n7\n");
        assert_eq!((done.events, done.unreadable), (5, 2));
        assert_eq!(done.problem, Some((1, "it is JSON, but no object".to_owned())));
    }

    #[test]
    fn a_byte_order_mark_costs_no_line_and_utf_16_is_named() {
        let done = lines(b"\xef\xbb\xbf{\"a\":1}\n{\"a\":2}\n");
        assert_eq!((done.events, done.unreadable), (2, 0));
        let wide = lines(b"\xff\xfe{\0}\0\n\0");
        assert!(wide.problem.unwrap().1.contains("UTF-16"));
    }

    #[test]
    fn a_last_line_without_its_end_is_a_cut() {
        assert_eq!(lines(b"{\"a\":1}\n{\"a\":").cut, Some(2));
        assert_eq!(lines(b"{\"a\":\n{\"a\":1}").cut, None);
        assert_eq!(lines(b"{\"a\":\n").cut, None);
    }

    #[test]
    fn events_without_a_time_are_counted() {
        let done = lines(b"{\"a\":1}\n{\"ts\":1732000000000}\n");
        assert_eq!((done.events, done.timeless), (2, 1));
    }
}
