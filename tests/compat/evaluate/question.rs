//! A case: a Dockerfile, what the command line says, and BuildKit's answer.

use std::collections::BTreeMap;
use std::path::Path;

use lapstrake::base::Platform;
use lapstrake::build::evaluate::{BaseRequest, Parameters};
use lapstrake::build::step::Network;
use lapstrake::oci::ImageConfig;
use serde::Deserialize;
use serde_json::{Value, json};

/// One line of an answer file.
#[derive(Deserialize)]
pub struct Question {
    /// What it is about.
    pub name: String,
    /// The text.
    pub dockerfile: String,
    /// `--target`.
    target: Option<String>,
    /// `--platform`.
    platform: Option<String>,
    /// `--network`.
    network: Option<String>,
    /// `--build-arg`.
    #[serde(default)]
    args: BTreeMap<String, String>,
    /// `--label`.
    #[serde(default)]
    labels: BTreeMap<String, String>,
    /// The base images that BuildKit asked for.
    #[serde(default)]
    bases: Vec<String>,
    /// The image configuration, without times.
    image: Option<Value>,
    /// The steps in the order of the file.
    #[serde(default)]
    steps: Vec<Value>,
    /// The tree of the image.
    result: Option<String>,
    /// What BuildKit says against it.
    pub error: Option<String>,
    /// The first line of the instruction BuildKit names.
    pub line: Option<usize>,
    /// The last one.
    pub last: Option<usize>,
}

impl Question {
    /// What our evaluation is told; the machine is the one of the oracle.
    pub fn parameters(&self) -> Parameters {
        let machine = Platform::new("linux", "amd64", "");
        Parameters {
            build_args: self.args.clone(),
            target: self.target.clone(),
            platform: self.platform.as_ref().map_or(machine.clone(), |text| text.parse().unwrap()),
            platform_given: self.platform.is_some(),
            build_platform: machine,
            network: if self.network.as_deref() == Some("none") { Network::None } else { Network::Host },
            labels: self.labels.clone(),
            contexts: Vec::new(),
            lenient: false,
            always_given: false,
        }
    }

    /// BuildKit's answer in the form of ours. How a step is called is compared up to the instruction, since BuildKit
    /// expands variables there; a list that is null is an empty one; `/.` at the end of a destination means what `/` does.
    pub fn answer(&self) -> Value {
        let mut image = self.image.clone().unwrap_or_default();
        if image["rootfs"]["diff_ids"].is_null() {
            image["rootfs"]["diff_ids"] = json!([]);
        }
        let mut steps = self.steps.clone();
        for step in &mut steps {
            let name = step["name"].as_str().unwrap_or_default();
            step["name"] = json!(name.split_once("] ").map_or(name, |(prefix, _)| prefix));
            if let Some(run) = step.get_mut("run").and_then(Value::as_object_mut)
                && run.get("network") == Some(&json!("host"))
            {
                run.remove("network");
            }
            for copied in step.get_mut("copy").and_then(Value::as_array_mut).into_iter().flatten() {
                let dest = copied["dest"].as_str().unwrap_or_default();
                copied["dest"] = json!(if dest.ends_with("/.") { &dest[..dest.len() - 1] } else { dest });
            }
            if let Some(step) = step.as_object_mut() {
                step.remove("platform");
            }
        }
        json!({"bases": self.bases, "image": image, "steps": steps, "result": self.result})
    }
}

/// The base images that exist.
pub struct Bases(BTreeMap<String, Value>);

impl Bases {
    /// Reads them.
    pub fn read(file: &Path) -> Self {
        Self(serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap())
    }

    /// The one that is asked for; the one for its platform wins.
    pub fn find(&self, request: &BaseRequest) -> Option<ImageConfig> {
        let name = request.reference.to_string();
        let found = self.0.get(&format!("{name} {}", request.platform)).or_else(|| self.0.get(&name))?;
        Some(ImageConfig::parse(found.to_string().as_bytes()).unwrap())
    }
}
