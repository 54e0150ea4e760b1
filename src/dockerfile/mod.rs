//! The Dockerfile language: bytes in, tree out.
