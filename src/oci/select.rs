//! Which image of an index is for a platform.

use crate::base::Platform;
use crate::oci::{Descriptor, Error, Index};

impl Index {
    /// The entry that serves `wanted` best; among equals the first. Attestations are never chosen. An entry that does
    /// not say its platform is taken only if nothing else fits; whoever takes it should look at its configuration.
    ///
    /// # Errors
    /// [`Error::NoPlatform`] with the platforms there are.
    pub fn choose(&self, wanted: &Platform) -> Result<&Descriptor, Error> {
        let images = || self.manifests.iter().filter(|entry| !entry.is_attestation());
        let rank = |entry: &&Descriptor| match &entry.platform {
            Some(platform) => platform.normalised().rank_for(wanted),
            None => Some(usize::MAX),
        };
        let best = images().filter_map(|entry| Some((rank(&entry)?, entry))).min_by_key(|(rank, _)| *rank);
        best.map(|(_, entry)| entry).ok_or_else(|| Error::NoPlatform {
            wanted: wanted.to_string(),
            available: images()
                .filter_map(|entry| Some(entry.platform.as_ref()?.normalised().to_string()))
                .collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::{DescriptorPlatform, media};

    fn entry(platform: &str) -> Descriptor {
        let mut entry = Descriptor::of(media::OCI_MANIFEST, platform.as_bytes());
        if let Some((os, architecture)) = platform.split_once('/') {
            let (architecture, variant) = architecture.split_once('/').unwrap_or((architecture, ""));
            entry.platform = Some(DescriptorPlatform {
                os: os.into(),
                architecture: architecture.into(),
                variant: variant.into(),
                ..Default::default()
            });
        }
        entry
    }

    #[test]
    fn best_of_what_fits() {
        let all =
            ["unknown/unknown", "linux/386", "linux/amd64", "linux/arm/v6", "linux/arm64/v8", "linux/amd64"];
        let index = Index::new(all.map(entry).to_vec());
        let choose = |wanted: &str| index.choose(&wanted.parse().unwrap()).map(|d| d.digest.clone());
        assert_eq!(choose("linux/amd64").unwrap(), entry("linux/amd64").digest);
        assert_eq!(choose("linux/arm64").unwrap(), entry("linux/arm64/v8").digest);
        assert_eq!(choose("linux/arm/v7").unwrap(), entry("linux/arm/v6").digest);
        let Err(Error::NoPlatform { available, .. }) = choose("linux/s390x") else { panic!("nothing fits") };
        assert_eq!(available, ["linux/386", "linux/amd64", "linux/arm/v6", "linux/arm64", "linux/amd64"]);
    }

    #[test]
    fn silence_is_the_last_resort() {
        let index = Index::new(vec![entry("silent"), entry("linux/amd64")]);
        assert_eq!(
            index.choose(&"linux/amd64".parse().unwrap()).unwrap().digest,
            entry("linux/amd64").digest
        );
        assert_eq!(index.choose(&"linux/s390x".parse().unwrap()).unwrap().digest, entry("silent").digest);
    }
}
