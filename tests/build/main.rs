//! Building and running with real parts: namespaces, overlays, BusyBox.
//!
//! Started as root, every test runs twice: as root and as an ordinary user with sub-ids (`lap-test`, made by
//! `tests/prepare`). Started by an ordinary user, the rootful half is left out, and the tests say so.

mod sandbox;
mod stage;
