//! The same questions to both servers.

use std::time::Duration;

use lapstrake::base::{BlobDigest, ManifestDigest, Reference};
use lapstrake::registry::{BlobRequest, BlobSink as _, Client, Error, MemorySink, Pushed, RemoteBlob, serve};

use crate::servers::{MANIFEST, Server, client, cx, debian, embedded, manifest_of, name, noise, quick};

macro_rules! both {
    ($($test:ident),* $(,)?) => {
        mod on_ours {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::$test(&super::embedded(super::serve::Options::default()).await).await;
            })*
        }
        mod on_debians {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::$test(&super::debian("", "")).await;
            })*
        }
    };
}

both!(
    blobs_go_there_and_back,
    large_blobs_in_pieces,
    a_stream_of_unknown_length,
    a_pull_goes_on_where_it_stopped,
    mounts_between_repositories,
    manifests_by_tag_and_digest,
    missing_things_are_named,
    many_at_once,
    tags_page_by_page,
    manifests_can_be_removed,
    referrers_are_found,
    wrong_digests_are_refused,
);

async fn push(client: &Client, to: &Reference, bytes: &[u8]) -> Pushed {
    let digest = BlobDigest::of(bytes);
    let request = BlobRequest::new(to, &digest, bytes.len() as u64);
    client.push_blob(&cx(), &request, &bytes.to_vec()).await.unwrap()
}

async fn pull(client: &Client, from: &Reference, bytes: &[u8]) {
    let digest = BlobDigest::of(bytes);
    let request = BlobRequest::new(from, &digest, bytes.len() as u64);
    let found = client.blob_bytes(&cx(), &request, u64::MAX).await.unwrap();
    assert!(found == bytes, "{} bytes came back as {} others", bytes.len(), found.len());
}

pub async fn push_image(client: &Client, to: &Reference, layer: &[u8]) -> ManifestDigest {
    push(client, to, b"{}").await;
    push(client, to, layer).await;
    let manifest = manifest_of(b"{}", &[layer], "");
    client.push_manifest(&cx(), to, MANIFEST, &manifest).await.unwrap()
}

async fn blobs_go_there_and_back(server: &Server) {
    let (client, to) = (client(), name(server, "team/app"));
    for bytes in [Vec::new(), b"x".to_vec(), noise(1, 3_000_000)] {
        assert_eq!(client.blob_exists(&cx(), &to, &BlobDigest::of(&bytes)).await.unwrap(), None);
        assert_eq!(push(&client, &to, &bytes).await, Pushed::Uploaded);
        assert_eq!(push(&client, &to, &bytes).await, Pushed::Existed);
        let size = client.blob_exists(&cx(), &to, &BlobDigest::of(&bytes)).await.unwrap();
        assert_eq!(size, Some(bytes.len() as u64));
        pull(&client, &to, &bytes).await;
    }
}

async fn large_blobs_in_pieces(server: &Server) {
    let mut options = quick();
    options.chunk = Some(1_000_000);
    let (client, to) = (Client::new(options), name(server, "pieces"));
    let bytes = noise(2, 3_500_001);
    assert_eq!(push(&client, &to, &bytes).await, Pushed::Uploaded);
    pull(&client, &to, &bytes).await;
}

async fn a_stream_of_unknown_length(server: &Server) {
    let mut options = quick();
    options.chunk = Some(500_000);
    let (client, to) = (Client::new(options), name(server, "stream"));
    for length in [0, 1, 499_999, 500_000, 500_001, 1_700_000] {
        let bytes = noise(3, length);
        let (digest, size) = client.push_stream(&cx(), &to, &bytes, None).await.unwrap();
        assert_eq!((digest, size), (BlobDigest::of(&bytes), length as u64));
        pull(&client, &to, &bytes).await;
    }
}

async fn a_pull_goes_on_where_it_stopped(server: &Server) {
    let (client, to) = (client(), name(server, "resume"));
    let bytes = noise(4, 1_000_000);
    push(&client, &to, &bytes).await;
    let digest = BlobDigest::of(&bytes);
    let request = BlobRequest::new(&to, &digest, bytes.len() as u64);
    for have in [1, 123_456, 999_999, 1_000_000] {
        let mut sink = MemorySink::new(&digest, u64::MAX);
        sink.write(&bytes[..have]).unwrap();
        client.pull_blob(&cx(), &request, &mut sink).await.unwrap();
        assert!(sink.into_bytes() == bytes);
    }
    // What is held is wrong: it is thrown away and everything is asked for again.
    let mut sink = MemorySink::new(&digest, u64::MAX);
    sink.write(b"these bytes are wrong").unwrap();
    client.pull_blob(&cx(), &request, &mut sink).await.unwrap();
    assert!(sink.into_bytes() == bytes);
}

async fn mounts_between_repositories(server: &Server) {
    let (client, from, to) = (client(), name(server, "mount/from"), name(server, "mount/to"));
    let bytes = noise(5, 100_000);
    push(&client, &from, &bytes).await;
    let digest = BlobDigest::of(&bytes);
    let candidates = [name(server, "mount/nothing-here"), from.clone()];
    let request =
        BlobRequest { mount_from: &candidates, ..BlobRequest::new(&to, &digest, bytes.len() as u64) };
    let pushed = client.push_blob(&cx(), &request, &bytes).await.unwrap();
    assert_eq!(pushed, Pushed::Mounted(from));
    pull(&client, &to, &bytes).await;
}

async fn manifests_by_tag_and_digest(server: &Server) {
    let (client, to) = (client(), name(server, "team/app:1"));
    let digest = push_image(&client, &to, b"layer").await;
    let expected = manifest_of(b"{}", &[b"layer"], "");
    let resolved = client.resolve(&cx(), &to).await.unwrap();
    assert_eq!((resolved.digest, resolved.media_type.as_deref()), (digest.clone(), Some(MANIFEST)));
    let by_digest = to.with_digest(digest.digest().clone());
    for reference in [&to, &by_digest] {
        let pulled = client.manifest(&cx(), reference).await.unwrap();
        assert_eq!((&pulled.digest, pulled.media_type.as_deref()), (&digest, Some(MANIFEST)));
        assert_eq!(pulled.bytes, expected);
    }
    let index = format!(
        r#"{{"schemaVersion":2,"manifests":[{{"mediaType":"{MANIFEST}","digest":"{digest}","size":{}}}]}}"#,
        expected.len()
    );
    let media = "application/vnd.oci.image.index.v1+json";
    let multi = name(server, "team/app:multi");
    client.push_manifest(&cx(), &multi, media, index.as_bytes()).await.unwrap();
    assert_eq!(client.manifest(&cx(), &multi).await.unwrap().media_type.as_deref(), Some(media));
}

async fn missing_things_are_named(server: &Server) {
    let (client, nowhere) = (client(), name(server, "no/such:tag"));
    for error in [
        client.resolve(&cx(), &nowhere).await.unwrap_err(),
        client.manifest(&cx(), &nowhere).await.unwrap_err(),
        client.tags(&cx(), &nowhere).await.unwrap_err(),
    ] {
        assert!(error.is_not_found(), "{error:?}");
        assert!(error.to_string().contains("no/such"), "{error}");
    }
    let lost = BlobDigest::of(b"lost");
    let request = BlobRequest::new(&nowhere, &lost, 4);
    let error = client.blob_bytes(&cx(), &request, 100).await.unwrap_err();
    assert!(error.is_not_found(), "{error:?}");
    let to = name(server, "some:1");
    push(&client, &to, b"{}").await;
    let manifest = manifest_of(b"{}", &[b"lost"], "");
    match client.push_manifest(&cx(), &to, MANIFEST, &manifest).await.unwrap_err() {
        Error::Incomplete { missing, .. } => assert_eq!(missing, [lost]),
        other => panic!("{other:?}"),
    }
}

async fn many_at_once(server: &Server) {
    let (client, to) = (client(), name(server, "many"));
    let blobs: Vec<Vec<u8>> = (0..24).map(|n| noise(100 + n, 50_000)).collect();
    let pushes = blobs.iter().map(|bytes| push(&client, &to, bytes));
    futures_util::future::join_all(pushes).await;
    let pulls = blobs.iter().map(|bytes| pull(&client, &to, bytes));
    futures_util::future::join_all(pulls).await;
}

async fn tags_page_by_page(server: &Server) {
    let (client, to) = (client(), name(server, "paged/app:t0"));
    push_image(&client, &to, b"layer").await;
    let manifest = manifest_of(b"{}", &[b"layer"], "");
    for n in 1..7 {
        let tagged = to.with_tag(&format!("t{n}")).unwrap();
        client.push_manifest(&cx(), &tagged, MANIFEST, &manifest).await.unwrap();
    }
    let mut tags = client.tags(&cx(), &to).await.unwrap();
    tags.sort();
    assert_eq!(tags, ["t0", "t1", "t2", "t3", "t4", "t5", "t6"]);
    assert!(client.catalog(&cx(), &server.host).await.unwrap().contains(&"paged/app".to_owned()));
}

async fn manifests_can_be_removed(server: &Server) {
    let (client, to) = (client(), name(server, "removed:1"));
    let digest = push_image(&client, &to, b"layer").await;
    client.delete_manifest(&cx(), &to, &digest).await.unwrap();
    assert!(client.resolve(&cx(), &to).await.unwrap_err().is_not_found());
    assert!(client.delete_manifest(&cx(), &to, &digest).await.unwrap_err().is_not_found());
    let layer = BlobDigest::of(b"layer");
    client.delete_blob(&cx(), &to, &layer).await.unwrap();
    assert_eq!(client.blob_exists(&cx(), &to, &layer).await.unwrap(), None);
    // Ours removes a tag alone; Debian's (Distribution 2) does not know that and says so.
    push_image(&client, &to, b"layer").await;
    match client.delete_tag(&cx(), &to).await {
        Ok(()) => assert!(client.manifest(&cx(), &to).await.unwrap_err().is_not_found()),
        Err(error) => assert!(matches!(error, Error::Unsupported(_)), "{error:?}"),
    }
}

async fn referrers_are_found(server: &Server) {
    let (client, to) = (client(), name(server, "signed:1"));
    let subject = push_image(&client, &to, b"layer").await;
    assert!(client.referrers(&cx(), &to, &subject, None).await.unwrap().is_empty());
    let more = |kind: &str| {
        format!(
            r#","artifactType":"{kind}","subject":{{"mediaType":"{MANIFEST}","digest":"{subject}","size":1}},
            "annotations":{{"who":"me"}}"#
        )
    };
    for kind in ["application/one", "application/two"] {
        let manifest = manifest_of(b"{}", &[b"layer"], &more(kind));
        let digest = ManifestDigest::of(&manifest);
        let reference = to.with_digest(digest.digest().clone());
        client.push_manifest(&cx(), &reference, MANIFEST, &manifest).await.unwrap();
    }
    assert_eq!(client.referrers(&cx(), &to, &subject, None).await.unwrap().len(), 2);
    let one = client.referrers(&cx(), &to, &subject, Some("application/one")).await.unwrap();
    assert_eq!(one.len(), 1);
    assert_eq!(one[0]["annotations"]["who"], "me");
}

async fn wrong_digests_are_refused(server: &Server) {
    let (client, to) = (client(), name(server, "wrong"));
    let (bytes, digest) = (noise(7, 10_000), BlobDigest::of(b"something else"));
    let request = BlobRequest::new(&to, &digest, bytes.len() as u64);
    let error = client.push_blob(&cx(), &request, &bytes).await.unwrap_err();
    assert!(matches!(error, Error::Corrupt(_)), "{error:?}");
    assert_eq!(client.blob_exists(&cx(), &to, &digest).await.unwrap(), None);
    // A source that ends too early is our own failure, not the registry's.
    let digest = BlobDigest::of(&bytes);
    let request = BlobRequest::new(&to, &digest, bytes.len() as u64 + 1);
    let error = client.push_blob(&cx(), &request, &bytes).await.unwrap_err();
    assert!(matches!(error, Error::Local(_)), "{error:?}");
}

#[tokio::test]
async fn a_read_only_server_only_reads() {
    let server = embedded(serve::Options { read_only: true, ..serve::Options::default() }).await;
    let digest = BlobDigest::of(b"x");
    let to = name(&server, "a");
    let request = BlobRequest::new(&to, &digest, 1);
    let error = client().push_blob(&cx(), &request, &b"x".to_vec()).await.unwrap_err();
    assert!(matches!(error, Error::Unsupported(_)), "{error:?}");
}

#[tokio::test]
async fn nobody_there_and_cancelled() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let host = free.local_addr().unwrap().to_string();
    // Somebody listens and never says a word.
    let silent: Reference = format!("{host}/a:1").parse().unwrap();
    let mut options = quick();
    options.timeouts.stall = Duration::from_millis(100);
    options.retry.attempts = 2;
    let error = Client::new(options).manifest(&cx(), &silent).await.unwrap_err();
    assert!(matches!(error, Error::Unavailable(_)), "{error:?}");
    let cx = cx();
    let (client, asking) = (client(), cx.clone());
    let asked = tokio::spawn(async move { client.manifest(&asking, &silent).await });
    tokio::time::sleep(Duration::from_millis(50)).await;
    cx.cancel.cancel();
    let stopped = tokio::time::timeout(Duration::from_secs(60), asked).await.unwrap().unwrap();
    assert!(matches!(stopped, Err(Error::Cancelled)));
    drop(free);
    let gone: Reference = format!("{host}/a:1").parse().unwrap();
    let error = self::client().manifest(&self::cx(), &gone).await.unwrap_err();
    assert!(matches!(error, Error::Unavailable(_)), "{error:?}");
}

/// Every transfer reads from the registry that it sends to, and there is one connection.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn copies_within_a_registry_do_not_wait_for_each_other() {
    let server = embedded(serve::Options::default()).await;
    let mut cx = cx();
    cx.limits.transfers = std::num::NonZeroUsize::MIN;
    let (client, from, to) = (client(), name(&server, "from"), name(&server, "to"));
    let blobs: Vec<Vec<u8>> = (0..4).map(|seed| noise(seed, 100_000)).collect();
    for blob in &blobs {
        let digest = BlobDigest::of(blob);
        let request = BlobRequest::new(&from, &digest, blob.len() as u64);
        client.push_blob(&cx, &request, blob).await.unwrap();
    }
    let copies = blobs.iter().map(async |blob| {
        let (digest, size) = (BlobDigest::of(blob), blob.len() as u64);
        let source = RemoteBlob::new(&client, &cx, &from, &digest, size);
        client.push_blob(&cx, &BlobRequest::new(&to, &digest, size), &source).await
    });
    let copied = tokio::time::timeout(Duration::from_secs(300), futures_util::future::try_join_all(copies));
    let copied = copied.await.expect("they wait for each other").unwrap();
    assert!(copied.iter().all(|how| *how == Pushed::Uploaded), "{copied:?}");
}
