//! Indexes and charts on this machine, where and as Helm keeps them.

use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::fetch::{LARGEST_CHART, LARGEST_INDEX};
use super::urls::clean;
use super::{ChartVersion, Entry, Error, Fetcher, Index, absolute};
use crate::host::fs;

/// The folders of Helm's cache.
#[derive(Clone, Debug)]
pub struct Cache {
    /// Indexes: `HELM_REPOSITORY_CACHE`.
    pub repositories: PathBuf,
    /// Charts by their digest: `HELM_CONTENT_CACHE`.
    pub content: PathBuf,
}

impl Cache {
    /// Where the index of a repository is kept.
    pub fn index_path(&self, name: &str) -> PathBuf {
        self.repositories.join(format!("{name}-index.yaml"))
    }

    /// Where the names of a repository's charts are kept, for completion.
    pub fn charts_path(&self, name: &str) -> PathBuf {
        self.repositories.join(format!("{name}-charts.txt"))
    }

    fn etag_path(&self, name: &str) -> PathBuf {
        self.repositories.join(format!("{name}-index.etag"))
    }

    /// The name under which the index of a repository is kept that the user has not added.
    pub fn unmanaged(url: &str) -> String {
        format!("helm-manager-{}", hex::encode(Sha256::digest(url)))
    }

    /// Brings the index of a repository up to date. One that has not changed is not sent again.
    ///
    /// # Errors
    /// If it cannot be fetched or is no index; what was in the cache stays.
    pub async fn refresh(&self, entry: &Entry, fetcher: &Fetcher) -> Result<(), Error> {
        let href = absolute(&entry.url, "index.yaml")?;
        let path = self.index_path(&entry.name);
        let known = self.known_etag(&entry.name, &href, &path);
        let Some(fetched) = fetcher.get(&href, known.as_deref(), LARGEST_INDEX).await? else { return Ok(()) };
        let (bytes, source) = (fetched.bytes, entry.url.clone());
        let parsed =
            tokio::task::spawn_blocking(move || Index::names(&bytes, &source).map(|names| (names, bytes)));
        let (names, bytes) = parsed.await.map_err(|e| Error::Invalid(e.to_string()))??;
        let fail = || Error::local(format!("keep the index of the repository {}", entry.name));
        fs::create_dir_all(&self.repositories).map_err(fail())?;
        let names: String = names.iter().flat_map(|name| [name.as_str(), "\n"]).collect();
        fs::write_atomic(self.charts_path(&entry.name), names).map_err(fail())?;
        fs::write_atomic(&path, &bytes).map_err(fail())?;
        match fetched.etag {
            Some(etag) => {
                let text = format!("{href}\n{etag}\n{}\n", hex::encode(Sha256::digest(&bytes)));
                fs::write_atomic(self.etag_path(&entry.name), text).map_err(fail())
            }
            None => fs::remove_file(self.etag_path(&entry.name))
                .or_else(|e| if e.is_not_found() { Ok(()) } else { Err(e) })
                .map_err(fail()),
        }
    }

    /// What the server called the index that is in the cache, if nobody has changed that since.
    fn known_etag(&self, name: &str, href: &str, path: &Path) -> Option<String> {
        let text = fs::read_to_string(self.etag_path(name)).ok()?;
        let mut lines = text.lines();
        let (address, etag, digest) = (lines.next()?, lines.next()?, lines.next()?);
        let bytes = fs::read(path).ok()?;
        (address == href && hex::encode(Sha256::digest(bytes)) == digest).then(|| etag.to_owned())
    }

    /// Forgets the index of a repository.
    ///
    /// # Errors
    /// If a file cannot be removed.
    pub fn forget(&self, name: &str) -> Result<(), Error> {
        for path in [self.charts_path(name), self.index_path(name), self.etag_path(name)] {
            match fs::remove_file(&path) {
                Err(error) if !error.is_not_found() => {
                    return Err(Error::local(format!("can't remove index file {}", path.display()))(error));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The whole index of a repository.
    ///
    /// # Errors
    /// If there is none, or it is none.
    pub fn index(&self, name: &str) -> Result<Index, Error> {
        let path = self.index_path(name);
        Index::parse(&read_index(&path)?, &path.display().to_string())
            .map_err(|e| e.within(&format!("error loading {}: ", path.display())))
    }

    /// The versions of one chart of a repository.
    ///
    /// # Errors
    /// If there is no index, or it is none.
    pub fn versions(&self, name: &str, chart: &str) -> Result<Vec<ChartVersion>, Error> {
        let path = self.index_path(name);
        Index::lookup(&read_index(&path)?, chart, &path.display().to_string())
            .map_err(|e| e.within(&format!("error loading {}: ", path.display())))
    }

    /// Where a chart or (`ending` `.prov`) its provenance is kept by the archive's digest.
    fn content_path(&self, digest: &str, ending: &str) -> PathBuf {
        self.content.join(&digest[..2]).join(format!("{digest}{ending}"))
    }

    /// Gets an archive: from the cache if its digest is known and it is there. One whose digest is another than the
    /// index says is refused.
    ///
    /// # Errors
    /// If it cannot be fetched.
    pub async fn chart(&self, fetcher: &Fetcher, href: &str, digest: &str) -> Result<Vec<u8>, Error> {
        let wanted = plain_digest(digest)?;
        if let Some(bytes) =
            wanted.as_ref().and_then(|digest| fs::read(self.content_path(digest, ".chart")).ok())
            && Some(hex::encode(Sha256::digest(&bytes))) == wanted
        {
            return Ok(bytes);
        }
        let fetched = fetcher.get(href, None, LARGEST_CHART).await?;
        let bytes = fetched.map(|f| f.bytes).unwrap_or_default();
        let found = hex::encode(Sha256::digest(&bytes));
        if let Some(wanted) = wanted.filter(|wanted| *wanted != found) {
            return Err(Error::Remote(format!(
                "{href} is not the chart that the index of its repository lists: its digest is {found}, not {wanted}"
            )));
        }
        self.keep(&bytes)?;
        Ok(bytes)
    }

    /// Keeps an archive under its digest and says where.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn keep(&self, archive: &[u8]) -> Result<PathBuf, Error> {
        let path = self.content_path(&hex::encode(Sha256::digest(archive)), ".chart");
        if let Some(folder) = path.parent().filter(|_| !fs::exists(&path)) {
            let fail = || Error::local("keep a chart in the cache");
            fs::create_dir_all(folder).map_err(fail())?;
            fs::write_atomic(&path, archive).map_err(fail())?;
        }
        Ok(path)
    }
}

/// A digest without its algorithm.
fn plain_digest(digest: &str) -> Result<Option<String>, Error> {
    let plain = digest.split_once(':').map_or(digest, |(_, plain)| plain).to_lowercase();
    if plain.is_empty() {
        return Ok(None);
    }
    if !plain.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(Error::Invalid(format!("unable to decode digest {digest:?}")));
    }
    if plain.len() != 64 {
        return Err(Error::Invalid(format!("invalid digest length: {}", plain.len() / 2)));
    }
    Ok(Some(plain))
}

fn read_index(path: &Path) -> Result<Vec<u8>, Error> {
    fs::read(path).map_err(|error| {
        if error.is_not_found() {
            return Error::Missing(format!(
                "open {}: no such file or directory",
                clean(&path.display().to_string())
            ));
        }
        Error::local("read the index of a repository")(error)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_and_names() {
        assert_eq!(plain_digest("").unwrap(), None);
        assert_eq!(plain_digest(&format!("sha256:{}", "AB".repeat(32))).unwrap().unwrap(), "ab".repeat(32));
        assert!(plain_digest("zz").is_err() && plain_digest("abcd").is_err());
        assert!(Cache::unmanaged("http://h").starts_with("helm-manager-"));
    }
}
