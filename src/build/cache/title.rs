//! What places of shared results are called.

use crate::build::CachePlace;

/// As shown: `registry r.example/app/cache`, `folder /tmp/cache`.
pub fn title(place: &CachePlace) -> String {
    match place {
        CachePlace::Registry(reference) => format!("registry {}", reference.familiar()),
        CachePlace::Folder(path) => format!("folder {}", path.display()),
    }
}
