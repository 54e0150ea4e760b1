//! COPY and ADD on trees, and the directories WORKDIR makes.
//!
//! Rules, as BuildKit has them (measured where that is possible):
//!
//! - A directory gives its contents; of its own metadata only the time is taken. Directories inside it overwrite the
//!   metadata of those that exist; those that are only on the way to what is picked out, no more than their mode.
//! - Directories made on the way are 0755 and belong to `--chown` or root, inside a shared folder (set-group-id) to its
//!   group, and are shared too; octal `--chmod` applies to them as well.
//! - Links in the destination path are followed inside the tree. Below it nothing is: a directory on top of a link or a
//!   file, or a file on top of a directory, is an error.
//! - Everything keeps its time. Directories that only get new entries keep theirs; made ones get a time that is given.
//! - Of attributes only `security.capability` is copied, and not from a context; sockets are left out; device nodes that may not be made are
//!   left out with a warning. Names of one file become names of one file, within one source.

mod archive;
mod engine;
mod mode;
mod owner;
mod select;
mod unpacking;

pub(super) use engine::ONTO_ANOTHER;
pub use engine::{Copied, CopyRequest, Item, Landing, copy, make_directory};
pub use mode::{Clause, ModeChange};
pub use owner::{Ownership, resolve_owner, resolve_owner_leniently};
pub use select::{Matcher, Names, Pattern, Selected, Tree, select, select_in, stands, stands_in};
pub use unpacking::unpack;

#[cfg(test)]
mod tests;
