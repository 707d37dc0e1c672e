//! One end of an attack in one line, and an alert in one line.

use watchpost_model::alert::{Alert, Party};

use crate::format;
use crate::theme::Theme;
use crate::words::Words;

/// `root@198.51.100.7:4444 (web-1) [/usr/bin/ssh]`: only what is known; empty where nothing is.
#[must_use]
pub fn party(party: &Party) -> String {
    let mut out = String::new();
    if let Some(user) = &party.user {
        out.push_str(user);
        if party.ip.is_some() || party.name.is_some() {
            out.push('@');
        }
    }
    match (party.ip, party.port) {
        (Some(ip), Some(port)) => out.push_str(&std::net::SocketAddr::new(ip, port).to_string()),
        (Some(ip), None) => out.push_str(&ip.to_string()),
        (None, _) => {}
    }
    match (&party.name, party.ip) {
        (Some(name), Some(_)) => out.push_str(&format!(" ({name})")),
        (Some(name), None) => {
            out.push_str(name);
            if let Some(port) = party.port {
                out.push_str(&format!(":{port}"));
            }
        }
        (None, _) => {}
    }
    if let Some(process) = &party.process {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(&format!("[{process}]"));
    }
    out
}

/// The same, or the word for "unknown".
#[must_use]
pub fn party_or(of: &Party, words: &Words) -> String {
    let text = party(of);
    if text.is_empty() { words.unknown.to_owned() } else { text }
}

/// Attacker and target in short, for a table: address or name without port and program.
#[must_use]
pub fn pair(alert: &Alert, words: &Words, theme: Theme) -> String {
    let target = short(&alert.target).unwrap_or_else(|| alert.host.clone());
    format!(
        "{} {} {target}",
        attacker(&alert.attacker, &alert.host).unwrap_or_else(|| words.unknown.to_owned()),
        theme.arrow()
    )
}

/// The most telling part of a party.
#[must_use]
fn short(party: &Party) -> Option<String> {
    let ip = party.ip.map(|ip| ip.to_string());
    ip.or_else(|| party.name.clone()).or_else(|| party.user.clone()).or_else(|| party.process.clone())
}

/// The attacker in short. One that acts on the host itself is told by user and program: its name
/// would be the host's own, which says nothing.
#[must_use]
pub(super) fn attacker(party: &Party, host: &str) -> Option<String> {
    let local = party.ip.is_none() && party.name.as_deref().is_none_or(|name| name == host);
    let program = party.process.as_deref().map(|path| path.rsplit('/').next().unwrap_or(path));
    match (&party.user, program) {
        (Some(user), Some(program)) if local => Some(format!("{user} [{program}]")),
        (Some(user), None) if local => Some(user.clone()),
        (None, Some(program)) if local => Some(format!("[{program}]")),
        _ => short(party),
    }
}

/// One alert in one line, for a headless terminal and a log.
#[must_use]
pub fn summary(alert: &Alert, words: &Words, theme: Theme) -> String {
    let title = words.lang.pick(&alert.rule.name, &alert.rule.name_zh);
    let drill = if alert.drill.is_empty() { String::new() } else { format!(" [{}]", words.drill) };
    let line = format!(
        "{} [{}] {title} {} @{} {} {}{drill}",
        format::time(alert.last_seen),
        (words.severity)(alert.severity),
        pair(alert, words, theme),
        alert.host,
        (words.times)(alert.count),
        (words.outcome)(alert.outcome),
    );
    crate::clean::neutral(&line).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attacker_on_the_host_itself_is_told_by_user_and_program() {
        let text = |text: &str| Some(text.to_owned());
        let local =
            Party { name: text("vm"), user: text("root"), process: text("/usr/bin/nc"), ..Party::default() };
        assert_eq!(attacker(&local, "vm"), text("root [nc]"));
        assert_eq!(attacker(&Party { user: None, ..local.clone() }, "vm"), text("[nc]"));
        assert_eq!(attacker(&local, "other"), text("vm"), "who acts from another host is that host");
        let remote = Party { ip: Some("192.0.2.1".parse().unwrap()), ..local };
        assert_eq!(attacker(&remote, "vm"), text("192.0.2.1"));
        assert_eq!(attacker(&Party::default(), "vm"), None);
    }
}
