//! Sizes, durations and ages as people write them.

use std::time::Duration;

/// Bytes in decimal units with three digits: `0B`, `532B`, `5.24MB`, `20.1MB`.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 7] = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    // 999.5 would be written as 1000.
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    let digits = if unit == 0 || value >= 99.95 {
        0
    } else if value >= 9.995 {
        1
    } else {
        2
    };
    let number = format!("{value:.digits$}");
    let number =
        if number.contains('.') { number.trim_end_matches('0').trim_end_matches('.') } else { &number };
    format!("{number}{}", UNITS[unit])
}

/// A duration to a tenth of a second, minutes and hours beside it: `0.4s`, `12.3s`, `2m03.4s`, `1h02m03s`.
pub fn duration(duration: Duration) -> String {
    let tenths = (duration.as_millis() + 50) / 100;
    let (minutes, rest) = (tenths / 600, tenths % 600);
    match minutes {
        0 => format!("{}.{}s", rest / 10, rest % 10),
        1..60 => format!("{minutes}m{:02}.{}s", rest / 10, rest % 10),
        _ => format!("{}h{:02}m{:02}s", minutes / 60, minutes % 60, rest / 10),
    }
}

/// How long ago, in the largest unit that fits: `3 minutes ago`.
pub fn ago(duration: Duration) -> String {
    const MINUTE: u64 = 60;
    const HOUR: u64 = 60 * MINUTE;
    const DAY: u64 = 24 * HOUR;
    let seconds = duration.as_secs();
    let (count, unit) = match seconds {
        0..MINUTE => (seconds, "second"),
        MINUTE..HOUR => (seconds / MINUTE, "minute"),
        HOUR..DAY => (seconds / HOUR, "hour"),
        _ if seconds < 14 * DAY => (seconds / DAY, "day"),
        _ if seconds < 60 * DAY => (seconds / (7 * DAY), "week"),
        _ if seconds < 730 * DAY => (seconds / (30 * DAY), "month"),
        _ => (seconds / (365 * DAY), "year"),
    };
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {unit}{plural} ago")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        let shown: Vec<String> =
            [0, 532, 999, 1000, 5_242_880, 20_100_000, 999_499, 999_999, 1 << 30, u64::MAX].map(size).into();
        assert_eq!(
            shown,
            ["0B", "532B", "999B", "1kB", "5.24MB", "20.1MB", "999kB", "1MB", "1.07GB", "18.4EB"]
        );
    }

    #[test]
    fn durations() {
        let shown: Vec<String> = [0, 349, 1250, 59_940, 59_960, 123_400, 3_723_000]
            .map(|ms| duration(Duration::from_millis(ms)))
            .into();
        assert_eq!(shown, ["0.0s", "0.3s", "1.3s", "59.9s", "1m00.0s", "2m03.4s", "1h02m03s"]);
    }

    #[test]
    fn ages() {
        let shown: Vec<String> = [1, 59, 119, 7200, 86_400 * 13, 86_400 * 20, 86_400 * 70, 86_400 * 800]
            .map(|seconds| ago(Duration::from_secs(seconds)))
            .into();
        let wanted = [
            "1 second ago",
            "59 seconds ago",
            "1 minute ago",
            "2 hours ago",
            "13 days ago",
            "2 weeks ago",
            "2 months ago",
            "2 years ago",
        ];
        assert_eq!(shown, wanted);
    }
}
