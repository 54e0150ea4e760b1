//! `imageSpec`: what a project changes in the configuration of a finished image. Source: werf's `pkg/build/stage/image_spec.go`.

use std::collections::BTreeMap;

use crate::oci::{Healthcheck, ImageConfig};
use crate::project::{HealthcheckSpec, ImageSpec};

/// Labels by which werf's cleanup knows an image.
const ESSENTIAL: [&str; 3] = ["werf", "werf-stage-content-digest", "werf.io/parent-stage-id"];
/// Variables that never stay.
const COMMIT_VARIABLES: [&str; 3] = ["WERF_COMMIT_HASH", "WERF_COMMIT_TIME_HUMAN", "WERF_COMMIT_TIME_UNIX"];

/// Changes of a configuration.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ConfigChanges {
    /// Those of the image.
    pub own: Option<ImageSpec>,
    /// Those of all final images of the project; author and labels of these win.
    pub shared: Option<ImageSpec>,
    /// What `%image%` stands for.
    pub image: String,
    /// What `%project%` stands for.
    pub project: String,
}

impl ConfigChanges {
    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.own.is_none() && self.shared.is_none()
    }

    /// Changes `config`.
    pub fn apply(&self, config: &mut ImageConfig) {
        if self.is_empty() {
            return;
        }
        let all: Vec<&ImageSpec> = self.own.iter().chain(&self.shared).collect();
        for author in all.iter().filter_map(|spec| spec.author.as_ref()) {
            config.author.clone_from(author);
        }
        if all.iter().any(|spec| spec.clear_history) {
            config.history.clear();
        }
        self.labels(&all, &mut config.config.labels);
        config.config.env.retain(|entry| {
            let name = entry.split('=').next().unwrap_or_default();
            let is_removed = |spec: &&ImageSpec| spec.remove_env.iter().any(|matcher| matcher.matches(name));
            !COMMIT_VARIABLES.contains(&name) && !all.iter().any(is_removed)
        });
        if let Some(own) = &self.own {
            own_changes(own, config);
        }
    }

    fn labels(&self, all: &[&ImageSpec], labels: &mut BTreeMap<String, String>) {
        let keeps = all.iter().any(|spec| spec.keep_essential_werf_labels);
        let clears = all.iter().any(|spec| spec.clear_werf_labels);
        labels.retain(|name, _| {
            if keeps && ESSENTIAL.contains(&name.as_str()) {
                return true;
            }
            let is_removed =
                |spec: &&ImageSpec| spec.remove_labels.iter().any(|matcher| matcher.matches(name));
            !(clears && name.starts_with("werf") || all.iter().any(is_removed))
        });
        let fill = |text: &str| text.replace("%image%", &self.image).replace("%project%", &self.project);
        for (name, value) in all.iter().flat_map(|spec| &spec.labels) {
            labels.insert(fill(name), fill(value));
        }
    }
}

fn own_changes(own: &ImageSpec, image: &mut ImageConfig) {
    let config = &mut image.config;
    for (name, value) in &own.env {
        let value = expand(value, |name| config.env_value(name).unwrap_or_default().to_owned());
        config.set_env(name, &value);
    }
    config.volumes.retain(|path| !own.remove_volumes.iter().any(|matcher| matcher.matches(path)));
    config.volumes.extend(own.volumes.iter().cloned());
    config.exposed_ports.extend(own.expose.iter().map(|port| match port.contains('/') {
        true => port.clone(),
        false => format!("{port}/tcp"),
    }));
    let clear = |field: &mut Vec<String>, clears: bool, new: &Option<Vec<String>>| {
        if clears {
            field.clear();
        }
        if let Some(new) = new {
            field.clone_from(new);
        }
    };
    // A new entry point has no use for the arguments of the old one.
    clear(&mut config.cmd, own.clear_cmd || own.entrypoint.is_some(), &own.cmd);
    clear(&mut config.entrypoint, own.clear_entrypoint, &own.entrypoint);
    let text = |field: &mut String, clears: bool, new: &Option<String>| {
        if clears {
            field.clear();
        }
        if let Some(new) = new {
            field.clone_from(new);
        }
    };
    text(&mut config.user, own.clear_user, &own.user);
    text(&mut config.working_dir, own.clear_working_dir, &own.working_dir);
    text(&mut config.stop_signal, false, &own.stop_signal);
    if let Some(health) = &own.healthcheck {
        config.healthcheck = Some(healthcheck(health));
    }
}

fn healthcheck(spec: &HealthcheckSpec) -> Healthcheck {
    let nanoseconds = |seconds: i64| seconds.saturating_mul(1_000_000_000);
    Healthcheck {
        test: spec.test.clone(),
        interval: nanoseconds(spec.interval),
        timeout: nanoseconds(spec.timeout),
        start_period: nanoseconds(spec.start_period),
        retries: spec.retries,
        ..Healthcheck::default()
    }
}

/// `$NAME` and `${NAME}` as Go's `os.Expand` reads them.
fn expand(text: &str, value: impl Fn(&str) -> String) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let braced = rest.strip_prefix('{').and_then(|inner| inner.split_once('}'));
        if let Some((name, after)) = braced {
            out.push_str(&value(name));
            rest = after;
            continue;
        }
        let length = rest.bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count();
        match length {
            0 => out.push('$'),
            _ => out.push_str(&value(&rest[..length])),
        }
        rest = &rest[length..];
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::Config;

    fn changes(text: &str) -> ConfigChanges {
        let file =
            format!("project: shop\nconfigVersion: 1\n---\nimage: web\ndockerfile: D\nimageSpec:\n{text}");
        let config = Config::parse(&file).unwrap();
        let own = config.images[0].spec.clone();
        ConfigChanges { own, shared: None, image: "web".into(), project: "shop".into() }
    }

    fn image() -> ImageConfig {
        let mut image = ImageConfig::new(&"linux/amd64".parse().unwrap());
        image.config.env = vec!["PATH=/bin".into(), "WERF_COMMIT_HASH=1".into(), "OLD=x".into()];
        image.config.cmd = vec!["run".into()];
        image.config.labels = [("werf", "shop"), ("werf-version", "1"), ("maintainer", "me"), ("keep", "1")]
            .map(|(a, b)| (a.into(), b.into()))
            .into();
        image
    }

    #[test]
    fn variables_are_expanded_and_removed() {
        let mut image = image();
        changes("  config: {env: {PATH: '/app:${PATH}', X: a$OLD-$}, removeEnv: [/^OLD$/]}\n")
            .apply(&mut image);
        assert_eq!(image.config.env, ["PATH=/app:/bin", "X=a-$"]);
    }

    #[test]
    fn labels_are_cleared_filled_and_the_essential_ones_kept() {
        let mut image = image();
        let text = "  config: {clearWerfLabels: true, keepEssentialWerfLabels: true, removeLabels: [maintainer], labels: {'%project%-%image%': '%image%'}}\n";
        changes(text).apply(&mut image);
        let labels: Vec<_> = image.config.labels.iter().map(|(a, b)| format!("{a}={b}")).collect();
        assert_eq!(labels, ["keep=1", "shop-web=web", "werf=shop"]);
    }

    #[test]
    fn an_entry_point_takes_the_command_away() {
        let mut first = image();
        changes("  config: {entrypoint: [/e], expose: ['80', 53/udp], healthcheck: {test: [NONE], interval: 2}}\n")
            .apply(&mut first);
        assert_eq!((first.config.entrypoint.len(), first.config.cmd.len()), (1, 0));
        assert_eq!(first.config.exposed_ports.iter().collect::<Vec<_>>(), ["53/udp", "80/tcp"]);
        assert_eq!(first.config.healthcheck.unwrap().interval, 2_000_000_000);
        let mut second = image();
        changes("  config: {user: app, workingDir: /w, cmd: [a, b], stopSignal: SIGINT}\n")
            .apply(&mut second);
        assert_eq!((second.config.user.as_str(), second.config.cmd.len()), ("app", 2));
    }
}
