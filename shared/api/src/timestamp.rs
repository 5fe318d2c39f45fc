//! Times as the API shows them: RFC 3339, UTC, whole seconds, `Z`.
//!
//! A time that bounds something (an entry's creation and end) is rounded up, so that an entry is never returned at or
//! after the `expires_at` it shows and `created_at` + `ttl_seconds` is `expires_at`. A time at which something
//! happened is rounded down.

use std::fmt;

/// A second, shown as RFC 3339.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp {
    /// Seconds since the Unix epoch.
    pub seconds: i64,
}

impl Timestamp {
    /// The first whole second at or after `ms` since the Unix epoch: for times that bound something.
    pub const fn ceil(ms: i64) -> Timestamp {
        Timestamp { seconds: ms.div_euclid(1000) + (ms.rem_euclid(1000) != 0) as i64 }
    }

    /// The last whole second at or before `ms` since the Unix epoch: for times at which something happened.
    pub const fn floor(ms: i64) -> Timestamp {
        Timestamp { seconds: ms.div_euclid(1000) }
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = civil_from_days(self.seconds.div_euclid(86_400));
        let second = self.seconds.rem_euclid(86_400);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    }
}

impl serde::Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Year, month and day of the proleptic Gregorian calendar from days since 1970-01-01. The algorithm of that name in
/// Howard Hinnant's "chrono-Compatible Low-Level Date Algorithms".
const fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468; // since 0000-03-01, so that the leap day is a year's last
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (year_of_era + era * 400 + (month <= 2) as i64, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_times() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (-1, "1969-12-31T23:59:59Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_705_314_600, "2024-01-15T10:30:00Z"),
            (1_709_251_199, "2024-02-29T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
            (253_402_300_799, "9999-12-31T23:59:59Z"),
        ] {
            assert_eq!(Timestamp { seconds }.to_string(), text);
        }
    }

    #[test]
    fn rounding() {
        for (ms, ceil, floor) in [(0, 0, 0), (1, 1, 0), (999, 1, 0), (1000, 1, 1), (-1, 0, -1)] {
            assert_eq!((Timestamp::ceil(ms).seconds, Timestamp::floor(ms).seconds), (ceil, floor), "{ms}");
        }
    }

    proptest! {
        #[test]
        fn the_next_day_is_the_next_date(days in -1_000_000_i64..3_000_000) {
            let (date, next) = (civil_from_days(days), civil_from_days(days + 1));
            prop_assert!(next > date);
            let same_month = next == (date.0, date.1, date.2 + 1);
            let new_month = next == (date.0, date.1 + 1, 1) && date.2 >= 28;
            let new_year = next == (date.0 + 1, 1, 1) && (date.1, date.2) == (12, 31);
            prop_assert!(same_month || new_month || new_year);
        }
    }
}
