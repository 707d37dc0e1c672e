//! When a foreign event says it happened.

use serde_json::{Number, Value as Json};
use watchpost_model::Timestamp;

/// Where the usual formats keep the time, best first.
const PLACES: [&str; 10] = [
    "/@timestamp",
    "/Event/System/TimeCreated/#attributes/SystemTime",
    "/timestamp",
    "/UtcTime",
    "/ts",
    "/EventTime",
    "/eventTime",
    "/TimeGenerated",
    "/TimeCreated",
    "/time",
];

/// The time a foreign event says it happened, in the places where the usual formats keep it.
pub(crate) fn time_of(json: &Json) -> Option<Timestamp> {
    PLACES.iter().find_map(|place| match json.pointer(place)? {
        Json::String(text) => Timestamp::parse(text)
            .or_else(|| Timestamp::parse(&format!("{}Z", text.replacen(' ', "T", 1))))
            .or_else(|| since_epoch(&text.parse().ok()?)),
        Json::Number(number) => since_epoch(number),
        _ => None,
    })
}

/// The time so many seconds, milliseconds, microseconds or nanoseconds after 1970: by the size of the
/// number, since each unit's range up to the year 2255 ends where the next one's has not left 1970.
fn since_epoch(number: &Number) -> Option<Timestamp> {
    let size = number.as_f64().filter(|size| size.is_finite() && size.abs() < 9e18)?.abs();
    let unit: i64 = match size {
        ..9e9 => 1_000_000_000,
        ..9e12 => 1_000_000,
        ..9e15 => 1_000,
        _ => 1,
    };
    if let Some(whole) = number.as_i64() {
        return whole.checked_mul(unit).map(Timestamp::from_nanos);
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        reason = "bounded above, and a float's precision is what it is"
    )]
    let nanos = (number.as_f64()? * unit as f64) as i64;
    Some(Timestamp::from_nanos(nanos))
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

    #[test]
    fn epoch_numbers_are_read_by_their_size() {
        let time = Some(Timestamp::from_millis(1_732_000_000_000));
        for ts in [
            json!(1_732_000_000),
            json!(1_732_000_000.0),
            json!("1732000000"),
            json!(1_732_000_000_000_i64),
            json!(1_732_000_000_000_000_i64),
            json!(1_732_000_000_000_000_000_i64),
        ] {
            assert_eq!(time_of(&json!({ "ts": ts })), time, "{ts}");
        }
        assert_eq!(time_of(&json!({"ts": u64::MAX})), None);
        assert!(time_of(&json!({"eventTime": "2025-11-28T08:30:20Z"})).is_some());
    }
}
