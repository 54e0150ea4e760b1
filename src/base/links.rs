//! Paths and symbolic links in trees that are only described: listings of layers, trees of commits.

/// As many links as the kernel follows on one path (`path_resolution(7)`).
const MOST: usize = 40;

/// What stands at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nothing.
    Nothing,
    /// A directory.
    Directory,
    /// A link with this target.
    Link(Vec<u8>),
    /// Anything else.
    File,
}

/// Where a path leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// To something that stands here: cleaned, relative to the root of the tree, which is the empty path.
    At(Vec<u8>),
    /// To nothing.
    Nowhere,
    /// Through more links than are followed.
    Circle,
}

/// A path without `.`, `..` and empty parts, relative to a root; `None` if it is absolute or leads above the root.
pub fn inside(path: &str) -> Option<String> {
    if path.starts_with('/') {
        return None;
    }
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// Follows a path and the links on it, the last one too, as if the tree's root were `/`: nothing leads above it. `look`
/// says what stands at a path without links.
///
/// # Errors
/// Those of `look`.
pub fn follow<E>(path: &[u8], mut look: impl FnMut(&[u8]) -> Result<Standing, E>) -> Result<Place, E> {
    let parts = |path: &[u8]| path.split(|b| *b == b'/').rev().map(<[u8]>::to_vec).collect::<Vec<_>>();
    let mut left = parts(path);
    let mut here: Vec<Vec<u8>> = Vec::new();
    let mut links = 0;
    while let Some(part) = left.pop() {
        match part.as_slice() {
            b"" | b"." => continue,
            b".." => {
                here.pop();
                continue;
            }
            _ => here.push(part),
        }
        match look(&here.join(&b'/'))? {
            Standing::Directory => {}
            Standing::Nothing => return Ok(Place::Nowhere),
            // A slash behind a file leads nowhere in the kernel; COPY takes it for the file.
            Standing::File if left.iter().all(|part| matches!(part.as_slice(), b"" | b".")) => {}
            Standing::File => return Ok(Place::Nowhere),
            Standing::Link(_) if links == MOST => return Ok(Place::Circle),
            Standing::Link(target) => {
                links += 1;
                here.pop();
                if target.starts_with(b"/") {
                    here.clear();
                }
                left.extend(parts(&target));
            }
        }
    }
    Ok(Place::At(here.join(&b'/')))
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    #[test]
    fn paths_stay_inside() {
        for (path, expected) in [
            ("a/./b//c/", Some("a/b/c")),
            ("a/../b", Some("b")),
            ("", Some("")),
            ("a/..", Some("")),
            ("../a", None),
            ("a/../../b", None),
            ("/etc/passwd", None),
        ] {
            assert_eq!(inside(path).as_deref(), expected, "{path}");
        }
    }

    fn ask(path: &str) -> Place {
        let look = |path: &[u8]| {
            let link = |target: &str| Standing::Link(target.as_bytes().to_vec());
            Ok::<_, Infallible>(match path {
                b"usr" | b"usr/lib" => Standing::Directory,
                b"usr/lib/libc.so" => Standing::File,
                b"lib" => link("usr/lib"),
                b"usr/up" => link("../../../lib/libc.so"),
                b"usr/top" => link("/lib/."),
                b"one" => link("two"),
                b"two" => link("one"),
                b"dangling" => link("usr/none"),
                _ => Standing::Nothing,
            })
        };
        let Ok(place) = follow(path.as_bytes(), look);
        place
    }

    fn at(path: &str) -> Place {
        Place::At(path.as_bytes().to_vec())
    }

    #[test]
    fn links_are_followed_inside_the_tree() {
        assert_eq!(ask("usr/lib/libc.so"), at("usr/lib/libc.so"));
        assert_eq!(ask("/lib//./libc.so"), at("usr/lib/libc.so"));
        assert_eq!(ask("usr/up"), at("usr/lib/libc.so"));
        assert_eq!(ask("usr/top/libc.so"), at("usr/lib/libc.so"));
        assert_eq!(ask("usr/lib/../../.."), at(""));
        assert_eq!(ask(""), at(""));
    }

    #[test]
    fn files_have_nothing_below_them() {
        assert_eq!(ask("usr/lib/libc.so/"), at("usr/lib/libc.so"));
        assert_eq!(ask("usr/lib/libc.so/x"), Place::Nowhere);
        assert_eq!(ask("usr/lib/libc.so/.."), Place::Nowhere);
        assert_eq!(ask("none/../usr"), Place::Nowhere);
        assert_eq!(ask("dangling"), Place::Nowhere);
    }

    #[test]
    fn circles_end() {
        assert_eq!(ask("one"), Place::Circle);
        assert_eq!(ask("two/three"), Place::Circle);
    }

    #[test]
    fn as_many_links_as_the_kernel_follows() {
        // Link n leads to n - 1; 0 is a file.
        let look = |path: &[u8]| {
            let number: usize = String::from_utf8_lossy(path).parse().unwrap();
            let lower = number.checked_sub(1).map(|n| n.to_string().into_bytes());
            Ok::<_, Infallible>(lower.map_or(Standing::File, Standing::Link))
        };
        assert_eq!(follow(b"40", look), Ok(at("0")));
        assert_eq!(follow(b"41", look), Ok(Place::Circle));
    }

    #[test]
    fn errors_of_the_tree_come_through() {
        assert_eq!(follow(b"a/b", |_| Err("broken")), Err("broken"));
    }
}
