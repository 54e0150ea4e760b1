//! Go templates with Sprig's functions.
