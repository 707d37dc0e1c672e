//! When a foreign event says it happened.

use serde_json::Value as Json;
use watchpost_model::Timestamp;

/// Where the usual formats keep the time, best first.
const PLACES: [&str; 9] = [
    "/@timestamp",
    "/Event/System/TimeCreated/#attributes/SystemTime",
    "/timestamp",
    "/UtcTime",
    "/ts",
    "/EventTime",
    "/TimeGenerated",
    "/TimeCreated",
    "/time",
];

/// The time a foreign event says it happened, in the places where the usual formats keep it.
pub(crate) fn time_of(json: &Json) -> Option<Timestamp> {
    PLACES.iter().find_map(|place| match json.pointer(place)? {
        Json::String(text) => {
            Timestamp::parse(text).or_else(|| Timestamp::parse(&format!("{}Z", text.replacen(' ', "T", 1))))
        }
        Json::Number(seconds) => {
            let seconds = seconds.as_f64().filter(|s| s.is_finite() && s.abs() < 9e9)?;
            #[expect(
                clippy::cast_possible_truncation,
                reason = "bounded above, and a float's precision is what it is"
            )]
            Some(Timestamp::from_nanos((seconds * 1e9) as i64))
        }
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_time_is_found_where_foreign_formats_keep_it() {
        let sysmon = json!({"UtcTime": "2025-11-28 08:30:20.964"});
        assert_eq!(time_of(&sysmon), Timestamp::parse("2025-11-28T08:30:20.964Z"));
        assert_eq!(time_of(&json!({"ts": 1.5})), Some(Timestamp::from_millis(1_500)));
        assert_eq!(time_of(&json!({"ts": "soon"})), None);
        let windows = json!({"Event": {"System": {"TimeCreated": {"#attributes":
            {"SystemTime": "2016-07-08T18:12:51.6816408Z"}}}}});
        assert_eq!(time_of(&windows), Timestamp::parse("2016-07-08T18:12:51.6816408Z"));
        assert!(time_of(&windows).is_some());
    }
}
