//! One file per user operation: a request in, a report out.

pub mod cr;
pub mod door;
pub mod helm;
pub mod image_build;
pub mod image_check;
pub mod image_du;
pub mod image_find;
pub mod image_history;
pub mod image_inspect;
pub mod image_load;
pub mod image_ls;
pub mod image_prune;
pub mod image_push;
pub mod image_rm;
pub mod image_run;
pub mod image_save;
pub mod image_tag;
pub mod image_verify;
pub mod leftovers;
pub mod login;
pub mod project;
pub mod registry_serve;
pub mod synchronization;
pub mod why;

#[cfg(test)]
mod samples;
