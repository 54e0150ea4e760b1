//! Our output against goldens that the reference tools produced.

mod yaml;
