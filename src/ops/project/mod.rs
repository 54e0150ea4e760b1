//! Projects: reading `werf.yaml` and what it names from a commit, by the rules of giterminism.
//!
//! ```text
//! Options → load → Project { config, reader }      what every command about a project begins with
//!                   reader: Git's files, the disk, what is included, the rules; each refusal says what would allow it
//! ```
//!
//! Three ways to read, chosen once: the commit (the disk must agree with what is read), `--dev` (the disk as if it were
//! committed, ignore rules kept), `--loose-giterminism` (configuration from the disk, no rules; contexts from the commit).

pub mod build;
mod check;
pub mod follow;
pub mod images;
pub mod includes;
mod links;
mod load;
mod reader;
mod refusal;
mod sources;

pub use check::{check, graph};
pub use load::{Options, Project, load, open, open_with_includes};
pub use reader::{Reader, Way};
pub use refusal::Refusal;
pub use sources::{Added, Named, Sources, sources};
