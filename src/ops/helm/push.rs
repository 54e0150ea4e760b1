//! `helm push`: a chart's archive into a registry.

use std::path::PathBuf;
use std::time::UNIX_EPOCH;

use super::source::{client, transferred};
use super::{Home, Settings, failed};
use crate::base::Failure;
use crate::chart::Loader;
use crate::chartrepo::{Trust, oci};
use crate::host::fs;
use crate::report::Context;

/// What is pushed, and where to.
#[derive(Clone, Debug)]
pub struct Request {
    /// The archive.
    pub chart: PathBuf,
    /// `oci://host/path`; the chart's name is added.
    pub remote: String,
    /// How the registry is spoken to.
    pub trust: Trust,
    /// Whether it may be in plain HTTP.
    pub plain_http: bool,
}

/// Pushes a chart and gives what Helm says about it.
///
/// # Errors
/// If it is no chart, or the registry does not take it.
pub async fn run(
    cx: &Context,
    home: &Home,
    settings: &Settings,
    request: &Request,
) -> Result<String, Failure> {
    cx.report.secrets().register(&request.trust.password);
    let path = request.chart.display();
    let doing = format!("push {path}");
    if !oci::is_oci(&request.remote) {
        let words = match request.remote.split_once("://") {
            Some((scheme, _)) => format!("scheme {scheme:?} not supported"),
            None => "scheme prefix missing from remote (e.g. \"oci://\")".to_owned(),
        };
        return Err(failed(doing, words));
    }
    let Ok(metadata) = fs::metadata(&request.chart) else {
        return Err(failed(doing, format!("{path}: no such file")));
    };
    if metadata.is_dir() {
        return Err(failed(doing, "cannot push directory, must provide chart archive (.tgz)"));
    }
    let archive = fs::read(&request.chart)?;
    let chart = (Loader { compat: settings.compat }).archive(&path.to_string(), &archive)?.chart;
    let provenance = fs::read(format!("{path}.prov")).ok();
    let modified = metadata.modified().ok().and_then(|t| t.duration_since(UNIX_EPOCH).ok());
    let seconds = modified.map_or(0, |t| i64::try_from(t.as_secs()).unwrap_or(0));
    let created = jiff::Timestamp::from_second(seconds).map(|t| t.to_string()).unwrap_or_default();
    let base = request.remote.trim_end_matches('/');
    let to = oci::reference(&format!("{base}/{}:{}", chart.metadata.name, chart.metadata.version))?;
    let client = client(home, &request.trust, request.plain_http, to.registry());
    let push = oci::Push { metadata: &chart.metadata, archive, provenance, created };
    let digest = oci::push(cx, &client, &to, push).await?;
    Ok(transferred("Pushed", &to, &digest))
}
