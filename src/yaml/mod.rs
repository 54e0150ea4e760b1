//! YAML as go-yaml reads and writes it, and the value tree that everything dynamic shares.
//!
//! Helm and Kubernetes tools reach YAML through `sigs.k8s.io/yaml`: a document becomes JSON first and Go values then.
//! [`read`] gives the same values without that detour, [`write`](fn@write) prints them with the same bytes. The scanner
//! and parser are `libyaml-safer`, a port of the C library that go-yaml is a port of, so that both accept the same
//! texts; what a scalar means, how keys become strings, aliases and merge keys are decided here.
//!
//! [`Value`] is also what Go templates compute with: a reference-counted tree whose maps are shared and can be changed
//! in place, because Sprig's `set` and `merge` do so and charts rely on it. Kinds follow Go (`int` and `int64` are two
//! kinds; a string is bytes), because templates can print them.
//!
//! Rejected: serde (would need a second tree and loses number kinds), `Rc` (values live in async code).

mod error;
pub mod json;
mod number;
mod read;
mod resolve;
mod sort;
mod value;
mod write;

pub use error::Error;
pub use number::{format_float, format_json_float};
pub use read::{Options, read, read_all, read_map};
pub use sort::natural_order;
pub use value::{
    Entries, IntKind, Kind, List, ListKind, MAX_DEPTH, Map, MapKind, Method, Object, Param, Text, UintKind,
    Value, deep_copy, deep_equal,
};
pub use write::{Style, write, write_with};
