//! The record of one lock, and what becomes of it: pure. Every place that keeps locks keeps this record, in this JSON
//! (lockgate: `optimistic_locking_storage_base_backend.go`), so that all of them behave alike.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Seconds that a lease holds without being renewed.
pub const LEASE: i64 = 10;
/// Seconds between two renewals.
pub const RENEW: u64 = 3;
/// Seconds between two attempts of who waits.
pub const POLL: u64 = 2;

/// Who holds a lock: a word that only the holder knows, and which lock.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Handle {
    /// The lease.
    pub uuid: String,
    /// The lock.
    pub lock_name: String,
}

/// A lock that is held, or was.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Record {
    /// Who holds it.
    #[serde(flatten)]
    pub handle: Handle,
    /// Second of Unix time at which the lease ends.
    pub expire_at_timestamp: i64,
    /// How many share it.
    pub shared_holders_count: i64,
    /// Whether it may be shared.
    pub is_shared: bool,
    /// Who waits, by the name each waits under.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub queue_members: BTreeMap<String, Waiter>,
}

/// Somebody who waits for a lock.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Waiter {
    /// The name.
    pub acquirer_id: String,
    /// Since when, seconds of Unix time.
    pub acquired_at_timestamp: i64,
    /// When it counts as gone unless it asks again.
    pub expire_at_timestamp: i64,
}

/// Why a lock is not given, or a lease not renewed. The words are the protocol's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum No {
    /// Somebody else holds it.
    #[error("should wait")]
    ShouldWait,
    /// The lease ended, and somebody else has the lock now.
    #[error("lock already leased")]
    AlreadyLeased,
    /// The lease ended, and nobody has the lock.
    #[error("no existing lock lease found")]
    NoLease,
}

impl No {
    /// What an answer means.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::ShouldWait, Self::AlreadyLeased, Self::NoLease].into_iter().find(|no| no.to_string() == text)
    }
}

/// What somebody asks for.
#[derive(Clone, Copy, Debug)]
pub struct Wish<'a> {
    /// The lock.
    pub lock_name: &'a str,
    /// Whether others may hold it too, who also say so.
    pub shared: bool,
    /// Under which name to wait; empty waits without a place in the queue.
    pub acquirer_id: &'a str,
    /// A new word for a new lease.
    pub uuid: &'a str,
}

impl Record {
    fn new(wish: &Wish<'_>, now: i64) -> Self {
        Self {
            handle: Handle { uuid: wish.uuid.to_owned(), lock_name: wish.lock_name.to_owned() },
            expire_at_timestamp: now.saturating_add(LEASE),
            shared_holders_count: 1,
            is_shared: wish.shared,
            queue_members: BTreeMap::new(),
        }
    }

    /// Whether neither holder nor waiter is left.
    pub fn is_over(&self, now: i64) -> bool {
        now > self.expire_at_timestamp
            && self.queue_members.values().all(|waiter| now > waiter.expire_at_timestamp)
    }

    fn wait(&mut self, wish: &Wish<'_>, now: i64) {
        if wish.acquirer_id.is_empty() {
            return;
        }
        let waiter = self.queue_members.entry(wish.acquirer_id.to_owned()).or_insert_with(|| Waiter {
            acquirer_id: wish.acquirer_id.to_owned(),
            acquired_at_timestamp: now,
            expire_at_timestamp: now,
        });
        waiter.expire_at_timestamp = now.saturating_add(LEASE);
    }

    fn forget_gone(&mut self, now: i64) {
        self.queue_members.retain(|_, waiter| waiter.expire_at_timestamp >= now);
    }
}

/// Asks for a lock. `record` is what is kept of it, if anything; it becomes what is to be kept.
///
/// # Errors
/// [`No::ShouldWait`] if it is held, or somebody waits for longer.
pub fn acquire(record: &mut Option<Record>, wish: &Wish<'_>, now: i64) -> Result<Handle, No> {
    let Some(known) = record else {
        return Ok(record.insert(Record::new(wish, now)).handle.clone());
    };
    if now > known.expire_at_timestamp {
        known.forget_gone(now);
        let next =
            known.queue_members.values().min_by_key(|w| (w.acquired_at_timestamp, w.acquirer_id.clone()));
        let is_next = next.is_none_or(|next| next.acquirer_id == wish.acquirer_id);
        // Who has no name cannot wait in the queue, and would wait for ever behind it.
        if is_next || wish.acquirer_id.is_empty() {
            let mut waiting = std::mem::take(&mut known.queue_members);
            waiting.remove(wish.acquirer_id);
            *known = Record { queue_members: waiting, ..Record::new(wish, now) };
            return Ok(known.handle.clone());
        }
    } else if wish.shared && known.is_shared {
        known.shared_holders_count = known.shared_holders_count.saturating_add(1);
        known.expire_at_timestamp = now.saturating_add(LEASE);
        return Ok(known.handle.clone());
    }
    known.wait(wish, now);
    Err(No::ShouldWait)
}

/// Keeps a lease.
///
/// # Errors
/// If it ended and is somebody else's or nobody's now.
pub fn renew(record: &mut Option<Record>, handle: &Handle, now: i64) -> Result<(), No> {
    held(record, handle)?.expire_at_timestamp = now.saturating_add(LEASE);
    Ok(())
}

/// Gives a lease back. The last holder leaves the lock to who waits longest; if nobody does, nothing is kept.
///
/// # Errors
/// If it ended and is somebody else's or nobody's now.
pub fn release(record: &mut Option<Record>, handle: &Handle, now: i64) -> Result<(), No> {
    let known = held(record, handle)?;
    known.shared_holders_count = known.shared_holders_count.saturating_sub(1);
    known.forget_gone(now);
    if known.shared_holders_count > 0 {
        return Ok(());
    }
    if known.queue_members.is_empty() {
        *record = None;
    } else {
        known.expire_at_timestamp = now.saturating_sub(1);
    }
    Ok(())
}

fn held<'a>(record: &'a mut Option<Record>, handle: &Handle) -> Result<&'a mut Record, No> {
    match record {
        None => Err(No::NoLease),
        // Given back already, and kept for who waits.
        Some(known) if known.shared_holders_count <= 0 => Err(No::NoLease),
        Some(known) if known.handle.uuid != handle.uuid => Err(No::AlreadyLeased),
        Some(known) => Ok(known),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish<'a>(who: &'a str, uuid: &'a str, shared: bool) -> Wish<'a> {
        Wish { lock_name: "l", shared, acquirer_id: who, uuid }
    }

    #[test]
    fn one_holder_and_a_queue() {
        let mut record = None;
        let first = acquire(&mut record, &wish("a", "1", false), 100).unwrap();
        assert_eq!(acquire(&mut record, &wish("b", "2", false), 101), Err(No::ShouldWait));
        assert_eq!(acquire(&mut record, &wish("c", "3", false), 102), Err(No::ShouldWait));
        release(&mut record, &first, 103).unwrap();
        assert_eq!(release(&mut record, &first, 103), Err(No::NoLease));
        assert_eq!(acquire(&mut record, &wish("c", "4", false), 104), Err(No::ShouldWait), "b waits longer");
        let second = acquire(&mut record, &wish("b", "5", false), 104).unwrap();
        assert_eq!(renew(&mut record, &first, 105), Err(No::AlreadyLeased));
        renew(&mut record, &second, 105).unwrap();
        release(&mut record, &second, 106).unwrap();
        let third = acquire(&mut record, &wish("c", "6", false), 107).unwrap();
        release(&mut record, &third, 108).unwrap();
        assert_eq!((record.clone(), renew(&mut record, &third, 109)), (None, Err(No::NoLease)));
    }

    #[test]
    fn leases_and_places_in_the_queue_end() {
        let mut record = None;
        acquire(&mut record, &wish("a", "1", false), 100).unwrap();
        assert_eq!(acquire(&mut record, &wish("b", "2", false), 101), Err(No::ShouldWait));
        assert_eq!(acquire(&mut record, &wish("c", "3", false), 110), Err(No::ShouldWait), "not over yet");
        assert!(!record.as_ref().unwrap().is_over(111));
        // b did not ask again for longer than a lease.
        assert_eq!(acquire(&mut record, &wish("c", "4", false), 112).unwrap().uuid, "4");
        assert!(record.as_ref().unwrap().is_over(200));
        assert_eq!(acquire(&mut record, &wish("", "5", true), 200).unwrap().uuid, "5", "no name is needed");
        assert!(record.unwrap().is_shared);
    }

    #[test]
    fn sharers_share_one_lease() {
        let mut record = None;
        let one = acquire(&mut record, &wish("a", "1", true), 100).unwrap();
        assert_eq!(acquire(&mut record, &wish("b", "2", true), 101).unwrap(), one);
        assert_eq!(acquire(&mut record, &wish("c", "3", false), 101), Err(No::ShouldWait));
        release(&mut record, &one, 102).unwrap();
        assert_eq!(acquire(&mut record, &wish("c", "4", false), 102), Err(No::ShouldWait));
        release(&mut record, &one, 103).unwrap();
        assert_eq!(acquire(&mut record, &wish("c", "5", false), 103).unwrap().uuid, "5");
        assert_eq!(
            acquire(&mut record, &wish("d", "6", true), 104),
            Err(No::ShouldWait),
            "it is not shared now"
        );
    }

    #[test]
    fn the_record_is_written_as_others_read_it() {
        let mut record = None;
        acquire(&mut record, &wish("a", "1", false), 100).unwrap();
        let _ = acquire(&mut record, &wish("b", "2", false), 101);
        let json = serde_json::to_string(&record).unwrap();
        assert_eq!(
            json,
            r#"{"uuid":"1","lockName":"l","ExpireAtTimestamp":110,"SharedHoldersCount":1,"IsShared":false,"QueueMembers":{"b":{"AcquirerId":"b","AcquiredAtTimestamp":101,"ExpireAtTimestamp":111}}}"#
        );
        assert_eq!(serde_json::from_str::<Option<Record>>(&json).unwrap(), record);
        for no in [No::ShouldWait, No::AlreadyLeased, No::NoLease] {
            assert_eq!(No::parse(&no.to_string()), Some(no));
        }
    }
}
