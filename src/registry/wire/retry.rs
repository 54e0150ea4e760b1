//! When a request is worth repeating, and after how long. RFC 9110 §10.2.3.

use std::time::Duration;

use crate::registry::Retry;

/// Whether an answer with this status may be different next time.
pub fn is_transient(status: u16) -> bool {
    matches!(status, 408 | 429 | 499 | 500 | 502 | 503 | 504 | 522)
}

/// How long the server asks to wait: `Retry-After` in seconds or as a date; `now` is time since the Unix epoch.
pub fn retry_after(text: &str, now: Duration) -> Option<Duration> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let date = jiff::fmt::rfc2822::DateTimeParser::new().relaxed_weekday(true).parse_timestamp(text).ok()?;
    let at = u64::try_from(date.as_second()).ok()?;
    Some(Duration::from_secs(at).saturating_sub(now))
}

/// The delay before try number `tried` + 1 (`tried` ≥ 1). `chance` in 0..=1 spreads it by a fifth either way, so that
/// many clients do not come back at once.
pub fn delay(policy: &Retry, tried: u32, asked: Option<Duration>, chance: f64) -> Duration {
    let doubled = policy.first.saturating_mul(1u32.checked_shl(tried.saturating_sub(1)).unwrap_or(u32::MAX));
    let own = doubled.min(policy.longest).mul_f64(0.8 + 0.4 * chance.clamp(0.0, 1.0));
    asked.map_or(own, |asked| asked.min(policy.obey).max(own.min(policy.first)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_up_to_a_limit_and_obey() {
        let policy = Retry::default();
        assert_eq!(delay(&policy, 1, None, 0.5), Duration::from_millis(500));
        assert_eq!(delay(&policy, 3, None, 0.5), Duration::from_secs(2));
        assert_eq!(delay(&policy, 40, None, 1.0), Duration::from_secs(12));
        assert_eq!(delay(&policy, 1, Some(Duration::from_secs(7)), 0.5), Duration::from_secs(7));
        assert_eq!(delay(&policy, 1, Some(Duration::from_secs(7000)), 0.5), policy.obey);
    }

    #[test]
    fn seconds_and_dates() {
        let now = Duration::from_secs(784_111_770);
        assert_eq!(retry_after("120", now), Some(Duration::from_secs(120)));
        assert_eq!(retry_after("Sun, 06 Nov 1994 08:49:37 GMT", now), Some(Duration::from_secs(7)));
        assert_eq!(retry_after("Sun, 06 Nov 1993 08:49:37 GMT", now), None.or(retry_after("0", now)));
        assert_eq!(retry_after("soon", now), None);
        assert_eq!(retry_after("-1", now), None);
    }
}
