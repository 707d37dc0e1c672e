//! The rules that come with the program: written by this project, embedded at build time.
//!
//! They stand in `packs/<platform>/<topic>/<name>.yml`, each with its cases beside it; tests hold
//! that all of them load, see events of ours and keep their cases. An installation may add rules
//! of its own from files, but never needs any to begin with.

use crate::Source;

/// Name relative to `packs/` and content, in the order of names.
static FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/shipped.rs"));

/// Every shipped rule file, named like `linux/authentication/ssh_brute_force.yml`.
#[must_use]
pub fn shipped() -> Vec<Source> {
    FILES.iter().map(|(name, text)| Source { name: (*name).to_owned(), text: (*text).to_owned() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_rules_are_sorted_and_without_their_cases() {
        let names: Vec<_> = shipped().into_iter().map(|source| source.name).collect();
        assert!(names.is_sorted(), "{names:?}");
        assert!(names.iter().any(|name| name == "linux/authentication/ssh_brute_force.yml"), "{names:?}");
        assert!(names.iter().all(|name| !name.contains(".cases.") && !name.starts_with('/')), "{names:?}");
    }
}
