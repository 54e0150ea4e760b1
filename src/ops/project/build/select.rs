//! Which images are meant. Source of the rules: werf's `pkg/config/images_to_process.go`.

use std::collections::BTreeSet;

use crate::base::{Failure, Kind};
use crate::dockerfile::glob;
use crate::project::Config;

/// Images by their places in the configuration.
#[derive(Clone, Debug, Default)]
pub struct Selected {
    /// Those that were asked for.
    pub chosen: BTreeSet<usize>,
    /// These and all that they need, in sets.
    pub sets: Vec<Vec<usize>>,
}

/// The places of the images that `patterns` mean and of all that these need, in sets: those of one need only those of sets
/// before. `!PATTERN` leaves out, but never what is named in full.
///
/// # Errors
/// If a pattern is wrong or matches nothing.
pub fn select(config: &Config, patterns: &[String], only_final: bool) -> Result<Selected, Failure> {
    let name = |at: usize| config.images[at].name.as_deref().unwrap_or("~");
    let mut chosen: BTreeSet<usize> = BTreeSet::new();
    let (without, with): (Vec<&str>, Vec<&str>) =
        patterns.iter().map(String::as_str).partition(|pattern| pattern.starts_with('!'));
    if with.is_empty() {
        chosen.extend(0..config.images.len());
    }
    let mut named = BTreeSet::new();
    for pattern in &with {
        check(pattern)?;
        let matching: Vec<usize> = (0..config.images.len())
            .filter(|at| glob::matches(pattern.as_bytes(), name(*at).as_bytes()))
            .collect();
        if matching.is_empty() {
            let known: Vec<&str> = (0..config.images.len()).map(name).collect();
            let failure = Failure::new(Kind::Usage, format!("no image is called {pattern}"));
            return Err(match crate::dockerfile::nearest(pattern, &known, true) {
                Some(near) => failure.hint(format!("did you mean {near}?")),
                None => failure.hint(format!("the images are {}", known.join(", "))),
            });
        }
        named.extend(matching.iter().filter(|at| name(**at) == *pattern).copied());
        chosen.extend(matching);
    }
    for pattern in &without {
        let pattern = &pattern[1..];
        check(pattern)?;
        chosen.retain(|at| named.contains(at) || !glob::matches(pattern.as_bytes(), name(*at).as_bytes()));
    }
    if only_final {
        chosen.retain(|at| config.images[*at].is_final);
    }
    let sets = in_sets(config, chosen.clone());
    Ok(Selected { chosen, sets })
}

fn check(pattern: &str) -> Result<(), Failure> {
    let fail = |why: &str| {
        Err(Failure::new(Kind::Usage, format!("read the image pattern {pattern:?}")).because(why))
    };
    match pattern {
        text if text.len() > 100 => fail("it has more than 100 characters"),
        text if text.contains("**") => fail("`**` means nothing here: `*` matches within one part of a name"),
        text if text.contains(['&', '|', '$']) => fail("it holds one of & | $"),
        _ => Ok(()),
    }
}

fn in_sets(config: &Config, chosen: BTreeSet<usize>) -> Vec<Vec<usize>> {
    let place: std::collections::BTreeMap<&str, usize> = config
        .images
        .iter()
        .enumerate()
        .filter_map(|(at, image)| Some((image.name.as_deref()?, at)))
        .collect();
    let needs = |at: usize| {
        config.images[at].dependencies.iter().filter_map(|need| place.get(need.image.as_str()).copied())
    };
    let mut all = BTreeSet::new();
    let mut pending: Vec<usize> = chosen.into_iter().collect();
    while let Some(at) = pending.pop() {
        if all.insert(at) {
            pending.extend(needs(at));
        }
    }
    let (mut sets, mut done): (Vec<Vec<usize>>, BTreeSet<usize>) = (Vec::new(), BTreeSet::new());
    while done.len() < all.len() {
        let open = all.iter().filter(|at| !done.contains(at));
        let set: Vec<usize> =
            open.filter(|at| needs(**at).all(|need| done.contains(&need))).copied().collect();
        // A configuration has no circles, so a set is never empty; a stop all the same.
        if set.is_empty() {
            break;
        }
        done.extend(&set);
        sets.push(set);
    }
    sets
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(patterns: &[&str], only_final: bool) -> Result<String, Failure> {
        let text = "project: a\nconfigVersion: 1\n---\nimage: base\nfinal: false\ndockerfile: D\n---\n\
                    image: [api, web, tools/x, tools/y]\ndockerfile: D\ndependencies:\n- image: base\n";
        let config = Config::parse(text).unwrap();
        let patterns: Vec<String> = patterns.iter().map(|p| (*p).to_owned()).collect();
        let sets = select(&config, &patterns, only_final)?.sets;
        let set = |set: &Vec<usize>| {
            set.iter().map(|at| config.images[*at].shown_name()).collect::<Vec<_>>().join(" ")
        };
        Ok(sets.iter().map(set).collect::<Vec<_>>().join(" | "))
    }

    #[test]
    fn patterns_choose_and_leave_out() {
        assert_eq!(names(&[], false).unwrap(), "base | api web tools/x tools/y");
        assert_eq!(names(&["api"], false).unwrap(), "base | api");
        assert_eq!(names(&["*"], true).unwrap(), "base | api web");
        assert_eq!(names(&["tools/*", "!*/x"], false).unwrap(), "base | tools/y");
        assert_eq!(names(&["tools/x", "!*/x"], false).unwrap(), "base | tools/x");
        assert_eq!(names(&["!a*", "!tools/?"], false).unwrap(), "base | web");
        assert!(names(&["none"], false).is_err());
        assert!(names(&["**"], false).is_err());
        assert!(names(&["a$"], false).is_err());
    }
}
