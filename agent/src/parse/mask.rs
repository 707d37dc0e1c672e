//! Secrets that people type where they should not are replaced before an event leaves the host.
//!
//! This is a courtesy, not a guarantee: it knows the common ways of putting a password or a token
//! on a command line, in a URL or a header. It may mask too much; it never changes anything else.

use std::borrow::Cow;
use std::sync::LazyLock;

use super::pattern::Pattern;

/// Words one of which every pattern needs; a line without them is not looked at further.
static HINT: LazyLock<Pattern> = LazyLock::new(|| {
    Pattern::new(r"(?i)passw|pwd=|token|secret|api[_-]?key|authorization|mysql|mariadb|://[^/\s]*@|sshpass")
});

static RULES: LazyLock<[(Pattern, &str); 6]> = LazyLock::new(|| {
    [
        // --password x, --token=x; a switch that follows is not a value.
        (
            Pattern::new(
                r#"(?i)(--?(?:password|passwd|pass|token|secret|api[_-]?key)(?:\s+|=))(?:"[^"]*"|'[^']*'|[^\s\-"'][^\s]*)"#,
            ),
            "${1}***",
        ),
        // password=x, token=x in URLs, bodies, environment.
        (
            Pattern::new(
                r#"(?i)\b([\w-]*(?:password|passwd|token|secret|api[_-]?key))=(?:"[^"]*"|'[^']*'|[^\s&;,"']+)"#,
            ),
            "${1}=***",
        ),
        // pwd=x, but not a working directory: PWD=/home/x.
        (Pattern::new(r#"(?i)\b([\w-]*pwd)=[^\s&;,"'/][^\s&;,"']*"#), "${1}=***"),
        // Authorization: Bearer x.
        (
            Pattern::new(
                r#"(?i)(authorization["']?\s*[:=]\s*["']?(?:(?:bearer|basic|token|digest)\s+)?)[^\s"']+"#,
            ),
            "${1}***",
        ),
        // mysql -psecret; sshpass -p secret.
        (
            Pattern::new(
                r"(?i)((?:\b(?:mysql|mysqldump|mysqladmin|mariadb)\b[^|;]*?\s-p)|(?:\bsshpass\s+-p\s*))[^\s]+",
            ),
            "${1}***",
        ),
        // scheme://user:x@host.
        (Pattern::new(r"(://[^/\s:@]*):[^/\s@]+@"), "${1}:***@"),
    ]
});

/// The text with its secrets replaced by `***`; borrowed where nothing was found.
#[must_use]
pub fn mask(text: &str) -> Cow<'_, str> {
    if HINT.find(text).is_none() {
        return Cow::Borrowed(text);
    }
    let mut masked = Cow::Borrowed(text);
    for (pattern, with) in RULES.iter() {
        if let Cow::Owned(changed) = pattern.replace(&masked, with) {
            masked = Cow::Owned(changed);
        }
    }
    masked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_masked_wherever_they_are_usual() {
        for (text, expected) in [
            ("tool --password hunter2 --port 3", "tool --password *** --port 3"),
            ("tool --token=abc x", "tool --token=*** x"),
            ("curl http://h/?token=abc&x=1", "curl http://h/?token=***&x=1"),
            ("DB_PASSWORD=abc run", "DB_PASSWORD=*** run"),
            ("mysql -u root -phunter2 db", "mysql -u root -p*** db"),
            ("sshpass -p hunter2 ssh h", "sshpass -p *** ssh h"),
            ("curl -H 'Authorization: Bearer abc' h", "curl -H 'Authorization: Bearer ***' h"),
            ("git clone https://me:abc@h/r", "git clone https://me:***@h/r"),
        ] {
            assert_eq!(mask(text), expected);
        }
    }

    #[test]
    fn ordinary_text_is_left_alone() {
        for text in [
            "Failed password for root from 192.0.2.1",
            "Accepted password for x",
            "passwd root",
            "ls -p x",
            "PWD=/tmp ; x",
        ] {
            assert!(matches!(mask(text), Cow::Borrowed(_)) || mask(text) == text, "{text}");
        }
    }

    #[test]
    fn patterns_compile() {
        assert!(HINT.is_sound() && RULES.iter().all(|(pattern, _)| pattern.is_sound()));
    }
}
