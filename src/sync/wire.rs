//! What a lock server and its clients say to each other (werf's lockgate: `http_backend.go`; werf: `server.go`).

use serde::{Deserialize, Serialize};

use super::record::Handle;

/// `POST /{client}/locker/acquire`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct AcquireRequest {
    pub lock_name: String,
    pub opts: AcquireOptions,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct AcquireOptions {
    pub shared: bool,
    /// Who waits; older clients do not say it, and are served without an order.
    pub acquirer_id: String,
}

/// Its answer; the handle is empty if `err` is not.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct AcquireAnswer {
    pub lock_handle: Handle,
    pub err: String,
}

/// `POST /{client}/locker/renew-lease` and `release`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct HandleRequest {
    pub lock_handle: Handle,
}

/// Its answer.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Answer {
    pub err: String,
}

/// `POST /health`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct HealthRequest {
    pub echo: String,
}

/// Its answer.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct HealthAnswer {
    pub err: String,
    pub echo: String,
    pub status: String,
}

/// `POST /new-client-id` takes an empty object; its answer.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct NewClientAnswer {
    pub err: String,
    #[serde(rename = "clientID")]
    pub client_id: String,
}
