//! Running an image on a throw-away upper layer.

use tokio_util::sync::CancellationToken;

use crate::base::{DiffId, Failure, Kind, Platform, Reference};
use crate::build::transfer::{LayerSource, Origin, PullRequest, pull, unpack};
use crate::build::{Doors, Error, blocking};
use crate::oci::{AnyManifest, CONFIG_LIMIT, Descriptor, ImageConfig, Manifest, RuntimeConfig};
use crate::ops::image_find::find;
use crate::report::Context;
use crate::sandbox::{Attach, Exit, HostAddress, Mount, Network, RunSpec};
use crate::snapshot::Writable;

/// The host name a run sees.
const HOSTNAME: &str = "lapstrake";

/// What to run, and how it differs from what the image's configuration says.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// A name, an image id, a digest, or the beginning of one. A name the store does not know is pulled.
    pub image: String,
    /// Which of its platforms; this machine's if not given.
    pub platform: Option<Platform>,
    /// Instead of the configured command.
    pub args: Vec<String>,
    /// Instead of the configured entry point; the configured command is then not used. Empty is none.
    pub entrypoint: Option<String>,
    /// More environment.
    pub env: Vec<(String, String)>,
    /// Instead of the configured working directory.
    pub workdir: Option<String>,
    /// Instead of the configured user.
    pub user: Option<String>,
    /// Binds.
    pub mounts: Vec<Mount>,
    /// The network.
    pub network: Network,
    /// More lines for `/etc/hosts`.
    pub hosts: Vec<(String, HostAddress)>,
    /// Which of the caller's streams it gets.
    pub attach: Attach,
}

/// A run with everything in place.
pub struct Prepared {
    spec: RunSpec,
    attach: Attach,
    /// The throw-away layer; dropping it removes it.
    tree: Writable,
}

/// Finds or pulls the image and unpacks it.
///
/// # Errors
/// If it cannot be had, is for other platforms only, or has no command.
pub async fn prepare(cx: &Context, doors: &Doors, request: &Request) -> Result<Prepared, Failure> {
    doors.sandbox().check()?;
    let _lease = doors.store().lease()?;
    let (descriptor, origin) = image(cx, doors, request).await?;
    let store = doors.store().clone();
    let platform = platform(request);
    let (manifest, config) = blocking(move || documents(&store, &descriptor, &platform)).await?;
    let args = command(request, &config.config)?;
    let layers = layers(&manifest, &config, origin.as_ref())?;
    let unpacking = layers.iter().map(|layer| unpack(cx, doors, &layer.diff_id, Some(layer)));
    futures_util::future::try_join_all(unpacking).await?;
    let snapshots = doors.snapshots()?;
    let ids: Vec<DiffId> = layers.into_iter().map(|layer| layer.diff_id).collect();
    let mut tree = blocking(move || Ok(snapshots.writable(&ids)?)).await?;
    let mut spec = RunSpec::new(tree.root_spec(), args);
    spec.hostname = HOSTNAME.to_owned();
    spec.env = environment(&config.config, &request.env);
    spec.cwd = request.workdir.clone().unwrap_or(config.config.working_dir);
    spec.user = request.user.clone().unwrap_or(config.config.user);
    spec.network = request.network;
    spec.mounts.clone_from(&request.mounts);
    spec.hosts.clone_from(&request.hosts);
    Ok(Prepared { spec, attach: request.attach, tree })
}

/// Runs to the end. Signals that ask this process to stop are the command's to answer, so they do not cancel.
///
/// # Errors
/// If the sandbox cannot be made or the program not started.
pub async fn run(cx: &Context, doors: &Doors, prepared: Prepared) -> Result<Exit, Failure> {
    let cx = Context { cancel: CancellationToken::new(), ..cx.clone() };
    let sandbox = doors.sandbox().clone();
    let exit = blocking(move || {
        let exit = sandbox.run_attached(&cx, &prepared.spec, prepared.attach);
        drop(prepared.tree);
        Ok(exit?)
    });
    Ok(exit.await?)
}

fn platform(request: &Request) -> Platform {
    request.platform.clone().unwrap_or_else(Platform::host)
}

/// The image in the store, and where its layers can be had if they are not.
async fn image(
    cx: &Context,
    doors: &Doors,
    request: &Request,
) -> Result<(Descriptor, Option<Reference>), Failure> {
    let (store, text) = (doors.store().clone(), request.image.clone());
    let found = blocking(move || Ok(find(&store, &text))).await?;
    let missing = match found {
        Ok(found) => return Ok((found.descriptor, found.name)),
        Err(missing) => missing,
    };
    let looks_like_an_id =
        request.image.bytes().all(|b| b.is_ascii_hexdigit()) || request.image.starts_with("sha256:");
    match request.image.parse::<Reference>() {
        Ok(reference) if !looks_like_an_id => {
            let platform = platform(request);
            let wanted = PullRequest { reference: reference.clone(), platform, unpack: true };
            let descriptor = pull(cx, doors, &wanted).await?;
            Ok((descriptor, Some(reference)))
        }
        _ => Err(missing),
    }
}

fn documents(
    store: &crate::content::Store,
    descriptor: &Descriptor,
    platform: &Platform,
) -> Result<(Manifest, ImageConfig), Error> {
    let mut parsed = store.manifest(descriptor)?;
    if let AnyManifest::Index(index) = &parsed {
        parsed = store.manifest(index.choose(platform)?)?;
    }
    let AnyManifest::Image(manifest) = parsed else {
        return Err(Error::input("the image is an index of indexes"));
    };
    let config = ImageConfig::parse(&store.read_blob(&manifest.config.digest, CONFIG_LIMIT)?)?;
    if config.platform().rank_for(platform).is_none() {
        let words = format!("the image is made for {}, not for {platform}", config.platform());
        return Err(Error::input(words).hint("`--platform` chooses another of its platforms"));
    }
    Ok((manifest, config))
}

fn layers(
    manifest: &Manifest,
    config: &ImageConfig,
    origin: Option<&Reference>,
) -> Result<Vec<LayerSource>, Failure> {
    if manifest.layers.len() != config.rootfs.diff_ids.len() {
        return Err(Failure::new(Kind::Input, "read the image")
            .because("its manifest and its configuration disagree about the number of layers"));
    }
    let pairs = config.rootfs.diff_ids.iter().zip(&manifest.layers);
    let source = |(diff_id, descriptor): (&DiffId, &Descriptor)| LayerSource {
        diff_id: diff_id.clone(),
        descriptor: descriptor.clone(),
        origin: origin.cloned().map(Origin::Registry),
    };
    Ok(pairs.map(source).collect())
}

/// The entry point and the command, as Docker puts them together.
fn command(request: &Request, config: &RuntimeConfig) -> Result<Vec<String>, Failure> {
    let mut args = match &request.entrypoint {
        Some(program) => Some(program.clone()).filter(|p| !p.is_empty()).into_iter().collect(),
        None => config.entrypoint.clone(),
    };
    if !request.args.is_empty() {
        args.extend_from_slice(&request.args);
    } else if request.entrypoint.is_none() {
        args.extend_from_slice(&config.cmd);
    }
    if args.is_empty() {
        return Err(Failure::new(Kind::Usage, format!("run {}", request.image))
            .because("the image has neither an entry point nor a command")
            .hint("write the command after the image: lap image run IMAGE PROGRAM ARGUMENT…"));
    }
    Ok(args)
}

fn environment(config: &RuntimeConfig, more: &[(String, String)]) -> Vec<(String, String)> {
    let pair = |text: &String| {
        let (name, value) = text.split_once('=').unwrap_or((text, ""));
        (name.to_owned(), value.to_owned())
    };
    config.env.iter().map(pair).chain(more.iter().cloned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entry_point_and_command_as_docker_has_them() {
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let config =
            RuntimeConfig { entrypoint: words("entry e"), cmd: words("cmd c"), ..Default::default() };
        let with = |entrypoint: Option<&str>, args: &str| {
            let request =
                Request { entrypoint: entrypoint.map(Into::into), args: words(args), ..Default::default() };
            command(&request, &config).map(|args| args.join(" "))
        };
        assert_eq!(with(None, "").unwrap(), "entry e cmd c");
        assert_eq!(with(None, "a b").unwrap(), "entry e a b");
        assert_eq!(with(Some("x"), "").unwrap(), "x");
        assert_eq!(with(Some("x"), "a").unwrap(), "x a");
        assert_eq!(with(Some(""), "a").unwrap(), "a");
        assert_eq!(with(Some(""), "").unwrap_err().kind(), Kind::Usage);
    }

    #[test]
    fn given_variables_come_last() {
        let config = RuntimeConfig { env: vec!["A=1=2".into(), "B".into()], ..Default::default() };
        let env = environment(&config, &[("A".into(), "3".into())]);
        let text: Vec<String> = env.iter().map(|(n, v)| format!("{n}={v}")).collect();
        assert_eq!(text, ["A=1=2", "B=", "A=3"]);
    }
}
