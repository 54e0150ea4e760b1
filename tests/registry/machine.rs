//! `registries.conf` and `certs.d` of a machine, in a folder of the test.

use std::path::Path;

use lapstrake::base::Reference;
use lapstrake::registry::{Client, Error, Machine, serve};

use crate::servers::{Server, cx, debian, embedded, name, quick};
use crate::suite::push_image;
use crate::tls::{certificate, signed};

/// Nobody listens there.
const NOBODY: &str = "127.0.0.1:1";

fn client(folder: &Path, conf: &str) -> Client {
    std::fs::write(folder.join("registries.conf"), conf).unwrap();
    Client::new(lapstrake::registry::ClientOptions { machine: Machine::of_folder(folder), ..quick() })
}

async fn own() -> Server {
    embedded(serve::Options::default()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_are_read_where_the_machine_says() {
    let folder = tempfile::tempdir().unwrap();
    let (near, far) = (own().await, own().await);
    let plain = crate::servers::client();
    let copied = push_image(&plain, &name(&near, "copies/shop:1"), b"near").await;
    let moved = push_image(&plain, &name(&far, "shelf/team/shop:1"), b"far").await;
    let conf = format!(
        "[[registry]]\nprefix = \"{NOBODY}/team\"\nlocation = \"{far}/shelf/team\"\n\
         [[registry]]\nprefix = \"{NOBODY}/mirrored\"\n\
         [[registry.mirror]]\nlocation = \"{near}/none\"\n\
         [[registry.mirror]]\nlocation = \"{near}/copies\"\n",
        near = near.host,
        far = far.host
    );
    let client = client(folder.path(), &conf);
    for (reference, expected) in [("team/shop:1", &moved), ("mirrored/shop:1", &copied)] {
        let reference: Reference = format!("{NOBODY}/{reference}").parse().unwrap();
        let pulled = client.manifest(&cx(), &reference).await.unwrap();
        assert_eq!(pulled.digest, *expected, "{reference}");
        assert_eq!(client.resolve(&cx(), &reference).await.unwrap().digest, *expected, "{reference}");
    }
    // What is written goes where its name says.
    let place = format!("{NOBODY}/team/shop:2").parse().unwrap();
    let error = client.push_manifest(&cx(), &place, "application/vnd.oci.image.index.v1+json", b"{}").await;
    assert!(matches!(error, Err(Error::Unavailable(_))), "{error:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_blocked_is_neither_read_nor_written() {
    let folder = tempfile::tempdir().unwrap();
    let server = own().await;
    push_image(&crate::servers::client(), &name(&server, "bad/shop:1"), b"x").await;
    let conf = format!("[[registry]]\nprefix = \"{}/bad\"\nblocked = true\n", server.host);
    let client = client(folder.path(), &conf);
    let said = |error: Error| format!("{error}: {}", error.story().unwrap());
    let bad = name(&server, "bad/shop:1");
    let words = said(client.manifest(&cx(), &bad).await.unwrap_err());
    assert!(words.contains(&format!("blocks {}/bad", server.host)), "{words}");
    let media = "application/vnd.oci.image.index.v1+json";
    let words = said(client.push_manifest(&cx(), &bad, media, b"{}").await.unwrap_err());
    assert!(words.contains("blocks"), "{words}");
    push_image(&client, &name(&server, "good/shop:1"), b"x").await;
    let broken = self::client(folder.path(), "[[registry]]\nblocked = true\n");
    let words = said(broken.manifest(&cx(), &bad).await.unwrap_err());
    assert!(words.contains("registries.conf") && words.contains("neither prefix nor location"), "{words}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificates_are_those_of_the_registry() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    certificate(dir);
    signed(dir, "client", "clientAuth");
    let path = |name: &str| dir.join(name).display().to_string();
    let tls = format!(
        "  tls:\n    certificate: {}\n    key: {}\n    clientcas:\n      - {}",
        path("cert.pem"),
        path("key.pem"),
        path("ca.pem")
    );
    let server = debian(&tls, "");
    let own = dir.join("certs.d").join(&server.host);
    std::fs::create_dir_all(&own).unwrap();
    let ping = async || client(dir, "").ping(&cx(), &server.host).await;
    assert!(matches!(ping().await, Err(Error::Untrusted(_))), "nobody vouches for it");
    std::fs::copy(dir.join("ca.pem"), own.join("ca.crt")).unwrap();
    assert!(ping().await.is_err(), "it wants to see a certificate");
    std::fs::copy(dir.join("client-cert.pem"), own.join("client.cert")).unwrap();
    assert!(matches!(ping().await, Err(Error::Settings(_))), "there is no key to it");
    std::fs::copy(dir.join("client-key.pem"), own.join("client.key")).unwrap();
    ping().await.unwrap();
    let reference = name(&server, "shop:1");
    let digest = push_image(&client(dir, ""), &reference, b"x").await;
    assert_eq!(client(dir, "").manifest(&cx(), &reference).await.unwrap().digest, digest);
    // Without authorities, a registry that is called insecure is spoken to all the same.
    std::fs::remove_file(own.join("ca.crt")).unwrap();
    let careless = format!("[[registry]]\nlocation = \"{}\"\ninsecure = true\n", server.host);
    client(dir, &careless).ping(&cx(), &server.host).await.unwrap();
}
