//! What sshd says, from OpenSSH 3 to 10.
//!
//! sshd tells one login in several lines, and only some of them name the peer. So each message is
//! first recognised ([`patterns`]) and then put to the memory of its process ([`session`]), which
//! decides whether it is a failure, a success, or neither, and adds the peer from earlier lines.
//!
//! User names are the attacker's text. Patterns take the *last* address of a line wherever a name
//! stands before it, so that a name like `x from 192.0.2.1` can not blame someone else.

mod patterns;
mod session;

pub(super) use session::Sessions;

use watchpost_model::event::Auth;
use watchpost_model::{Event, field as f};

use super::peer::Peer;
use super::{Memory, Message, Parser};
use patterns::{Found, recognise};
use session::Verdict;

/// Parser of sshd's messages.
#[derive(Debug)]
pub(super) struct Sshd;

impl Parser for Sshd {
    fn parse(&self, message: &Message<'_>, memory: &mut Memory) -> Option<Event> {
        let found = recognise(message.header.message)?;
        let session = memory.sessions.of(message.header.host, message.header.pid);
        let verdict = session.step(found.step, found.peer.as_ref(), found.preauth);
        let peer = found.peer.clone().or_else(|| session.peer().cloned());
        Some(event(message, found, verdict, peer))
    }
}

fn event(message: &Message<'_>, found: Found<'_>, verdict: Verdict, peer: Option<Peer>) -> Event {
    let mut event = Event::from(Auth {
        user: found.user.to_owned(),
        method: found.method.to_owned(),
        ..message.auth(found.step.action(), verdict.name())
    });
    if let Some(peer) = peer {
        peer.note(&mut event);
    }
    let record = &mut event.record;
    record.set(f::EVENT_TYPE, if found.step.action() == "ssh_login" { "start" } else { "end" });
    if found.invalid {
        record.set(f::AUTH_INVALID_USER, true);
    }
    if !found.reason.is_empty() {
        record.set(f::EVENT_REASON, found.reason);
    }
    event
}
