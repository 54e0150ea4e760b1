//! One file per user operation.
