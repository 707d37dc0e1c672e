//! Who did what to whom, read out of one event.
//!
//! The side that opened a connection is the attacker, the side that was addressed the target;
//! on the host itself it is the user and program that acted. What an event does not say stays
//! empty: a guess would end up in a report.

use watchpost_model::alert::{Outcome, Party};
use watchpost_model::{Event, FieldId, Kind, Value, field as f};

/// What one event tells.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Story {
    /// Who acted.
    pub attacker: Party,
    /// On whom.
    pub target: Party,
    /// With what result, as far as the event says.
    pub outcome: Outcome,
}

/// Reads the story of an event seen on `host`.
#[must_use]
pub fn story(event: &Event, host: &str) -> Story {
    let (attacker, target) = match event.kind {
        Kind::Flow | Kind::Tls | Kind::Http | Kind::Ssh => connection(event, host),
        Kind::Dns => (local_actor(event, host), named(event.text(f::DNS_QUESTION_NAME))),
        Kind::Auth => authentication(event, host),
        Kind::Web => (remote_actor(event), named(event.text(f::URL_DOMAIN).or(Some(host)))),
        Kind::Log | Kind::Audit if event.record.get(f::SOURCE_IP).is_some() => {
            (remote_actor(event), named(Some(host)))
        }
        Kind::Process | Kind::File | Kind::Log | Kind::Audit => (local_actor(event, host), named(Some(host))),
        Kind::HostState | Kind::Loss => (Party::default(), named(Some(host))),
    };
    Story { attacker, target, outcome: outcome(event) }
}

fn connection(event: &Event, host: &str) -> (Party, Party) {
    let mut source = Party {
        ip: ip(event, f::SOURCE_IP),
        port: port(event, f::SOURCE_PORT),
        name: owned(event.text(f::SOURCE_DOMAIN)),
        ..Party::default()
    };
    let names = [f::TLS_SERVER_NAME, f::URL_DOMAIN, f::DESTINATION_DOMAIN];
    let mut destination = Party {
        ip: ip(event, f::DESTINATION_IP),
        port: port(event, f::DESTINATION_PORT),
        name: owned(names.into_iter().find_map(|name| event.text(name))),
        ..Party::default()
    };
    let ours = match event.text(f::NETWORK_DIRECTION) {
        Some("inbound") => Some(&mut destination),
        Some("outbound") => Some(&mut source),
        _ => None,
    };
    if let Some(ours) = ours {
        ours.name = Some(host.to_owned());
        ours.process = owned(event.text(f::PROCESS_EXECUTABLE).or_else(|| event.text(f::PROCESS_NAME)));
        ours.user = owned(event.text(f::USER_NAME));
    }
    (source, destination)
}

fn authentication(event: &Event, host: &str) -> (Party, Party) {
    let user = event.text(f::USER_NAME);
    let source = event.text(f::SOURCE_DOMAIN).or_else(|| event.text(f::SOURCE_ADDRESS));
    let remote = ip(event, f::SOURCE_IP).is_some() || source.is_some();
    // The account that a remote peer tries is what it wants, not who it is.
    let attacker = match remote {
        true => Party { user: None, ..remote_actor(event) },
        false => local_actor(event, host),
    };
    let wanted = event.text(f::USER_TARGET).or(if remote { user } else { None });
    let target = Party {
        name: Some(host.to_owned()),
        user: owned(wanted),
        process: owned(event.text(f::EVENT_PROVIDER)),
        ..Party::default()
    };
    (attacker, target)
}

fn remote_actor(event: &Event) -> Party {
    Party {
        ip: ip(event, f::SOURCE_IP),
        port: port(event, f::SOURCE_PORT),
        name: owned(event.text(f::SOURCE_DOMAIN)),
        user: owned(event.text(f::USER_NAME)),
        process: None,
    }
}

/// Someone or something on the host itself.
fn local_actor(event: &Event, host: &str) -> Party {
    Party {
        ip: ip(event, f::SOURCE_IP),
        port: None,
        name: Some(host.to_owned()),
        user: owned(event.text(f::USER_NAME)),
        process: owned(event.text(f::PROCESS_EXECUTABLE).or_else(|| event.text(f::PROCESS_NAME))),
    }
}

fn named(name: Option<&str>) -> Party {
    Party { name: owned(name), ..Party::default() }
}

fn owned(text: Option<&str>) -> Option<String> {
    text.filter(|text| !text.is_empty()).map(str::to_owned)
}

fn ip(event: &Event, field: FieldId) -> Option<std::net::IpAddr> {
    event.record.get(field).and_then(Value::as_ip)
}

fn port(event: &Event, field: FieldId) -> Option<u16> {
    event.record.get(field).and_then(Value::as_uint).and_then(|n| u16::try_from(n).ok()).filter(|n| *n > 0)
}

fn outcome(event: &Event) -> Outcome {
    match event.text(f::EVENT_OUTCOME) {
        Some("success") => Outcome::Success,
        Some("failure") => Outcome::Attempt,
        _ => Outcome::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;
    use watchpost_model::Timestamp;

    fn event(kind: Kind, fields: &[(FieldId, &str)]) -> Event {
        let mut event = Event::new(kind, Timestamp::EPOCH);
        for (field, text) in fields {
            match text.parse::<Ipv4Addr>() {
                Ok(ip) => event.record.set(*field, ip),
                Err(_) => event.record.set(*field, *text),
            }
        }
        event
    }

    #[test]
    fn a_remote_login_has_the_peer_as_attacker_and_the_account_as_target() {
        let login = event(
            Kind::Auth,
            &[(f::SOURCE_IP, "198.51.100.7"), (f::USER_NAME, "root"), (f::EVENT_OUTCOME, "failure")],
        );
        let story = story(&login, "web-1");
        assert_eq!(story.attacker.ip, Some(Ipv4Addr::new(198, 51, 100, 7).into()));
        assert_eq!(story.attacker.user, None, "the account tried is not who tries it");
        assert_eq!(story.target.user.as_deref(), Some("root"));
        assert_eq!(story.target.name.as_deref(), Some("web-1"));
        assert_eq!(story.outcome, Outcome::Attempt);
    }

    #[test]
    fn sudo_has_the_local_user_as_attacker_and_the_taken_account_as_target() {
        let sudo = event(Kind::Auth, &[(f::USER_NAME, "eve"), (f::USER_TARGET, "root")]);
        let story = story(&sudo, "h");
        assert_eq!(story.attacker.user.as_deref(), Some("eve"));
        assert_eq!(story.attacker.name.as_deref(), Some("h"));
        assert_eq!(story.target.user.as_deref(), Some("root"));
    }

    #[test]
    fn a_flow_names_the_host_on_its_own_side() {
        let ends = [(f::SOURCE_IP, "192.0.2.1"), (f::DESTINATION_IP, "192.0.2.2")];
        let mut flow = event(Kind::Flow, &ends);
        flow.record.set(f::NETWORK_DIRECTION, "inbound");
        let inbound = story(&flow, "h");
        assert_eq!((inbound.attacker.name, inbound.target.name), (None, Some("h".into())));
        flow.record.set(f::NETWORK_DIRECTION, "outbound");
        flow.record.set(f::PROCESS_EXECUTABLE, "/usr/bin/nc");
        let outbound = story(&flow, "h");
        assert_eq!(outbound.attacker.name.as_deref(), Some("h"));
        assert_eq!(outbound.attacker.process.as_deref(), Some("/usr/bin/nc"));
        assert_eq!(outbound.target.name, None);
    }

    #[test]
    fn a_dns_question_targets_the_domain() {
        let question =
            event(Kind::Dns, &[(f::DNS_QUESTION_NAME, "evil.example"), (f::SOURCE_IP, "192.0.2.1")]);
        let story = story(&question, "h");
        assert_eq!(story.target.name.as_deref(), Some("evil.example"));
        assert_eq!(story.attacker.name.as_deref(), Some("h"));
    }
}
