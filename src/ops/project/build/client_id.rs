//! Under which name the builders of a repository keep their locks on a lock server.
//!
//! The name is a record in the repository, `client-id-<uuid>-<time>`; of several the oldest counts (werf: lock manager,
//! `GetClientID`).

use std::time::Duration;

use crate::base::{Failure, Reference};
use crate::build::Doors;
use crate::ops::project::Project;
use crate::ops::project::build::publish::note;
use crate::report::Context;
use crate::sync::LockServer;

/// What tags of these records begin with.
const PREFIX: &str = "client-id-";

/// The name of the repository's builders; the first of them asks the server for one and writes it down.
///
/// werf waits two seconds after it wrote one and looks again, since another builder with an older time may just be
/// writing. Here is looked once: only the very first builders of a repository can come to different names, then for that
/// one build, and all it costs is that both may make the same. From then on everybody reads the same records, and the
/// oldest of them, or of two of one time the first in the alphabet, is the same for all.
///
/// # Errors
/// If the registry or the server does not answer.
pub async fn settle(
    cx: &Context,
    doors: &Doors,
    (project, repo): (&Project, &Reference),
    server: &LockServer,
) -> Result<String, Failure> {
    if let Some(known) = oldest(&list(cx, doors, repo).await?) {
        return Ok(known);
    }
    let own = server.new_client_id(cx).await?;
    let tag = format!("{PREFIX}{own}-{}", werfs_time(cx.clock.now()));
    note(cx, doors, (project, repo), (&tag, &[])).await?;
    Ok(oldest(&list(cx, doors, repo).await?).unwrap_or(own))
}

async fn list(cx: &Context, doors: &Doors, repo: &Reference) -> Result<Vec<String>, Failure> {
    match doors.registry().tags(cx, repo).await {
        Ok(tags) => Ok(tags),
        Err(error) if error.is_not_found() => Ok(Vec::new()),
        Err(error) => Err(error.into()),
    }
}

/// The time as werf's records have it, which is about twice the milliseconds since 1970: seconds × 1000 plus all
/// nanoseconds / 1,000,000. Another way would make our records older than all of theirs.
fn werfs_time(now: Duration) -> u128 {
    u128::from(now.as_secs()) * 1000 + now.as_millis()
}

/// The name with the smallest time.
fn oldest(tags: &[String]) -> Option<String> {
    let parsed = tags.iter().filter_map(|tag| {
        let (name, time) = tag.strip_prefix(PREFIX)?.rsplit_once('-')?;
        Some((time.parse::<u128>().ok()?, name)).filter(|(_, name)| !name.is_empty())
    });
    parsed.min().map(|(_, name)| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_several_the_oldest_counts_for_everybody() {
        let ask = |tags: &[&str]| oldest(&tags.iter().map(|tag| (*tag).to_owned()).collect::<Vec<_>>());
        assert_eq!(ask(&[]), None);
        assert_eq!(ask(&["client-id-a", "client-id--3", "client-id-a-x", "other-a-1"]), None);
        let one = "client-id-6f1b5c2e-0000-4000-8000-000000000001-3529000000001";
        let two = "client-id-00000000-0000-4000-8000-000000000002-3529000000002";
        let three = "client-id-11111111-0000-4000-8000-000000000003-999";
        assert_eq!(ask(&[two, one]).as_deref(), Some("6f1b5c2e-0000-4000-8000-000000000001"));
        assert_eq!(ask(&[one, two]), ask(&[two, one]));
        // Times are numbers, not text.
        assert_eq!(ask(&[one, two, three]).as_deref(), Some("11111111-0000-4000-8000-000000000003"));
        assert_eq!(ask(&["client-id-b-5", "client-id-a-5"]).as_deref(), Some("a"));
    }

    #[test]
    fn times_are_werfs() {
        assert_eq!(werfs_time(Duration::from_millis(1_700_000_000_123)), 3_400_000_000_123);
    }
}
