//! `USER name|uid[:group|gid]` to numbers, by the image's own files. Called inside the root.
//!
//! Without a group: the user's own, and those that list the user. With one: only that. A number that no file knows is
//! taken as it is, with group 0; nobody named is user 0. The group is among the supplementary ones too. (Measured with
//! BuildKit; moby/sys: user.)

use std::fs::OpenOptions;
use std::io::Read as _;
use std::os::unix::fs::OpenOptionsExt as _;

/// Who the step runs as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct User {
    pub(super) uid: u32,
    pub(super) gid: u32,
    /// Supplementary groups.
    pub(super) groups: Vec<u32>,
    /// From the password file, else `/`.
    pub(super) home: String,
}

/// The image's files.
pub(super) struct Accounts {
    passwd: String,
    group: String,
}

struct Account<'a> {
    name: &'a str,
    uid: u32,
    gid: u32,
    home: &'a str,
}

const MAX_FILE: u64 = 10 << 20;

impl Accounts {
    /// Those of the current root; files that are missing or no files are empty.
    pub(super) fn read() -> Self {
        Self { passwd: read("/etc/passwd"), group: read("/etc/group") }
    }

    /// Who `text` names; on failure says why nobody.
    pub(super) fn resolve(&self, text: &str) -> Result<User, String> {
        let text = if text.is_empty() { "0" } else { text };
        let (name, group) = match text.split_once(':') {
            Some((name, group)) => (name, Some(group).filter(|g| !g.is_empty())),
            None => (text, None),
        };
        let number = name.parse::<u32>().ok();
        let account = self.accounts().find(|a| a.name == name || (number.is_some() && number == Some(a.uid)));
        let uid = match (&account, number) {
            (Some(account), _) => account.uid,
            (None, Some(number)) => number,
            (None, None) if name.is_empty() => 0,
            (None, None) => {
                return Err(format!("unable to find user {name}: no matching entries in passwd file"));
            }
        };
        let (gid, mut groups) = match group {
            Some(group) => (self.group(group)?, Vec::new()),
            None => (
                account.as_ref().map_or(0, |a| a.gid),
                account.as_ref().map_or_else(Vec::new, |a| self.memberships(a.name)),
            ),
        };
        if !groups.contains(&gid) {
            groups.insert(0, gid);
        }
        Ok(User { uid, gid, groups, home: self.home(uid) })
    }

    fn accounts(&self) -> impl Iterator<Item = Account<'_>> {
        self.passwd.lines().filter_map(|line| {
            let mut fields = line.trim().split(':');
            let (name, _password) = (fields.next()?, fields.next()?);
            let (uid, gid) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
            let home = fields.nth(1).unwrap_or("");
            Some(Account { name, uid, gid, home })
        })
    }

    /// Name, id and members of every group.
    fn groups(&self) -> impl Iterator<Item = (&str, u32, &str)> {
        self.group.lines().filter_map(|line| {
            let mut fields = line.trim().split(':');
            let (name, _password) = (fields.next()?, fields.next()?);
            Some((name, fields.next()?.parse().ok()?, fields.next().unwrap_or("")))
        })
    }

    fn group(&self, text: &str) -> Result<u32, String> {
        let number = text.parse::<u32>().ok();
        let known = self.groups().find(|(name, gid, _)| *name == text || number == Some(*gid));
        known
            .map(|(_, gid, _)| gid)
            .or(number)
            .ok_or_else(|| format!("unable to find group {text}: no matching entries in group file"))
    }

    fn memberships(&self, user: &str) -> Vec<u32> {
        let member = |members: &str| members.split(',').any(|m| m == user);
        self.groups().filter(|(_, _, members)| member(members)).map(|(_, gid, _)| gid).collect()
    }

    fn home(&self, uid: u32) -> String {
        let home = self.accounts().find(|a| a.uid == uid).map(|a| a.home).filter(|h| !h.is_empty());
        home.unwrap_or("/").to_owned()
    }
}

fn read(path: &str) -> String {
    // A pipe or a device in its place must not hold us up.
    let opened = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(path);
    let mut bytes = Vec::new();
    if let Ok(file) = opened
        && file.metadata().is_ok_and(|m| m.is_file())
    {
        let _ = file.take(MAX_FILE).read_to_end(&mut bytes);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(text: &str) -> Result<(u32, u32, Vec<u32>, String), String> {
        let accounts = Accounts {
            passwd: "root:x:0:0:root:/root:/bin/sh\nbroken\napp:x:1000:1001:,,,:/home/app:/bin/sh\n\
                     1001:x:7:7::/seven:\nnohome:x:8:8:::\n"
                .into(),
            group: "root:x:0:root\napp:x:1001:\nstaff:x:50:app,other\nvideo:x:44:app\nseven:x:7:\n".into(),
        };
        accounts.resolve(text).map(|u| (u.uid, u.gid, u.groups, u.home))
    }

    #[test]
    fn users_are_resolved_as_measured() {
        let home = |h: &str| h.to_owned();
        assert_eq!(resolve(""), Ok((0, 0, vec![0], home("/root"))));
        assert_eq!(resolve("root"), Ok((0, 0, vec![0], home("/root"))));
        assert_eq!(resolve("app"), Ok((1000, 1001, vec![1001, 50, 44], home("/home/app"))));
        assert_eq!(resolve("1000"), Ok((1000, 1001, vec![1001, 50, 44], home("/home/app"))));
        assert_eq!(resolve("app:staff"), Ok((1000, 50, vec![50], home("/home/app"))));
        assert_eq!(resolve("1000:99"), Ok((1000, 99, vec![99], home("/home/app"))));
        assert_eq!(resolve("5:6"), Ok((5, 6, vec![6], home("/"))));
        assert_eq!(resolve("5"), Ok((5, 0, vec![0], home("/"))));
        assert_eq!(resolve("1001").map(|u| u.0), Ok(7), "a name of digits is a name first");
        assert_eq!(resolve("nohome").map(|u| u.3), Ok(home("/")));
        assert!(resolve("nobody").unwrap_err().contains("unable to find user nobody"));
        assert!(resolve("app:none").unwrap_err().contains("unable to find group none"));
    }
}
