//! The OCI image model and layer archives.
