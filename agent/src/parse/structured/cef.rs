//! CEF and LEEF: a head of seven (five) parts between bars, then pairs.
//!
//! In CEF a value may hold blanks and ends before the next key, and `\=`, `\|` and `\\` are
//! escapes. LEEF's pairs are kept apart by tabs.

use super::{MOST_PAIRS, Pairs};

/// Names of the head's parts.
const CEF_HEAD: [&str; 7] = ["version", "vendor", "product", "device_version", "class", "name", "severity"];
const LEEF_HEAD: [&str; 5] = ["version", "vendor", "product", "device_version", "class"];

/// The pairs of a line that holds one of the two forms, behind any syslog header.
pub(super) fn pairs(line: &str) -> Option<Pairs> {
    if let Some((_, body)) = line.split_once("CEF:") {
        let (mut pairs, rest) = head(body, &CEF_HEAD)?;
        cef(rest, &mut pairs);
        return Some(pairs);
    }
    let (_, body) = line.split_once("LEEF:")?;
    let (mut pairs, rest) = head(body, &LEEF_HEAD)?;
    for (key, value) in rest.split('\t').take(MOST_PAIRS).filter_map(|pair| pair.split_once('=')) {
        let key = match key.trim() {
            "srcPort" => "spt",
            "dstPort" => "dpt",
            "usrName" => "suser",
            other => other,
        };
        pairs.insert(key.to_owned(), vec![value.to_owned()]);
    }
    Some(pairs)
}

fn head<'t>(body: &'t str, names: &[&str]) -> Option<(Pairs, &'t str)> {
    let mut pairs = Pairs::new();
    let mut rest = body;
    for name in names {
        let end = bar(rest)?;
        let (value, after) = rest.split_at_checked(end)?;
        pairs.insert((*name).to_owned(), vec![plain(value)]);
        rest = after.get(1..)?;
    }
    Some((pairs, rest))
}

/// Where the next bar stands that is not escaped.
fn bar(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.bytes().position(|byte| {
        let found = byte == b'|' && !escaped;
        escaped = byte == b'\\' && !escaped;
        found
    })
}

fn cef(text: &str, pairs: &mut Pairs) {
    let mut key: Option<&str> = None;
    let mut begin = 0;
    let mut put = |key: Option<&str>, value: Option<&str>| {
        if let (Some(key), Some(value)) = (key, value) {
            pairs.insert(key.to_owned(), vec![plain(value.trim())]);
        }
    };
    for (at, _) in text.match_indices('=').take(MOST_PAIRS) {
        let before = text.get(begin..at).unwrap_or_default();
        if before.ends_with('\\') {
            continue;
        }
        // The key is the last word before the mark; what stands before it ends the value so far.
        let name = before.rsplit(' ').next().unwrap_or(before);
        if name.is_empty()
            || !name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'))
        {
            continue;
        }
        put(key, before.get(..before.len() - name.len()));
        key = Some(name);
        begin = at + 1;
    }
    put(key, text.get(begin..));
}

fn plain(text: &str) -> String {
    text.replace("\\=", "=").replace("\\|", "|").replace("\\\\", "\\")
}
