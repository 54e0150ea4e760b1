//! `werf.yaml` as a whole: from rendered text to a checked configuration.

use std::collections::{BTreeMap, BTreeSet};

use crate::project::decode::{Problem, Problems, Settings, kind_name};
use crate::project::image::{Image, has, read_images};
use crate::project::meta::{Meta, read_meta};
use crate::yaml::{self, Node, NodeKind};

/// A project's configuration without contradictions.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// What all images share.
    pub meta: Meta,
    /// The images in the order of the file.
    pub images: Vec<Image>,
}

impl Config {
    /// Reads the rendered text of `werf.yaml`.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn parse(text: &str) -> Result<Self, Vec<Problem>> {
        let mut problems = Problems::default();
        let (mut metas, mut images) = (Vec::new(), Vec::new());
        for document in documents(text) {
            let Some(node) = read_document(&document, &mut problems) else { continue };
            read_one(&node, &mut metas, &mut images, &mut problems);
        }
        if metas.is_empty() && problems.is_empty() {
            problems.add_with_hint(
                1,
                "there is no meta document",
                "it begins with `project: NAME` and `configVersion: 1`",
            );
        }
        let meta = metas.into_iter().next().unwrap_or_default();
        inherit(&meta, &mut images);
        check(&images, &mut problems);
        if problems.is_empty() { Ok(Self { meta, images }) } else { Err(problems.into_sorted()) }
    }

    /// The image of a name; the empty name and `~` mean the one without a name.
    pub fn image(&self, name: &str) -> Option<&Image> {
        let wanted = Some(name).filter(|name| !name.is_empty() && *name != "~");
        self.images.iter().find(|image| image.name.as_deref() == wanted)
    }

    /// The images `names` and all that they need, in sets: those of one set need only those of sets before. In each set
    /// the order of the file.
    ///
    /// # Errors
    /// The first name that no image has.
    pub fn sets(&self, names: &[String]) -> Result<Vec<Vec<&Image>>, String> {
        let mut wanted: BTreeSet<Option<&str>> = BTreeSet::new();
        let mut pending = Vec::new();
        for name in names {
            pending.push(self.image(name).ok_or_else(|| name.clone())?);
        }
        if names.is_empty() {
            pending.extend(&self.images);
        }
        while let Some(image) = pending.pop() {
            if wanted.insert(image.name.as_deref()) {
                pending.extend(image.dependencies.iter().filter_map(|need| self.image(&need.image)));
            }
        }
        let mut left: Vec<&Image> =
            self.images.iter().filter(|image| wanted.contains(&image.name.as_deref())).collect();
        let mut done: BTreeSet<Option<&str>> = BTreeSet::new();
        let mut sets = Vec::new();
        while !left.is_empty() {
            let ready = |image: &&Image| {
                image.dependencies.iter().all(|need| done.contains(&Some(need.image.as_str())))
            };
            let (set, rest): (Vec<&Image>, Vec<&Image>) = left.into_iter().partition(ready);
            // A configuration has no cycles, so a set is never empty; a stop all the same.
            if set.is_empty() {
                break;
            }
            done.extend(set.iter().map(|image| image.name.as_deref()));
            sets.push(set);
            left = rest;
        }
        Ok(sets)
    }
}

/// One of the documents of a file.
struct Document<'t> {
    /// Lines of the file before it.
    before: usize,
    text: &'t str,
}

/// Splits at lines that are `---` and nothing else but spaces or a comment.
fn documents(text: &str) -> Vec<Document<'_>> {
    let is_separator = |line: &str| {
        line.strip_prefix("---").is_some_and(|rest| {
            let rest = rest.trim_end();
            rest.is_empty() || rest.starts_with([' ', '\t']) && rest.trim_start().starts_with('#')
        })
    };
    let (mut all, mut start, mut before, mut at, mut count) = (Vec::new(), 0, 0, 0, 0);
    for line in text.split_inclusive('\n') {
        count += 1;
        if is_separator(line) {
            all.push(Document { before, text: &text[start..at] });
            (start, before) = (at + line.len(), count);
        }
        at += line.len();
    }
    all.push(Document { before, text: &text[start..] });
    all
}

/// The one node of a document; `None` if it is empty or cannot be read.
fn read_document(document: &Document<'_>, problems: &mut Problems) -> Option<Node> {
    match yaml::read_nodes(document.text.as_bytes()) {
        Ok(nodes) => {
            let mut node = nodes.into_iter().find(|node| !node.is_null())?;
            node.shift(document.before);
            Some(node)
        }
        Err(error) => {
            let line = document.before + error.line().unwrap_or(1);
            problems.add(line, error.to_string());
            None
        }
    }
}

fn read_one(node: &Node, metas: &mut Vec<Meta>, images: &mut Vec<Image>, problems: &mut Problems) {
    if !matches!(node.kind, NodeKind::Map(_)) {
        problems.add(node.line, format!("the document is {}, not a map", kind_name(&node.kind)));
    } else if has(node, "configVersion") {
        if !metas.is_empty() {
            problems.add(node.line, "a second meta document: there is one for the project");
        }
        metas.push(read_meta(Settings::of(node, "the meta document", problems), problems));
    } else if has(node, "dockerfile") {
        images.extend(read_images(Settings::of(node, "the image document", problems), problems));
    } else if has(node, "image") || has(node, "artifact") {
        problems.add_with_hint(
            node.line,
            "images without a Dockerfile (Stapel) are not built",
            "write the steps into a Dockerfile and name it: `dockerfile: Dockerfile`",
        );
    } else {
        problems.add_with_hint(
            node.line,
            "the document is neither the meta document nor an image",
            "the meta document has configVersion, an image has dockerfile",
        );
    }
}

fn inherit(meta: &Meta, images: &mut [Image]) {
    for image in images {
        if image.platforms.is_empty() {
            image.platforms.clone_from(&meta.build.platforms);
        }
        image.staged = image.staged.or(meta.build.staged);
        if image.cache_version.is_none() {
            image.cache_version.clone_from(&meta.build.cache_version);
        }
    }
}

/// What is wrong between images.
fn check(images: &[Image], problems: &mut Problems) {
    let mut named: BTreeMap<Option<&str>, &Image> = BTreeMap::new();
    for image in images {
        if named.insert(image.name.as_deref(), image).is_some() {
            problems.add(image.line, format!("the image {} stands twice", image.shown_name()));
        }
    }
    if let Some(nameless) = named.get(&None)
        && images.len() > 1
    {
        problems.add(nameless.line, "an image without a name must be the only one");
    }
    for image in images {
        for need in image.dependencies.iter().filter(|need| !need.image.is_empty()) {
            match named.get(&Some(need.image.as_str())) {
                None => unknown(need, &named, problems),
                Some(other) => check_platforms_of(image, other, need.line, problems),
            }
        }
    }
    for cycle in cycles(images, &named) {
        let line = named.get(&Some(cycle[0])).map_or(1, |image| image.line);
        problems.add(line, format!("images need each other in a circle: {}", cycle.join(" → ")));
    }
}

fn unknown(
    need: &crate::project::image::Dependency,
    named: &BTreeMap<Option<&str>, &Image>,
    problems: &mut Problems,
) {
    let message = format!("there is no image {}", need.image);
    let known: Vec<&str> = named.keys().copied().flatten().collect();
    match crate::dockerfile::nearest(&need.image, &known, true) {
        Some(near) => problems.add_with_hint(need.line, message, format!("did you mean {near}?")),
        None => problems.add(need.line, message),
    }
}

/// Whoever is built for a platform needs what it depends on for the same one.
fn check_platforms_of(image: &Image, need: &Image, line: usize, problems: &mut Problems) {
    for platform in image.platforms.iter().filter(|platform| !need.platforms.contains(platform)) {
        problems.add(
            line,
            format!(
                "{} is built for {platform}, but {}, which it needs, is not",
                image.shown_name(),
                need.shown_name()
            ),
        );
    }
    if image.platforms.is_empty() && !need.platforms.is_empty() {
        problems.add(
            line,
            format!(
                "{} is built for this machine's platform, but {}, which it needs, for {}",
                image.shown_name(),
                need.shown_name(),
                need.platforms.join(", ")
            ),
        );
    }
}

/// Each circle once, from its first image on and back to it.
fn cycles<'i>(images: &'i [Image], named: &BTreeMap<Option<&str>, &'i Image>) -> Vec<Vec<&'i str>> {
    let mut found: Vec<Vec<&str>> = Vec::new();
    let mut finished: BTreeSet<&str> = BTreeSet::new();
    for start in images.iter().filter_map(|image| image.name.as_deref()) {
        // A path of names and how many needs of each have been followed; no recursion, the file may be long.
        let mut path: Vec<(&str, usize)> = vec![(start, 0)];
        while let Some((name, next)) = path.last_mut() {
            let image = named.get(&Some(*name)).copied();
            let need = image.and_then(|image| image.dependencies.get(*next)).map(|need| need.image.as_str());
            *next += 1;
            let Some(need) = need.filter(|_| !finished.contains(*name)) else {
                finished.insert(*name);
                path.pop();
                continue;
            };
            if let Some(at) = path.iter().position(|(name, _)| *name == need) {
                let circle = path[at..].iter().map(|(name, _)| *name).chain([need]);
                found.push(circle.collect());
            } else if let Some(image) = named.get(&Some(need))
                && !finished.contains(need)
            {
                path.push((image.name.as_deref().unwrap_or_default(), 0));
            }
        }
    }
    found
}
