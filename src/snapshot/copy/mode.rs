//! `--chmod`: octal numbers and symbolic lists.

use std::str::FromStr;

use crate::snapshot::Error;

/// What `--chmod` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModeChange {
    /// The mode itself.
    Octal(u32),
    /// Changes to the mode something has, in order.
    Symbolic(Vec<Clause>),
}

/// One change: `ug+rwX`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clause {
    /// Whom it is about, as bits of the mode: `0o4700` for `u`, `0o2070` for `g`, `0o1007` for `o`.
    who: u32,
    operator: Operator,
    /// Permission bits, of all three groups.
    bits: u32,
    /// `X`: execution for directories, and for files somebody may execute.
    execute_if_any: bool,
    /// Permissions that another group has: `g=u`.
    like: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Add,
    Remove,
    Set,
}

impl FromStr for ModeChange {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let fail = |reason| Error::Syntax { what: "--chmod", text: text.to_owned(), reason };
        if text.starts_with(|c: char| c.is_ascii_digit()) {
            let mode = u32::from_str_radix(text, 8).ok().filter(|&mode| mode <= 0o7777);
            return mode.map(Self::Octal).ok_or_else(|| fail("an octal mode is at most 7777"));
        }
        let mut clauses = Vec::new();
        for part in text.split(',') {
            clauses.extend(parse(part).map_err(fail)?);
        }
        Ok(Self::Symbolic(clauses))
    }
}

fn parse(part: &str) -> Result<Vec<Clause>, &'static str> {
    let (who, mut rest) = part.split_at(part.find(['+', '-', '=']).ok_or("a change needs `+`, `-` or `=`")?);
    let mut mask = 0;
    for letter in who.chars() {
        mask |= match letter {
            'u' => 0o4700,
            'g' => 0o2070,
            'o' => 0o1007,
            'a' => 0o7777,
            _ => return Err("only `u`, `g`, `o` and `a` may stand before the operator"),
        };
    }
    let who = if mask == 0 { 0o7777 } else { mask };
    let mut clauses = Vec::new();
    while let Some(sign) = rest.chars().next() {
        let operator = match sign {
            '+' => Operator::Add,
            '-' => Operator::Remove,
            _ => Operator::Set,
        };
        let end = rest[1..].find(['+', '-', '=']).map_or(rest.len(), |at| at + 1);
        let mut clause = Clause { who, operator, bits: 0, execute_if_any: false, like: None };
        for letter in rest[1..end].chars() {
            match letter {
                'r' => clause.bits |= 0o444,
                'w' => clause.bits |= 0o222,
                'x' => clause.bits |= 0o111,
                's' => clause.bits |= 0o6000,
                't' => clause.bits |= 0o1000,
                'X' => clause.execute_if_any = true,
                'u' => clause.like = Some(6),
                'g' => clause.like = Some(3),
                'o' => clause.like = Some(0),
                _ => {
                    return Err(
                        "only `r`, `w`, `x`, `X`, `s`, `t`, `u`, `g` and `o` may stand behind the operator",
                    );
                }
            }
        }
        clauses.push(clause);
        rest = &rest[end..];
    }
    Ok(clauses)
}

impl ModeChange {
    /// The new mode of something that had `mode`.
    pub fn apply(&self, mode: u32, directory: bool) -> u32 {
        match self {
            Self::Octal(new) => *new,
            Self::Symbolic(clauses) => {
                clauses.iter().fold(mode, |mode, clause| clause.apply(mode, directory))
            }
        }
    }

    /// The mode itself, if it does not depend on what was there.
    pub fn octal(&self) -> Option<u32> {
        match self {
            Self::Octal(mode) => Some(*mode),
            Self::Symbolic(_) => None,
        }
    }
}

impl Clause {
    fn apply(self, mode: u32, directory: bool) -> u32 {
        let mut bits = self.bits;
        if self.execute_if_any && (directory || mode & 0o111 != 0) {
            bits |= 0o111;
        }
        if let Some(shift) = self.like {
            bits |= ((mode >> shift) & 7) * 0o111;
            // A set id is copied too, as BuildKit has it.
            let set_id = if shift == 0 { 0 } else { 1 << (9 + shift / 3) };
            if mode & set_id != 0 {
                bits |= 0o6000;
            }
        }
        // `t` belongs to everybody: `u+t` sets it too, as chmod does.
        let who = if self.bits & 0o1000 != 0 { self.who | 0o1000 } else { self.who };
        let bits = bits & who;
        match self.operator {
            Operator::Add => mode | bits,
            Operator::Remove => mode & !bits,
            // Special bits of directories stay unless named, as chmod does.
            Operator::Set if directory => (mode & !(who & 0o777)) | bits,
            Operator::Set => (mode & !who) | bits,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes() {
        for (text, before, directory, after) in [
            ("644", 0o4777, false, 0o644),
            ("0", 0o777, false, 0),
            ("7777", 0, true, 0o7777),
            ("u=rwX,go=rX", 0o600, false, 0o644),
            ("u=rwX,go=rX", 0o700, false, 0o755),
            ("u=rwX,go=rX", 0o600, true, 0o755),
            ("+x", 0o644, false, 0o755),
            ("a-w", 0o777, false, 0o555),
            ("u+s,g+s", 0o755, false, 0o6755),
            ("o+t", 0o777, true, 0o1777),
            ("g=u", 0o640, false, 0o660),
            ("u=rw+x-w", 0o000, false, 0o500),
            ("go=", 0o777, false, 0o700),
            ("go=u", 0o6755, false, 0o6777),
            ("u=g", 0o755, false, 0o555),
            ("u=rwx", 0o4755, false, 0o755),
        ] {
            let change: ModeChange = text.parse().unwrap();
            assert_eq!(change.apply(before, directory), after, "{text} on {before:o}");
        }
        for bad in ["17777", "99x", "", "rwx", "z+r", "u+q", "u", "8"] {
            assert!(bad.parse::<ModeChange>().is_err(), "{bad}");
        }
    }
}
