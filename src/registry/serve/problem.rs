//! Refusals, with the codes of the specification. OCI distribution-spec, "Error Codes".

use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, StatusCode};
use serde_json::{Value, json};

use crate::host;

/// A request that is not granted.
#[derive(Debug)]
pub(super) struct Problem {
    status: StatusCode,
    code: &'static str,
    message: String,
    detail: Value,
    headers: Vec<(HeaderName, String)>,
}

impl Problem {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), detail: Value::Null, headers: Vec::new() }
    }

    pub(super) fn name_invalid(name: &str) -> Self {
        let shown: String = name.chars().take(100).collect();
        Self::new(StatusCode::BAD_REQUEST, "NAME_INVALID", format!("invalid repository name {shown:?}"))
    }

    pub(super) fn name_unknown(name: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "NAME_UNKNOWN", format!("there is no repository {name}"))
    }

    pub(super) fn no_such_page() -> Self {
        Self::new(StatusCode::NOT_FOUND, "UNSUPPORTED", "this is not a path of the registry's interface")
    }

    pub(super) fn digest_invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "DIGEST_INVALID", message)
    }

    pub(super) fn size_invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "SIZE_INVALID", message)
    }

    pub(super) fn too_large(limit: usize) -> Self {
        let words = format!("a manifest may have {limit} bytes");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "MANIFEST_INVALID", words)
    }

    pub(super) fn manifest_invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "MANIFEST_INVALID", message)
    }

    pub(super) fn manifest_unknown(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "MANIFEST_UNKNOWN", format!("there is no manifest {what}"))
    }

    pub(super) fn tag_taken(tag: &str) -> Self {
        Self::new(
            StatusCode::PRECONDITION_FAILED,
            "DENIED",
            format!("the tag {tag} stands for something else"),
        )
    }

    pub(super) fn missing(digests: &[String]) -> Self {
        let words = "the repository lacks what the manifest refers to";
        let problem = Self::new(StatusCode::NOT_FOUND, "MANIFEST_BLOB_UNKNOWN", words);
        Self { detail: json!({ "digests": digests }), ..problem }
    }

    pub(super) fn blob_unknown(digest: &str) -> Self {
        let problem = Self::new(StatusCode::NOT_FOUND, "BLOB_UNKNOWN", "the repository has no such blob");
        Self { detail: json!({ "digest": digest }), ..problem }
    }

    pub(super) fn upload_unknown() -> Self {
        Self::new(StatusCode::NOT_FOUND, "BLOB_UPLOAD_UNKNOWN", "there is no such upload")
    }

    pub(super) fn upload_invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "BLOB_UPLOAD_INVALID", message)
    }

    pub(super) fn upload_busy() -> Self {
        Self::new(StatusCode::CONFLICT, "BLOB_UPLOAD_INVALID", "another request writes to this upload")
    }

    pub(super) fn out_of_order(length: u64) -> Self {
        let words = format!("the upload has {length} bytes, the next must begin there");
        Self::new(StatusCode::RANGE_NOT_SATISFIABLE, "BLOB_UPLOAD_INVALID", words)
    }

    pub(super) fn no_such_range(size: u64) -> Self {
        let words = format!("the blob has {size} bytes");
        Self::new(StatusCode::RANGE_NOT_SATISFIABLE, "SIZE_INVALID", words)
            .with(http::header::CONTENT_RANGE, format!("bytes */{size}"))
    }

    pub(super) fn unsupported(message: impl Into<String>) -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "UNSUPPORTED", message)
    }

    pub(super) fn internal(message: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "UNKNOWN", message)
    }

    pub(super) fn with(mut self, name: HeaderName, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

impl From<host::Error> for Problem {
    /// The path stays here: it is nobody's business outside.
    fn from(error: host::Error) -> Self {
        match error.is_disk_full() {
            true => Self::new(StatusCode::INSUFFICIENT_STORAGE, "UNKNOWN", "the registry's disk is full"),
            false => {
                Self::internal(format!("the registry could not {} a file: {}", error.action, error.source))
            }
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut error = json!({ "code": self.code, "message": self.message });
        if !self.detail.is_null() {
            error["detail"] = self.detail;
        }
        let mut response = (self.status, axum::Json(json!({ "errors": [error] }))).into_response();
        for (name, value) in self.headers {
            if let Ok(value) = HeaderValue::from_str(&value) {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
}
