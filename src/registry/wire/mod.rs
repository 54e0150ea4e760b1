//! What registries write into headers and bodies, as values. Pure.

mod challenge;
mod endpoint;
mod link;
mod location;
mod problem;
mod range;
mod retry;
mod scope;
mod token;

pub use challenge::{Challenge, challenges};
pub use endpoint::{Endpoint, Scheme, is_plain_client_complaint};
pub use link::next_page;
pub use location::{is_cross_origin, resolve, with_query};
pub use problem::answer;
pub use range::{content_range, upload_end};
pub use retry::{delay, is_transient, retry_after};
pub use scope::{Scope, Scopes};
pub use token::{Token, token_answer};
