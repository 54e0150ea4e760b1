//! One pass from a layer's tar to its blob.

use std::io::{self, Write};

use crate::base::{BlobDigest, DiffId, Hasher};
use crate::oci::Descriptor;
use crate::oci::compress::{Compression, Compressor};

/// A layer that was written to its end: which diff id has become which blob.
///
/// Can only be had from [`LayerWriter::finish`], so that the pair is a fact and not a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    diff_id: DiffId,
    digest: BlobDigest,
    size: u64,
    uncompressed_size: u64,
    compression: Compression,
}

impl Layer {
    /// Digest of the tar.
    pub fn diff_id(&self) -> &DiffId {
        &self.diff_id
    }

    /// Digest of the blob.
    pub fn digest(&self) -> &BlobDigest {
        &self.digest
    }

    /// Bytes of the blob.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Bytes of the tar.
    pub fn uncompressed_size(&self) -> u64 {
        self.uncompressed_size
    }

    /// How it is compressed.
    pub fn compression(&self) -> Compression {
        self.compression
    }

    /// OCI media type of the blob.
    pub fn media_type(&self) -> &'static str {
        self.compression.layer_media_type()
    }

    /// What a manifest says about it.
    pub fn descriptor(&self) -> Descriptor {
        Descriptor::new(self.media_type(), self.digest.clone(), self.size)
    }
}

/// Takes a layer's tar, writes the blob to `W`, and knows both digests at the end. Bounded memory.
pub struct LayerWriter<W: Write> {
    diff: Hasher,
    uncompressed_size: u64,
    compression: Compression,
    compressor: Compressor<BlobSide<W>>,
}

/// What is below the compressor. Of an uncompressed layer both digests are the same and one hash is enough.
struct BlobSide<W> {
    out: W,
    hasher: Option<Hasher>,
    size: u64,
}

impl<W: Write> Write for BlobSide<W> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let n = self.out.write(buf)?;
        if let Some(hasher) = &mut self.hasher {
            hasher.update(&buf[..n]);
        }
        self.size += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

impl<W: Write> LayerWriter<W> {
    /// A writer whose blob goes to `out`.
    ///
    /// # Errors
    /// If the compressor cannot be set up.
    pub fn new(out: W, compression: Compression) -> io::Result<Self> {
        let hasher = (compression != Compression::None).then(Hasher::default);
        Ok(Self {
            diff: Hasher::default(),
            uncompressed_size: 0,
            compression,
            compressor: Compressor::new(BlobSide { out, hasher, size: 0 }, compression)?,
        })
    }

    /// Ends the blob and gives the writer below back, with the layer.
    ///
    /// # Errors
    /// Those of the writer below.
    pub fn finish(self) -> io::Result<(W, Layer)> {
        let mut blob = self.compressor.finish()?;
        blob.flush()?;
        let diff_id = self.diff.finish();
        let digest = blob.hasher.map_or_else(|| diff_id.clone(), Hasher::finish);
        let layer = Layer {
            diff_id: DiffId::new(diff_id),
            digest: BlobDigest::new(digest),
            size: blob.size,
            uncompressed_size: self.uncompressed_size,
            compression: self.compression,
        };
        Ok((blob.out, layer))
    }
}

impl<W: Write> Write for LayerWriter<W> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let n = self.compressor.write(buf)?;
        self.diff.update(&buf[..n]);
        self.uncompressed_size += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.compressor.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::media;

    #[test]
    fn both_digests_in_one_pass() {
        let tar = vec![b'x'; 3_000_000];
        for (compression, media_type) in [
            (Compression::None, media::OCI_LAYER),
            (Compression::Gzip(6), media::OCI_LAYER_GZIP),
            (Compression::Zstd(3), media::OCI_LAYER_ZSTD),
        ] {
            let mut writer = LayerWriter::new(Vec::new(), compression).unwrap();
            writer.write_all(&tar).unwrap();
            let (blob, layer) = writer.finish().unwrap();
            assert_eq!(layer.diff_id(), &DiffId::of(&tar));
            assert_eq!(layer.descriptor(), Descriptor::of(media_type, &blob));
            assert_eq!(layer.uncompressed_size(), 3_000_000);
        }
    }
}
