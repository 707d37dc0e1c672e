//! Times as logs write them.
//!
//! RFC 3164 leaves out year and zone: the zone is the host's, and the year is the latest one that
//! does not put the line more than a day after the moment at which it was read. Every function
//! takes that moment as an argument, so that an old file reads the same on any day.

use std::time::Duration;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use watchpost_model::Timestamp;

/// What is needed to complete a time.
#[derive(Clone, Debug)]
pub struct Reference {
    /// When the line was read.
    pub now: Timestamp,
    /// The host's zone.
    pub zone: TimeZone,
}

/// A clock may run ahead of ours by this much before we take its line for last year's.
const AHEAD: Duration = Duration::from_hours(24);
/// 29 February is found again within eight years (1896 to 1904 had the longest gap).
const MOST_YEARS: i16 = 8;
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Month 1 to 12 from its English short name.
fn month(name: &str) -> Option<i8> {
    let at = MONTHS.iter().position(|known| known.eq_ignore_ascii_case(name))?;
    i8::try_from(at + 1).ok()
}

fn in_zone(date: Date, clock: &str, zone: &TimeZone) -> Option<Timestamp> {
    let time: jiff::civil::Time = clock.parse().ok()?;
    let stamp = zone.to_timestamp(date.to_datetime(time)).ok()?;
    Some(Timestamp::from_nanos(i64::try_from(stamp.as_nanosecond()).ok()?))
}

/// RFC 3164: `Nov 23 10:05:09`, with a fraction or a year where a daemon adds one.
/// Returns the time and the rest of the line.
pub(super) fn rfc3164<'a>(text: &'a str, reference: &Reference) -> Option<(Timestamp, &'a str)> {
    let (name, rest) = text.split_once(' ')?;
    let month = month(name)?;
    let (day, rest) = rest.trim_start().split_once(' ')?;
    let day: i8 = day.parse().ok()?;
    let (mut clock, mut rest) = split_word(rest.trim_start());
    let mut year = None;
    if clock.len() == 4
        && let Ok(written) = clock.parse::<i16>()
    {
        year = Some(written);
        (clock, rest) = split_word(rest.trim_start());
    }
    let clock = clock.strip_suffix(':').unwrap_or(clock);
    if clock.len() < 8 || !clock.contains(':') {
        return None;
    }
    let time = match year {
        Some(year) => in_zone(Date::new(year, month, day).ok()?, clock, &reference.zone)?,
        None => guess_year(month, day, clock, reference)?,
    };
    Some((time, rest))
}

/// The latest year that makes the date valid and not later than a day from now.
fn guess_year(month: i8, day: i8, clock: &str, reference: &Reference) -> Option<Timestamp> {
    let latest = reference.now.plus(AHEAD);
    let stamp = jiff::Timestamp::from_nanosecond(i128::from(latest.as_nanos())).ok()?;
    let newest = reference.zone.to_datetime(stamp).year();
    (0..=MOST_YEARS)
        .filter_map(|back| Date::new(newest.checked_sub(back)?, month, day).ok())
        .filter_map(|date| in_zone(date, clock, &reference.zone))
        .find(|time| *time <= latest)
}

/// ISO 8601 as rsyslog and RFC 5424 write it; without an offset it is the host's time.
pub(super) fn iso<'a>(text: &'a str, reference: &Reference) -> Option<(Timestamp, &'a str)> {
    let (word, rest) = split_word(text);
    if !word.starts_with(|c: char| c.is_ascii_digit()) || word.len() < 10 {
        return None;
    }
    if word.contains('T') {
        return Some((Timestamp::parse(word).or_else(|| local(word, reference))?, rest));
    }
    // `2026-11-23 10:05:09,123`: date and clock apart, a comma before the fraction.
    let date: Date = word.parse().ok()?;
    let (clock, rest) = split_word(rest.trim_start());
    Some((in_zone(date, &clock.replace(',', "."), &reference.zone)?, rest))
}

fn local(word: &str, reference: &Reference) -> Option<Timestamp> {
    let (date, clock) = word.split_once('T')?;
    in_zone(date.parse().ok()?, clock, &reference.zone)
}

/// Access logs: `23/Nov/2026:10:05:09 +0800`.
pub(super) fn access(text: &str) -> Option<Timestamp> {
    let (date, rest) = text.split_once(':')?;
    let (clock, offset) = rest.split_once(' ')?;
    let mut parts = date.splitn(3, '/');
    let day: i8 = parts.next()?.parse().ok()?;
    let month = month(parts.next()?)?;
    let year: i16 = parts.next()?.parse().ok()?;
    let (hours, minutes) = (offset.get(..3)?, offset.get(3..5)?);
    Timestamp::parse(&format!("{year:04}-{month:02}-{day:02}T{clock}{hours}:{minutes}"))
}

/// The first word and what follows its space.
pub(super) fn split_word(text: &str) -> (&str, &str) {
    text.split_once(' ').unwrap_or((text, ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(now: &str) -> Reference {
        Reference {
            now: Timestamp::parse(now).unwrap(),
            zone: TimeZone::fixed(jiff::tz::Offset::constant(8)),
        }
    }

    fn check(text: &str, now: &str, expected: &str) {
        let found = rfc3164(text, &at(now)).or_else(|| iso(text, &at(now)));
        assert_eq!(found.map(|(time, _)| time.to_string()).as_deref(), Some(expected), "{text}");
    }

    #[test]
    fn a_line_of_december_read_in_january_is_of_last_year() {
        check("Dec 31 23:59:58 host x: y", "2026-01-01T00:00:10+08:00", "2025-12-31T15:59:58Z");
        check("Jan  1 00:00:05 host x: y", "2026-01-01T00:00:10+08:00", "2025-12-31T16:00:05Z");
    }

    #[test]
    fn a_leap_day_finds_its_leap_year() {
        check("Feb 29 12:00:00 host x: y", "2026-11-23T00:00:00Z", "2024-02-29T04:00:00Z");
    }

    #[test]
    fn iso_times_keep_their_offset_or_take_the_hosts() {
        check("2026-11-23T10:05:09.123456+02:00 h", "2026-11-23T00:00:00Z", "2026-11-23T08:05:09.123456Z");
        check("2026-11-23T10:05:09 h", "2026-11-23T00:00:00Z", "2026-11-23T02:05:09Z");
        check("2026-11-23 10:05:09,5 h", "2026-11-23T00:00:00Z", "2026-11-23T02:05:09.5Z");
    }

    #[test]
    fn access_times_carry_their_offset() {
        assert_eq!(
            access("23/Nov/2026:10:05:09 +0800").map(|time| time.to_string()).as_deref(),
            Some("2026-11-23T02:05:09Z")
        );
        assert_eq!(access("23/Nov/2026:10:05:09"), None);
        assert_eq!(access("99/Foo/2026:1 é"), None);
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in
            ["", "Nov", "Nov 99 10:00:00 x", "Foo 1 10:00:00 x", "2026-13-01T00:00:00Z x", "Nov 1 host"]
        {
            assert!(rfc3164(text, &at("2026-11-23T00:00:00Z")).is_none(), "{text}");
            assert!(iso(text, &at("2026-11-23T00:00:00Z")).is_none(), "{text}");
        }
    }
}
