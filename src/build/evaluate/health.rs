//! Words of the history that Go's `fmt` would print: quoted lists, health checks, durations.

use crate::oci::Healthcheck;

/// A list as `%q` prints it: `["a" "b"]`.
pub fn quoted_list(words: &[String]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| quoted(word)).collect();
    format!("[{}]", quoted.join(" "))
}

/// A text as Go's `strconv.Quote` writes it.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\x07' => out.push_str("\\a"),
            '\x08' => out.push_str("\\b"),
            '\x0c' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\x0b' => out.push_str("\\v"),
            c if (c as u32) < 0x20 || c == '\x7f' => out.push_str(&format!("\\x{:02x}", c as u32)),
            c if is_printable(c) => out.push(c),
            c if (c as u32) < 0x10000 => out.push_str(&format!("\\u{:04x}", c as u32)),
            c => out.push_str(&format!("\\U{:08x}", c as u32)),
        }
    }
    out.push('"');
    out
}

/// Rust's own table, asked behind a letter because it escapes combining marks only at the beginning.
fn is_printable(c: char) -> bool {
    c.is_ascii() || format!("a{c}").escape_debug().count() == 2
}

/// A health check as `%+v` prints it.
pub fn shown(check: &Healthcheck) -> String {
    format!(
        "{{Test:[{}] Interval:{} Timeout:{} StartPeriod:{} StartInterval:{} Retries:{}}}",
        check.test.join(" "),
        duration(check.interval),
        duration(check.timeout),
        duration(check.start_period),
        duration(check.start_interval),
        check.retries
    )
}

/// Nanoseconds as Go's `time.Duration` prints them: `1h2m3.5s`, `1.5ms`, `0s`.
fn duration(nanoseconds: i64) -> String {
    let (sign, total) =
        if nanoseconds < 0 { ("-", nanoseconds.unsigned_abs()) } else { ("", nanoseconds.unsigned_abs()) };
    let body = match total {
        0 => "0s".to_owned(),
        1..1_000 => format!("{total}ns"),
        1_000..1_000_000 => format!("{}µs", decimal(total, 3)),
        1_000_000..1_000_000_000 => format!("{}ms", decimal(total, 6)),
        _ => {
            let (minutes, seconds) = (total / 60_000_000_000, total % 60_000_000_000);
            let seconds = format!("{}s", decimal(seconds, 9));
            match (minutes / 60, minutes % 60) {
                (0, 0) => seconds,
                (0, m) => format!("{m}m{seconds}"),
                (h, m) => format!("{h}h{m}m{seconds}"),
            }
        }
    };
    format!("{sign}{body}")
}

/// `value / 10^digits` without trailing zeros.
fn decimal(value: u64, digits: usize) -> String {
    let scale = 10u64.pow(u32::try_from(digits).unwrap_or(0));
    let fraction = format!("{:0digits$}", value % scale);
    let fraction = fraction.trim_end_matches('0');
    if fraction.is_empty() { (value / scale).to_string() } else { format!("{}.{fraction}", value / scale) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_as_go_prints_them() {
        let table = [
            (0, "0s"),
            (1, "1ns"),
            (1_500, "1.5µs"),
            (2_000_000, "2ms"),
            (5_000_000_000, "5s"),
            (90_000_000_000, "1m30s"),
            (3_723_500_000_000, "1h2m3.5s"),
            (3_600_000_000_000, "1h0m0s"),
        ];
        for (nanoseconds, text) in table {
            assert_eq!(duration(nanoseconds), text);
        }
    }

    #[test]
    fn lists_as_go_quotes_them() {
        let words = ["/bin/sh", "-c", "echo \"hi\"\n\té\u{a0}\x01"].map(str::to_owned);
        assert_eq!(quoted_list(&words), r#"["/bin/sh" "-c" "echo \"hi\"\n\té\u00a0\x01"]"#);
    }
}
