//! Any text as the condition of a rule: refused with a reason, or it means the same the quick way
//! and the plain way for every combination of selections that hold.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::json;
use watchpost_fuzz::{agree, load};

/// Selections, each of which asks for one field.
const NAMES: [&str; 6] = ["s", "s_a", "s_b", "filter", "filter_1", "_own"];

fuzz_target!(|text: &str| {
    let mut detection: serde_json::Map<_, _> =
        NAMES.iter().enumerate().map(|(n, name)| ((*name).to_owned(), json!({format!("f{n}"): "x"}))).collect();
    detection.insert("condition".into(), text.into());
    // JSON is YAML, and quotes the text whatever is in it.
    let rule = json!({"title": "t", "id": "t", "logsource": {}, "detection": detection});
    let set = load(&rule.to_string());
    let events: Vec<_> = (0..1_u32 << NAMES.len())
        .map(|bits| {
            let fields = (0..NAMES.len()).filter(|n| bits >> n & 1 == 1);
            fields.map(|n| (format!("f{n}"), json!("x"))).collect::<serde_json::Map<_, _>>().into()
        })
        .collect();
    agree(&set, &events);
});
