//! Layer tars: the deterministic writer and the reader that trusts nothing.
