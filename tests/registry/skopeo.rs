//! `skopeo` copies to and from our server, and reads what our client pushed.

use std::path::Path;
use std::process::Command;

use lapstrake::base::BlobDigest;
use lapstrake::registry::{BlobRequest, serve};

use crate::servers::{MANIFEST, client, cx, debian, embedded, manifest_of, name, noise};

fn skopeo(arguments: &[&str]) -> String {
    assert!(Path::new("/usr/bin/skopeo").exists(), "this test needs the Debian package skopeo");
    let output = Command::new("skopeo").arg("--insecure-policy").args(arguments).output().unwrap();
    assert!(output.status.success(), "skopeo {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn images_travel_with_skopeo_between_both_servers() {
    let (ours, debians) = (embedded(serve::Options::default()).await, debian("", ""));
    let client = client();
    let to = name(&ours, "team/app:1");
    let layer = noise(1, 200_000);
    let config = format!(
        r#"{{"architecture":"amd64","os":"linux","config":{{}},"rootfs":{{"type":"layers","diff_ids":["{}"]}}}}"#,
        BlobDigest::of(&layer)
    );
    for bytes in [layer.clone(), config.clone().into_bytes()] {
        let digest = BlobDigest::of(&bytes);
        client.push_blob(&cx(), &BlobRequest::new(&to, &digest, bytes.len() as u64), &bytes).await.unwrap();
    }
    let manifest = manifest_of(config.as_bytes(), &[&layer], "");
    let digest = client.push_manifest(&cx(), &to, MANIFEST, &manifest).await.unwrap();
    let (source, other) = (format!("docker://{to}"), format!("docker://{}/copy:1", debians.host));
    let back = format!("docker://{}/back:1", ours.host);
    let seen = tokio::task::spawn_blocking(move || {
        let plain = ["--src-tls-verify=false", "--dest-tls-verify=false"];
        skopeo(&["copy", "-q", plain[0], plain[1], &source, &other]);
        skopeo(&["copy", "-q", plain[0], plain[1], &other, &back]);
        skopeo(&["inspect", "--tls-verify=false", "--format", "{{.Digest}}", &back])
    });
    assert_eq!(seen.await.unwrap().trim(), digest.to_string());
    let back = name(&ours, "back:1");
    let pulled = client.manifest(&cx(), &back).await.unwrap();
    assert_eq!((pulled.digest, pulled.bytes), (digest, manifest));
    let wanted = BlobDigest::of(&layer);
    let request = BlobRequest::new(&back, &wanted, layer.len() as u64);
    assert!(client.blob_bytes(&cx(), &request, u64::MAX).await.unwrap() == layer);
}
