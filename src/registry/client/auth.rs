//! Authorization: what to send along, and what to do when the registry wants something else.
//!
//! distribution: docs/spec/auth/{token,oauth,scope}.md.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderValue, header};
use url::Url;

use super::Client;
use super::exchange::{Call, authority};
use super::flow::{Meter, Reply, Stalled, watched};
use super::peer::{Held, Peer, TokenKey};
use super::trouble::{Tries, Trouble, broken, refused};
use crate::base;
use crate::registry::wire::{self, Challenge, Scheme, Scopes, Token};
use crate::registry::{Cause, Credential, Error, Story};
use crate::report::Context;

/// Largest answer of a token server.
const TOKEN_BODY: usize = 64 << 10;
/// Our name for token servers.
const CLIENT_ID: &str = "lapstrake";

/// What goes into the `Authorization` header.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct Authorization {
    value: Option<String>,
    personal: bool,
}

impl Authorization {
    fn new(value: String, personal: bool) -> Self {
        Self { value: Some(value), personal }
    }

    /// The header's value, marked so that it is never shown.
    pub(super) fn header(&self) -> Option<HeaderValue> {
        let mut value = HeaderValue::from_str(self.value.as_deref()?).ok()?;
        value.set_sensitive(true);
        Some(value)
    }

    /// Whether it was made from somebody's credentials.
    pub(super) fn is_personal(&self) -> bool {
        self.personal
    }
}

/// A request to a token server.
struct TokenRequest<'a> {
    realm: &'a Url,
    scheme: Scheme,
    service: &'a str,
    scopes: Vec<String>,
    credential: Option<&'a Credential>,
}

impl Client {
    /// What to send along before the registry complained: nothing, if it never did.
    pub(super) async fn authorization(
        &self,
        cx: &Context,
        call: &Call<'_>,
    ) -> Result<Authorization, Trouble> {
        match call.peer.challenge() {
            None => Ok(Authorization::default()),
            Some(challenge) => self.answer(cx, call, &challenge, None).await,
        }
    }

    /// What to send instead of `refused` after a 401; `None` if there is nothing better.
    pub(super) async fn answer_challenge(
        &self,
        cx: &Context,
        call: &Call<'_>,
        reply: &Reply,
        refused: &Authorization,
    ) -> Result<Option<Authorization>, Trouble> {
        let offered = wire::challenges(reply.headers("www-authenticate"));
        let bearer = offered.iter().find(|c| matches!(c, Challenge::Bearer { .. }));
        let Some(challenge) = bearer.or(offered.first()) else { return Ok(None) };
        call.peer.remember_challenge(challenge.clone());
        let better = self.answer(cx, call, challenge, Some(refused)).await?;
        Ok((better.value.is_some() && better != *refused).then_some(better))
    }

    async fn answer(
        &self,
        cx: &Context,
        call: &Call<'_>,
        challenge: &Challenge,
        refused: Option<&Authorization>,
    ) -> Result<Authorization, Trouble> {
        let credential = self.credential(cx, call).await?;
        if let Some(Credential::RegistryToken(token)) = &credential {
            return Ok(Authorization::new(format!("Bearer {token}"), true));
        }
        let Challenge::Bearer { realm, service, scope, .. } = challenge else {
            return Ok(match credential.as_ref().and_then(Credential::basic) {
                Some(pair) => Authorization::new(basic(cx, &pair), true),
                None => Authorization::default(),
            });
        };
        // What a 401 names is added; what an earlier answer named belonged to another request.
        let wanted = refused.map(|_| Scopes::parse(scope)).unwrap_or_default();
        let scopes = call.scopes.union(&wanted);
        let key = TokenKey { realm: realm.clone(), service: service.clone(), scopes, credential };
        let place = call.peer.token(key.clone());
        let mut held = place.lock().await;
        let usable = held.as_ref().filter(|held| cx.clock.now() < held.until);
        let personal = key.credential.is_some();
        if let Some(held) = usable {
            let known = Authorization::new(format!("Bearer {}", held.value), personal);
            if refused != Some(&known) {
                return Ok(known);
            }
        }
        let token = self.fetch_token(cx, call, &key).await?;
        cx.report.secrets().register(&token.value);
        *held = Some(Held { value: token.value.clone(), until: cx.clock.now() + token.use_for });
        Ok(Authorization::new(format!("Bearer {}", token.value), personal))
    }

    /// The credentials for the call's repository, looked up once.
    async fn credential(&self, cx: &Context, call: &Call<'_>) -> Result<Option<Credential>, Trouble> {
        let Call { peer, repository, .. } = call;
        if let Some(known) = peer.known_credential(repository) {
            return Ok(known);
        }
        let (credentials, host, path) =
            (self.inner.options.credentials.clone(), peer.name().to_owned(), (*repository).to_owned());
        let found = tokio::task::spawn_blocking(move || credentials.lookup(&host, &path)).await;
        let found = found.map_err(|_| call.words("the search for credentials broke off"))??;
        found.iter().for_each(|c| c.register(cx.report.secrets()));
        peer.remember_credential(repository, found.clone());
        Ok(found)
    }

    async fn fetch_token(&self, cx: &Context, call: &Call<'_>, key: &TokenKey) -> Result<Token, Trouble> {
        let (realm, scheme) = self
            .token_server(call.peer, &key.realm)
            .map_err(|words| Trouble::never(Error::Untrusted(call.story(Cause::Words(words)))))?;
        let request = TokenRequest {
            realm: &realm,
            scheme,
            service: &key.service,
            scopes: key.scopes.texts(),
            credential: key.credential.as_ref(),
        };
        let mut tries = Tries::new(cx, self.inner.options.retry);
        loop {
            match self.ask_for_token(cx, &request).await {
                Ok(token) => return Ok(token),
                Err(trouble) => tries.again(trouble).await?,
            }
        }
    }

    /// The token server's address, if credentials may go there: a registry that is reached safely may not send them
    /// over plain text, and no registry may send them into this machine unless it is here itself.
    fn token_server(&self, peer: &Peer, realm: &str) -> Result<(Url, Scheme), String> {
        let url = Url::parse(realm).map_err(|_| format!("its token server {realm:?} is no address"))?;
        let host = authority(&url);
        let inside = base::is_loopback(&host) || is_link_local(&url);
        if inside && !base::is_loopback(peer.name()) {
            return Err(format!("its token server {host} is an address that only this machine can reach"));
        }
        let insecure = self.inner.options.is_insecure(&host);
        match url.scheme() {
            "https" if insecure => Ok((url, Scheme::Unverified)),
            // The same host as an unverified registry is not more trustworthy on another path.
            "https" if host == peer.name() && peer.endpoint.scheme == Scheme::Unverified => {
                Ok((url, Scheme::Unverified))
            }
            "https" => Ok((url, Scheme::Https)),
            "http" if peer.endpoint.scheme == Scheme::Http => Ok((url, Scheme::Http)),
            other => {
                Err(format!("its token server {host} wants credentials over {other}, which is not safe"))
            }
        }
    }

    async fn ask_for_token(&self, cx: &Context, request: &TokenRequest<'_>) -> Result<Token, Trouble> {
        match request.credential {
            Some(Credential::Identity { token, .. }) => {
                let form = [("grant_type", "refresh_token"), ("refresh_token", token.as_str())];
                match self.post_for_token(cx, request, &form).await {
                    Err(trouble) if is_unknown(&trouble) => self.get_token(cx, request).await,
                    other => other,
                }
            }
            Some(Credential::Basic { username, password }) => match self.get_token(cx, request).await {
                Err(trouble) if is_unknown(&trouble) => {
                    let form = [("grant_type", "password"), ("username", username), ("password", password)];
                    self.post_for_token(cx, request, &form).await
                }
                other => other,
            },
            Some(Credential::RegistryToken(_)) | None => self.get_token(cx, request).await,
        }
    }

    async fn get_token(&self, cx: &Context, request: &TokenRequest<'_>) -> Result<Token, Trouble> {
        let mut url = request.realm.clone();
        {
            let mut query = url.query_pairs_mut();
            if !request.service.is_empty() {
                query.append_pair("service", request.service);
            }
            request.scopes.iter().for_each(|scope| {
                query.append_pair("scope", scope);
            });
            if let Some(Credential::Basic { username, .. }) = request.credential {
                query.append_pair("account", username);
            }
        }
        let pool = self.inner.transports.pool(&self.inner.options, &url, request.scheme)?;
        let mut http = pool.get(url);
        if let Some(pair) = request.credential.and_then(Credential::basic) {
            http = http.header(header::AUTHORIZATION, basic(cx, &pair));
        }
        self.read_token(cx, request, http).await
    }

    async fn post_for_token(
        &self,
        cx: &Context,
        request: &TokenRequest<'_>,
        form: &[(&str, &str)],
    ) -> Result<Token, Trouble> {
        let pool = self.inner.transports.pool(&self.inner.options, request.realm, request.scheme)?;
        let scope = request.scopes.join(" ");
        let mut fields = form.to_vec();
        fields.extend([("service", request.service), ("scope", &scope), ("client_id", CLIENT_ID)]);
        self.read_token(cx, request, pool.post(request.realm.clone()).form(&fields)).await
    }

    async fn read_token(
        &self,
        cx: &Context,
        request: &TokenRequest<'_>,
        http: reqwest::RequestBuilder,
    ) -> Result<Token, Trouble> {
        let host = authority(request.realm);
        let action = format!("get a token from {host}");
        let stall = self.inner.options.timeouts.stall;
        let story = |cause| Story::boxed(action.as_str(), host.as_str(), cause);
        let late = |after: Duration| Trouble::later(Error::Unavailable(story(Cause::Stalled(after))));
        let sent = watched(stall, &Meter::default(), |_| {}, http.send()).await;
        let response =
            sent.map_err(|Stalled(after)| late(after))?.map_err(|error| broken(&action, &host, error))?;
        let mut reply = Reply::new(response, stall, None);
        let body = reply.body(TOKEN_BODY).await.map_err(|error| match error {
            super::flow::BodyError::Broken(error) => broken(&action, &host, error),
            super::flow::BodyError::Stalled(after) => late(after),
            super::flow::BodyError::TooLong(limit) => {
                let words = format!("its answer is longer than {limit} bytes");
                Trouble::never(Error::Refused(story(Cause::Words(words))))
            }
        })?;
        if reply.status() == 200 {
            return wire::token_answer(&body)
                .map_err(|words| Trouble::never(Error::Refused(story(Cause::Words(words.to_owned())))));
        }
        let mut story = story(Cause::Answer(wire::answer(reply.status(), &body)));
        story.with_credentials = request.credential.is_some();
        let after = reply.header("retry-after").and_then(|text| wire::retry_after(text, cx.clock.now()));
        Err(refused(story, after))
    }
}

fn basic(cx: &Context, pair: &str) -> String {
    let encoded = STANDARD.encode(pair);
    cx.report.secrets().register(&encoded);
    format!("Basic {encoded}")
}

/// Whether a token server knows only the other method.
fn is_unknown(trouble: &Trouble) -> bool {
    matches!(trouble.error, Error::Unsupported(_) | Error::NotFound(_))
}

/// 169.254.0.0/16 and fe80::/10: metadata services of clouds live there.
fn is_link_local(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_link_local(),
        Some(url::Host::Ipv6(address)) => address.is_unicast_link_local(),
        _ => false,
    }
}
