//! `--chown` and USER names, looked up in the tree they are about.

use std::path::Path;

use crate::snapshot::rooted::Rooted;
use crate::snapshot::{Error, Result};

/// Owner and group, as numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ownership {
    /// User.
    pub uid: u32,
    /// Group.
    pub gid: u32,
}

const PASSWD: &str = "/etc/passwd";
const GROUP: &str = "/etc/group";
/// Larger than any honest account file.
const LIMIT: u64 = 16 << 20;

/// Resolves `user[:group]` in the account files of the tree at `root`. Numbers and `root` need no file; a number alone
/// is its group too; a name alone takes its group from passwd; a group alone means root.
///
/// # Errors
/// [`Error::UnknownOwner`] for a name that is not there (BuildKit makes it root without a word; Docker before it and
/// Buildah fail), [`Error::Syntax`] for what is neither name nor number.
pub fn resolve_owner(root: &Path, spec: &str) -> Result<Ownership> {
    let fail = |reason| Error::Syntax { what: "--chown", text: spec.to_owned(), reason };
    let (user, group) = match spec.split_once(':') {
        Some((user, group)) => (user, Some(group)),
        None => (spec, None),
    };
    if (user.is_empty() && group.is_none()) || group == Some("") || group.is_some_and(|g| g.contains(':')) {
        return Err(fail("it must be user or user:group"));
    }
    let tree = Rooted::open(root)?;
    let number = |text: &str| -> Result<Option<u32>> {
        if !text.bytes().all(|b| b.is_ascii_digit()) {
            return Ok(None);
        }
        let id = text.parse().ok().filter(|&id| id != u32::MAX);
        id.map(Some).ok_or_else(|| fail("the number is too large"))
    };
    let numbered = if user.is_empty() { Some(0) } else { number(user)? };
    let (uid, own_group) = match numbered {
        Some(uid) => (uid, uid),
        None => {
            let found = find(&tree, PASSWD, user, |fields| Some((field(fields, 2)?, field(fields, 3)?)))?;
            let found = found.or((user == "root").then_some((0, 0)));
            found.ok_or_else(|| unknown("user", user, PASSWD))?
        }
    };
    let gid = match group {
        None => own_group,
        Some(group) => match number(group)? {
            Some(gid) => gid,
            None => {
                let found = find(&tree, GROUP, group, |fields| field(fields, 2))?;
                let found = found.or((group == "root").then_some(0));
                found.ok_or_else(|| unknown("group", group, GROUP))?
            }
        },
    };
    Ok(Ownership { uid, gid })
}

/// Resolves as BuildKit does: a user who is not known counts as root, a group that is not as the user's own. Only a
/// missing passwd file is an error.
///
/// # Errors
/// Those of [`resolve_owner`] in that case, or for what is neither name nor number.
pub fn resolve_owner_leniently(root: &Path, spec: &str) -> Result<Ownership> {
    match resolve_owner(root, spec) {
        Err(Error::UnknownOwner { kind: "group", .. }) => {
            resolve_owner_leniently(root, spec.split_once(':').map_or(spec, |(user, _)| user))
        }
        Err(Error::UnknownOwner { kind, name, file }) => match Rooted::open(root)?.read(PASSWD, LIMIT)? {
            Some(_) => Ok(Ownership { uid: 0, gid: 0 }),
            None => Err(Error::UnknownOwner { kind, name, file }),
        },
        other => other,
    }
}

fn unknown(kind: &'static str, name: &str, file: &'static str) -> Error {
    Error::UnknownOwner { kind, name: name.to_owned(), file }
}

fn find<T>(tree: &Rooted, file: &str, name: &str, read: impl Fn(&[&[u8]]) -> Option<T>) -> Result<Option<T>> {
    let Some(bytes) = tree.read(file, LIMIT)? else { return Ok(None) };
    let found = bytes.split(|&b| b == b'\n').find_map(|line| {
        let fields: Vec<&[u8]> = line.split(|&b| b == b':').collect();
        if fields[0] == name.as_bytes() { read(&fields) } else { None }
    });
    Ok(found)
}

fn field(fields: &[&[u8]], at: usize) -> Option<u32> {
    std::str::from_utf8(fields.get(at)?).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::fs;

    #[test]
    fn names_and_numbers() {
        let root = tempfile::tempdir().unwrap();
        let ask = |spec: &str| resolve_owner(root.path(), spec).map(|o| (o.uid, o.gid));
        assert_eq!(ask("root:root").unwrap(), (0, 0));
        assert_eq!(ask("1000").unwrap(), (1000, 1000));
        assert!(matches!(ask("app"), Err(Error::UnknownOwner { kind: "user", .. })));
        fs::create_dir(root.path().join("etc")).unwrap();
        fs::write(root.path().join("etc/passwd"), "root:x:0:0::/:\napp:x:100:101::/:\nbad:x:y:z\n").unwrap();
        fs::write(root.path().join("etc/group"), "staff:x:50:\n").unwrap();
        assert_eq!(ask("app").unwrap(), (100, 101));
        assert_eq!(ask("app:staff").unwrap(), (100, 50));
        assert_eq!(ask("7:staff").unwrap(), (7, 50));
        assert_eq!(ask("app:9").unwrap(), (100, 9));
        assert!(matches!(ask("app:nobody"), Err(Error::UnknownOwner { kind: "group", .. })));
        assert_eq!(ask(":staff").unwrap(), (0, 50));
        for bad in ["", ":", "app:", "a:b:c", "4294967295", "99999999999"] {
            assert!(matches!(ask(bad), Err(Error::Syntax { .. })), "{bad}");
        }
        assert!(ask("bad").is_err());
        let ask = |spec: &str| resolve_owner_leniently(root.path(), spec).map(|o| (o.uid, o.gid));
        assert_eq!(ask("nobody").unwrap(), (0, 0));
        assert_eq!(ask("nobody:staff").unwrap(), (0, 0));
        assert_eq!(ask("app:nobody").unwrap(), (100, 101));
        assert_eq!(ask("7:nobody").unwrap(), (7, 7));
        assert!(ask("a:b:c").is_err());
        fs::remove_file(root.path().join("etc/passwd")).unwrap();
        assert!(ask("app").is_err());
    }
}
