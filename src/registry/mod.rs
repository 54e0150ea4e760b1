//! The registry: client and embedded server.
