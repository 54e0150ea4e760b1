//! Listings: tags of a repository, repositories of a registry.

use std::collections::BTreeSet;

use http::Method;
use serde::Deserialize;

use super::exchange::{Call, unreadable};
use super::flow::Reply;
use super::trouble::Trouble;
use super::{Client, reading, stoppable};
use crate::base::Reference;
use crate::registry::wire::{self, Scope, Scopes};
use crate::registry::{Error, wire::next_page};
use crate::report::Context;

/// Names asked for at once; Amazon's registry refuses more.
const PAGE: usize = 1000;
/// Pages and names of a list that are believed.
const MOST_PAGES: usize = 20_000;
const MOST_NAMES: usize = 5_000_000;
/// Largest page read.
const LARGEST_PAGE: usize = 32 << 20;

#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    tags: Option<Vec<String>>,
    #[serde(default)]
    repositories: Option<Vec<String>>,
}

impl Client {
    /// All tags of a repository, in the registry's order.
    ///
    /// # Errors
    /// `NotFound` if there is no such repository.
    pub async fn tags(&self, cx: &Context, repository: &Reference) -> Result<Vec<String>, Error> {
        let path = repository.repository();
        let list = List {
            registry: repository.registry(),
            path: &format!("{path}/tags/list"),
            repository: path,
            scopes: reading(path),
            action: format!("list the tags of {}", repository.name()),
        };
        stoppable(cx, self.listing(cx, &list)).await
    }

    /// All repositories of a registry. Large public registries do not offer this.
    ///
    /// # Errors
    /// `NotFound`, `Unsupported` or `Unauthorized` where it is not offered.
    pub async fn catalog(&self, cx: &Context, registry: &str) -> Result<Vec<String>, Error> {
        let list = List {
            registry,
            path: "_catalog",
            repository: "",
            scopes: Scopes::of([Scope::catalog()]),
            action: format!("list the repositories of {registry}"),
        };
        stoppable(cx, self.listing(cx, &list)).await
    }

    async fn listing(&self, cx: &Context, list: &List<'_>) -> Result<Vec<String>, Error> {
        let peer = self.peer(cx, list.registry).await?;
        let mut url = peer.endpoint.url(list.path, Some(&format!("n={PAGE}")));
        let (mut names, mut seen, mut visited) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
        loop {
            visited.insert(url.to_string());
            let call = Call::new(&peer, Method::GET, url.clone(), &list.action)
                .within(list.repository, list.scopes.clone());
            let call = &call;
            let (page, next) = self.call(cx, call, &[200], |reply| read_page(call, reply)).await?;
            // Some registries repeat the last name of a page on the next.
            let before = names.len();
            names.extend(page.into_iter().filter(|name| seen.insert(name.clone())));
            if visited.len() > MOST_PAGES || names.len() > MOST_NAMES {
                return Err(call.words("its list has no end").error);
            }
            url = match next.and_then(|next| wire::resolve(&url, &next)) {
                Some(next) if wire::is_cross_origin(&url, &next) => {
                    return Err(call.words("the next page of its list is on another host").error);
                }
                // A page that leads back, or says nothing new, would never end.
                Some(next) if !visited.contains(next.as_str()) && names.len() > before => next,
                _ => return Ok(names),
            };
        }
    }
}

struct List<'a> {
    registry: &'a str,
    path: &'a str,
    repository: &'a str,
    scopes: Scopes,
    action: String,
}

async fn read_page(call: &Call<'_>, mut reply: Reply) -> Result<(Vec<String>, Option<String>), Trouble> {
    let next = next_page(reply.headers("link"));
    let body = reply.body(LARGEST_PAGE).await.map_err(|error| unreadable(call, error))?;
    let page: Page =
        serde_json::from_slice(&body).map_err(|_| call.words("its list is not JSON of the right form"))?;
    Ok((page.tags.or(page.repositories).unwrap_or_default(), next))
}
