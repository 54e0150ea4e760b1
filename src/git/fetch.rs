//! Finding what a reference means at a remote, and fetching it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use gix::bstr::ByteSlice as _;
use gix::protocol::handshake::Ref;
use gix::remote::fetch::{Shallow, Tags};
use gix::remote::{Direction, ref_map};

use crate::git::{Error, Repository, Result};
use crate::report::Context;

/// Where objects come from.
#[derive(Clone, Copy, Debug)]
pub struct Remote<'a> {
    /// Its address, as Git understands it.
    pub url: &'a str,
    /// The value of an `Authorization` header for http and https.
    pub authorization: Option<&'a str>,
}

/// What a reference meant at a remote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located {
    /// The commit, in full.
    pub commit: String,
    /// The name of the reference in full; `None` if a commit was asked for.
    pub reference: Option<String>,
}

/// Whether `text` is the full name of a commit.
pub(super) fn is_commit(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|b| b.is_ascii_hexdigit())
}

impl Remote<'_> {
    /// The address without a password.
    pub fn shown(&self) -> String {
        let Some((scheme, rest)) = self.url.split_once("://") else { return self.url.to_owned() };
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        format!("{scheme}://{host}{path}")
    }
}

impl Repository {
    /// What `reference` means at the remote: a full commit is itself, a branch goes before a tag, empty is `HEAD`. BuildKit
    /// `source/git`: resolveMetadata.
    ///
    /// # Errors
    /// [`Error::NoReference`], [`Error::Git`] if the remote cannot be asked, [`Error::Cancelled`].
    pub fn locate(&self, cx: &Context, remote: &Remote<'_>, reference: &str) -> Result<Located> {
        if is_commit(reference) {
            return Ok(Located { commit: reference.to_ascii_lowercase(), reference: None });
        }
        let names = candidates(reference);
        let specs: Vec<String> = if reference.is_empty() { vec!["HEAD".into()] } else { names.clone() };
        let refs = stoppable(cx, |_| {
            let doing = || format!("ask {} for its references", remote.shown());
            let fail = |e| Error::git(doing(), e);
            let connection = self.connection(remote, &specs).map_err(fail)?;
            let connection = connection.connect(Direction::Fetch).map_err(fail)?;
            let connection = match options(remote) {
                Some(options) => connection.with_transport_options(options),
                None => connection,
            };
            let asked =
                ref_map::Options { prefix_from_spec_as_filter_on_remote: false, ..Default::default() };
            let (map, _) = connection.ref_map(gix::progress::Discard, asked).map_err(fail)?;
            Ok(map.remote_refs)
        })?;
        let wanted: Vec<&str> = match reference {
            "" => vec!["HEAD"],
            _ => names.iter().map(String::as_str).collect(),
        };
        for name in &wanted {
            if let Some(commit) = refs.iter().find_map(|r| commit_of(r, name)) {
                return Ok(Located { commit, reference: Some((*name).to_owned()) });
            }
        }
        let known: Vec<String> = refs.iter().filter_map(short_name).collect();
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        Err(Error::NoReference {
            name: if reference.is_empty() { "HEAD".into() } else { reference.to_owned() },
            remote: remote.shown(),
            near: crate::dockerfile::nearest(reference, &known, true),
            reason: None,
        })
    }

    /// Fetches what was located, one commit deep, unless it is here.
    ///
    /// # Errors
    /// [`Error::Git`], [`Error::Cancelled`]; [`Error::NoReference`] if the remote does not give it.
    pub fn fetch(&self, cx: &Context, remote: &Remote<'_>, located: &Located) -> Result<()> {
        if self.has(&located.commit) {
            return Ok(());
        }
        let from = located.reference.as_deref().unwrap_or(&located.commit);
        let to = format!("refs/lap/{}", located.commit);
        let shallow = Shallow::DepthAtRemote(std::num::NonZeroU32::MIN);
        let first = self.receive(cx, remote, (&[format!("+{from}:{to}")], shallow));
        if self.has(&located.commit) {
            return Ok(());
        }
        if located.reference.is_some() {
            first?;
        } else {
            // A server that does not give single commits gives branches and tags.
            let all =
                ["+refs/heads/*:refs/lap/heads/*".to_owned(), "+refs/tags/*:refs/lap/tags/*".to_owned()];
            let second = self.receive(cx, remote, (&all, Shallow::undo()));
            if !self.has(&located.commit) {
                first.and(second)?;
            }
        }
        match self.has(&located.commit) {
            true => Ok(()),
            false => Err(Error::NoReference {
                name: located.commit.clone(),
                remote: remote.shown(),
                near: None,
                reason: Some("the remote did not send this commit".into()),
            }),
        }
    }

    fn receive(
        &self,
        cx: &Context,
        remote: &Remote<'_>,
        (specs, shallow): (&[String], Shallow),
    ) -> Result<()> {
        stoppable(cx, |interrupt| {
            let fail = |e| Error::git(format!("fetch from {}", remote.shown()), e);
            let asked = self.connection(remote, specs).map_err(fail)?;
            let connection = asked.connect(Direction::Fetch).map_err(fail)?;
            let connection = match options(remote) {
                Some(options) => connection.with_transport_options(options),
                None => connection,
            };
            let asked = ref_map::Options::default();
            let prepared = connection.prepare_fetch(gix::progress::Discard, asked).map_err(fail)?;
            prepared.with_shallow(shallow).receive(gix::progress::Discard, interrupt).map_err(fail)?;
            Ok(())
        })
    }

    fn connection(&self, remote: &Remote<'_>, specs: &[String]) -> gix::Result<gix::Remote<'_>> {
        provider();
        let remote = self.inner.remote_at(remote.url)?.with_fetch_tags(Tags::None);
        remote.with_refspecs(specs.iter().map(String::as_str), Direction::Fetch)
    }
}

/// TLS needs to know whose cryptography it is to use; an error means that somebody said so before.
fn provider() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}

/// Settings of the connection; `None` is what the configuration says.
fn options(remote: &Remote<'_>) -> Option<Box<dyn std::any::Any>> {
    let value = remote.authorization?;
    let options = gix::protocol::transport::client::blocking_io::http::Options {
        extra_headers: vec![format!("Authorization: {value}")],
        ..Default::default()
    };
    Some(Box::new(options))
}

/// The full names that a short one may mean, best first.
fn candidates(reference: &str) -> Vec<String> {
    let strip = |prefix: &str| reference.strip_prefix(prefix).unwrap_or(reference).to_owned();
    vec![
        format!("refs/{}", strip("refs/")),
        format!("refs/heads/{}", strip("refs/heads/")),
        format!("refs/tags/{}", strip("refs/tags/")),
    ]
}

/// The commit of a reference, if it has this name.
fn commit_of(reference: &Ref, name: &str) -> Option<String> {
    let (full, object) = match reference {
        Ref::Peeled { full_ref_name, object, .. }
        | Ref::Direct { full_ref_name, object }
        | Ref::Symbolic { full_ref_name, object, .. } => (full_ref_name, object),
        Ref::Unborn { .. } => return None,
    };
    (*full == name).then(|| object.to_string())
}

fn short_name(reference: &Ref) -> Option<String> {
    let (name, _, _) = reference.unpack();
    let name = name.to_str().ok()?;
    let short = name.strip_prefix("refs/heads/").or_else(|| name.strip_prefix("refs/tags/"))?;
    Some(short.to_owned())
}

/// Runs `work`, which looks at the flag it is given from time to time; the flag is set when the context is cancelled.
fn stoppable<T>(cx: &Context, work: impl FnOnce(&AtomicBool) -> Result<T>) -> Result<T> {
    let (interrupt, done) = (AtomicBool::new(false), AtomicBool::new(false));
    let outcome = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                if cx.cancel.is_cancelled() {
                    interrupt.store(true, Ordering::Relaxed);
                    return;
                }
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        let outcome = work(&interrupt);
        done.store(true, Ordering::Relaxed);
        outcome
    });
    if cx.cancel.is_cancelled() { Err(Error::Cancelled) } else { outcome }
}
