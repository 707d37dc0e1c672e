//! The shipping session as a pure state machine: what to do next with the one batch in hand.
//!
//! ```text
//!            Ready ──send──► InFlight ──acknowledged / refused──► Ready
//!              ▲                 │ failed at the last address
//!              └── time is up ── Waiting   (other addresses are tried at once)
//! ```
//!
//! A batch is never left out and never overtaken: only a receipt or a final refusal moves on.

use std::time::{Duration, Instant};

use super::backoff::Backoff;

/// How the collector took a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Durable there.
    Acknowledged,
    /// Not now; perhaps it said when.
    Busy {
        /// How long it asks us to wait.
        after: Option<Duration>,
        /// For people.
        why: String,
    },
    /// No connection, or one that broke.
    Unreachable {
        /// For people.
        why: String,
    },
    /// Whoever answered is not our collector: it could not prove it, and was sent nothing.
    NotTrusted {
        /// For people.
        why: String,
    },
    /// It does not take our certificate.
    NotAccepted {
        /// For people.
        why: String,
    },
    /// It will never take this batch.
    Refused {
        /// For people.
        why: String,
    },
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Send the batch in hand.
    Send,
    /// Take the batch out of the spool: it is durable there.
    Acknowledge,
    /// Put the batch aside: it will never be taken.
    Refuse,
    /// Go to the next address, then ask again.
    NextAddress,
    /// Sleep this long, then ask again.
    Wait(Duration),
}

/// How the link stands, for screens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Link {
    /// Nothing has been sent yet.
    #[default]
    Unknown,
    /// The last batch was taken.
    Up,
    /// The collector can not be reached or asks us to wait.
    Down,
    /// What answers at the address is not our collector.
    NotTrusted,
    /// Our certificate is not taken; enrol again.
    NotAccepted,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Ready,
    InFlight,
    Waiting { until: Instant },
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Session {
    state: State,
    addresses: usize,
    tried: usize,
    failures: u32,
    link: Link,
}

/// Ordinary trouble: quick at first.
const USUAL: Backoff = Backoff { least: Duration::from_millis(250), most: Duration::from_secs(30) };
/// Trouble that only a person ends.
const SLOW: Backoff = Backoff { least: Duration::from_secs(15), most: Duration::from_secs(300) };
/// No collector may silence an agent for longer.
const MOST_ASKED: Duration = Duration::from_secs(60);

impl Session {
    /// A session with this many addresses to try in turn.
    #[must_use]
    pub const fn new(addresses: usize) -> Self {
        Self { state: State::Ready, addresses, tried: 0, failures: 0, link: Link::Unknown }
    }

    /// How the link stands.
    #[must_use]
    pub const fn link(&self) -> Link {
        self.link
    }

    /// There is a batch in hand: send it or wait?
    pub fn next(&mut self, now: Instant) -> Effect {
        match self.state {
            State::Waiting { until } if until > now => Effect::Wait(until.saturating_duration_since(now)),
            State::Ready | State::InFlight | State::Waiting { .. } => {
                self.state = State::InFlight;
                Effect::Send
            }
        }
    }

    /// The batch in flight was answered.
    pub fn answered(&mut self, answer: &Answer, now: Instant, jitter: u64) -> Effect {
        match answer {
            Answer::Acknowledged => self.settled(Effect::Acknowledge),
            Answer::Refused { .. } => self.settled(Effect::Refuse),
            Answer::Busy { after, .. } => self.failed(Link::Down, USUAL, *after, now, jitter),
            Answer::Unreachable { .. } => self.failed(Link::Down, USUAL, None, now, jitter),
            Answer::NotTrusted { .. } => self.failed(Link::NotTrusted, SLOW, None, now, jitter),
            Answer::NotAccepted { .. } => self.failed(Link::NotAccepted, SLOW, None, now, jitter),
        }
    }

    fn settled(&mut self, effect: Effect) -> Effect {
        *self = Self { link: Link::Up, ..Self::new(self.addresses) };
        effect
    }

    fn failed(
        &mut self,
        link: Link,
        backoff: Backoff,
        asked: Option<Duration>,
        now: Instant,
        jitter: u64,
    ) -> Effect {
        self.link = link;
        self.tried += 1;
        if self.tried < self.addresses {
            self.state = State::Ready;
            return Effect::NextAddress;
        }
        self.tried = 0;
        self.failures = self.failures.saturating_add(1);
        let own = backoff.delay(self.failures, jitter);
        let delay = asked.map_or(own, |asked| asked.min(MOST_ASKED).max(own));
        self.state = State::Waiting { until: now + delay };
        match self.addresses {
            0 | 1 => Effect::Wait(delay),
            _ => Effect::NextAddress,
        }
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests need some instant to count from")]
mod tests {
    use super::*;

    fn why() -> String {
        String::new()
    }

    #[test]
    fn every_answer_leads_where_the_diagram_says() {
        let now = Instant::now();
        let wait = |effect: &Effect, from: u64, to: u64| {
            matches!(effect, Effect::Wait(span)
            if *span >= Duration::from_millis(from) && *span <= Duration::from_millis(to))
        };
        let long = Some(Duration::from_secs(4_000));
        type Expected<'a> = &'a dyn Fn(&Effect) -> bool;
        let cases: [(Answer, Link, Expected<'_>); 7] = [
            (Answer::Acknowledged, Link::Up, &|effect| *effect == Effect::Acknowledge),
            (Answer::Refused { why: why() }, Link::Up, &|effect| *effect == Effect::Refuse),
            (Answer::Unreachable { why: why() }, Link::Down, &|effect| wait(effect, 125, 250)),
            (Answer::Busy { after: None, why: why() }, Link::Down, &|effect| wait(effect, 125, 250)),
            (Answer::Busy { after: long, why: why() }, Link::Down, &|effect| wait(effect, 60_000, 60_000)),
            (Answer::NotTrusted { why: why() }, Link::NotTrusted, &|effect| wait(effect, 7_500, 15_000)),
            (Answer::NotAccepted { why: why() }, Link::NotAccepted, &|effect| wait(effect, 7_500, 15_000)),
        ];
        for (answer, link, expected) in cases {
            let mut session = Session::new(1);
            assert_eq!(session.next(now), Effect::Send);
            let effect = session.answered(&answer, now, 12_345);
            assert!(expected(&effect), "{answer:?} gave {effect:?}");
            assert_eq!(session.link(), link);
        }
    }

    #[test]
    fn all_addresses_are_tried_before_waiting() {
        let now = Instant::now();
        let mut session = Session::new(3);
        let down = Answer::Unreachable { why: why() };
        for _ in 0..2 {
            assert_eq!(session.next(now), Effect::Send);
            assert_eq!(session.answered(&down, now, 0), Effect::NextAddress);
        }
        assert_eq!(session.next(now), Effect::Send);
        assert_eq!(session.answered(&down, now, 0), Effect::NextAddress);
        let Effect::Wait(span) = session.next(now) else { panic!("it should wait now") };
        assert_eq!(session.next(now + span), Effect::Send);
    }

    #[test]
    fn a_receipt_forgets_all_failures() {
        let mut now = Instant::now();
        let mut session = Session::new(1);
        for _ in 0..12 {
            assert_eq!(session.next(now), Effect::Send);
            let Effect::Wait(span) = session.answered(&Answer::Unreachable { why: why() }, now, u64::MAX)
            else {
                panic!("it should wait");
            };
            now += span;
        }
        assert_eq!(session.next(now), Effect::Send);
        assert_eq!(session.answered(&Answer::Acknowledged, now, 0), Effect::Acknowledge);
        assert_eq!(session.next(now), Effect::Send);
        let Effect::Wait(span) = session.answered(&Answer::Unreachable { why: why() }, now, 0) else {
            panic!("it should wait");
        };
        assert!(span <= Duration::from_millis(250));
    }
}
