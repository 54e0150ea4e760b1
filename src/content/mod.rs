//! The content store: local blobs by digest.
