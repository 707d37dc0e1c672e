//! Which drills are under way, and whether an event is one of their traces.
//!
//! What an event says about itself proves nothing: whoever writes a log line can write a drill's
//! mark into it. So a mark counts only while someone who may handle alerts has announced exactly
//! this label, and only in events that both happened and arrived while the drill was under way.
//! Everything else is an ordinary alert.

use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use watchpost_model::alert::{DRILL_MARK, is_drill_address};
use watchpost_model::query::Drill;
use watchpost_model::{Event, FieldId, Timestamp, Value, field as f};

/// How long a drill's label counts after it was announced.
pub const DRILL_SPAN: Duration = Duration::from_secs(600);

/// How far a host's clock may stand beside ours for its traces to count.
const MOST_SKEW: Duration = Duration::from_secs(300);

/// Drills remembered. Those that are over stay as long as there is room, so that a detection
/// that catches up still knows them.
const MOST_DRILLS: usize = 64;

/// Most bytes of a label: stops a long name from filling every list.
const MOST_LABEL: usize = 64;

/// Where a drill can leave its label.
const FIELDS: &[FieldId] = &[
    f::DRILL,
    f::USER_NAME,
    f::USER_TARGET,
    f::DNS_QUESTION_NAME,
    f::TLS_SERVER_NAME,
    f::URL_DOMAIN,
    f::URL_ORIGINAL,
    f::USER_AGENT,
    f::DESTINATION_DOMAIN,
    f::PROCESS_COMMAND_LINE,
    f::PROCESS_EXECUTABLE,
    f::FILE_PATH,
];

/// Why a drill is refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RefusedDrill {
    /// The label could stand in an event by chance.
    #[error(
        "label must be `{DRILL_MARK}-` and a name of letters, digits, `-` and `_`, at most {MOST_LABEL} bytes"
    )]
    Label,
    /// The address could be a real attacker's.
    #[error("address {0} is not one of drills; take one of 127.66.0.0/16 or leave it out")]
    Address(IpAddr),
    /// Too many at a time.
    #[error("{MOST_DRILLS} drills are under way; wait until one is over")]
    Many,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Announced {
    drill: Drill,
    from: Timestamp,
}

impl Announced {
    fn until(&self) -> Timestamp {
        self.from.plus(DRILL_SPAN)
    }

    /// Whether an event of `time`, by its host's clock, that came at `received` can be its trace.
    fn spans(&self, time: Timestamp, received: Timestamp) -> bool {
        (self.from..=self.until()).contains(&received)
            && (self.from.minus(MOST_SKEW)..=self.until().plus(MOST_SKEW)).contains(&time)
    }
}

/// Drills announced, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drills(Vec<Announced>);

impl Drills {
    /// A drill begins at `now`; answers when it is over. The same label again begins anew.
    ///
    /// # Errors
    /// Label or address could be another's, or too many drills are under way.
    pub fn announce(&mut self, drill: &Drill, now: Timestamp) -> Result<Timestamp, RefusedDrill> {
        if !is_label(&drill.label) {
            return Err(RefusedDrill::Label);
        }
        if let Some(strange) = drill.address.filter(|address| !is_drill_address(*address)) {
            return Err(RefusedDrill::Address(strange));
        }
        self.0.retain(|had| had.drill.label != drill.label);
        if self.0.len() >= MOST_DRILLS {
            let over = self.0.iter().position(|had| had.until() < now).ok_or(RefusedDrill::Many)?;
            self.0.remove(over);
        }
        let announced = Announced { drill: drill.clone(), from: now };
        let until = announced.until();
        self.0.push(announced);
        Ok(until)
    }

    /// Label of the drill that made this event, which came at `received`; empty for the real thing.
    #[must_use]
    pub fn label(&self, event: &Event, received: Timestamp) -> String {
        let under_way = || self.0.iter().rev().filter(|drill| drill.spans(event.time, received));
        let named = || under_way().find(|drill| bears(event, &drill.drill.label));
        let source = event.record.get(f::SOURCE_IP).and_then(Value::as_ip).filter(|ip| is_drill_address(*ip));
        let swept = || under_way().find(|drill| source.is_some() && drill.drill.address == source);
        named().or_else(swept).map(|drill| drill.drill.label.clone()).unwrap_or_default()
    }
}

fn is_label(label: &str) -> bool {
    let name = label.strip_prefix(DRILL_MARK).and_then(|rest| rest.strip_prefix('-'));
    label.len() <= MOST_LABEL && name.is_some_and(|name| !name.is_empty() && name.chars().all(of_label))
}

fn of_label(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_')
}

/// Whether a word of the event's is the label: a part of a longer word is not.
fn bears(event: &Event, label: &str) -> bool {
    let texts = FIELDS.iter().filter_map(|field| event.text(*field));
    texts.flat_map(|text| text.split(|c| !of_label(c))).any(|word| word == label)
}

#[cfg(test)]
mod tests {
    use super::*;
    use watchpost_model::Kind;

    const LABEL: &str = "watchpost-drill-7-command";

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_parts(1_700_000_000 + seconds, 0)
    }

    fn drills() -> Drills {
        let mut drills = Drills::default();
        let address = Some("127.66.3.4".parse().unwrap());
        assert_eq!(drills.announce(&Drill { label: LABEL.into(), address }, at(0)), Ok(at(600)));
        drills
    }

    fn command(seconds: i64, line: &str) -> Event {
        let mut event = Event::new(Kind::Process, at(seconds));
        event.record.set(f::PROCESS_COMMAND_LINE, line);
        event
    }

    #[test]
    fn only_an_announced_label_counts_and_only_as_a_whole_word() {
        let line = format!("sh -c sleep {LABEL} x");
        assert_eq!(Drills::default().label(&command(1, &line), at(1)), "", "nobody announced it");
        assert_eq!(drills().label(&command(1, &line), at(1)), LABEL);
        assert_eq!(drills().label(&command(1, &format!("{LABEL}.c2.example")), at(1)), LABEL);
        for strange in ["watchpost-drill", "watchpost-drill-7", "watchpost-drill-7-command2", "drill"] {
            assert_eq!(drills().label(&command(1, strange), at(1)), "", "{strange}");
        }
    }

    #[test]
    fn only_the_announced_address_counts() {
        let from = |ip: &str| {
            let mut flow = Event::new(Kind::Flow, at(1));
            flow.record.set(f::SOURCE_IP, ip.parse::<std::net::Ipv4Addr>().unwrap());
            flow
        };
        assert_eq!(drills().label(&from("127.66.3.4"), at(1)), LABEL);
        assert_eq!(drills().label(&from("127.66.3.5"), at(1)), "");
    }

    #[test]
    fn a_label_counts_only_while_its_drill_is_under_way() {
        let drills = drills();
        for (happened, received, expected) in
            [(0, 0, LABEL), (600, 600, LABEL), (600, 601, ""), (0, -1, ""), (-301, 1, ""), (-300, 1, LABEL)]
        {
            let found = drills.label(&command(happened, LABEL), at(received));
            assert_eq!(found, expected, "happened {happened}, received {received}");
        }
    }

    #[test]
    fn labels_and_addresses_that_could_be_real_are_refused() {
        let mut drills = Drills::default();
        for label in ["", "root", "watchpost-drill", "watchpost-drill-", "watchpost-drill-a b"] {
            let drill = Drill { label: label.into(), address: None };
            assert_eq!(drills.announce(&drill, at(0)), Err(RefusedDrill::Label), "{label}");
        }
        let real = "198.51.100.7".parse().unwrap();
        let drill = Drill { label: LABEL.into(), address: Some(real) };
        assert_eq!(drills.announce(&drill, at(0)), Err(RefusedDrill::Address(real)));
    }

    #[test]
    fn the_number_of_drills_is_bounded_and_finished_ones_make_room() {
        let mut drills = Drills::default();
        let drill = |number| Drill { label: format!("{DRILL_MARK}-{number}"), address: None };
        for number in 0..MOST_DRILLS {
            drills.announce(&drill(number), at(0)).unwrap();
        }
        assert_eq!(drills.announce(&drill(99), at(600)), Err(RefusedDrill::Many));
        assert!(drills.announce(&drill(99), at(601)).is_ok());
        assert_eq!(drills.0.len(), MOST_DRILLS);
    }
}
