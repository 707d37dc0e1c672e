//! Whatever is written in a rule file must load or be rejected with a reason.
#![no_main]

use libfuzzer_sys::fuzz_target;
use watchpost_rules::{RuleSet, Source};

fuzz_target!(|text: &str| {
    let set = RuleSet::load(&[Source { name: "fuzz.yml".into(), text: text.into() }]);
    for rejected in set.rejected() {
        assert!(!rejected.reason.is_empty());
    }
});
