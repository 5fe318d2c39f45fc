//! Times as the API shows them: RFC 3339, UTC, whole seconds, `Z`.
//!
//! A time that bounds something (an entry's creation and end) is rounded up, so that an entry is never returned at or
//! after the `expires_at` it shows and `created_at` + `ttl_seconds` is `expires_at`. A time at which something
//! happened is rounded down.

use std::{fmt, ops::RangeInclusive};

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

/// Milliseconds since the Unix epoch of a time as RFC 3339 writes it, with any offset from UTC; a fraction of a second
/// counts to its millisecond. A leap second is the one after it.
pub fn parse_ms(text: &str) -> Option<i64> {
    let mut rest = text;
    let day = day(&mut rest)?;
    rest = rest.strip_prefix(['T', 't'])?;
    let (hour, minute) = (digits(&mut rest, 2, 0..=23)?, separated(&mut rest, ":", 0..=59)?);
    let second = separated(&mut rest, ":", 0..=60)?;
    let ms = fraction_ms(&mut rest)?;
    let minutes = day * 24 * 60 + hour * 60 + minute - offset_minutes(rest)?;
    Some((minutes * 60 + second) * 1000 + ms)
}

/// Days since 1970-01-01 of the date that `rest` begins with.
fn day(rest: &mut &str) -> Option<i64> {
    let (year, month) = (digits(rest, 4, 0..=9999)?, separated(rest, "-", 1..=12)?);
    let day = separated(rest, "-", 1..=31)?;
    let days = days_from_civil(year, month, day);
    // The 31st of a month of thirty days would be the 1st of the next.
    (civil_from_days(days) == (year, month, day)).then_some(days)
}

/// The number that `rest` begins with, of this many digits and in this range.
fn digits(rest: &mut &str, count: usize, range: RangeInclusive<i64>) -> Option<i64> {
    let (number, after) = rest.split_at_checked(count)?;
    *rest = after;
    let number = number.bytes().all(|byte| byte.is_ascii_digit()).then(|| number.parse().ok())??;
    range.contains(&number).then_some(number)
}

/// The same of two digits, after a separator.
fn separated(rest: &mut &str, separator: &str, range: RangeInclusive<i64>) -> Option<i64> {
    *rest = rest.strip_prefix(separator)?;
    digits(rest, 2, range)
}

/// The milliseconds of a fraction, which may be left out.
fn fraction_ms(rest: &mut &str) -> Option<i64> {
    let Some(fraction) = rest.strip_prefix('.') else { return Some(0) };
    let end = fraction.find(|c: char| !c.is_ascii_digit()).unwrap_or(fraction.len());
    let (fraction, after) = fraction.split_at(end);
    *rest = after;
    let ms = format!("{fraction:0<3}");
    if fraction.is_empty() { None } else { ms[..3].parse().ok() }
}

/// Minutes east of Greenwich.
fn offset_minutes(zone: &str) -> Option<i64> {
    if let "Z" | "z" = zone {
        return Some(0);
    }
    let sign = match zone.chars().next()? {
        '+' => 1,
        '-' => -1,
        _ => return None,
    };
    let mut rest = &zone[1..];
    let (hours, minutes) = (digits(&mut rest, 2, 0..=23)?, separated(&mut rest, ":", 0..=59)?);
    rest.is_empty().then_some(sign * (hours * 60 + minutes))
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

/// Days since 1970-01-01 of a date of the proleptic Gregorian calendar, by the algorithm of that name of the same paper.
const fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = year - (month <= 2) as i64; // of the years that begin in March
    let month_from_march = (month + 9) % 12;
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn times_are_read_as_rfc_3339_writes_them() {
        for (text, ms) in [
            ("2024-01-15T10:30:00Z", 1_705_314_600_000),
            ("2024-01-15t10:30:00.25z", 1_705_314_600_250),
            ("2024-01-15T10:30:00.123999Z", 1_705_314_600_123),
            ("2024-01-15T12:00:00+01:30", 1_705_314_600_000),
            ("2024-01-14T23:30:00-11:00", 1_705_314_600_000),
            ("2024-02-29T23:59:60Z", 1_709_251_200_000),
            ("0000-01-01T00:00:00Z", -62_167_219_200_000),
        ] {
            assert_eq!(parse_ms(text), Some(ms), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "now",
            "1705314600",
            "2024-01-15",
            "2024-01-15T10:30Z",
            "2024-01-15T10:30:00",
            "2024-01-15 10:30:00Z",
            "2023-02-29T00:00:00Z",
            "2024-04-31T00:00:00Z",
            "2024-13-01T00:00:00Z",
            "2024-00-01T00:00:00Z",
            "2024-01-15T24:00:00Z",
            "2024-01-15T10:60:00Z",
            "2024-01-15T10:30:61Z",
            "2024-01-15T10:30:00.Z",
            "2024-01-15T10:30:00+1:00",
            "2024-01-15T10:30:00+24:00",
            "2024-01-15T10:30:00+01:00x",
            "+024-01-15T10:30:00Z",
            "2024-01-15T10:30:00é",
            "2024-1é-15T10:30:00Z",
            "2024-01-15T10:30:00ZZ",
        ] {
            assert_eq!(parse_ms(text), None, "{text}");
        }
    }

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
        fn what_is_written_is_read(seconds in 0_i64..253_402_300_799) {
            prop_assert_eq!(parse_ms(&Timestamp { seconds }.to_string()), Some(seconds * 1000));
        }

        #[test]
        fn never_panics(text in "[0-9TZ:.+é-]{0,30}|\\PC{0,30}") {
            let _ = parse_ms(&text);
        }

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
