//! `key=value` as the kernel and auditd write it, and the hex that untrusted text is kept in.
//!
//! Which values are hex can not be told from their looks (`cafe` is a name too): the keys decide,
//! and only a value without quotes is decoded. Bytes that are no UTF-8 are replaced.

/// Keys whose value is text, and hex where it is without quotes.
const TEXTS: [&str; 22] = [
    "acct",
    "cmd",
    "comm",
    "cwd",
    "data",
    "device",
    "dir",
    "exe",
    "file",
    "grp",
    "hostname",
    "key",
    "name",
    "new",
    "ocomm",
    "old",
    "path",
    "proctitle",
    "profile",
    "sw",
    "terminal",
    "vm",
];
/// Pairs of one record that are kept.
const MOST_PAIRS: usize = 4_096;

/// The pairs of a record's body.
pub(super) fn pairs(kind: &str, body: &str) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    let (plain, enriched) = body.split_once('\u{1d}').unwrap_or((body, ""));
    let plain = if kind == "AVC" { access(plain, &mut pairs) } else { plain };
    read(kind, plain, &mut pairs);
    read(kind, enriched, &mut pairs);
    if kind == "EXECVE" { arguments(pairs) } else { pairs }
}

/// `avc:  denied  { read } for  pid=…`: the verdict and the rights asked for.
fn access<'t>(text: &'t str, out: &mut Vec<(String, String)>) -> &'t str {
    let Some((head, rest)) = text.split_once('}') else { return text };
    let Some((verdict, rights)) = head.split_once('{') else { return text };
    let verdict = verdict.trim().trim_start_matches("avc:").trim();
    out.push(("seresult".to_owned(), verdict.to_owned()));
    out.push(("seperms".to_owned(), rights.split_whitespace().collect::<Vec<_>>().join(",")));
    rest.trim_start().strip_prefix("for").unwrap_or(rest)
}

fn read(kind: &str, text: &str, out: &mut Vec<(String, String)>) {
    let mut left = text.trim_start();
    while let Some((key, rest)) = left.split_once('=') {
        if out.len() >= MOST_PAIRS {
            return;
        }
        let key = key.rsplit(|c: char| c.is_whitespace() || c == ',').next().unwrap_or(key);
        // A message of user space holds pairs itself.
        if let Some(inner) = rest.strip_prefix('\'').filter(|_| key == "msg") {
            let (inner, after) = inner.rsplit_once('\'').unwrap_or((inner, ""));
            read(kind, inner, out);
            left = after;
            continue;
        }
        let (value, quoted, after) = value(rest);
        out.push((key.to_owned(), meaning(kind, key, value, quoted)));
        left = after;
    }
}

/// A value, whether it had quotes, and what follows it.
fn value(rest: &str) -> (&str, bool, &str) {
    for quote in ['"', '\''] {
        if let Some(inner) = rest.strip_prefix(quote) {
            let (value, after) = inner.split_once(quote).unwrap_or((inner, ""));
            return (value, true, after);
        }
    }
    let (value, after) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    (value.trim_end_matches(['\'', '"']), false, after)
}

fn meaning(kind: &str, key: &str, value: &str, quoted: bool) -> String {
    let argument = kind == "EXECVE"
        && key.strip_prefix('a').is_some_and(|n| n.starts_with(|c: char| c.is_ascii_digit()));
    if quoted || !(argument || TEXTS.contains(&key)) || key.ends_with("_len") {
        return value.to_owned();
    }
    match bytes(value) {
        // The title's words and the keys of a rule are kept apart by control characters.
        Some(bytes) if key == "proctitle" => text(&bytes).trim_end_matches('\0').replace('\0', " "),
        Some(bytes) => text(&bytes).trim_end_matches('\0').to_owned(),
        None => value.to_owned(),
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Bytes from hex in capitals; `None` where it is something else.
pub(super) fn bytes(hex: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    if hex.is_empty() || !hex.len().is_multiple_of(2) {
        return None;
    }
    let (pairs, _) = hex.as_bytes().as_chunks::<2>();
    pairs.iter().map(|[high, low]| Some(digit(*high)? * 16 + digit(*low)?)).collect()
}

/// Joins the pieces of long arguments (`a1[0]=`, `a1[1]=`) and forgets their lengths.
fn arguments(pairs: Vec<(String, String)>) -> Vec<(String, String)> {
    let mut joined: Vec<(String, String)> = Vec::new();
    for (key, value) in pairs {
        let name = key.split('[').next().unwrap_or(&key);
        if key.ends_with("_len") {
            continue;
        }
        match joined.last_mut() {
            Some((last, text)) if last == name && key.contains('[') => text.push_str(&value),
            _ => joined.push((name.to_owned(), value)),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(kind: &str, body: &str, expected: &[(&str, &str)]) {
        let expected: Vec<_> = expected.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        assert_eq!(pairs(kind, body), expected);
    }

    #[test]
    fn quotes_hex_and_nested_messages_are_read() {
        check("EXECVE", r#"argc=2 a0="cat" a1=2F6120"#, &[("argc", "2"), ("a0", "cat"), ("a1", "/a ")]);
        check(
            "SYSCALL",
            r#"a0=6162 comm=6162 exe="6162""#,
            &[("a0", "6162"), ("comm", "ab"), ("exe", "6162")],
        );
        check(
            "USER_CMD",
            r"pid=1 msg='cmd=6C73202D6C res=success'",
            &[("pid", "1"), ("cmd", "ls -l"), ("res", "success")],
        );
        check("PROCTITLE", "proctitle=6C73002D6C", &[("proctitle", "ls -l")]);
        check("X", "key=(null) \u{1d}UID=\"root\"", &[("key", "(null)"), ("UID", "root")]);
    }

    #[test]
    fn pieces_of_a_long_argument_become_one() {
        check("EXECVE", "a0=\"x\" a1_len=4 a1[0]=6161 a1[1]=6262", &[("a0", "x"), ("a1", "aabb")]);
    }

    #[test]
    fn a_refusal_of_selinux_keeps_verdict_and_rights() {
        check(
            "AVC",
            "avc:  denied  { read write } for  pid=3",
            &[("seresult", "denied"), ("seperms", "read,write"), ("pid", "3")],
        );
    }

    #[test]
    fn what_is_no_hex_stays() {
        for text in ["", "ABC", "0x", "GG", "é"] {
            assert_eq!(bytes(text), None, "{text}");
        }
        assert_eq!(bytes("00fF"), Some(vec![0, 255]));
    }
}
