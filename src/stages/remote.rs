//! Records in a registry: a tag per key, derived from it, so that nothing has to be listed.

use crate::base::{BlobDigest, Reference, StepKey};
use crate::oci::{AnyManifest, Manifest, media};
use crate::registry::{self, BlobRequest, Client};
use crate::report::Context;
use crate::stages::artifact::EMPTY;
use crate::stages::{Error, NoRecord, SharedRecord, StepKeys};

/// What tags of records begin with where none is asked for.
const PREFIX: &str = "lap-cache";

/// The records of one repository. Cheap to clone.
#[derive(Clone)]
pub struct RegistryRecords {
    client: Client,
    repository: Reference,
    prefix: String,
}

/// What stands under the keys after a publication.
#[derive(Clone, Debug, PartialEq)]
pub enum Published {
    /// What was published.
    Ours,
    /// Somebody was first.
    Theirs(Box<SharedRecord>),
}

impl RegistryRecords {
    /// The records of `place`'s repository. Its tag, if it has one, is what their tags begin with, so that several
    /// caches can live in one repository.
    ///
    /// # Errors
    /// [`Error::Place`] if the tag is too long to go on, or `place` has a digest.
    pub fn new(client: Client, place: &Reference) -> Result<Self, Error> {
        let fail = |reason| Error::Place { place: place.to_string(), reason };
        if place.digest().is_some() {
            return Err(fail(
                "a cache cannot be written into a digest: name a repository, with a tag or without",
            ));
        }
        let prefix = place.tag().unwrap_or(PREFIX).to_owned();
        let repository = place.clone();
        let records = Self { client, repository, prefix };
        // A tag has at most 128 characters, 65 of which are the key's.
        if records.prefix.len() > 63 {
            return Err(fail("its tag is too long: 63 characters are the limit for a cache"));
        }
        Ok(records)
    }

    /// The repository.
    pub fn repository(&self) -> &Reference {
        &self.repository
    }

    fn tag(&self, key: &StepKey) -> Result<Reference, Error> {
        let tag = format!("{}-{key}", self.prefix);
        self.repository.with_tag(&tag).map_err(|e| Error::Place { place: tag, reason: e.reason })
    }

    /// The record of `key`. Something else behind its tag counts as absent and is said.
    ///
    /// # Errors
    /// [`Error::Registry`] if the registry does not answer.
    pub async fn get(&self, cx: &Context, key: &StepKey) -> Result<Option<SharedRecord>, Error> {
        let tag = self.tag(key)?;
        let Some(manifest) = self.manifest(cx, &tag).await? else { return Ok(None) };
        let read = match &manifest {
            Ok(manifest) => SharedRecord::of_manifest(manifest, key),
            Err(_) => Err(NoRecord::Damaged("it is not a manifest")),
        };
        match read {
            Ok(record) => Ok(Some(record)),
            Err(NoRecord::Damaged(reason)) => {
                cx.report.warn(format!("the record {tag} is damaged and not used: {reason}"));
                Ok(None)
            }
            Err(NoRecord::Buildkit | NoRecord::Other) => {
                cx.report.warn(format!("{tag} is not a record of a build step and not used"));
                Ok(None)
            }
        }
    }

    /// What is behind a reference; `None` if nothing is.
    async fn manifest(&self, cx: &Context, tag: &Reference) -> Result<Option<Result<Manifest, ()>>, Error> {
        let pulled = match self.client.manifest(cx, tag).await {
            Ok(pulled) => pulled,
            Err(e) if e.is_not_found() => return Ok(None),
            // Bytes that are not what their digest says: as if they were not there.
            Err(registry::Error::Corrupt(_)) => return Ok(Some(Err(()))),
            Err(source) => return Err(Error::Registry { place: tag.to_string(), source }),
        };
        match AnyManifest::parse(pulled.media_type.as_deref(), &pulled.bytes) {
            Ok(AnyManifest::Image(manifest)) => Ok(Some(Ok(manifest))),
            _ => Ok(Some(Err(()))),
        }
    }

    /// Publishes under all keys, each with one push of a manifest. The blobs must be in the repository. Whoever is first
    /// wins, unless `replace`.
    ///
    /// # Errors
    /// [`Error::Registry`] if the registry refuses or does not answer.
    pub async fn publish(
        &self,
        cx: &Context,
        keys: &StepKeys,
        shared: &SharedRecord,
        replace: bool,
    ) -> Result<Published, Error> {
        let bytes = shared.to_manifest(keys).to_bytes();
        let mut empty_is_there = false;
        // The content key first: whoever finds the definition key need not look for it.
        let mut all: Vec<StepKey> = keys.all().collect();
        all.reverse();
        for key in all {
            if !replace && let Some(theirs) = self.get(cx, &key).await? {
                if theirs.record.layers == shared.record.layers && theirs.record.base == shared.record.base {
                    continue;
                }
                return Ok(Published::Theirs(Box::new(theirs)));
            }
            let tag = self.tag(&key)?;
            let fail = |source| Error::Registry { place: tag.to_string(), source };
            if !empty_is_there {
                let digest = BlobDigest::of(EMPTY);
                let blob = BlobRequest::new(&self.repository, &digest, EMPTY.len() as u64);
                self.client.push_blob(cx, &blob, &EMPTY.to_vec()).await.map_err(fail)?;
                empty_is_there = true;
            }
            let pushed = match replace {
                true => self.client.push_manifest(cx, &tag, media::OCI_MANIFEST, &bytes).await,
                false => self.client.claim_manifest(cx, &tag, media::OCI_MANIFEST, &bytes).await,
            };
            match pushed {
                Ok(_) => {}
                // Somebody was first since we looked, or something that is no record stands there.
                Err(registry::Error::Conflict(_)) => match self.get(cx, &key).await? {
                    Some(theirs) => return Ok(Published::Theirs(Box::new(theirs))),
                    None => drop(
                        self.client
                            .push_manifest(cx, &tag, media::OCI_MANIFEST, &bytes)
                            .await
                            .map_err(fail)?,
                    ),
                },
                Err(source) => return Err(fail(source)),
            }
        }
        Ok(Published::Ours)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ContentHash;
    use crate::oci::Descriptor;
    use crate::registry::ClientOptions;
    use crate::registry::serve::{Options, Server};
    use crate::stages::artifact::tests::sample;

    struct Lab {
        _dir: tempfile::TempDir,
        cx: Context,
        client: Client,
        host: String,
    }

    async fn lab() -> Lab {
        let dir = tempfile::tempdir().unwrap();
        let cx = Context::silent(crate::host::clock::system());
        let address = "127.0.0.1:0".parse().unwrap();
        let server = Server::bind(address, dir.path(), Options::default(), cx.clock.clone()).await.unwrap();
        let host = server.local_addr().to_string();
        tokio::spawn(server.serve(cx.cancel.clone()));
        Lab { _dir: dir, cx, client: Client::new(ClientOptions::default()), host }
    }

    impl Lab {
        fn records(&self, place: &str) -> RegistryRecords {
            let place = format!("{}/{place}", self.host).parse().unwrap();
            RegistryRecords::new(self.client.clone(), &place).unwrap()
        }

        async fn push(&self, place: &str, blob: &[u8]) {
            let place = format!("{}/{place}", self.host).parse().unwrap();
            let digest = BlobDigest::of(blob);
            let request = BlobRequest::new(&place, &digest, blob.len() as u64);
            self.client.push_blob(&self.cx, &request, &blob.to_vec()).await.unwrap();
        }
    }

    #[tokio::test]
    async fn the_first_wins_and_everybody_adopts() {
        let lab = lab().await;
        lab.push("app/cache", b"blob").await;
        let (one, two) = (lab.records("app/cache"), lab.records("app/cache"));
        let (first, keys) = sample(1);
        let (second, _) = sample(2);
        assert_eq!(one.get(&lab.cx, &keys.definition).await.unwrap(), None);
        assert_eq!(one.publish(&lab.cx, &keys, &first, false).await.unwrap(), Published::Ours);
        let Published::Theirs(theirs) = two.publish(&lab.cx, &keys, &second, false).await.unwrap() else {
            panic!("the second one won");
        };
        assert_eq!(theirs.record.layers, first.record.layers);
        for key in keys.all() {
            assert_eq!(two.get(&lab.cx, &key).await.unwrap().unwrap().record.layers, first.record.layers);
        }
        assert_eq!(two.publish(&lab.cx, &keys, &second, true).await.unwrap(), Published::Ours);
        let stands = one.get(&lab.cx, &keys.definition).await.unwrap().unwrap();
        assert_eq!(stands.record.layers[0].created, 2);
        // A tag of the reference keeps caches of one repository apart.
        assert_eq!(lab.records("app/cache:branch").get(&lab.cx, &keys.definition).await.unwrap(), None);
    }

    #[tokio::test]
    async fn publishers_at_once_agree() {
        let lab = lab().await;
        lab.push("app", b"blob").await;
        let records = lab.records("app");
        let all: Vec<_> = (0..8).map(sample).collect();
        let done = all.iter().map(|(shared, keys)| records.publish(&lab.cx, keys, shared, false));
        let done = futures_util::future::try_join_all(done).await.unwrap();
        let (asked, cx) = (&records, &lab.cx);
        let layers = all[0].1.all().map(|key| async move { asked.get(cx, &key).await.unwrap().unwrap() });
        let stands = futures_util::future::join_all(layers).await;
        for (published, (own, _)) in done.iter().zip(&all) {
            let counts = match published {
                Published::Ours => &own.record,
                Published::Theirs(theirs) => &theirs.record,
            };
            assert_eq!(counts.layers, stands[0].record.layers);
        }
        // Something that is no record is replaced, not adopted.
        let image = Manifest::new(Descriptor::of(media::OCI_EMPTY, EMPTY), vec![]).to_bytes();
        let (shared, keys) = sample(9);
        for key in keys.all() {
            let tag = records.tag(&key).unwrap();
            lab.client.push_manifest(&lab.cx, &tag, media::OCI_MANIFEST, &image).await.unwrap();
        }
        assert_eq!(records.publish(&lab.cx, &keys, &shared, false).await.unwrap(), Published::Ours);
        let stands = records.get(&lab.cx, &keys.definition).await.unwrap().unwrap();
        assert_eq!(stands.record.layers, shared.record.layers);
    }

    #[tokio::test]
    async fn a_record_appears_only_with_its_layers() {
        let lab = lab().await;
        let (shared, keys) = sample(1);
        let records = lab.records("app");
        let error = records.publish(&lab.cx, &keys, &shared, false).await.unwrap_err();
        assert!(
            matches!(error, Error::Registry { source: registry::Error::Incomplete { .. }, .. }),
            "{error:?}"
        );
        assert_eq!(records.get(&lab.cx, &keys.definition).await.unwrap(), None);
    }

    #[tokio::test]
    async fn what_is_no_record_counts_as_absent() {
        let lab = lab().await;
        let records = lab.records("app");
        lab.push("app", b"{}").await;
        let key = StepKey::new(ContentHash::of(b"step"));
        let image = Manifest::new(Descriptor::of(media::OCI_CONFIG, b"{}"), vec![]);
        let tag = records.tag(&key).unwrap();
        lab.client.push_manifest(&lab.cx, &tag, media::OCI_MANIFEST, &image.to_bytes()).await.unwrap();
        assert_eq!(records.get(&lab.cx, &key).await.unwrap(), None);
    }

    #[test]
    fn places() {
        let client = Client::new(ClientOptions::default());
        let place = |text: &str| RegistryRecords::new(client.clone(), &text.parse().unwrap()).map(|_| ());
        assert!(place("r.example/app").is_ok());
        assert!(place(&format!("r.example/app:{}", "t".repeat(63))).is_ok());
        assert!(place(&format!("r.example/app:{}", "t".repeat(64))).is_err());
        assert!(place(&format!("r.example/app@sha256:{}", "0".repeat(64))).is_err());
    }
}
