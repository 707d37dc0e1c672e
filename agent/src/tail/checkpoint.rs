//! Where a file has been read to, in words that survive renames and restarts.
//!
//! The value rides with events through the queue into the spool and comes back at the next start;
//! see `docs/formats/checkpoint.md`. Values of another version are refused: the file is then read
//! as if it had never been seen.

use serde::{Deserialize, Serialize};

use super::fingerprint::{Id, digest};

/// The version this code writes and reads.
const VERSION: u32 = 1;

/// A place in a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    #[serde(rename = "v")]
    version: u32,
    dev: u64,
    ino: u64,
    /// SHA-256 of the first `head_len` bytes, hex.
    head: String,
    head_len: u64,
    /// Where the file was when it was read; for people.
    pub path: String,
    /// Bytes read: the start of the next line.
    pub offset: u64,
    /// Lines read.
    pub line: u64,
}

impl Checkpoint {
    /// The place `offset` bytes and `line` lines into the file that is `id` and begins with `head`.
    #[must_use]
    pub fn new(id: Id, head: &[u8], path: &str, offset: u64, line: u64) -> Self {
        let head_len = head.len() as u64;
        Self {
            version: VERSION,
            dev: id.dev,
            ino: id.ino,
            head: digest(head),
            head_len,
            path: path.to_owned(),
            offset,
            line,
        }
    }

    /// Reads a value; `None` where it is not one of this version.
    #[must_use]
    pub fn parse(value: &str) -> Option<Self> {
        serde_json::from_str(value).ok().filter(|found: &Self| found.version == VERSION)
    }

    /// The value to store.
    #[must_use]
    pub fn to_value(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Which file it was.
    #[must_use]
    pub fn id(&self) -> Id {
        Id { dev: self.dev, ino: self.ino }
    }

    /// How many bytes of a file's beginning identify it.
    #[must_use]
    pub fn head_len(&self) -> usize {
        usize::try_from(self.head_len).unwrap_or(usize::MAX).min(super::fingerprint::HEAD_BYTES)
    }

    /// Whether a file that begins with `head` may be the one.
    #[must_use]
    pub fn begins_with(&self, head: &[u8]) -> bool {
        head.len() as u64 == self.head_len && digest(head) == self.head
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_comes_back_as_it_was() {
        let checkpoint = Checkpoint::new(Id { dev: 1, ino: 2 }, b"abc", "/var/log/x", 10, 3);
        assert_eq!(Checkpoint::parse(&checkpoint.to_value()), Some(checkpoint.clone()));
        assert!(
            checkpoint.begins_with(b"abc")
                && !checkpoint.begins_with(b"abcd")
                && !checkpoint.begins_with(b"abd")
        );
    }

    #[test]
    fn a_value_written_by_version_one_is_still_read() {
        let value = r#"{"v":1,"dev":1,"ino":2,"head":"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad","head_len":3,"path":"/var/log/x","offset":10,"line":3}"#;
        assert_eq!(
            Checkpoint::parse(value),
            Some(Checkpoint::new(Id { dev: 1, ino: 2 }, b"abc", "/var/log/x", 10, 3))
        );
    }

    #[test]
    fn other_versions_and_rubbish_are_refused() {
        let value = Checkpoint::new(Id { dev: 1, ino: 2 }, b"", "x", 0, 0).to_value();
        assert_eq!(Checkpoint::parse(&value.replace("\"v\":1", "\"v\":2")), None);
        assert_eq!(Checkpoint::parse("{}"), None);
        assert_eq!(Checkpoint::parse(""), None);
    }
}
