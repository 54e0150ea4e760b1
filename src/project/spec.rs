//! `imageSpec`: changes of an image's configuration after its last step.

use regex::Regex;

use crate::project::decode::{Problems, Settings};

/// Changes of a configuration.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ImageSpec {
    /// Replaces the author.
    pub author: Option<String>,
    /// Drops the history.
    pub clear_history: bool,
    /// Replaces CMD.
    pub cmd: Option<Vec<String>>,
    /// Replaces ENTRYPOINT.
    pub entrypoint: Option<Vec<String>>,
    /// Variables to set; their values are expanded with those of the image.
    pub env: Vec<(String, String)>,
    /// Ports to add.
    pub expose: Vec<String>,
    /// Replaces HEALTHCHECK.
    pub healthcheck: Option<HealthcheckSpec>,
    /// Labels to set; `%image%` and `%project%` stand for the names.
    pub labels: Vec<(String, String)>,
    /// Replaces STOPSIGNAL.
    pub stop_signal: Option<String>,
    /// Replaces USER.
    pub user: Option<String>,
    /// Volumes to add.
    pub volumes: Vec<String>,
    /// Replaces WORKDIR.
    pub working_dir: Option<String>,
    /// Variables to remove.
    pub remove_env: Vec<Matcher>,
    /// Labels to remove.
    pub remove_labels: Vec<Matcher>,
    /// Volumes to remove.
    pub remove_volumes: Vec<Matcher>,
    /// Keeps labels that a cleanup needs when labels are cleared.
    pub keep_essential_werf_labels: bool,
    /// Removes werf's labels.
    pub clear_werf_labels: bool,
    /// Removes CMD.
    pub clear_cmd: bool,
    /// Removes ENTRYPOINT.
    pub clear_entrypoint: bool,
    /// Removes USER.
    pub clear_user: bool,
    /// Removes WORKDIR.
    pub clear_working_dir: bool,
}

/// HEALTHCHECK as `imageSpec` has it; times in seconds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HealthcheckSpec {
    /// `NONE`, `CMD` or `CMD-SHELL` and what follows.
    pub test: Vec<String>,
    /// Between two checks.
    pub interval: i64,
    /// For one check.
    pub timeout: i64,
    /// Before failures count.
    pub start_period: i64,
    /// Failures in a row.
    pub retries: i64,
}

/// A name, or an expression between slashes.
#[derive(Clone, Debug)]
pub struct Matcher {
    /// As it was written; enters the image's key.
    pub text: String,
    expression: Option<Regex>,
}

impl PartialEq for Matcher {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Matcher {
    fn new(text: String) -> Result<Self, regex::Error> {
        let expression = match text.strip_prefix('/').and_then(|rest| rest.strip_suffix('/')) {
            None => None,
            Some(inner) => Some(Regex::new(inner)?),
        };
        Ok(Self { text, expression })
    }

    /// Whether `name` is meant.
    pub fn matches(&self, name: &str) -> bool {
        match &self.expression {
            None => self.text == name,
            Some(expression) => expression.is_match(name),
        }
    }
}

/// Reads what the meta document may change in all final images.
pub(super) fn read_shared_spec(mut top: Settings<'_>, problems: &mut Problems) -> ImageSpec {
    let mut spec = read_top(&mut top, problems);
    if let Some(mut config) = top.map("config", problems) {
        read_labels(&mut config, &mut spec, problems);
        config.finish(problems);
    }
    top.finish(problems);
    spec
}

/// Reads what an image may change in itself.
pub(super) fn read_spec(mut top: Settings<'_>, problems: &mut Problems) -> ImageSpec {
    let mut spec = read_top(&mut top, problems);
    if let Some(mut config) = top.map("config", problems) {
        read_labels(&mut config, &mut spec, problems);
        read_config(&mut config, &mut spec, problems);
        config.finish(problems);
    }
    top.finish(problems);
    spec
}

fn read_top(top: &mut Settings<'_>, problems: &mut Problems) -> ImageSpec {
    ImageSpec {
        author: top.string("author", problems),
        clear_history: top.flag("clearHistory", problems).unwrap_or_default(),
        ..ImageSpec::default()
    }
}

fn read_labels(config: &mut Settings<'_>, spec: &mut ImageSpec, problems: &mut Problems) {
    spec.labels = config.string_map("labels", problems);
    spec.remove_labels = matchers(config, "removeLabels", problems);
    spec.keep_essential_werf_labels = config.flag("keepEssentialWerfLabels", problems).unwrap_or_default();
    spec.clear_werf_labels = config.flag("clearWerfLabels", problems).unwrap_or_default();
}

fn read_config(config: &mut Settings<'_>, spec: &mut ImageSpec, problems: &mut Problems) {
    let words = |config: &mut Settings<'_>, name, problems: &mut Problems| {
        config.take(name).is_some().then(|| config.one_or_many(name, problems))
    };
    spec.cmd = words(config, "cmd", problems);
    spec.entrypoint = words(config, "entrypoint", problems);
    spec.env = config.string_map("env", problems);
    spec.expose = config.strings("expose", problems);
    spec.healthcheck = config.map("healthcheck", problems).map(|health| read_health(health, problems));
    spec.stop_signal = config.string("stopSignal", problems);
    spec.user = config.string("user", problems);
    spec.volumes = config.strings("volumes", problems);
    spec.working_dir = config.string("workingDir", problems);
    spec.remove_env = matchers(config, "removeEnv", problems);
    spec.remove_volumes = matchers(config, "removeVolumes", problems);
    let mut flag = |name| config.flag(name, problems).unwrap_or_default();
    spec.clear_cmd = flag("clearCmd");
    spec.clear_entrypoint = flag("clearEntrypoint");
    spec.clear_user = flag("clearUser");
    spec.clear_working_dir = flag("clearWorkingDir");
}

fn read_health(mut health: Settings<'_>, problems: &mut Problems) -> HealthcheckSpec {
    let test = health.one_or_many("test", problems);
    let mut number = |name| {
        let line = health.line_of(name);
        let number = health.integer(name, problems).unwrap_or_default();
        if number < 0 {
            problems.add(line, format!("{name} is negative"));
        }
        number.max(0)
    };
    let (interval, timeout) = (number("interval"), number("timeout"));
    let (start_period, retries) = (number("startPeriod"), number("retries"));
    health.finish(problems);
    HealthcheckSpec { test, interval, timeout, start_period, retries }
}

fn matchers(config: &mut Settings<'_>, name: &'static str, problems: &mut Problems) -> Vec<Matcher> {
    let line = config.line_of(name);
    let texts = config.strings(name, problems);
    let read = texts.into_iter().filter_map(|text| match Matcher::new(text.clone()) {
        Ok(matcher) => Some(matcher),
        Err(error) => {
            problems.add(line, format!("{name}: {text} is no regular expression: {error}"));
            None
        }
    });
    read.collect()
}
