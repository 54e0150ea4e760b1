//! `helm search`: charts by words, in the repositories the user has added and on a hub.

use std::time::Duration;

use regex::Regex;

use super::{Home, repo};
use crate::base::Failure;
use crate::chartrepo::{ChartVersion, Error, Fetcher, Trust};
use crate::template::{Constraints, Version};
use crate::yaml::{Value, json};

/// How bad a match may be.
const WORST: usize = 25;

/// What is searched for.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Words; all charts if there are none.
    pub words: Vec<String>,
    /// Whether the words are a regular expression.
    pub regexp: bool,
    /// Whether every version is shown.
    pub versions: bool,
    /// Whether versions before a release count.
    pub devel: bool,
    /// A constraint for versions.
    pub version: String,
}

/// A chart that was found.
#[derive(Clone, Debug)]
pub struct Found {
    /// Repository and chart.
    pub name: String,
    /// The version.
    pub chart: ChartVersion,
    score: usize,
}

/// Searches the indexes in the cache. The second list has what is wrong with some of them.
///
/// # Errors
/// If no repository was added, or the expression or the constraint is none.
pub fn repositories(home: &Home, request: &Request) -> Result<(Vec<Found>, Vec<String>), Failure> {
    let constraint = match (request.version.as_str(), request.devel) {
        ("", false) => ">0.0.0",
        ("", true) => ">0.0.0-0",
        (version, _) => version,
    };
    let all_versions = request.versions || !constraint.is_empty();
    let list = repo::some(home)?;
    let matcher = Matcher::new(request)?;
    let (mut found, mut warnings) = (Vec::new(), Vec::new());
    for entry in &list.entries {
        let index = match home.cache.index(&entry.name) {
            Ok(index) => index,
            Err(error) => {
                warnings.push(format!("repo {:?} is corrupt or missing: {error}", entry.name));
                continue;
            }
        };
        for (name, versions) in index.entries {
            let take = if all_versions { versions.len() } else { 1 };
            for chart in versions.into_iter().take(take) {
                if let Some(score) = matcher.score(&entry.name, &chart) {
                    found.push(Found { name: format!("{}/{name}", entry.name), chart, score });
                }
            }
        }
    }
    let mut keyed: Vec<_> =
        found.into_iter().map(|f| (Version::parse(&f.chart.metadata.version).ok(), f)).collect();
    keyed.sort_by(|(av, a), (bv, b)| {
        let versions = || match (av, bv) {
            (Some(a), Some(b)) => b.compare(a),
            _ => std::cmp::Ordering::Equal,
        };
        a.score.cmp(&b.score).then_with(|| a.name.cmp(&b.name)).then_with(versions)
    });
    let constraint = Constraints::parse(constraint)
        .map_err(|e| Error::Invalid(format!("an invalid version/constraint format: {e}")))?;
    let mut seen = std::collections::BTreeSet::new();
    let fits = |(version, found): &(Option<Version>, Found)| {
        let shown = !request.versions && seen.contains(&found.name);
        let fits = !shown && version.as_ref().is_some_and(|v| constraint.allow(v));
        if fits {
            seen.insert(found.name.clone());
        }
        fits
    };
    let mut fits = fits;
    keyed.retain(|item| fits(item));
    Ok((keyed.into_iter().map(|(_, f)| f).collect(), warnings))
}

enum Matcher {
    All,
    Words(String),
    Expression(Regex),
}

impl Matcher {
    fn new(request: &Request) -> Result<Self, Failure> {
        if request.words.is_empty() {
            return Ok(Self::All);
        }
        let words = request.words.join(" ");
        if !request.regexp {
            return Ok(Self::Words(words.to_lowercase()));
        }
        let expression =
            Regex::new(&words).map_err(|e| Error::Invalid(format!("error parsing regexp: {e}")))?;
        Ok(Self::Expression(expression))
    }

    /// In which part of a chart's words it matches: the name is best.
    fn score(&self, repository: &str, chart: &ChartVersion) -> Option<usize> {
        let metadata = &chart.metadata;
        let line = format!(
            "{0}\u{b}{repository}/{0}\u{b}{1}\u{b}{2}",
            metadata.name,
            metadata.description,
            metadata.keywords.join(" ")
        );
        let (at, line) = match self {
            Self::All => return Some(0),
            Self::Words(words) => {
                let line = line.to_lowercase();
                (line.find(words.as_str())?, line)
            }
            Self::Expression(expression) => (expression.find(&line)?.start(), line),
        };
        let score = line.match_indices('\u{b}').position(|(separator, _)| at <= separator).unwrap_or(3);
        (score < WORST).then_some(score)
    }
}

/// A chart on a hub.
#[derive(Clone, Debug, Default)]
pub struct OnHub {
    /// Its page.
    pub url: String,
    /// The newest version.
    pub version: String,
    /// The application's version.
    pub app_version: String,
    /// What it is.
    pub description: String,
    /// The repository's address.
    pub repository_url: String,
    /// The repository's name.
    pub repository_name: String,
}

/// Asks a hub.
///
/// # Errors
/// If it does not answer.
pub async fn hub(endpoint: &str, words: &[String]) -> Result<Vec<OnHub>, Failure> {
    let fail = || Failure::from(Error::Remote(format!("unable to perform search against {endpoint:?}")));
    let mut url = url::Url::parse(endpoint)
        .map_err(|e| Error::Invalid(format!("unable to create connection to {endpoint:?}: {e}")))?;
    url.set_path(&format!("{}/api/chartsvc/v1/charts/search", url.path().trim_end_matches('/')));
    url.set_query(None);
    url.query_pairs_mut().append_pair("q", &words.join(" "));
    let fetcher = Fetcher::new(endpoint, &Trust::default(), Duration::from_secs(120))?;
    let answer = fetcher.get(url.as_str(), None, 64 << 20).await.map_err(|e| fail().caused_by(&e))?;
    let answer = json::read(&answer.map(|a| a.bytes).unwrap_or_default()).unwrap_or_default();
    let items = match answer.get("data") {
        Some(Value::List(list)) => list.items().to_vec(),
        _ => Vec::new(),
    };
    Ok(items.iter().map(|item| on_hub(endpoint, item)).collect())
}

fn on_hub(endpoint: &str, item: &Value) -> OnHub {
    let at = |path: &[&str]| {
        let found = path.iter().try_fold(item.clone(), |value, key| value.get(key));
        found.and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
    };
    let page = at(&["artifactHub", "packageUrl"]);
    OnHub {
        url: if page.is_empty() { format!("{endpoint}/charts/{}", at(&["id"])) } else { page },
        version: at(&["relationships", "latestChartVersion", "data", "version"]),
        app_version: at(&["relationships", "latestChartVersion", "data", "app_version"]),
        description: at(&["attributes", "description"]),
        repository_url: at(&["attributes", "repo", "url"]),
        repository_name: at(&["attributes", "repo", "name"]),
    }
}
