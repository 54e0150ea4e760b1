//! YAML as go-yaml reads and writes it, and the value tree that everything dynamic shares.
//!
//! Helm and Kubernetes tools reach YAML through `sigs.k8s.io/yaml`: a document becomes JSON first and Go values then.
//! [`read`] gives the same values without that detour, [`write`](fn@write) prints them with the same bytes. `scan` finds
//! tokens, `parse` makes events of them, `read` decides what a scalar means, how keys become strings, aliases and merge
//! keys. The scanner is our own: go-yaml differs from libyaml in what it refuses and in its words, the ports of libyaml
//! there are panic on texts such as `[!foo, a]`, and a text that stays where it is can be scanned much faster.
//!
//! [`Value`] is also what Go templates compute with: a reference-counted tree whose maps are shared and can be changed
//! in place, because Sprig's `set` and `merge` do so and charts rely on it. Kinds follow Go (`int` and `int64` are two
//! kinds; a string is bytes), because templates can print them.
//!
//! Rejected: serde (would need a second tree and loses number kinds), `Rc` (values live in async code).

mod error;
mod go_syntax;
pub mod json;
mod nodes;
mod number;
mod parse;
pub(crate) mod quote;
mod read;
mod resolve;
mod scan;
mod sort;
mod value;
mod write;

pub use error::Error;
pub use nodes::{Node, NodeKind, read_nodes};
pub use number::{format_float, format_json_float};
pub use read::{Options, read, read_all, read_entries, read_map};
pub use sort::natural_order;
pub use value::{
    Entries, IntKind, Kind, List, ListKind, MAX_DEPTH, Map, MapKind, Method, Object, Param, Text, UintKind,
    Value, deep_copy, deep_equal, find, lossy,
};
pub use write::{Style, write, write_with};
