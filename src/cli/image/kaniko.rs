//! Flags of kaniko's executor on `lap image build`, so that a job moves over by changing the program's name.
//!
//! What they ask for is done with our own flags; what means nothing here is accepted with a warning; what cannot be done is
//! refused with the reason. None is ignored in silence. Source: kaniko `cmd/executor`.

use std::path::PathBuf;

use clap::Args;

use crate::base::{Failure, Kind, Platform, Reference};
use crate::cli::session::reference;
use crate::ops::image_build::{DigestFile, DigestForm};

/// Kaniko's flags that have another name or another meaning than ours.
#[derive(Args, Debug)]
pub struct KanikoFlags {
    #[arg(long = "context", hide = true, conflicts_with = "context")]
    pub place: Option<String>,
    #[arg(long, hide = true)]
    context_sub_path: Option<PathBuf>,
    #[arg(short, long, hide = true, value_parser = reference)]
    pub destination: Vec<Reference>,
    #[arg(long, hide = true)]
    digest_file: Option<PathBuf>,
    #[arg(long, hide = true)]
    image_name_with_digest_file: Option<PathBuf>,
    #[arg(long, hide = true)]
    image_name_tag_with_digest_file: Option<PathBuf>,
    #[arg(long, hide = true, alias = "dryrun", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    no_push: Option<bool>,
    #[arg(long, hide = true)]
    tar_path: Option<PathBuf>,
    #[arg(long, hide = true)]
    oci_layout_path: Option<PathBuf>,
    #[arg(long, hide = true)]
    pub custom_platform: Option<Platform>,
    #[arg(long, hide = true)]
    compression: Option<String>,
    #[arg(long, hide = true)]
    compression_level: Option<String>,
    #[arg(long, hide = true, alias = "skip-tls-verify-registry")]
    pub insecure_registry: Vec<String>,
    #[arg(long, hide = true)]
    registry_certificate: Vec<String>,
    #[arg(long, hide = true)]
    registry_mirror: Vec<String>,
    #[command(flatten)]
    idle: Idle,
    #[command(flatten)]
    undone: Undone,
}

/// Flags that mean nothing here.
#[derive(Args, Debug)]
struct Idle {
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    use_new_run: Option<bool>,
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    compressed_caching: Option<bool>,
    #[arg(long, hide = true)]
    snapshot_mode: Option<String>,
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    ignore_var_run: Option<bool>,
    #[arg(long, hide = true)]
    kaniko_dir: Option<PathBuf>,
    #[arg(long, hide = true, alias = "pre-cleanup", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    cleanup: Option<bool>,
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    force: Option<bool>,
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    skip_unused_stages: Option<bool>,
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    skip_push_permission_check: Option<bool>,
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    reproducible: Option<bool>,
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    log_timestamp: Option<bool>,
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    cache_copy_layers: Option<bool>,
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    cache_run_layers: Option<bool>,
    #[arg(short, long, hide = true)]
    verbosity: Option<String>,
    #[arg(long, hide = true)]
    push_retry: Option<u32>,
    #[arg(long, hide = true)]
    image_download_retry: Option<u32>,
    #[arg(long, hide = true)]
    image_fs_extract_retry: Option<u32>,
}

/// Flags that ask for something that is not done.
#[derive(Args, Debug)]
struct Undone {
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    single_snapshot: Option<bool>,
    #[arg(long, hide = true)]
    ignore_path: Vec<String>,
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    push_ignore_immutable_tag_errors: Option<bool>,
    #[arg(long, hide = true)]
    registry_client_cert: Vec<String>,
    #[arg(long, hide = true)]
    cache_dir: Option<PathBuf>,
    #[arg(long, hide = true)]
    cache_ttl: Option<String>,
    #[arg(long, hide = true, alias = "skip-tls-verify-pull", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    skip_tls_verify: Option<bool>,
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    insecure_pull: Option<bool>,
}

impl KanikoFlags {
    /// Says what cannot be done.
    ///
    /// # Errors
    /// For the first of them, with what to do instead.
    pub fn check(&self) -> Result<(), Failure> {
        let undone = &self.undone;
        let asked = [
            (
                undone.single_snapshot == Some(true),
                "--single-snapshot",
                "every step has a layer of its own; a last stage `FROM scratch` with one COPY has one layer",
            ),
            (
                !undone.ignore_path.is_empty(),
                "--ignore-path",
                "steps run in a tree of their own, so nothing of this machine is in it; remove files in the step that makes them",
            ),
            (
                undone.push_ignore_immutable_tag_errors == Some(true),
                "--push-ignore-immutable-tag-errors",
                "pushing what a tag stands for already is no error here, and pushing something else is one",
            ),
            (
                !undone.registry_client_cert.is_empty(),
                "--registry-client-cert",
                "client certificates are not used; log in with `lap cr login`",
            ),
            (
                undone.cache_dir.is_some(),
                "--cache-dir",
                "base images are kept in the store, whose folder LAP_HOME names",
            ),
            (
                undone.cache_ttl.is_some(),
                "--cache-ttl",
                "results do not grow old: `lap image prune` removes what nothing needs",
            ),
            (
                undone.skip_tls_verify == Some(true),
                "--skip-tls-verify",
                "name the registries with --insecure HOST",
            ),
            (
                undone.insecure_pull == Some(true),
                "--insecure-pull",
                "name the registries with --insecure HOST",
            ),
        ];
        match asked.into_iter().find(|(given, ..)| *given) {
            None => Ok(()),
            Some((_, flag, hint)) => {
                let cause = format!("kaniko's {flag} asks for something that is not done here");
                Err(Failure::new(Kind::Usage, "read the flags").because(cause).hint(hint))
            }
        }
    }

    /// Where the context is, if kaniko's flags say so.
    ///
    /// # Errors
    /// If it is somewhere that is not read.
    pub fn context(&self) -> Result<Option<PathBuf>, Failure> {
        let Some(place) = &self.place else { return Ok(self.context_sub_path.clone()) };
        let path = match place.split_once("://") {
            Some(("dir", path)) => path,
            Some((scheme @ ("s3" | "gs" | "tar"), _)) => {
                return Err(Failure::new(Kind::Usage, format!("read the context {place}"))
                    .because(format!("contexts of {scheme}:// are not read"))
                    .hint("fetch and unpack it before the build, and give the folder"));
            }
            _ => place,
        };
        let root = PathBuf::from(path);
        Ok(Some(self.context_sub_path.as_ref().map_or(root.clone(), |below| root.join(below))))
    }

    /// The values of `--output` that kaniko's flags stand for: kaniko pushes unless it is told not to.
    pub fn outputs(&self) -> Vec<String> {
        let mut form = String::new();
        for (key, value) in
            [("compression", &self.compression), ("compression-level", &self.compression_level)]
        {
            if let Some(value) = value {
                form.push_str(&format!(",{key}={value}"));
            }
        }
        let mut outputs = Vec::new();
        if let Some(path) = &self.tar_path {
            outputs.push(format!("type=docker,dest={}{form}", path.display()));
        }
        if let Some(path) = &self.oci_layout_path {
            outputs.push(format!("type=oci,tar=false,dest={}{form}", path.display()));
        }
        if !self.destination.is_empty() && self.no_push != Some(true) {
            outputs.push(format!("type=registry{form}"));
        }
        outputs
    }

    /// Certificates that are trusted: `--registry-certificate HOST=FILE`.
    pub fn certificates(&self) -> Vec<PathBuf> {
        let file =
            |text: &String| text.split_once('=').map_or(text.clone(), |(_, file)| file.to_owned()).into();
        self.registry_certificate.iter().map(file).collect()
    }

    /// Mirrors of Docker Hub: `--registry-mirror HOST`.
    pub fn mirrors(&self) -> impl Iterator<Item = (String, String)> {
        self.registry_mirror.iter().map(|mirror| ("docker.io".to_owned(), mirror.clone()))
    }

    /// The files that say what was built.
    pub fn digest_files(&self) -> Vec<DigestFile> {
        let files = [
            (&self.digest_file, DigestForm::Digest),
            (&self.image_name_with_digest_file, DigestForm::NameAndDigest),
            (&self.image_name_tag_with_digest_file, DigestForm::NameTagAndDigest),
        ];
        let given =
            files.into_iter().filter_map(|(path, form)| Some(DigestFile { path: path.clone()?, form }));
        given.collect()
    }

    /// A warning about the flags that mean nothing here, if any were given.
    pub fn warning(&self) -> Option<String> {
        let idle = &self.idle;
        let given = [
            (idle.use_new_run.is_some(), "--use-new-run"),
            (idle.compressed_caching.is_some(), "--compressed-caching"),
            (idle.snapshot_mode.is_some(), "--snapshot-mode"),
            (idle.ignore_var_run.is_some(), "--ignore-var-run"),
            (idle.kaniko_dir.is_some(), "--kaniko-dir"),
            (idle.cleanup.is_some(), "--cleanup"),
            (idle.force.is_some(), "--force"),
            (idle.skip_unused_stages.is_some(), "--skip-unused-stages"),
            (idle.skip_push_permission_check.is_some(), "--skip-push-permission-check"),
            (idle.reproducible.is_some(), "--reproducible"),
            (idle.log_timestamp.is_some(), "--log-timestamp"),
            (idle.cache_copy_layers.is_some(), "--cache-copy-layers"),
            (idle.cache_run_layers.is_some(), "--cache-run-layers"),
            (idle.verbosity.is_some(), "--verbosity"),
            (idle.push_retry.is_some(), "--push-retry"),
            (idle.image_download_retry.is_some(), "--image-download-retry"),
            (idle.image_fs_extract_retry.is_some(), "--image-fs-extract-retry"),
        ];
        let names: Vec<&str> = given.into_iter().filter(|(given, _)| *given).map(|(_, name)| name).collect();
        (!names.is_empty()).then(|| format!("flags of kaniko that change nothing here: {}", names.join(", ")))
    }
}
