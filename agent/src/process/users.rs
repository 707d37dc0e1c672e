//! Names of users by number, from the host's own list, read again at most once a minute.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use watchpost_model::Timestamp;

/// How long a list is believed where it does not know a number.
const FRESH: Duration = Duration::from_mins(1);

/// Names by number.
#[derive(Debug)]
pub(crate) struct Users {
    path: PathBuf,
    names: HashMap<u32, String>,
    read: Option<Timestamp>,
}

impl Users {
    /// Reads from a file in the form of `/etc/passwd`, when first asked.
    pub(crate) fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), names: HashMap::new(), read: None }
    }

    /// The name of a user, or the number where there is none.
    pub(crate) fn name(&mut self, uid: u32, now: Timestamp) -> String {
        let stale = self.read.is_none_or(|read| now.since(read) >= FRESH);
        if stale {
            self.read = Some(now);
            if let Ok(text) = fs::read_to_string(&self.path) {
                self.names = parse(&text);
            }
        }
        self.names.get(&uid).cloned().unwrap_or_else(|| uid.to_string())
    }
}

fn parse(text: &str) -> HashMap<u32, String> {
    let mut names = HashMap::new();
    for line in text.lines() {
        let mut parts = line.split(':');
        if let (Some(name), Some(uid)) = (parts.next(), parts.nth(1).and_then(|uid| uid.parse().ok())) {
            // Of several names for one number the first is the system's own.
            names.entry(uid).or_insert_with(|| name.to_owned());
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_from_the_list_and_new_ones_after_a_minute() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("passwd");
        fs::write(&path, "root:x:0:0::/root:/bin/sh\ntoor:x:0:0::/:/bin/sh\nbad line\n").unwrap();
        let mut users = Users::new(&path);
        let start = Timestamp::EPOCH;
        assert_eq!(users.name(0, start), "root");
        assert_eq!(users.name(7, start), "7");
        fs::write(&path, "eve:x:7:7::/:/bin/sh\n").unwrap();
        assert_eq!(users.name(7, start.plus(Duration::from_secs(1))), "7");
        assert_eq!(users.name(7, start.plus(FRESH)), "eve");
    }
}
