//! The embedded registry: a server of its own on a directory.
