//! Parts of a point in time, for Sigma's `minute` … `year` modifiers. UTC, as rules have no zone.

use watchpost_model::Timestamp;

/// Which part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Minute, 0 to 59.
    Minute,
    /// Hour, 0 to 23.
    Hour,
    /// Day of the month, 1 to 31.
    Day,
    /// ISO week, 1 to 53.
    Week,
    /// Month, 1 to 12.
    Month,
    /// Year.
    Year,
}

impl Part {
    /// This part of an RFC 3339 text (or `YYYY-MM-DD hh:mm:ss`, taken as UTC).
    #[must_use]
    pub fn of(self, text: &str) -> Option<i64> {
        let time = Timestamp::parse(text).or_else(|| Timestamp::parse(&format!("{}Z", text.trim())))?;
        let seconds = time.as_seconds();
        let days = seconds.div_euclid(86_400);
        let (year, month, day) = civil(days);
        Some(match self {
            Self::Minute => seconds.rem_euclid(3_600) / 60,
            Self::Hour => seconds.rem_euclid(86_400) / 3_600,
            Self::Day => day,
            Self::Month => month,
            Self::Year => year,
            Self::Week => week(days),
        })
    }
}

/// Year, month and day of a day counted from 1970-01-01 (proleptic Gregorian).
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let slot = (5 * of_year + 2) / 153;
    let day = of_year - (153 * slot + 2) / 5 + 1;
    let month = if slot < 10 { slot + 3 } else { slot - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// ISO week: the week of a date is the week of its Thursday.
fn week(days: i64) -> i64 {
    let thursday = days - (days + 3).rem_euclid(7) + 3;
    let (year, _, _) = civil(thursday);
    let mut first = thursday;
    while civil(first - 7).0 == year {
        first -= 7;
    }
    (thursday - first) / 7 + 1
}
