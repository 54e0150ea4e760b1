//! Why a namespace was refused, and the one setting that would change it.

use std::fs;
use std::io;

use nix::errno::Errno;

/// Which call failed, why, and what would help.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{call}: {why}")]
pub struct Diagnosis {
    /// The call that failed.
    pub call: String,
    /// Why.
    pub why: String,
    /// What would help, best first.
    pub remedies: Vec<String>,
}

const SECCOMP: &str = "a seccomp filter refuses namespaces: in Kubernetes set securityContext.seccompProfile.type: \
                       Unconfined for this pod, or hostUsers: false with capabilities.add: [SYS_ADMIN]; with Docker \
                       use --security-opt seccomp=unconfined --security-opt apparmor=unconfined";
const APPARMOR: &str = "AppArmor keeps ordinary programs from using user namespaces: give lap a profile with `userns,`, \
                        or as root: sysctl -w kernel.apparmor_restrict_unprivileged_userns=0";
const CLONE_SYSCTL: &str = "as root: sysctl -w kernel.unprivileged_userns_clone=1";
const MAX_SYSCTL: &str =
    "as root: sysctl -w user.max_user_namespaces=65536 (deeply nested namespaces cannot be helped)";
const NO_NEW_PRIVS: &str = "no_new_privs keeps newuidmap from working: in Kubernetes set \
                            securityContext.allowPrivilegeEscalation: true, or use hostUsers: false";
const SETFCAP: &str =
    "root without CAP_SETFCAP cannot map uid 0: add the capability SETFCAP, or run as another user";

impl Diagnosis {
    /// The remedies, best first.
    pub fn remedies(&self) -> &[String] {
        &self.remedies
    }

    pub(super) fn of_unshare(call: &str, errno: Errno) -> Self {
        let mut remedies = Vec::new();
        match errno {
            Errno::ENOSPC | Errno::EUSERS => remedies.push(MAX_SYSCTL),
            Errno::ENOSYS | Errno::EINVAL => remedies.push("use a kernel with CONFIG_USER_NS"),
            _ => {
                if sysctl("kernel/unprivileged_userns_clone").as_deref() == Some("0") {
                    remedies.push(CLONE_SYSCTL);
                }
                if sysctl("user/max_user_namespaces").as_deref() == Some("0") {
                    remedies.push(MAX_SYSCTL);
                }
                if apparmor_restricts() {
                    remedies.push(APPARMOR);
                }
                if status("Seccomp").is_some_and(|mode| mode != "0") {
                    remedies.push(SECCOMP);
                }
                if remedies.is_empty() {
                    remedies.push(
                        "a security module or a chroot refuses user namespaces here: run lap outside of it",
                    );
                }
            }
        }
        Self::new(call, errno.desc(), &remedies)
    }

    pub(super) fn of_mounting(call: &str, errno: Errno) -> Self {
        let mut remedies = Vec::new();
        if apparmor_restricts() {
            remedies.push(APPARMOR);
        }
        if status("Seccomp").is_some_and(|mode| mode != "0") {
            remedies.push(SECCOMP);
        }
        if remedies.is_empty() {
            remedies.push(
                "a container without the right to mount: run it privileged, or lap as an ordinary user",
            );
        }
        Self::new(call, errno.desc(), &remedies)
    }

    pub(super) fn of_io(call: &str, error: &io::Error) -> Self {
        let own_map = call.starts_with("write /proc") && error.kind() == io::ErrorKind::PermissionDenied;
        Self::new(call, &error.to_string(), if own_map { &[SETFCAP] } else { &[] })
    }

    pub(super) fn no_subids(kind: &str, name: Option<&str>, uid: u32) -> Self {
        let number = uid.to_string();
        let name = name.unwrap_or(&number);
        let remedy =
            format!("as root: usermod --add-subuids 100000-165535 --add-subgids 100000-165535 {name}");
        Self::new(&format!("read /etc/sub{kind}"), &format!("no range for user {name}"), &[&remedy])
    }

    pub(super) fn no_map_program(program: &str) -> Self {
        let remedy = "install it: package uidmap (Debian, Ubuntu) or shadow-utils (Fedora, RHEL, Alpine's shadow-uidmap)";
        Self::new(&format!("find {program}"), "not installed", &[remedy])
    }

    pub(super) fn of_map_program(program: &str, words: &str) -> Self {
        let mut remedies = Vec::new();
        if status("NoNewPrivs").as_deref() == Some("1") {
            remedies.push(NO_NEW_PRIVS.to_owned());
        } else {
            remedies.push(format!(
                "{program} must be set-user-id root or have the file capability of its task, on a file system not \
                 mounted nosuid; as root: chmod u+s $(command -v {program})"
            ));
            remedies.push(
                "the ranges of /etc/subuid and /etc/subgid must be mapped into this container".to_owned(),
            );
        }
        let why = if words.is_empty() { "it failed without a word" } else { words };
        Self { call: format!("run {program}"), why: why.to_owned(), remedies }
    }

    /// Of two diagnoses the one that says more; the other's remedies are kept.
    pub(super) fn or(mut self, other: Self) -> Self {
        for remedy in other.remedies {
            if !self.remedies.contains(&remedy) {
                self.remedies.push(remedy);
            }
        }
        self
    }

    fn new(call: &str, why: &str, remedies: &[&str]) -> Self {
        Self {
            call: call.to_owned(),
            why: why.to_owned(),
            remedies: remedies.iter().map(|r| (*r).to_owned()).collect(),
        }
    }
}

fn apparmor_restricts() -> bool {
    sysctl("kernel/apparmor_restrict_unprivileged_userns").as_deref() == Some("1")
}

fn sysctl(name: &str) -> Option<String> {
    Some(fs::read_to_string(format!("/proc/sys/{name}")).ok()?.trim().to_owned())
}

fn status(field: &str) -> Option<String> {
    let text = fs::read_to_string("/proc/self/status").ok()?;
    text.lines().find_map(|line| Some(line.strip_prefix(field)?.strip_prefix(':')?.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_diagnosis_says_what_would_help() {
        for diagnosis in [
            Diagnosis::of_unshare("unshare", Errno::ENOSPC),
            Diagnosis::of_unshare("unshare", Errno::EPERM),
            Diagnosis::of_mounting("mount", Errno::EACCES),
            Diagnosis::no_subids("uid", None, 7),
            Diagnosis::no_map_program("newuidmap"),
            Diagnosis::of_map_program("newuidmap", ""),
        ] {
            assert!(!diagnosis.remedies().is_empty() && !diagnosis.why.is_empty(), "{diagnosis:?}");
        }
        assert!(Diagnosis::no_subids("uid", Some("ann"), 7).remedies[0].ends_with(" ann"));
    }
}
