//! What names of base images stand for where no lock file says it: asked for once in each build, and remembered, so that
//! a build on which nothing has changed asks one question a name, and all its images agree on the answers.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use crate::base::{Digest, Failure, Kind, Reference};
use crate::build::Doors;
use crate::build::evaluate::NamedContext;
use crate::host::fs;
use crate::ops::project::build::lock::Pins;
use crate::report::Context;

/// A line has a hundred bytes or two.
const LARGEST: u64 = 16 << 20;

/// The answers.
pub struct Heads {
    known: Pins,
    asked: BTreeSet<String>,
    place: PathBuf,
}

impl Heads {
    /// The answers of earlier builds.
    pub fn read(doors: &Doors) -> Self {
        let place = doors.bases().join("heads");
        let text = fs::read_limited(&place, LARGEST).unwrap_or_default();
        let line = |line: &str| {
            let (name, digest) = line.split_once(' ')?;
            Some((name.to_owned(), digest.parse::<Digest>().ok()?))
        };
        let known: BTreeMap<_, _> = String::from_utf8_lossy(&text).lines().filter_map(line).collect();
        Self { known, asked: BTreeSet::new(), place }
    }

    /// The answers as contexts that stand for base images.
    ///
    /// # Errors
    /// If a name is none, which no answer has.
    pub fn contexts(&self) -> Result<Vec<NamedContext>, Failure> {
        let one = |(name, digest): (&String, &Digest)| {
            let text = format!("{name}=docker-image://{name}@{digest}");
            text.parse::<NamedContext>().map_err(|why| {
                Failure::new(Kind::Bug, format!("remember what {name} stands for")).because(why)
            })
        };
        self.known.iter().map(one).collect()
    }

    /// Asks for the names that nobody has asked for in this build; gives those that stand for something else than before. A
    /// registry that does not answer changes nothing.
    pub async fn ask(
        &mut self,
        cx: &Context,
        doors: &Doors,
        bases: impl Iterator<Item = &Reference>,
    ) -> BTreeSet<String> {
        let mut new = Vec::new();
        for base in bases {
            let name = name(base);
            // One that was written with a digest means the same for ever.
            let is_fixed = base.digest().is_some() && self.known.get(&name) != base.digest();
            if !is_fixed && self.asked.insert(name.clone()) {
                new.push(name);
            }
        }
        let answers = new.into_iter().filter_map(|name| {
            let reference: Reference = name.parse().ok()?;
            Some(async move { (name, doors.registry().resolve(cx, &reference).await) })
        });
        let mut changed = BTreeSet::new();
        for (name, answer) in futures_util::future::join_all(answers).await {
            let is_news = match answer {
                Ok(answer) => {
                    let now = answer.digest.digest();
                    let is_news = self.known.get(&name) != Some(now);
                    self.known.insert(name.clone(), now.clone());
                    is_news
                }
                // What is in no registry is what the store has.
                Err(error) if error.is_not_found() => self.known.remove(&name).is_some(),
                Err(error) => {
                    if let Some(digest) = self.known.get(&name) {
                        cx.report.warn(format!("{name} is taken for {digest}, as it was last: {error}"));
                    }
                    false
                }
            };
            if is_news {
                changed.insert(name);
            }
        }
        if !changed.is_empty() {
            self.write();
        }
        changed
    }

    fn write(&self) {
        let text: String = self.known.iter().map(|(name, digest)| format!("{name} {digest}\n")).collect();
        // Not to know it next time costs a request.
        if let Some(folder) = self.place.parent()
            && fs::create_dir_all(folder).is_ok()
        {
            let _ = fs::write_atomic(&self.place, text);
        }
    }
}

/// The name of a base image in full, without a digest.
pub fn name(base: &Reference) -> String {
    format!("{}:{}", base.name(), base.tag().unwrap_or("latest"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_full_and_pinned_ones_keep_theirs() {
        let digest = Digest::sha256(b"x");
        for (base, expected) in [
            ("alpine".to_owned(), "docker.io/library/alpine:latest"),
            ("r.example:5000/a/b:1".to_owned(), "r.example:5000/a/b:1"),
            (format!("r.example/a:1@{digest}"), "r.example/a:1"),
        ] {
            assert_eq!(name(&base.parse().unwrap()), expected);
        }
    }

    #[test]
    fn what_is_known_stands_for_base_images() {
        let digest = Digest::sha256(b"x");
        let known = Pins::from([("docker.io/library/alpine:latest".to_owned(), digest.clone())]);
        let heads = Heads { known, asked: BTreeSet::new(), place: PathBuf::new() };
        let contexts = heads.contexts().unwrap();
        let found = crate::build::evaluate::named::find(&contexts, "alpine", &crate::base::Platform::host());
        let value = format!("docker.io/library/alpine:latest@{digest}");
        let image = crate::build::evaluate::named::NamedValue::Image(value);
        assert_eq!(found.map(|context| &context.value), Some(&image));
    }
}
