//! Where steps run.
