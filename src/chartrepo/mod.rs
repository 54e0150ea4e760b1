//! Chart repositories: HTTP ones with an `index.yaml`, and charts in OCI registries.
//!
//! [`Repositories`] is Helm's `repositories.yaml`; [`Fetcher`] speaks HTTP with the rules of a repository's [`Entry`];
//! [`Index`] is an `index.yaml`; [`Cache`] keeps indexes and charts where Helm keeps them, so that both tools can take
//! turns; [`oci`] carries charts through our registry client.
//!
//! Invariants: credentials go only to the scheme and host of the repository they belong to, unless the user said
//! otherwise, and never along a redirect to another host; nothing is read without a bound; an index or a chart is
//! published in the cache only as a whole, and a chart only if its digest is the index's.
//!
//! A look-up in a large index does not read all of it: [`Index::lookup`] cuts out the section of one chart by its
//! indentation. Rejected: a converted copy of the index beside Helm's (it has to be kept in step and saves less than the
//! cut does); transparent decompression (an index is served as it is, and a chart's digest is that of its bytes).

mod cache;
mod error;
mod fetch;
mod index;
pub mod oci;
mod ordered;
mod repositories;
mod section;
mod urls;

pub use cache::Cache;
pub use error::Error;
pub use fetch::{Fetcher, Trust};
pub use index::{ChartVersion, Index, pick};
pub use ordered::Ordered;
pub use repositories::{Entry, Repositories};
pub use urls::{absolute, equal, join};

use crate::chart::{Dependency, Metadata};

/// A chart's metadata as Go marshals the struct: in the order of its fields.
pub fn metadata_json(metadata: &Metadata) -> Ordered {
    let mut out = Ordered::object();
    out.text("name", &metadata.name);
    out.text("home", &metadata.home);
    out.texts("sources", &metadata.sources);
    out.text("version", &metadata.version);
    out.text("description", &metadata.description);
    out.texts("keywords", &metadata.keywords);
    let maintainers = metadata.maintainers.iter().flatten().map(|m| {
        let mut out = Ordered::object();
        out.text("name", &m.name);
        out.text("email", &m.email);
        out.text("url", &m.url);
        out
    });
    out.list("maintainers", maintainers.collect());
    out.text("icon", &metadata.icon);
    out.text("apiVersion", &metadata.api_version);
    out.text("condition", &metadata.condition);
    out.text("tags", &metadata.tags);
    out.text("appVersion", &metadata.app_version);
    if metadata.deprecated {
        out.put("deprecated", true.into());
    }
    if !metadata.annotations.is_empty() {
        let mut annotations = Ordered::object();
        for (key, value) in &metadata.annotations {
            annotations.put(key, value.as_str().into());
        }
        out.put_ordered("annotations", annotations);
    }
    out.text("kubeVersion", &metadata.kube_version);
    out.list("dependencies", metadata.declared().map(dependency_json).collect());
    out.text("type", &metadata.kind);
    out
}

/// A dependency as Go marshals the struct; the digest of a lock file is made of these.
pub fn dependency_json(dependency: &Dependency) -> Ordered {
    let mut out = Ordered::object();
    out.put("name", dependency.name.as_str().into());
    out.text("version", &dependency.version);
    out.put("repository", dependency.repository.as_str().into());
    out.text("condition", &dependency.condition);
    out.texts("tags", &dependency.tags);
    if dependency.enabled {
        out.put("enabled", true.into());
    }
    out.list("import-values", dependency.import_values.iter().cloned().map(Ordered::from).collect());
    out.text("alias", &dependency.alias);
    out
}
