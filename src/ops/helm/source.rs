//! Finding a chart behind a name: in a repository, at an address, in a registry.

use std::time::Duration;

use super::verify::{self, Check};
use super::{Home, failed};
use crate::base::{Digest, Failure, Kind, Reference};
use crate::chart::provenance::Verification;
use crate::chartrepo::{
    ChartVersion, Entry, Error, Fetcher, Index, Repositories, Trust, absolute, equal, oci, pick,
};
use crate::host::fs;
use crate::registry::{Client, ClientOptions, Credential};
use crate::report::Context;

/// How long a file may take.
pub const TIMEOUT: Duration = Duration::from_secs(120);

/// Which chart is wanted, and how its server is spoken to.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// `repository/chart`, an address, or a chart's name together with `repository`.
    pub reference: String,
    /// A version or constraint; empty for the newest stable one.
    pub version: String,
    /// The address of a repository that the user has not added (`--repo`).
    pub repository: String,
    /// What the flags say about its server.
    pub trust: Trust,
    /// Whether registries may be spoken to in plain HTTP.
    pub plain_http: bool,
    /// What is to happen with the signature.
    pub check: Check,
}

/// A chart's archive.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// Name of the file.
    pub file: String,
    /// The archive.
    pub archive: Vec<u8>,
    /// The signature, if it was wanted and there is one.
    pub provenance: Option<Vec<u8>>,
    /// Who signed it, if that was checked.
    pub verified: Option<Verification>,
    /// What Helm says about it on standard output.
    pub said: String,
}

/// What Helm says after a tag in which `+` had to be written `_`.
const UNDERSCORE: &str = "
OCI artifact references (e.g. tags) do not support the plus sign (+). To support
storing semantic versions, Helm adopts the convention of changing plus (+) to
an underscore (_) in chart version tags when pushing to a registry and back to
a plus (+) when pulling from a registry.
";

/// A client for registries.
pub fn client(home: &Home, trust: &Trust, plain_http: bool, registry: &str) -> Client {
    let mut credentials = home.credentials();
    if !trust.username.is_empty() && !trust.password.is_empty() {
        let (username, password) = (trust.username.clone(), trust.password.clone());
        credentials = credentials.with(registry, Credential::Basic { username, password });
    }
    let insecure = (plain_http || trust.insecure).then(|| registry.to_owned());
    Client::new(ClientOptions {
        credentials,
        insecure: insecure.into_iter().collect(),
        ca_files: trust.ca_file.iter().cloned().collect(),
        identity: trust.cert_file.clone().zip(trust.key_file.clone()),
        ..ClientOptions::default()
    })
}

/// The lines Helm prints after a transfer.
pub fn transferred(verb: &str, reference: &Reference, digest: &Digest) -> String {
    let mut said = format!("{verb}: {reference}\nDigest: {digest}\n");
    if reference.tag().is_some_and(|tag| tag.contains('_')) {
        said.push_str(&format!("{reference} contains an underscore.\n{UNDERSCORE}"));
    }
    said
}

/// The path of a chart: one that stands on this machine stays where it is, another is fetched into the cache.
///
/// # Errors
/// If there is no such chart.
pub async fn locate(cx: &Context, home: &Home, wanted: &Wanted) -> Result<String, Failure> {
    if is_here(wanted) {
        if let (Check::Always(ring), true) = (&wanted.check, fs::exists(wanted.reference.trim())) {
            verify::file(cx, std::path::Path::new(wanted.reference.trim()), ring)?;
        }
        return Ok(wanted.reference.clone());
    }
    let fetched = fetch(cx, home, wanted).await?;
    Ok(home.cache.keep(&fetched.archive)?.to_string_lossy().into_owned())
}

/// Whether nothing is to be fetched or checked: [`locate`] would give the reference itself.
pub fn is_local(wanted: &Wanted) -> bool {
    is_here(wanted) && !matches!(wanted.check, Check::Always(_))
}

/// Whether a chart is, or can only be, on this machine: whoever loads it says what is wrong with it.
fn is_here(wanted: &Wanted) -> bool {
    let reference = wanted.reference.trim();
    let remote = oci::is_oci(reference) || !wanted.repository.is_empty() || reference.contains("://");
    fs::exists(reference) || !remote && (reference.starts_with(['/', '.']) || !reference.contains('/'))
}

/// Gets a chart.
///
/// # Errors
/// If there is none, or it cannot be had.
pub async fn fetch(cx: &Context, home: &Home, wanted: &Wanted) -> Result<Fetched, Failure> {
    cx.report.secrets().register(&wanted.trust.password);
    let (mut fetched, missing) = match oci::is_oci(&wanted.reference) {
        true => from_registry(cx, home, wanted).await?,
        false => from_repository(home, wanted).await?,
    };
    match (&wanted.check, &fetched.provenance) {
        (Check::Always(ring) | Check::IfPossible(ring), Some(signature)) => {
            let archive = (fetched.file.as_str(), fetched.archive.as_slice());
            fetched.verified = Some(verify::check(cx, &verify::keyring(ring)?, archive, signature)?);
        }
        (Check::Always(_), None) => {
            let words = format!("failed to fetch provenance {:?}", missing.address);
            return Err(failed("verify the chart", words).because(missing.why));
        }
        (Check::IfPossible(_) | Check::Later, None) => {
            let words =
                format!("WARNING: Verification not found for {}: {}\n", wanted.reference, missing.why);
            fetched.said.push_str(&words);
        }
        _ => {}
    }
    Ok(fetched)
}

/// Where a signature was looked for, and why there is none.
#[derive(Default)]
struct Missing {
    address: String,
    why: String,
}

async fn from_repository(home: &Home, wanted: &Wanted) -> Result<(Fetched, Missing), Failure> {
    let found = find(home, wanted).await?;
    let fetcher = Fetcher::new(&found.home, &found.trust, TIMEOUT)?;
    let archive = home.cache.chart(&fetcher, &found.address, &found.digest).await?;
    let (mut missing, mut provenance) = (Missing::default(), None);
    if wanted.check != Check::Never {
        missing.address = format!("{}.prov", found.address);
        match fetcher.get(&missing.address, None, 4 << 20).await {
            Ok(file) => provenance = file.map(|f| f.bytes),
            Err(error @ Error::Remote(_)) => missing.why = error.to_string(),
            Err(error) => return Err(error.into()),
        }
    }
    let path = url::Url::parse(&found.address).map(|u| u.path().to_owned()).unwrap_or_default();
    let file = path.rsplit('/').next().unwrap_or_default().to_owned();
    if file.is_empty() || file == ".." || file.contains('\\') {
        return Err(Error::Remote(format!("{} does not end with the name of a file", found.address)).into());
    }
    Ok((Fetched { file, archive, provenance, verified: None, said: String::new() }, missing))
}

/// A chart's address and the repository whose rules hold for it.
struct Found {
    address: String,
    digest: String,
    home: String,
    trust: Trust,
}

async fn find(home: &Home, wanted: &Wanted) -> Result<Found, Failure> {
    let reference = wanted.reference.as_str();
    if !wanted.repository.is_empty() {
        return in_unknown(home, wanted).await;
    }
    let list = Repositories::load(&home.repository_config)?.unwrap_or_default();
    if let Ok(url) = url::Url::parse(reference) {
        if !matches!(url.scheme(), "http" | "https") {
            let words = format!("scheme {:?} not supported", url.scheme());
            return Err(Error::Invalid(words).into());
        }
        let owner = owner(home, &list, reference);
        let trust = owner.map_or_else(|| wanted.trust.clone(), |entry| over(&wanted.trust, entry));
        let base = owner.map_or(reference, |entry| entry.url.as_str()).to_owned();
        return Ok(Found { address: reference.to_owned(), digest: String::new(), home: base, trust });
    }
    let Some((name, chart)) = reference.split_once('/') else {
        let words =
            format!("non-absolute URLs should be in form of repo_name/path_to_chart, got: {reference}");
        return Err(Error::Invalid(words).into());
    };
    let entry = list.get(name).ok_or_else(|| Error::Missing(format!("repo {name} not found")))?;
    let versions = home
        .cache
        .versions(name, chart)
        .map_err(|e| e.within("no cached repo found. (try 'helm repo update'): "))?;
    let version = &wanted.version;
    let missing = |why: String| {
        Error::Missing(format!(
            "chart {chart:?} matching {version} not found in {name} index. (try 'helm repo update'): {why}"
        ))
    };
    if versions.is_empty() {
        return Err(missing("no chart name found".to_owned()).into());
    }
    let picked = pick(&versions, version).map_err(missing)?;
    let picked = picked.ok_or_else(|| missing(format!("no chart version found for {chart}-{version}")))?;
    let url = picked.urls.first();
    let url = url.ok_or_else(|| Error::Invalid(format!("chart {reference:?} has no downloadable URLs")))?;
    Ok(Found {
        address: absolute(&entry.url, url)?,
        digest: picked.digest.clone(),
        home: entry.url.clone(),
        trust: over(&wanted.trust, entry),
    })
}

/// The repository that lists an address.
fn owner<'l>(home: &Home, list: &'l Repositories, address: &str) -> Option<&'l Entry> {
    list.entries.iter().find(|entry| {
        let index = home.cache.index(&entry.name).unwrap_or_default();
        let mut urls = index.entries.values().flatten().flat_map(|v| &v.urls);
        urls.any(|url| equal(url, address))
    })
}

/// What the flags say, and what they leave open as the repository was added with.
fn over(given: &Trust, entry: &Entry) -> Trust {
    let own = entry.trust();
    let mut trust = given.clone();
    if !own.username.is_empty() && !own.password.is_empty() {
        (trust.username, trust.password) = (own.username, own.password);
        trust.pass_credentials = own.pass_credentials;
    }
    if own.cert_file.is_some() || own.key_file.is_some() || own.ca_file.is_some() {
        (trust.cert_file, trust.key_file, trust.ca_file) = (own.cert_file, own.key_file, own.ca_file);
    }
    trust.insecure |= own.insecure;
    trust
}

async fn in_unknown(home: &Home, wanted: &Wanted) -> Result<Found, Failure> {
    let Wanted { repository, reference: chart, version, trust, .. } = wanted;
    let versions = versions_at(home, repository, chart, trust).await?;
    let mut words = format!("chart {chart:?}");
    if !version.is_empty() {
        words.push_str(&format!(" version {version:?}"));
    }
    let picked = pick(&versions, version).unwrap_or_default();
    let picked =
        picked.ok_or_else(|| Error::Missing(format!("{words} not found in {repository} repository")))?;
    let url = picked.urls.first();
    let url = url.ok_or_else(|| Error::Invalid(format!("{words} has no downloadable URLs")))?;
    Ok(Found {
        address: absolute(repository, url)?,
        digest: picked.digest.clone(),
        home: repository.clone(),
        trust: trust.clone(),
    })
}

/// The versions of a chart at a repository that the user has not added.
pub(super) async fn versions_at(
    _home: &Home,
    repository: &str,
    chart: &str,
    trust: &Trust,
) -> Result<Vec<ChartVersion>, Failure> {
    let unreachable = |e: Error| {
        e.within(&format!("looks like {repository:?} is not a valid chart repository or cannot be reached: "))
    };
    let fetcher = Fetcher::new(repository, trust, TIMEOUT).map_err(unreachable)?;
    let href = absolute(repository, "index.yaml")?;
    let fetched = fetcher.get(&href, None, 512 << 20).await.map_err(unreachable)?;
    let bytes = fetched.map(|f| f.bytes).unwrap_or_default();
    let mut index = Index::parse(&bytes, repository).map_err(unreachable)?;
    Ok(index.entries.remove(chart).unwrap_or_default())
}

async fn from_registry(cx: &Context, home: &Home, wanted: &Wanted) -> Result<(Fetched, Missing), Failure> {
    let named = oci::reference(&wanted.reference)?;
    let client = client(home, &wanted.trust, wanted.plain_http, named.registry());
    let written =
        wanted.reference.rsplit('/').next().and_then(|last| last.split_once(':')).map(|(_, tag)| tag);
    let written = written.filter(|_| named.digest().is_none()).unwrap_or_default();
    if !wanted.version.is_empty() && !written.is_empty() && wanted.version != written {
        let words = format!("chart reference and version mismatch: {} is not {written}", wanted.version);
        return Err(Error::Invalid(words).into());
    }
    let version = if wanted.version.is_empty() { written } else { wanted.version.as_str() };
    let base = named.repository().rsplit('/').next().unwrap_or_default().to_owned();
    let (from, file) = match named.digest() {
        Some(digest) => (named.clone(), format!("{base}@{}-{}.tgz", digest.algorithm().name(), digest.hex())),
        None => {
            let tag = if crate::template::Version::parse(version).is_ok() {
                version.to_owned()
            } else {
                let tags = oci::tags(cx, &client, &named).await?;
                if tags.is_empty() {
                    let words =
                        format!("unable to locate any tags in provided repository: {}", wanted.reference);
                    return Err(Error::Missing(words).into());
                }
                oci::matching(&tags, version)?
            };
            let from = named.with_tag(&tag.replace('+', "_")).map_err(|e| Failure::of(Kind::Input, &e))?;
            (from, format!("{base}-{tag}.tgz"))
        }
    };
    let pulled = oci::pull(cx, &client, &from, wanted.check != Check::Never).await?;
    // Helm pulls once more for the signature, and says so.
    let times = if pulled.provenance.is_some() { 2 } else { 1 };
    let said = transferred("Pulled", &from, &pulled.digest).repeat(times);
    let missing = Missing {
        address: format!("oci://{from}.prov"),
        why: "manifest does not contain a layer with mediatype application/vnd.cncf.helm.chart.provenance.v1.prov"
            .to_owned(),
    };
    let (archive, provenance) = (pulled.archive, pulled.provenance);
    Ok((Fetched { file, archive, provenance, verified: None, said }, missing))
}
