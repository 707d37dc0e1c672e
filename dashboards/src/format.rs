//! How numbers and times read on a screen and in a report.
//!
//! Times are kept in UTC and shown in China Standard Time, which has been UTC+8 without daylight
//! saving since 1991; the fixed offset spares a host without time zone files a wrong clock.
//! Units and long forms that differ by language live in [`crate::words`].

use jiff::tz::{TimeZone, offset};
use watchpost_model::Timestamp;

/// `2026-11-23 18:05:09`, UTC+8.
#[must_use]
pub fn time(at: Timestamp) -> String {
    pattern(at, "%Y-%m-%d %H:%M:%S")
}

/// `11-23 18:05`, UTC+8, for narrow tables.
#[must_use]
pub fn short_time(at: Timestamp) -> String {
    pattern(at, "%m-%d %H:%M")
}

/// `18:05:09`, UTC+8.
#[must_use]
pub fn clock(at: Timestamp) -> String {
    pattern(at, "%H:%M:%S")
}

/// A time by a strftime pattern, UTC+8. A time outside the calendar prints as RFC 3339 would.
#[must_use]
pub fn pattern(at: Timestamp, pattern: &str) -> String {
    match jiff::Timestamp::from_nanosecond(i128::from(at.as_nanos())) {
        Ok(stamp) => stamp.to_zoned(TimeZone::fixed(offset(8))).strftime(pattern).to_string(),
        Err(_) => at.to_string(),
    }
}

/// `1.5 GiB`.
#[must_use]
pub fn bytes(n: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if n < 1024 {
        return format!("{n} B");
    }
    let mut value = as_float(n);
    let mut unit = "B";
    for name in UNITS {
        if value < 1024.0 {
            break;
        }
        value /= 1024.0;
        unit = name;
    }
    format!("{value:.1} {unit}")
}

/// `12,345,678`, for tables.
#[must_use]
pub fn digits(n: u64) -> String {
    let plain = n.to_string();
    let mut out = String::with_capacity(plain.len() + plain.len() / 3);
    for (at, digit) in plain.chars().enumerate() {
        if at > 0 && (plain.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `42%` of a share from 0 to 1.
#[must_use]
pub fn percent(share: f64) -> String {
    format!("{:.0}%", (share * 100.0).clamp(0.0, 9_999.0))
}

/// A count as a float, for ratios on a screen; exact up to 2^53.
#[expect(clippy::cast_precision_loss, reason = "only for bars and ratios on a screen")]
#[must_use]
pub fn as_float(n: u64) -> f64 {
    n as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_shown_in_china_standard_time() {
        let at = Timestamp::parse("2026-11-23T10:05:09Z").unwrap();
        assert_eq!(time(at), "2026-11-23 18:05:09");
        assert_eq!(short_time(at), "11-23 18:05");
        assert_eq!(time(Timestamp::parse("2026-12-31T16:00:00Z").unwrap()), "2027-01-01 00:00:00");
    }

    #[test]
    fn bytes_and_digits_read_well_at_the_edges() {
        assert_eq!(bytes(1023), "1023 B");
        assert_eq!(bytes(1024), "1.0 KiB");
        assert_eq!(bytes(u64::MAX), "16.0 EiB");
        assert_eq!(digits(0), "0");
        assert_eq!(digits(999), "999");
        assert_eq!(digits(1_234_567), "1,234,567");
        assert_eq!(percent(0.426), "43%");
    }
}
