//! The ids a user may map beside their own: `/etc/subuid` and `/etc/subgid`, else `getsubids` for other sources.
//!
//! subuid(5), getsubids(1).

use std::fs;
use std::process::{Command, Stdio};

/// A range of subordinate ids: the first and how many.
pub(super) type Range = (u32, u32);

/// The ranges of the user with this id in the file for `kind` (`uid` or `gid`).
pub(super) fn ranges(kind: &str, uid: u32) -> Vec<Range> {
    let name = user_name(uid);
    let text = fs::read_to_string(format!("/etc/sub{kind}")).unwrap_or_default();
    let found = parse(&text, name.as_deref(), uid);
    if found.is_empty() { asked(kind, name.as_deref()) } else { found }
}

/// The user's name, from the password file or else the environment (which is only asked: `newuidmap` checks itself).
pub(super) fn user_name(uid: u32) -> Option<String> {
    let text = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let known = text.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
    });
    known.or_else(|| {
        std::env::var("USER").or_else(|_| std::env::var("LOGNAME")).ok().filter(|n| !n.is_empty())
    })
}

fn parse(text: &str, name: Option<&str>, uid: u32) -> Vec<Range> {
    text.lines()
        .filter_map(|line| {
            let mut fields = line.trim().split(':');
            let owner = fields.next()?;
            if Some(owner) != name && owner.parse() != Ok(uid) {
                return None;
            }
            let (first, count) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
            (count > 0).then_some((first, count))
        })
        .collect()
}

/// What `getsubids` says: `0: name 100000 65536` a line.
fn asked(kind: &str, name: Option<&str>) -> Vec<Range> {
    let Some(name) = name else { return Vec::new() };
    let mut command = Command::new("getsubids");
    if kind == "gid" {
        command.arg("-g");
    }
    let output = command.arg(name).stdin(Stdio::null()).stderr(Stdio::null()).output();
    let text = output.map(|o| String::from_utf8_lossy(&o.stdout).into_owned()).unwrap_or_default();
    text.lines()
        .filter_map(|line| {
            let mut words = line.split_ascii_whitespace().skip(2);
            Some((words.next()?.parse().ok()?, words.next()?.parse().ok()?))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_by_name_and_by_number() {
        let text = "root:1:5\nann:100000:65536\n1000:300000:10\nann:500000:65536\nbad:x:1\nann:9:0\n";
        assert_eq!(parse(text, Some("ann"), 1000), [(100_000, 65536), (300_000, 10), (500_000, 65536)]);
        assert_eq!(parse(text, None, 7), []);
    }
}
