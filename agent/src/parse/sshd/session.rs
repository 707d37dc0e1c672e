//! One sshd process, from its first line to its last: a small state machine without clock or I/O.
//!
//! ```text
//! new ──peer known──► open ──Failed, Invalid…──► blamed ──Disconnected──► (said already)
//!                      └────────Accepted───────► trusted ──Closed──► (an ordinary end)
//! ```
//! sshd often reports one failed login two or three times, for example `Received disconnect` and
//! then `Disconnected`. `blamed` keeps the echo from being counted again. The memory is bounded:
//! the oldest process is forgotten first, which costs at most a peer or an echo.

use std::collections::{HashMap, VecDeque};

use super::super::peer::Peer;

/// Processes remembered per source. sshd itself admits 10 to 100 unauthenticated at once
/// (`MaxStartups`); a flood that cycles through more only makes us forget peers.
const MOST_SESSIONS: usize = 4_096;

/// What a message of sshd means for its process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// A login succeeded.
    Accepted,
    /// An attempt to log in failed for good.
    Failed,
    /// One key was refused; the client may hold another.
    KeyRefused,
    /// Something about a login that says neither yes nor no.
    Noted,
    /// A connection came in.
    Connected,
    /// The connection ended; before authentication that is a failure.
    Closed,
    /// The same, in a line that usually follows another one saying so.
    ClosedEcho,
    /// sshd ended it because of too many attempts, usually after saying so.
    ThrownOut,
    /// Not a login at all but a broken or hostile handshake.
    Probe,
}

impl Step {
    /// The name in `event.action`.
    pub(super) const fn action(self) -> &'static str {
        match self {
            Self::Accepted | Self::Failed | Self::KeyRefused | Self::Noted => "ssh_login",
            Self::Connected => "ssh_connect",
            Self::Closed | Self::ClosedEcho | Self::ThrownOut | Self::Probe => "ssh_disconnect",
        }
    }
}

/// What to say of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Verdict {
    Success,
    Failure,
    Unknown,
}

impl Verdict {
    /// The name in `event.outcome`.
    pub(in super::super) const fn name(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Unknown => "unknown",
        }
    }

    const fn failure_if(yes: bool) -> Self {
        if yes { Self::Failure } else { Self::Unknown }
    }
}

/// What is known of one sshd process.
#[derive(Debug, Default)]
pub(in super::super) struct Session {
    peer: Option<Peer>,
    /// A failure of this process has been told.
    blamed: bool,
    /// A broken handshake was seen before the peer was known.
    suspected: bool,
    trusted: bool,
    /// The user whom PAM refused last.
    refused: Option<String>,
}

impl Session {
    /// The peer, once a line has named it.
    pub(super) fn peer(&self) -> Option<&Peer> {
        self.peer.as_ref()
    }

    /// Takes one message into account.
    pub(super) fn step(&mut self, step: Step, peer: Option<&Peer>, preauth: bool) -> Verdict {
        if step == Step::Connected {
            // A new connection in a process number used before.
            *self = Self::default();
        }
        if let Some(peer) = peer {
            self.peer = Some(peer.clone());
        }
        let verdict = self.judge(step, preauth);
        match verdict {
            Verdict::Failure => self.blamed = true,
            Verdict::Success => *self = Self { peer: self.peer.take(), trusted: true, ..Self::default() },
            Verdict::Unknown => {}
        }
        verdict
    }

    fn judge(&mut self, step: Step, preauth: bool) -> Verdict {
        match step {
            Step::Accepted => Verdict::Success,
            Step::Failed => Verdict::Failure,
            Step::KeyRefused | Step::Noted | Step::Connected => Verdict::Unknown,
            Step::Closed => {
                let suspected = std::mem::take(&mut self.suspected) && !self.trusted;
                Verdict::failure_if(preauth || suspected)
            }
            Step::ClosedEcho => Verdict::failure_if(preauth && !self.blamed),
            Step::ThrownOut => Verdict::failure_if(self.peer.is_some() && !self.blamed),
            Step::Probe => {
                self.suspected = self.peer.is_none();
                Verdict::failure_if(self.peer.is_some())
            }
        }
    }

    /// PAM refused `user`. sshd repeats the verdict in its own words, so the first refusal is only
    /// noted; one for another user in the same process is a guess at names.
    pub(in super::super) fn refuse(&mut self, user: &str, peer: Option<&Peer>) -> Verdict {
        if let Some(peer) = peer {
            self.peer = Some(peer.clone());
        }
        let guessing = self.refused.as_deref().is_some_and(|before| before != user);
        self.refused = Some(user.to_owned());
        Verdict::failure_if(guessing)
    }
}

/// The processes of one source.
#[derive(Debug, Default)]
pub(in super::super) struct Sessions {
    known: HashMap<(String, String), Session>,
    order: VecDeque<(String, String)>,
    // Lines without a process id have nothing to be told apart by.
    nameless: Session,
}

impl Sessions {
    /// The process `pid` on `host`.
    pub(in super::super) fn of(&mut self, host: &str, pid: &str) -> &mut Session {
        if pid.is_empty() {
            self.nameless = Session::default();
            return &mut self.nameless;
        }
        let key = (host.to_owned(), pid.to_owned());
        if !self.known.contains_key(&key) {
            if self.order.len() >= MOST_SESSIONS
                && let Some(oldest) = self.order.pop_front()
            {
                self.known.remove(&oldest);
            }
            self.order.push_back(key.clone());
        }
        self.known.entry(key).or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer() -> Option<Peer> {
        Peer::new("192.0.2.1", None)
    }

    fn run(steps: &[(Step, bool, bool)]) -> Vec<Verdict> {
        let mut session = Session::default();
        let peer = peer();
        steps
            .iter()
            .map(|(step, named, preauth)| session.step(*step, peer.as_ref().filter(|_| *named), *preauth))
            .collect()
    }

    #[test]
    fn an_echo_is_not_a_second_failure() {
        use Verdict::{Failure, Unknown};
        assert_eq!(run(&[(Step::Failed, true, false), (Step::ClosedEcho, true, true)]), [Failure, Unknown]);
        assert_eq!(run(&[(Step::ClosedEcho, true, true)]), [Failure]);
    }

    #[test]
    fn an_end_after_success_is_ordinary() {
        use Verdict::{Success, Unknown};
        assert_eq!(run(&[(Step::Accepted, true, false), (Step::Closed, true, false)]), [Success, Unknown]);
    }

    #[test]
    fn a_probe_without_peer_is_blamed_on_the_peer_named_next() {
        use Verdict::{Failure, Unknown};
        assert_eq!(run(&[(Step::Probe, false, false), (Step::Closed, true, false)]), [Unknown, Failure]);
        assert_eq!(
            run(&[(Step::Connected, true, false), (Step::Probe, false, false), (Step::Closed, true, false)]),
            [Unknown, Failure, Unknown]
        );
    }

    #[test]
    fn the_memory_is_bounded() {
        let mut sessions = Sessions::default();
        for pid in 0..MOST_SESSIONS + 10 {
            sessions.of("h", &pid.to_string());
        }
        assert_eq!((sessions.known.len(), sessions.order.len()), (MOST_SESSIONS, MOST_SESSIONS));
    }
}
