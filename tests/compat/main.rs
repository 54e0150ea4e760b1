//! Our output against goldens that the reference tools produced.

mod evaluate;
mod yaml;
