//! Stage storage: what is known about step keys.
