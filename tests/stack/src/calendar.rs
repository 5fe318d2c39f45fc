//! Wall-clock time as the gateway and EventBridge write it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970.
pub(crate) fn now_ms() -> u64 {
    u64::try_from(since_epoch().as_millis()).unwrap_or(u64::MAX)
}

fn since_epoch() -> Duration {
    // A clock before 1970 is as good as one at it.
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// `$context.requestTime`: the Common Log Format, `22/Nov/2025:10:30:00 +0000`.
pub(crate) fn common_log_format(epoch_ms: u64) -> String {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (year, month, day) = civil(epoch_ms / 86_400_000);
    format!("{day:02}/{}/{year}:{} +0000", MONTHS[month - 1], time_of_day(epoch_ms))
}

/// As EventBridge writes it, `2025-11-22T10:30:00Z`.
pub(crate) fn iso(epoch_ms: u64) -> String {
    let (year, month, day) = civil(epoch_ms / 86_400_000);
    format!("{year}-{month:02}-{day:02}T{}Z", time_of_day(epoch_ms))
}

fn time_of_day(epoch_ms: u64) -> String {
    let seconds = epoch_ms / 1000;
    format!("{:02}:{:02}:{:02}", seconds / 3600 % 24, seconds / 60 % 60, seconds % 60)
}

/// Year, month (1 to 12) and day of a day since 1970 (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
fn civil(days: u64) -> (u64, usize, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month as usize, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_times() {
        assert_eq!(common_log_format(0), "01/Jan/1970:00:00:00 +0000");
        assert_eq!(common_log_format(951_825_599_999), "29/Feb/2000:11:59:59 +0000");
        assert_eq!(iso(951_825_599_999), "2000-02-29T11:59:59Z");
        assert_eq!(common_log_format(1_763_807_400_000), "22/Nov/2025:10:30:00 +0000");
    }
}
