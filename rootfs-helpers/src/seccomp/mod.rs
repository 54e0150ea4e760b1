//! The system call filter of a step, equal in effect to Docker's default profile under the default capabilities.
//!
//! Not by the `seccompiler` crate: its filter knows one architecture (we also let 32-bit programs run, as Docker does)
//! and installing it forbids set-user-id programs (`sudo` in a step). A program is a binary search over ranges of call
//! numbers, so even the last call costs some fifteen instructions.
//!
//! - Forbidden calls fail with EPERM; `clone3` and calls newer than the table with ENOSYS, so that programs fall back.
//! - `socket` not for AF_ALG and AF_VSOCK, `personality` only for the usual five, `clone` not into namespaces.
//! - x32 calls are judged as the 64-bit ones.
//!
//! Linux: Documentation/userspace-api/seccomp_filter.rst. The 32-bit comparisons of arguments are deliberate: the
//! kernel reads these arguments as 32-bit values, so upper halves must not change the verdict.

mod program;
mod table;

use std::io;

pub use program::Instruction;
use program::{Condition, Family, Verdict, assemble};
use table::{ALLOWED, GREATEST, NONE, Row};

const EPERM: Verdict = Verdict::Errno(libc::EPERM as u16);
const ENOSYS: Verdict = Verdict::Errno(libc::ENOSYS as u16);

/// `CLONE_NEW*` flags that `clone` may not be given: mount, cgroup, uts, ipc, user, pid, net.
const NAMESPACES: u32 = 0x7e02_0000;

/// `clone`, `clone3`, `socket` and `personality` by family, in the order of a [`Row`].
const CONDITIONAL: [(Condition, [u32; 4]); 3] = [
    (Condition::NoneOf(NAMESPACES), [56, 120, 220, 120]),
    (Condition::NotIn(&[38, 40]), [41, 359, 198, 281]),
    (Condition::In(&[0, 8, 0x2_0000, 0x2_0008, 0xffff_ffff]), [135, 136, 92, 136]),
];
const CLONE3: u32 = 435;

/// x32 numbers of their own, without `kexec_load` and `move_pages`.
const X32_OWN: [(u32, u32); 3] = [(512, 527), (529, 532), (534, 547)];
const X32_BIT: u32 = 0x4000_0000;

/// The filter for this machine's programs.
pub fn default_filter() -> Vec<Instruction> {
    if cfg!(target_arch = "x86_64") {
        let native = verdicts(0, |row| row.1);
        let mut x32: Vec<(u32, Verdict)> = native.iter().map(|(n, v)| (n | X32_BIT, *v)).collect();
        for (first, last) in X32_OWN {
            x32.extend((first..=last).map(|n| (n | X32_BIT, Verdict::Allow)));
        }
        let mut both = native;
        both.append(&mut x32);
        // Between the greatest number and the first of x32, and after the last of it, nothing exists.
        let both = Family::new(AUDIT_X86_64, both, EPERM).unknown(GREATEST + 1, X32_BIT - 1, ENOSYS).unknown(
            (X32_BIT | 547) + 1,
            u32::MAX,
            ENOSYS,
        );
        let i386 =
            Family::new(AUDIT_I386, verdicts(1, |row| row.2), EPERM).unknown(GREATEST + 1, u32::MAX, ENOSYS);
        assemble(&[both, i386])
    } else {
        let arm64 = Family::new(AUDIT_AARCH64, verdicts(2, |row| row.3), EPERM).unknown(
            GREATEST + 1,
            u32::MAX,
            ENOSYS,
        );
        // Arm's private calls begin at 0xf0000.
        let arm =
            Family::new(AUDIT_ARM, verdicts(3, |row| row.4), EPERM).unknown(GREATEST + 1, 0xe_ffff, ENOSYS);
        assemble(&[arm64, arm])
    }
}

const AUDIT_X86_64: u32 = 0xc000_003e;
const AUDIT_I386: u32 = 0x4000_0003;
const AUDIT_AARCH64: u32 = 0xc000_00b7;
const AUDIT_ARM: u32 = 0x4000_0028;

fn verdicts(column: usize, number: impl Fn(&Row) -> u32) -> Vec<(u32, Verdict)> {
    let mut all: Vec<_> =
        ALLOWED.iter().map(&number).filter(|n| *n != NONE).map(|n| (n, Verdict::Allow)).collect();
    all.extend(CONDITIONAL.iter().map(|(condition, numbers)| (numbers[column], Verdict::If(*condition))));
    all.push((CLONE3, ENOSYS));
    all
}

/// Puts this process and all its children under the filter. Without no_new_privs, so CAP_SYS_ADMIN in the current user
/// namespace is needed, and given up only afterwards.
///
/// # Errors
/// What the kernel says.
pub fn install(filter: &[Instruction]) -> io::Result<()> {
    #[repr(C)]
    struct Program {
        length: u16,
        instructions: *const Instruction,
    }
    let length = u16::try_from(filter.len()).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))?;
    let program = Program { length, instructions: filter.as_ptr() };
    // SAFETY: `program` has the layout of `struct sock_fprog` and points to `length` instructions of the layout of
    // `struct sock_filter`; the kernel copies them before the call returns.
    let result = unsafe {
        libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0_usize, &raw const program)
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::program::interpret;
    use super::*;

    const ALLOW: u32 = 0x7fff_0000;
    const DENY: u32 = 0x0005_0000 | libc::EPERM as u32;
    const MISSING: u32 = 0x0005_0000 | libc::ENOSYS as u32;

    fn call(arch: u32, number: u32, argument: u64) -> u32 {
        let filter = default_filter();
        assert!(filter.len() < 4096);
        interpret(&filter, arch, number, argument)
    }

    #[test]
    fn the_table_is_sorted_and_agrees_with_the_headers_of_this_machine() {
        assert!(ALLOWED.windows(2).all(|pair| pair[0].0 < pair[1].0));
        let number = |name: &str| {
            let row = ALLOWED.iter().find(|row| row.0 == name).unwrap();
            libc::c_long::from(if cfg!(target_arch = "x86_64") { row.1 } else { row.3 })
        };
        for (name, expected) in [
            ("execve", libc::SYS_execve),
            ("openat", libc::SYS_openat),
            ("renameat2", libc::SYS_renameat2),
            ("statx", libc::SYS_statx),
            ("fchmodat2", libc::SYS_fchmodat2),
            ("ptrace", libc::SYS_ptrace),
            ("chroot", libc::SYS_chroot),
            ("wait4", libc::SYS_wait4),
        ] {
            assert_eq!(number(name), expected, "{name}");
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn every_family_is_judged_by_its_own_numbers() {
        for row in ALLOWED {
            for (arch, number) in [(AUDIT_X86_64, row.1), (AUDIT_I386, row.2)] {
                if number != NONE {
                    assert_eq!(call(arch, number, 0), ALLOW, "{} {arch:x}", row.0);
                }
            }
        }
        // mount, umount2, unshare, setns, keyctl, io_uring_setup, bpf, userfaultfd, kexec_load, init_module
        for number in [165, 166, 272, 308, 250, 425, 321, 323, 246, 175] {
            assert_eq!(call(AUDIT_X86_64, number, 0), DENY, "{number}");
        }
        // The same on i386: mount, umount, umount2, unshare, vm86, bpf
        for number in [21, 22, 52, 310, 166, 357] {
            assert_eq!(call(AUDIT_I386, number, 0), DENY, "{number}");
        }
        assert_eq!(call(AUDIT_X86_64, 435, 0), MISSING);
        assert_eq!(call(AUDIT_X86_64, 467, 0), MISSING);
        assert_eq!(call(AUDIT_X86_64, 9999, 0), MISSING);
        assert_eq!(call(AUDIT_X86_64, X32_BIT | 1, 0), ALLOW);
        assert_eq!(call(AUDIT_X86_64, X32_BIT | 520, 0), ALLOW);
        assert_eq!(call(AUDIT_X86_64, X32_BIT | 528, 0), DENY);
        assert_eq!(call(AUDIT_X86_64, X32_BIT | 165, 0), DENY);
        assert_eq!(call(AUDIT_AARCH64, 63, 0), 0, "a foreign architecture is killed");
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn arguments_decide_where_they_should() {
        for (family, verdict) in [(1, ALLOW), (2, ALLOW), (39, ALLOW), (38, DENY), (40, DENY), (41, ALLOW)] {
            assert_eq!(call(AUDIT_X86_64, 41, family), verdict, "socket {family}");
            assert_eq!(call(AUDIT_X86_64, 41, family | 1 << 32), verdict, "the upper half is not looked at");
        }
        for (persona, verdict) in [(0, ALLOW), (8, ALLOW), (0x20000, ALLOW), (0xffff_ffff, ALLOW), (1, DENY)]
        {
            assert_eq!(call(AUDIT_X86_64, 135, persona), verdict, "personality {persona:x}");
        }
        assert_eq!(call(AUDIT_X86_64, 56, 0x0120_0011), ALLOW, "fork");
        for namespace in [0x2_0000, 0x200_0000, 0x400_0000, 0x1000_0000, 0x2000_0000, 0x4000_0000_u64] {
            assert_eq!(call(AUDIT_X86_64, 56, namespace | 17), DENY, "clone {namespace:x}");
        }
    }
}
