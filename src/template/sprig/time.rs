//! Go's time values and layouts.

use std::any::Any;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time as Clock};
use jiff::tz::{Offset, TimeZone};

use crate::yaml::{IntKind, Kind, Method, Object, Param, Text, Value};

/// Go's `time.Time`: seconds since 1970, nanoseconds, and where.
#[derive(Clone, Debug)]
pub(super) struct Time {
    /// Nanoseconds since 1970; Go's year 1 fits.
    pub(super) nanos: i128,
    zone: Zone,
}

/// Where a time is.
#[derive(Clone, Debug)]
pub(super) struct Zone {
    zone: TimeZone,
    /// The abbreviation of a zone that was only read from a text.
    name: Option<String>,
}

impl Zone {
    /// Greenwich.
    pub(super) fn utc() -> Self {
        Self { zone: TimeZone::UTC, name: Some("UTC".to_owned()) }
    }

    /// The zone of a name from the bundled database; `Local` is UTC, for a render never depends on the machine.
    pub(super) fn named(name: &str) -> Option<Self> {
        match name {
            "" | "UTC" | "Local" => Some(Self::utc()),
            _ if name.contains("..") || name.starts_with(['/', '\\']) => None,
            _ => TimeZone::get(name).ok().map(|zone| Self { zone, name: None }),
        }
    }

    fn fixed(seconds: i32, name: Option<String>) -> Self {
        let zone = Offset::from_seconds(seconds).map_or(TimeZone::UTC, TimeZone::fixed);
        Self { zone, name: Some(name.unwrap_or_default()) }
    }
}

/// Go's zero time is the first of January of year 1.
const YEAR_ONE: i128 = -62_135_596_800;
const SECOND: i128 = 1_000_000_000;

/// A time split up for printing.
struct Parts {
    civil: DateTime,
    offset: i32,
    zone: String,
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

impl Time {
    /// A time in UTC.
    pub(super) fn utc(nanos: i128) -> Self {
        Self { nanos, zone: Zone::utc() }
    }

    /// Go's zero time.
    pub(super) fn zero() -> Self {
        Self::utc(YEAR_ONE * SECOND)
    }

    /// The same time elsewhere.
    pub(super) fn within(&self, zone: Zone) -> Self {
        Self { nanos: self.nanos, zone }
    }

    /// Seconds since 1970.
    pub(super) fn unix(&self) -> i64 {
        i64::try_from(self.nanos.div_euclid(SECOND)).unwrap_or(0)
    }

    /// As a template value.
    pub(super) fn value(self) -> Value {
        Value::Object(Arc::new(self))
    }

    fn parts(&self) -> Parts {
        let timestamp = Timestamp::from_nanosecond(self.nanos).unwrap_or_default();
        let info = self.zone.zone.to_offset_info(timestamp);
        let zone = match &self.zone.name {
            Some(name) => name.clone(),
            None => info.abbreviation().to_owned(),
        };
        let offset = info.offset().seconds();
        Parts { civil: info.offset().to_datetime(timestamp), offset, zone }
    }

    /// Go's `Format`.
    pub(super) fn format(&self, layout: &str) -> String {
        let parts = self.parts();
        let mut out = String::new();
        let mut rest = layout;
        while !rest.is_empty() {
            let (prefix, piece, tail) = next_piece(rest);
            out.push_str(prefix);
            if let Some(piece) = piece {
                write(&mut out, piece, &parts);
            }
            rest = tail;
        }
        out
    }

    /// Go's `String`, without the monotonic clock.
    fn shown(&self) -> String {
        self.format("2006-01-02 15:04:05.999999999 -0700 MST")
    }
}

/// A piece of a layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Piece {
    LongMonth,
    Month,
    NumMonth,
    ZeroMonth,
    LongDay,
    Day,
    NumDay,
    SpaceDay,
    ZeroDay,
    SpaceYearDay,
    ZeroYearDay,
    Hour,
    Hour12,
    ZeroHour12,
    Minute,
    ZeroMinute,
    Second,
    ZeroSecond,
    LongYear,
    Year,
    Upper,
    Lower,
    ZoneName,
    /// An offset: whether `Z` stands for none, colons, seconds, hours only.
    Offset {
        zulu: bool,
        colon: bool,
        seconds: bool,
        short: bool,
    },
    /// A fraction: digits, fixed (`0`) or trimmed (`9`), and its separator.
    Fraction {
        digits: usize,
        fixed: bool,
        comma: bool,
    },
}

/// Splits a layout at its first piece: what comes before, the piece, the rest.
fn next_piece(layout: &str) -> (&str, Option<Piece>, &str) {
    const FIXED: &[(&str, Piece)] = &[
        ("January", Piece::LongMonth),
        ("Jan", Piece::Month),
        ("Monday", Piece::LongDay),
        ("Mon", Piece::Day),
        ("MST", Piece::ZoneName),
        ("002", Piece::ZeroYearDay),
        ("01", Piece::ZeroMonth),
        ("02", Piece::ZeroDay),
        ("03", Piece::ZeroHour12),
        ("04", Piece::ZeroMinute),
        ("05", Piece::ZeroSecond),
        ("06", Piece::Year),
        ("15", Piece::Hour),
        ("1", Piece::NumMonth),
        ("2006", Piece::LongYear),
        ("2", Piece::NumDay),
        ("__2", Piece::SpaceYearDay),
        ("_2", Piece::SpaceDay),
        ("3", Piece::Hour12),
        ("4", Piece::Minute),
        ("5", Piece::Second),
        ("PM", Piece::Upper),
        ("pm", Piece::Lower),
    ];
    const OFFSETS: &[(&str, bool, bool, bool)] = &[
        // colon, seconds, short
        ("070000", false, true, false),
        ("07:00:00", true, true, false),
        ("0700", false, false, false),
        ("07:00", true, false, false),
        ("07", false, false, true),
    ];
    for (at, c) in layout.char_indices() {
        let rest = &layout[at..];
        if let Some((mark, tail)) = rest.strip_prefix(['-', 'Z']).map(|tail| (c, tail)) {
            for (text, colon, seconds, short) in OFFSETS {
                if let Some(after) = tail.strip_prefix(text) {
                    let piece =
                        Piece::Offset { zulu: mark == 'Z', colon: *colon, seconds: *seconds, short: *short };
                    return (&layout[..at], Some(piece), after);
                }
            }
            continue;
        }
        if matches!(c, '.' | ',') {
            let digit = rest[1..].chars().next().unwrap_or(' ');
            if matches!(digit, '0' | '9') {
                let digits = rest[1..].chars().take_while(|d| *d == digit).count();
                let after = &rest[1 + digits..];
                if !after.starts_with(|d: char| d.is_ascii_digit()) {
                    let piece = Piece::Fraction { digits, fixed: digit == '0', comma: c == ',' };
                    return (&layout[..at], Some(piece), after);
                }
            }
            continue;
        }
        // `_2006` is an underscore and a year.
        if let Some(after) = rest.strip_prefix("_2006") {
            return (&layout[..=at], Some(Piece::LongYear), after);
        }
        for (text, piece) in FIXED {
            if let Some(after) = rest.strip_prefix(text) {
                if *text == "Jan" && after.starts_with("uary") {
                    continue;
                }
                if matches!(*text, "Jan" | "Mon") && after.starts_with(|l: char| l.is_ascii_lowercase()) {
                    continue;
                }
                return (&layout[..at], Some(*piece), after);
            }
        }
    }
    (layout, None, "")
}

fn write(out: &mut String, piece: Piece, parts: &Parts) {
    let t = parts.civil;
    let hour12 = if t.hour() % 12 == 0 { 12 } else { t.hour() % 12 };
    let month = MONTHS[usize::try_from(t.month() - 1).unwrap_or(0).min(11)];
    let day = DAYS[usize::try_from(t.date().weekday().to_monday_zero_offset()).unwrap_or(0).min(6)];
    let text = match piece {
        Piece::LongMonth => month.to_owned(),
        Piece::Month => month[..3].to_owned(),
        Piece::NumMonth => t.month().to_string(),
        Piece::ZeroMonth => format!("{:02}", t.month()),
        Piece::LongDay => day.to_owned(),
        Piece::Day => day[..3].to_owned(),
        Piece::NumDay => t.day().to_string(),
        Piece::SpaceDay => format!("{:2}", t.day()),
        Piece::ZeroDay => format!("{:02}", t.day()),
        Piece::SpaceYearDay => format!("{:3}", t.date().day_of_year()),
        Piece::ZeroYearDay => format!("{:03}", t.date().day_of_year()),
        Piece::Hour => format!("{:02}", t.hour()),
        Piece::Hour12 => hour12.to_string(),
        Piece::ZeroHour12 => format!("{hour12:02}"),
        Piece::Minute => t.minute().to_string(),
        Piece::ZeroMinute => format!("{:02}", t.minute()),
        Piece::Second => t.second().to_string(),
        Piece::ZeroSecond => format!("{:02}", t.second()),
        Piece::LongYear => format!("{:04}", t.year()),
        Piece::Year => format!("{:02}", t.year().rem_euclid(100)),
        Piece::Upper => if t.hour() >= 12 { "PM" } else { "AM" }.to_owned(),
        Piece::Lower => if t.hour() >= 12 { "pm" } else { "am" }.to_owned(),
        Piece::ZoneName if !parts.zone.is_empty() => parts.zone.clone(),
        Piece::ZoneName => offset(parts.offset, (false, false, false)),
        Piece::Offset { zulu: true, .. } if parts.offset == 0 => "Z".to_owned(),
        Piece::Offset { colon, seconds, short, .. } => offset(parts.offset, (colon, seconds, short)),
        Piece::Fraction { digits, fixed, comma } => {
            let nanos = format!("{:09}", t.subsec_nanosecond());
            let mut shown = nanos[..digits.min(9)].to_owned();
            if !fixed {
                shown.truncate(shown.trim_end_matches('0').len());
                if shown.is_empty() {
                    return;
                }
            }
            format!("{}{shown}", if comma { ',' } else { '.' })
        }
    };
    out.push_str(&text);
}

/// An offset in (with colons, with seconds, hours only).
fn offset(seconds: i32, form: (bool, bool, bool)) -> String {
    let (colon, with_seconds, short) = form;
    let sign = if seconds < 0 { '-' } else { '+' };
    let (h, m, s) = (seconds.abs() / 3600, seconds.abs() / 60 % 60, seconds.abs() % 60);
    let mark = if colon { ":" } else { "" };
    if short {
        return format!("{sign}{h:02}");
    }
    let tail = if with_seconds { format!("{mark}{s:02}") } else { String::new() };
    format!("{sign}{h:02}{mark}{m:02}{tail}")
}

/// What has been read of a time.
#[derive(Default)]
struct Read {
    year: Option<i64>,
    month: Option<i64>,
    day: Option<i64>,
    year_day: Option<i64>,
    hour: i64,
    minute: i64,
    second: i64,
    nanos: i64,
    afternoon: Option<bool>,
    offset: Option<i32>,
    zone: Option<String>,
}

/// Go's `time.Parse`.
///
/// # Errors
/// Go's words.
pub(super) fn parse(layout: &str, value: &str) -> Result<Time, String> {
    let q = |text: &str| super::super::quote::quote(text.as_bytes());
    let fail = |element: &str, rest: &str| {
        format!("parsing time {} as {}: cannot parse {} as {}", q(value), q(layout), q(rest), q(element))
    };
    let range = |what: &str| format!("parsing time {}: {what} out of range", q(value));
    let (mut read, mut rest, mut format) = (Read::default(), value, layout);
    loop {
        let (prefix, piece, tail) = next_piece(format);
        let element = &format[prefix.len()..format.len() - tail.len()];
        rest = skip(rest, prefix).ok_or_else(|| fail(prefix, rest))?;
        let Some(piece) = piece else {
            if !rest.is_empty() {
                return Err(format!("parsing time {}: extra text: {}", q(value), q(rest)));
            }
            return read.time().map_err(range);
        };
        let hold = rest;
        match read.take(piece, &mut rest, tail) {
            Ok(()) => {}
            Err(Problem::Syntax) => return Err(fail(element, hold)),
            Err(Problem::Range(what)) => return Err(range(what)),
        }
        format = tail;
    }
}

enum Problem {
    Syntax,
    Range(&'static str),
}

/// Drops the literal text of a layout; runs of spaces match any.
fn skip<'v>(value: &'v str, prefix: &str) -> Option<&'v str> {
    let (mut value, mut prefix) = (value, prefix);
    while let Some(c) = prefix.chars().next() {
        if c == ' ' {
            if !value.is_empty() && !value.starts_with(' ') {
                return None;
            }
            prefix = prefix.trim_start_matches(' ');
            value = value.trim_start_matches(' ');
            continue;
        }
        value = value.strip_prefix(c)?;
        prefix = &prefix[c.len_utf8()..];
    }
    Some(value)
}

/// Between `low` and `high` digits.
fn digits(rest: &mut &str, low: usize, high: usize) -> Result<i64, Problem> {
    let n = rest.bytes().take(high).take_while(u8::is_ascii_digit).count();
    if n < low {
        return Err(Problem::Syntax);
    }
    let value = rest[..n].parse().map_err(|_| Problem::Syntax)?;
    *rest = &rest[n..];
    Ok(value)
}

fn lookup(rest: &mut &str, names: &[&str], length: Option<usize>) -> Result<i64, Problem> {
    for (i, name) in names.iter().enumerate() {
        let name = &name[..length.unwrap_or(name.len())];
        if rest.get(..name.len()).is_some_and(|head| head.eq_ignore_ascii_case(name)) {
            *rest = &rest[name.len()..];
            return Ok(i64::try_from(i).unwrap_or(0));
        }
    }
    Err(Problem::Syntax)
}

fn within(value: i64, low: i64, high: i64, what: &'static str) -> Result<i64, Problem> {
    if (low..=high).contains(&value) { Ok(value) } else { Err(Problem::Range(what)) }
}

impl Read {
    fn take(&mut self, piece: Piece, rest: &mut &str, next: &str) -> Result<(), Problem> {
        match piece {
            Piece::LongYear => self.year = Some(digits(rest, 4, 4)?),
            Piece::Year => {
                let short = digits(rest, 2, 2)?;
                self.year = Some(if short >= 69 { 1900 + short } else { 2000 + short });
            }
            Piece::Month => self.month = Some(lookup(rest, &MONTHS, Some(3))? + 1),
            Piece::LongMonth => self.month = Some(lookup(rest, &MONTHS, None)? + 1),
            Piece::NumMonth => self.month = Some(within(digits(rest, 1, 2)?, 1, 12, "month")?),
            Piece::ZeroMonth => self.month = Some(within(digits(rest, 2, 2)?, 1, 12, "month")?),
            Piece::Day => drop(lookup(rest, &DAYS, Some(3))?),
            Piece::LongDay => drop(lookup(rest, &DAYS, None)?),
            Piece::SpaceDay | Piece::NumDay => {
                *rest = if piece == Piece::SpaceDay { rest.strip_prefix(' ').unwrap_or(rest) } else { rest };
                self.day = Some(digits(rest, 1, 2)?);
            }
            Piece::ZeroDay => self.day = Some(digits(rest, 2, 2)?),
            Piece::SpaceYearDay | Piece::ZeroYearDay => {
                *rest = rest.trim_start_matches(' ');
                self.year_day = Some(within(digits(rest, 1, 3)?, 1, 366, "day-of-year")?);
            }
            Piece::Hour => self.hour = within(digits(rest, 1, 2)?, 0, 23, "hour")?,
            Piece::Hour12 => self.hour = within(digits(rest, 1, 2)?, 0, 12, "hour")?,
            Piece::ZeroHour12 => self.hour = within(digits(rest, 2, 2)?, 0, 12, "hour")?,
            Piece::Minute => self.minute = within(digits(rest, 1, 2)?, 0, 59, "minute")?,
            Piece::ZeroMinute => self.minute = within(digits(rest, 2, 2)?, 0, 59, "minute")?,
            Piece::Second | Piece::ZeroSecond => {
                let low = if piece == Piece::Second { 1 } else { 2 };
                self.second = within(digits(rest, low, 2)?, 0, 59, "second")?;
                // A fraction may follow that the layout does not name.
                if !matches!(next_piece(next), ("", Some(Piece::Fraction { .. }), _)) {
                    self.fraction(rest, None);
                }
            }
            Piece::Upper | Piece::Lower => {
                let (am, pm) = if piece == Piece::Upper { ("AM", "PM") } else { ("am", "pm") };
                self.afternoon = Some(rest.starts_with(pm));
                *rest = rest.strip_prefix(pm).or_else(|| rest.strip_prefix(am)).ok_or(Problem::Syntax)?;
            }
            Piece::Fraction { digits, fixed: true, .. } => {
                let have = rest.bytes().skip(1).take(digits).filter(u8::is_ascii_digit).count();
                if have < digits || !rest.starts_with(['.', ',']) {
                    return Err(Problem::Syntax);
                }
                self.fraction(rest, Some(digits));
            }
            Piece::Fraction { .. } => self.fraction(rest, None),
            Piece::ZoneName => self.zone_name(rest)?,
            Piece::Offset { zulu, colon, seconds, short } => {
                if zulu && let Some(tail) = rest.strip_prefix('Z') {
                    *rest = tail;
                    self.offset = Some(0);
                    self.zone = Some("UTC".to_owned());
                    return Ok(());
                }
                self.read_offset(rest, (colon, seconds, short))?;
            }
        }
        Ok(())
    }

    fn fraction(&mut self, rest: &mut &str, length: Option<usize>) {
        let Some(tail) = rest.strip_prefix(['.', ',']) else { return };
        let n = length.unwrap_or_else(|| tail.bytes().take_while(u8::is_ascii_digit).count());
        if n == 0 {
            return;
        }
        let shown = format!("{:0<9}", &tail[..n]);
        self.nanos = shown[..9].parse().unwrap_or(0);
        *rest = &tail[n..];
    }

    fn zone_name(&mut self, rest: &mut &str) -> Result<(), Problem> {
        if let Some(tail) = rest.strip_prefix("UTC") {
            *rest = tail;
            self.offset = Some(0);
            self.zone = Some("UTC".to_owned());
            return Ok(());
        }
        let n = rest.bytes().take(6).take_while(u8::is_ascii_uppercase).count();
        let name = &rest[..n];
        let good =
            n == 3 || n == 4 && (name.ends_with('T') || name == "WITA") || n == 5 && name.ends_with('T');
        if !good {
            return Err(Problem::Syntax);
        }
        self.zone = Some(name.to_owned());
        *rest = &rest[n..];
        Ok(())
    }

    fn read_offset(&mut self, rest: &mut &str, form: (bool, bool, bool)) -> Result<(), Problem> {
        let (colon, with_seconds, short) = form;
        let sign = match rest.bytes().next() {
            Some(b'+') => 1,
            Some(b'-') => -1,
            _ => return Err(Problem::Syntax),
        };
        *rest = &rest[1..];
        let mut total = within(digits(rest, 2, 2)?, 0, 24, "time zone offset hour")? * 3600;
        if !short {
            for (part, factor) in [(true, 60), (with_seconds, 1)] {
                if part {
                    if colon {
                        *rest = rest.strip_prefix(':').ok_or(Problem::Syntax)?;
                    }
                    total += within(digits(rest, 2, 2)?, 0, 60, "time zone offset minute")? * factor;
                }
            }
        }
        self.offset = i32::try_from(sign * total).ok();
        Ok(())
    }

    fn time(self) -> Result<Time, &'static str> {
        let year = i16::try_from(self.year.unwrap_or(0)).map_err(|_| "year")?;
        let mut hour = self.hour;
        match self.afternoon {
            Some(true) if hour < 12 => hour += 12,
            Some(false) if hour == 12 => hour = 0,
            _ => {}
        }
        let small = |n: i64| i8::try_from(n).unwrap_or(0);
        let date = match self.year_day {
            Some(day) => Date::new(year, 1, 1)
                .map_err(|_| "year")?
                .with()
                .day_of_year(i16::try_from(day).unwrap_or(0))
                .build(),
            None => Date::new(year, small(self.month.unwrap_or(1)), small(self.day.unwrap_or(1))),
        }
        .map_err(|_| "day")?;
        let nanos = i32::try_from(self.nanos).unwrap_or(0);
        let clock =
            Clock::new(small(hour), small(self.minute), small(self.second), nanos).map_err(|_| "hour")?;
        let civil = DateTime::from_parts(date, clock);
        let utc = Offset::UTC.to_timestamp(civil).map_err(|_| "year")?.as_nanosecond();
        let offset = self.offset.unwrap_or(0);
        let zone = match (self.offset, self.zone) {
            (None, None) => Zone::utc(),
            (Some(0), None) => Zone::utc(),
            (_, Some(name)) if name == "UTC" => Zone::utc(),
            (_, name) => Zone::fixed(offset, name),
        };
        Ok(Time { nanos: utc - i128::from(offset) * SECOND, zone })
    }
}

const OTHER: &[Param] = &[Param::Named("time.Time")];

impl Object for Time {
    fn type_name(&self) -> &str {
        "time.Time"
    }

    fn kind(&self) -> Kind {
        Kind::Struct
    }

    fn method(&self, name: &str) -> Option<Method> {
        let params: &'static [Param] = match name {
            "Unix" | "UnixNano" | "UnixMilli" | "Year" | "Month" | "Day" | "Hour" | "Minute" | "Second"
            | "Nanosecond" | "Weekday" | "YearDay" | "UTC" | "String" | "IsZero" | "Local" => &[],
            "Format" => &[Param::Str],
            "AddDate" => &[Param::Int, Param::Int, Param::Int],
            "Before" | "After" | "Equal" | "Compare" => OTHER,
            _ => return None,
        };
        Some(Method { params, variadic: false })
    }

    fn call(&self, name: &str, args: &[Value]) -> Result<Value, String> {
        let parts = self.parts();
        let t = parts.civil;
        let other = args.first().and_then(|v| match v {
            Value::Object(object) => object.as_any().downcast_ref::<Self>().map(|t| t.nanos),
            _ => None,
        });
        let number = |i: usize| super::int(args, i);
        Ok(match name {
            "Unix" => Value::int64(self.unix()),
            "UnixNano" => Value::int64(i64::try_from(self.nanos).unwrap_or(0)),
            "UnixMilli" => Value::int64(i64::try_from(self.nanos.div_euclid(1_000_000)).unwrap_or(0)),
            "Year" => Value::int(i64::from(t.year())),
            "Month" => MONTHS[usize::try_from(t.month() - 1).unwrap_or(0).min(11)].into(),
            "Weekday" => self.format("Monday").into(),
            "Day" => Value::int(i64::from(t.day())),
            "Hour" => Value::int(i64::from(t.hour())),
            "Minute" => Value::int(i64::from(t.minute())),
            "Second" => Value::int(i64::from(t.second())),
            "Nanosecond" => Value::Int(i64::from(t.subsec_nanosecond()), IntKind::Int),
            "YearDay" => Value::int(i64::from(t.date().day_of_year())),
            "UTC" | "Local" => self.within(Zone::utc()).value(),
            "IsZero" => Value::Bool(self.nanos == YEAR_ONE * SECOND),
            "Format" => self.format(&super::text(args, 0).lossy()).into(),
            "AddDate" => self.add_date(number(0), number(1), number(2)).value(),
            "Before" => Value::Bool(other.is_some_and(|o| self.nanos < o)),
            "After" => Value::Bool(other.is_some_and(|o| self.nanos > o)),
            "Equal" => Value::Bool(other == Some(self.nanos)),
            "Compare" => Value::int(other.map_or(1, |o| self.nanos.cmp(&o) as i64)),
            _ => self.shown().into(),
        })
    }

    fn print(&self) -> Text {
        self.shown().into()
    }

    fn is_stringer(&self) -> bool {
        true
    }

    fn to_plain(&self) -> Result<Value, String> {
        Ok(self.format("2006-01-02T15:04:05.999999999Z07:00").into())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Time {
    /// Go's AddDate, which lets days overflow into the next month.
    fn add_date(&self, years: i64, months: i64, days: i64) -> Self {
        let t = self.parts().civil;
        let month = i64::from(t.year()) * 12 + i64::from(t.month()) - 1;
        let month = month.saturating_add(years.saturating_mul(12)).saturating_add(months);
        let first = i16::try_from(month.div_euclid(12))
            .ok()
            .and_then(|year| Date::new(year, i8::try_from(month.rem_euclid(12) + 1).unwrap_or(1), 1).ok());
        let Some(first) = first else { return self.clone() };
        let start = t.date().with().day(1).build().unwrap_or(t.date());
        let moved = start.until(first).map_or(0, |span| i64::from(span.get_days()));
        let whole = i128::from(moved) + i128::from(days);
        Self { nanos: self.nanos + whole * 86_400 * SECOND, zone: self.zone.clone() }
    }
}
