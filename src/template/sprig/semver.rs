//! Versions and constraints as Masterminds' semver has them.

use std::any::Any;
use std::cmp::Ordering;
use std::fmt;
use std::sync::{Arc, LazyLock};

use regex::Regex;

use super::super::function::{Function, fixed};
use super::super::quote::quote;
use super::text;
use crate::yaml::{Kind, Method, Object, Param, Text, UintKind, Value};

/// The table.
pub(super) const FUNCTIONS: &[Function] = &[
    fixed("semver", &[Param::Str], |_, a| Ok(Value::Object(Arc::new(Version::parse(&text(a, 0).lossy())?)))),
    fixed("semverCompare", &[Param::Str, Param::Str], |_, a| {
        let constraint = Constraints::parse(&text(a, 0).lossy())?;
        Ok(Value::Bool(constraint.allow(&Version::parse(&text(a, 1).lossy())?)))
    }),
];

const MAX_VERSION: usize = 256;
const MAX_CONSTRAINT: usize = 512;
const MAX_GROUPS: usize = 32;

/// A version: three numbers, a pre-release, metadata.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// The numbers.
    pub numbers: [u64; 3],
    /// What follows `-`.
    pub pre: String,
    /// What follows `+`; it does not count in comparisons.
    pub metadata: String,
    original: String,
}

fn compiled(pattern: &str) -> Option<Regex> {
    Regex::new(pattern).ok()
}

static VERSION: LazyLock<Option<Regex>> = LazyLock::new(|| {
    compiled(concat!(
        r"^v?([0-9]+)(?:\.([0-9]+))?(?:\.([0-9]+))?",
        r"(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?$"
    ))
});

fn leading_zero(digits: &str) -> bool {
    digits.len() > 1 && digits.starts_with('0') && digits.bytes().all(|b| b.is_ascii_digit())
}

impl Version {
    /// Reads a version loosely: a `v` in front and missing numbers are fine.
    ///
    /// # Errors
    /// The library's words.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > MAX_VERSION {
            return Err(format!("version string is too long (max {MAX_VERSION} bytes)"));
        }
        let Some(found) = VERSION.as_ref().and_then(|r| r.captures(text)) else {
            return Err("invalid semantic version".to_owned());
        };
        let part = |i: usize| found.get(i).map_or("", |m| m.as_str());
        let mut numbers = [0; 3];
        for (i, number) in numbers.iter_mut().enumerate() {
            let digits = part(i + 1);
            if !digits.is_empty() {
                *number = digits.parse().map_err(|_| {
                    let digits = quote(digits.as_bytes());
                    format!("error parsing version segment: strconv.ParseUint: parsing {digits}: value out of range")
                })?;
            }
        }
        let pre = part(4).to_owned();
        if pre.split('.').any(leading_zero) {
            return Err("version segment starts with 0".to_owned());
        }
        Ok(Self { numbers, pre, metadata: part(5).to_owned(), original: text.to_owned() })
    }

    /// Precedence; metadata does not count.
    pub fn compare(&self, other: &Self) -> Ordering {
        self.numbers.cmp(&other.numbers).then_with(|| compare_pre(&self.pre, &other.pre))
    }
}

fn compare_pre(a: &str, b: &str) -> Ordering {
    match (a.is_empty(), b.is_empty()) {
        (true, true) => return Ordering::Equal,
        (true, false) => return Ordering::Greater,
        (false, true) => return Ordering::Less,
        (false, false) => {}
    }
    let (mut a, mut b) = (a.split('.'), b.split('.'));
    loop {
        let (x, y) = match (a.next(), b.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some(x), Some(y)) => (x, y),
        };
        let order = match (x.parse::<u64>(), y.parse::<u64>()) {
            (Ok(x), Ok(y)) => x.cmp(&y),
            (Ok(_), Err(_)) => Ordering::Less,
            (Err(_), Ok(_)) => Ordering::Greater,
            (Err(_), Err(_)) => x.cmp(y),
        };
        if order.is_ne() {
            return order;
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [major, minor, patch] = self.numbers;
        write!(f, "{major}.{minor}.{patch}")?;
        if !self.pre.is_empty() {
            write!(f, "-{}", self.pre)?;
        }
        if !self.metadata.is_empty() {
            write!(f, "+{}", self.metadata)?;
        }
        Ok(())
    }
}

const OTHER: &[Param] = &[Param::Named("*semver.Version")];

impl Object for Version {
    fn type_name(&self) -> &str {
        "*semver.Version"
    }

    fn kind(&self) -> Kind {
        Kind::Ptr
    }

    fn method(&self, name: &str) -> Option<Method> {
        let params: &'static [Param] = match name {
            "Major" | "Minor" | "Patch" | "Prerelease" | "Metadata" | "Original" | "String" | "IncMajor"
            | "IncMinor" | "IncPatch" => &[],
            "SetPrerelease" | "SetMetadata" => &[Param::Str],
            "Compare" | "Equal" | "LessThan" | "LessThanEqual" | "GreaterThan" | "GreaterThanEqual" => OTHER,
            _ => return None,
        };
        Some(Method { params, variadic: false })
    }

    fn call(&self, name: &str, args: &[Value]) -> Result<Value, String> {
        let number = |i: usize| Ok(Value::Uint(self.numbers[i], UintKind::Uint64));
        match name {
            "Major" => return number(0),
            "Minor" => return number(1),
            "Patch" => return number(2),
            "Prerelease" => return Ok(self.pre.as_str().into()),
            "Metadata" => return Ok(self.metadata.as_str().into()),
            "Original" => return Ok(self.original.as_str().into()),
            "String" => return Ok(self.to_string().into()),
            "IncMajor" => return Ok(self.next([self.numbers[0].wrapping_add(1), 0, 0])),
            "IncMinor" => return Ok(self.next([self.numbers[0], self.numbers[1].wrapping_add(1), 0])),
            "IncPatch" => {
                let patch = self.numbers[2].wrapping_add(u64::from(self.pre.is_empty()));
                return Ok(self.next([self.numbers[0], self.numbers[1], patch]));
            }
            _ => {}
        }
        if let Some(Value::Str(text)) = args.first() {
            let text = text.to_string();
            let (pre, metadata) = if name == "SetPrerelease" {
                (text, self.metadata.clone())
            } else {
                (self.pre.clone(), text)
            };
            let mut version = Self { numbers: self.numbers, pre, metadata, original: String::new() };
            version.original = format!("{}{version}", self.prefix());
            Self::parse(&version.original)?;
            return Ok(Value::Object(Arc::new(version)));
        }
        let Some(Value::Object(other)) = args.first() else {
            return Err("runtime error: invalid memory address or nil pointer dereference".to_owned());
        };
        let Some(other) = other.as_any().downcast_ref::<Self>() else {
            return Err("not a version".to_owned());
        };
        let order = self.compare(other);
        Ok(match name {
            "Compare" => Value::int(order as i64),
            "Equal" => order.is_eq().into(),
            "LessThan" => order.is_lt().into(),
            "LessThanEqual" => order.is_le().into(),
            "GreaterThan" => order.is_gt().into(),
            _ => order.is_ge().into(),
        })
    }

    fn print(&self) -> Text {
        self.to_string().into()
    }

    fn is_stringer(&self) -> bool {
        true
    }

    fn to_plain(&self) -> Result<Value, String> {
        Ok(self.to_string().into())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn equals(&self, other: &dyn Object) -> bool {
        other.as_any().downcast_ref::<Self>() == Some(self)
    }
}

impl Version {
    fn prefix(&self) -> &str {
        if self.original.starts_with('v') { "v" } else { "" }
    }

    fn next(&self, numbers: [u64; 3]) -> Value {
        let [major, minor, patch] = numbers;
        let original = format!("{}{major}.{minor}.{patch}", self.prefix());
        Value::Object(Arc::new(Self { numbers, pre: String::new(), metadata: String::new(), original }))
    }
}

/// Alternatives of terms that must all hold.
#[derive(Clone, Debug)]
pub struct Constraints(Vec<Vec<Term>>);

#[derive(Clone, Debug)]
struct Term {
    op: String,
    version: Version,
    minor_open: bool,
    patch_open: bool,
    open: bool,
}

const PARTIAL: &str = concat!(
    r"v?([0-9|x|X|\*]+)(\.[0-9|x|X|\*]+)?(\.[0-9|x|X|\*]+)?",
    r"(-([0-9A-Za-z\-]+(\.[0-9A-Za-z\-]+)*))?(\+([0-9A-Za-z\-]+(\.[0-9A-Za-z\-]+)*))?"
);
const OPS: &str = r"=||!=|>|<|>=|=>|<=|=<|~|~>|\^";

/// White space in Go's patterns is ASCII, without the vertical tab.
static GRAMMAR: LazyLock<Option<Grammar>> = LazyLock::new(|| {
    let space = |pattern: String| compiled(&pattern.replace(r"\s", r"[\t\n\x0C\r ]"));
    Some(Grammar {
        term: space(format!(r"^\s*({OPS})\s*({PARTIAL})\s*$"))?,
        range: space(format!(r"\s*({PARTIAL})\s+-\s+({PARTIAL})\s*"))?,
        find: space(format!(r"({OPS})\s*({PARTIAL})"))?,
        valid: space(format!(r"^(\s*({OPS})\s*({PARTIAL})\s*)((?:\s+|,\s*)({OPS})\s*({PARTIAL})\s*)*$"))?,
    })
});

struct Grammar {
    term: Regex,
    range: Regex,
    find: Regex,
    valid: Regex,
}

impl Constraints {
    /// Reads constraints such as `>=1.2 <2 || ~3.1`.
    ///
    /// # Errors
    /// The library's words.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > MAX_CONSTRAINT {
            return Err(format!("constraint string is too long (max {MAX_CONSTRAINT} bytes)"));
        }
        let Some(grammar) = GRAMMAR.as_ref() else { return Err("constraint parser error".to_owned()) };
        let mut rewritten = text.to_owned();
        for found in grammar.range.captures_iter(text) {
            let part = |i: usize| found.get(i).map_or("", |m| m.as_str());
            rewritten = rewritten.replacen(part(0), &format!(">= {}, <= {} ", part(1), part(11)), 1);
        }
        let groups: Vec<&str> = rewritten.split("||").collect();
        if groups.len() > MAX_GROUPS {
            return Err(format!("too many constraint groups (max {MAX_GROUPS})"));
        }
        let mut all = Vec::new();
        for group in groups {
            if !grammar.valid.is_match(group) {
                return Err(format!("improper constraint: {}", quote(group.as_bytes())));
            }
            let terms: Result<Vec<Term>, String> =
                grammar.find.find_iter(group).map(|found| Term::parse(grammar, found.as_str())).collect();
            all.push(terms?);
        }
        Ok(Self(all))
    }

    /// Whether the version meets the constraints. A pre-release does so only in a group that names one.
    pub fn allow(&self, version: &Version) -> bool {
        self.0.iter().any(|group| {
            let pre = group.iter().any(|term| !term.version.pre.is_empty());
            (pre || version.pre.is_empty()) && group.iter().all(|term| term.allows(version))
        })
    }
}

impl Term {
    fn parse(grammar: &Grammar, text: &str) -> Result<Self, String> {
        let Some(found) = grammar.term.captures(text) else {
            return Err(format!("improper constraint: {}", quote(text.as_bytes())));
        };
        let part = |i: usize| found.get(i).map_or("", |m| m.as_str());
        let any = |text: &str| matches!(text.trim_start_matches('.'), "" | "x" | "X" | "*");
        let (mut minor_open, mut patch_open, mut open) = (false, false, true);
        let version = if any(part(3)) {
            format!("0.0.0{}", part(6))
        } else if any(part(4)) {
            minor_open = true;
            format!("{}.0.0{}", part(3), part(6))
        } else if any(part(5)) {
            patch_open = true;
            format!("{}{}.0{}", part(3), part(4), part(6))
        } else {
            open = false;
            part(2).to_owned()
        };
        let version = Version::parse(&version).map_err(|_| "constraint parser error".to_owned())?;
        Ok(Self { op: part(1).to_owned(), version, minor_open, patch_open, open })
    }

    fn allows(&self, v: &Version) -> bool {
        let c = &self.version;
        let order = v.compare(c);
        match self.op.as_str() {
            "" | "=" if !self.open => order.is_eq(),
            "" | "=" | "~" | "~>" => self.tilde(v, order),
            "!=" => self.not_equal(v, order),
            ">" => self.greater(v, order),
            "<" => order.is_lt(),
            ">=" | "=>" => order.is_ge(),
            "<=" | "=<" if !self.open => order.is_le(),
            "<=" | "=<" => {
                v.numbers[0] <= c.numbers[0]
                    && !(v.numbers[0] == c.numbers[0] && v.numbers[1] > c.numbers[1] && !self.minor_open)
            }
            _ => self.caret(v, order),
        }
    }

    fn tilde(&self, v: &Version, order: Ordering) -> bool {
        let c = &self.version;
        if order.is_lt() {
            return false;
        }
        if c.numbers == [0, 0, 0] && !self.minor_open && !self.patch_open {
            return true;
        }
        v.numbers[0] == c.numbers[0] && (v.numbers[1] == c.numbers[1] || self.minor_open)
    }

    fn not_equal(&self, v: &Version, order: Ordering) -> bool {
        let c = &self.version;
        if self.open {
            if c.numbers[0] != v.numbers[0] || c.numbers[1] != v.numbers[1] && !self.minor_open {
                return true;
            }
            if self.minor_open {
                return false;
            }
            if c.numbers[2] != v.numbers[2] && !self.patch_open {
                return true;
            }
            if self.patch_open {
                return (!v.pre.is_empty() || !c.pre.is_empty()) && compare_pre(&v.pre, &c.pre).is_ne();
            }
        }
        order.is_ne()
    }

    fn greater(&self, v: &Version, order: Ordering) -> bool {
        let c = &self.version;
        if !self.open || v.numbers[0] == c.numbers[0] && !self.minor_open && !self.patch_open {
            return order.is_gt();
        }
        match v.numbers[0].cmp(&c.numbers[0]) {
            Ordering::Greater => true,
            Ordering::Less => false,
            Ordering::Equal => !self.minor_open && v.numbers[1] > c.numbers[1],
        }
    }

    fn caret(&self, v: &Version, order: Ordering) -> bool {
        let c = &self.version;
        if order.is_lt() {
            return false;
        }
        if c.numbers[0] > 0 || self.minor_open {
            return v.numbers[0] == c.numbers[0];
        }
        if v.numbers[0] > 0 {
            return false;
        }
        if c.numbers[1] > 0 || self.patch_open {
            return v.numbers[1] == c.numbers[1];
        }
        v.numbers[1] == 0 && c.numbers[2] == v.numbers[2]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constraints() {
        for (constraint, version, want) in [
            (">=1.20", "v1.33.0-gke.1", false),
            (">=1.20-0", "v1.33.0-gke.1", true),
            ("1.2", "1.2.9", true),
            (">11", "11.5.0", false),
            ("^0.2.3", "0.2.9", true),
            ("~1.2.3", "1.3.0", false),
            ("1.2 - 2.0", "1.5.0", true),
            (">=1 <2 || 3.x", "3.4.5", true),
            ("!=1.2", "1.2.3", false),
        ] {
            let constraint = Constraints::parse(constraint).unwrap();
            assert_eq!(constraint.allow(&Version::parse(version).unwrap()), want, "{constraint:?} {version}");
        }
        assert_eq!(Version::parse("1.2.x").unwrap_err(), "invalid semantic version");
    }
}
