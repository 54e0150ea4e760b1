//! From verdicts by call number to a classic BPF program.

/// One instruction, laid out as the kernel's `struct sock_filter`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instruction {
    code: u16,
    if_true: u8,
    if_false: u8,
    k: u32,
}

/// What happens to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is made.
    Allow,
    /// It fails with this errno.
    Errno(u16),
    /// It is made if its first argument fits, else it fails with EPERM.
    If(Condition),
}

/// What the lower 32 bits of a first argument must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Condition {
    /// No bit of these.
    NoneOf(u32),
    /// One of these.
    In(&'static [u32]),
    /// None of these.
    NotIn(&'static [u32]),
}

/// The calls of one architecture.
pub(super) struct Family {
    arch: u32,
    /// Where each verdict begins to hold, sorted; the first is 0.
    starts: Vec<(u32, Verdict)>,
}

impl Family {
    /// The verdicts of single calls, and that of the others.
    pub(super) fn new(arch: u32, mut calls: Vec<(u32, Verdict)>, other: Verdict) -> Self {
        calls.sort_by_key(|(number, _)| *number);
        calls.dedup_by_key(|(number, _)| *number);
        let mut starts = vec![(0, other)];
        for (number, verdict) in calls {
            if starts.last().is_some_and(|(start, _)| *start == number) {
                starts.pop();
            }
            starts.push((number, verdict));
            starts.extend(number.checked_add(1).map(|next| (next, other)));
        }
        starts.dedup_by(|later, earlier| later.1 == earlier.1);
        Self { arch, starts }
    }

    /// Gives the calls from `first` to `last` a verdict.
    pub(super) fn unknown(mut self, first: u32, last: u32, verdict: Verdict) -> Self {
        self.put(first, last, verdict);
        self
    }

    fn put(&mut self, first: u32, last: u32, verdict: Verdict) {
        let at = |starts: &[(u32, Verdict)], number: u32| {
            starts.iter().rev().find(|(start, _)| *start <= number).map_or(verdict, |(_, v)| *v)
        };
        let after = last.checked_add(1).map(|next| (next, at(&self.starts, next)));
        self.starts.retain(|(start, _)| *start < first || *start > last);
        if let Some((next, old)) = after
            && !self.starts.iter().any(|(start, _)| *start == next)
        {
            self.starts.push((next, old));
        }
        self.starts.push((first, verdict));
        self.starts.sort_by_key(|(start, _)| *start);
        self.starts.dedup_by(|later, earlier| later.1 == earlier.1);
    }
}

// Offsets into `struct seccomp_data`.
const NUMBER: u32 = 0;
const ARCH: u32 = 4;
/// The lower half of the first argument (both of our machines are little-endian).
const ARGUMENT: u32 = 16;

// BPF opcodes: class, size or operation, mode or source.
const LOAD: u16 = 0x20;
const JUMP: u16 = 0x05;
const IF_EQUAL: u16 = 0x15;
const IF_AT_LEAST: u16 = 0x35;
const IF_ANY_BIT: u16 = 0x45;
const RETURN: u16 = 0x06;

// Results: the action, with an errno in the lower half.
const KILL_THREAD: u32 = 0;
const FAIL: u32 = 0x0005_0000;
const ALLOW: u32 = 0x7fff_0000;

const fn plain(code: u16, k: u32) -> Instruction {
    Instruction { code, if_true: 0, if_false: 0, k }
}

const fn test(code: u16, k: u32, if_true: u8, if_false: u8) -> Instruction {
    Instruction { code, if_true, if_false, k }
}

/// The whole program. A call of an architecture that no family has kills its thread.
pub(super) fn assemble(families: &[Family]) -> Vec<Instruction> {
    let mut program = vec![plain(LOAD, ARCH)];
    for family in families {
        let mut body = vec![plain(LOAD, NUMBER)];
        search(&family.starts, &mut body);
        program.push(test(IF_EQUAL, family.arch, 1, 0));
        program.push(plain(JUMP, length(&body)));
        program.append(&mut body);
    }
    program.push(plain(RETURN, KILL_THREAD));
    program
}

/// Halves the ranges until one is left. Long jumps are made by [`JUMP`], whose distance has 32 bits.
fn search(starts: &[(u32, Verdict)], program: &mut Vec<Instruction>) {
    if let [(_, verdict)] = starts {
        return decide(*verdict, program);
    }
    let (lower, upper) = starts.split_at(starts.len() / 2);
    let Some((middle, _)) = upper.first() else { return };
    let mut left = Vec::new();
    search(lower, &mut left);
    program.push(test(IF_AT_LEAST, *middle, 0, 1));
    program.push(plain(JUMP, length(&left)));
    program.append(&mut left);
    search(upper, program);
}

fn decide(verdict: Verdict, program: &mut Vec<Instruction>) {
    let fail = plain(RETURN, FAIL | libc::EPERM as u32);
    let allow = plain(RETURN, ALLOW);
    match verdict {
        Verdict::Allow => program.push(allow),
        Verdict::Errno(errno) => program.push(plain(RETURN, FAIL | u32::from(errno))),
        Verdict::If(Condition::NoneOf(bits)) => {
            program.extend([plain(LOAD, ARGUMENT), test(IF_ANY_BIT, bits, 1, 0), allow, fail]);
        }
        Verdict::If(Condition::In(values)) => among(values, [fail, allow], program),
        Verdict::If(Condition::NotIn(values)) => among(values, [allow, fail], program),
    }
}

/// `[otherwise, found]`: the end for an argument that is none of `values`, and for one that is.
fn among(values: &[u32], ends: [Instruction; 2], program: &mut Vec<Instruction>) {
    program.push(plain(LOAD, ARGUMENT));
    for (index, value) in values.iter().enumerate() {
        let over = (values.len() - index) as u8;
        program.push(test(IF_EQUAL, *value, over, 0));
    }
    program.extend(ends);
}

fn length(body: &[Instruction]) -> u32 {
    u32::try_from(body.len()).unwrap_or(u32::MAX)
}

/// Runs a program as the kernel would.
#[cfg(test)]
pub(super) fn interpret(program: &[Instruction], arch: u32, number: u32, argument: u64) -> u32 {
    let (mut at, mut value) = (0_usize, 0_u32);
    loop {
        let now = program[at];
        at += 1;
        let taken = match now.code {
            LOAD => {
                value = match now.k {
                    NUMBER => number,
                    ARCH => arch,
                    ARGUMENT => argument as u32,
                    other => panic!("load {other}"),
                };
                continue;
            }
            JUMP => {
                at += now.k as usize;
                continue;
            }
            RETURN => return now.k,
            IF_EQUAL => value == now.k,
            IF_AT_LEAST => value >= now.k,
            IF_ANY_BIT => value & now.k != 0,
            other => panic!("opcode {other:x}"),
        };
        at += usize::from(if taken { now.if_true } else { now.if_false });
    }
}
