//! OCI layouts between `lap` and ocidir, both ways, by digest.
//!
//! ocidir writes a layout with an image of two layers; `lap` loads it, saves it as a folder and as an archive; ocidir
//! reads both, hashes every blob, and finds the manifest and the layers it wrote. The store of `lap` itself is read the
//! same way. Run by hand, beside a `lap` that was built before:
//!
//! ```text
//! cargo run --manifest-path tests/oracles/conformance/Cargo.toml -- target/debug/lap
//! ```

use std::error::Error;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use ocidir::cap_std::ambient_authority;
use ocidir::cap_std::fs::Dir;
use ocidir::oci_spec::image::{ImageConfigurationBuilder, Platform};
use ocidir::{OciArchive, OciDir};

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

const NAME: &str = "conformance.example/image:1";

fn main() -> Outcome {
    let lap = std::env::args().nth(1).ok_or("usage: conformance PATH-OF-LAP")?;
    let folder = tempfile::tempdir()?;
    let at = |name: &str| folder.path().join(name);
    let digest = write(&at("written"))?;
    let run = |arguments: &[&str]| -> Outcome {
        let status = Command::new(&lap).args(arguments).env("LAP_HOME", at("store")).status()?;
        if status.success() { Ok(()) } else { Err(format!("lap {arguments:?} failed").into()) }
    };
    let path = |name: &str| at(name).display().to_string();
    run(&["image", "load", "-i", &path("written"), "--tag", NAME])?;
    run(&["image", "save", NAME, "--format", "oci-dir", "-o", &path("folder")])?;
    run(&["image", "save", NAME, "--format", "oci-archive", "-o", &path("archive.tar")])?;
    run(&["image", "save", NAME, "--format", "docker-archive", "-o", &path("docker.tar")])?;
    run(&["image", "check"])?;

    verify("the folder", &open(&at("folder"))?, "1", &digest)?;
    verify("the store", &open(&at("store"))?, NAME, &digest)?;
    for archive in ["archive.tar", "docker.tar"] {
        verify(archive, &OciArchive::open(at(archive))?, "1", &digest)?;
    }
    Ok(())
}

fn open(path: &Path) -> Outcome<OciDir> {
    Ok(OciDir::open(Dir::open_ambient_dir(path, ambient_authority())?)?)
}

/// Writes an image of two layers with ocidir; gives the digest of its manifest.
fn write(path: &Path) -> Outcome<String> {
    std::fs::create_dir(path)?;
    let layout = OciDir::ensure(Dir::open_ambient_dir(path, ambient_authority())?)?;
    let mut manifest = layout.new_empty_manifest()?.build()?;
    let mut config = ImageConfigurationBuilder::default().build()?;
    for content in [&b"not really a tar"[..], &[7; 3_000_000]] {
        let mut writer = layout.create_gzip_layer(None)?;
        writer.write_all(content)?;
        layout.push_layer(&mut manifest, &mut config, writer.complete()?, "a layer", None);
    }
    let descriptor = layout.insert_manifest_and_config(manifest, config, Some("any"), Platform::default())?;
    Ok(descriptor.digest().to_string())
}

/// Hashes everything and finds the image again.
fn verify(what: &str, layout: &impl ocidir::OciRead, tag: &str, digest: &str) -> Outcome {
    let blobs = layout.fsck()?;
    let image = layout.open_image_this_platform(Some(tag))?;
    let found = image.manifest_descriptor.digest().to_string();
    if found != digest || image.manifest.layers().len() != 2 {
        return Err(format!("{what}: {found} instead of {digest}").into());
    }
    println!("{what}: {blobs} blobs, {tag} is {found}");
    Ok(())
}
