//! The HTTP side: one path, two methods, bounded sizes; everything that passes is HTTP 200 (ruling
//! 2).

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use axum::body::{self, Body, HttpBody};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::query::Fields;
use crate::{ApiState, answer};

/// Longest query, in bytes; a longer one is refused with 414.
const QUERY_BYTES_MAX: usize = 16 * 1024;

/// Longest body of a POST, in bytes; a longer one is refused with 413.
const BODY_BYTES_MAX: usize = 1024 * 1024;

/// How long a body may take to arrive; a slower one is refused with 408.
const BODY_TIME_MAX: Duration = Duration::from_secs(10);

/// Answers a request to `/`.
pub(crate) async fn serve(State(state): State<ApiState>, request: Request) -> Response {
    let has_body = match *request.method() {
        Method::GET => false,
        Method::POST => true,
        _ => {
            return (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, "GET, POST")])
                .into_response();
        }
    };
    let source = source(&request);
    let (head, body) = request.into_parts();
    let query = head.uri.query().unwrap_or_default();
    if query.len() > QUERY_BYTES_MAX {
        return StatusCode::URI_TOO_LONG.into_response();
    }
    let body = match has_body {
        true => match read(body).await {
            Ok(body) => Some(body),
            Err(status) => return status.into_response(),
        },
        false => None,
    };
    let fields = Fields::parse(query, body.as_deref());
    let text = answer::answer(&state, fields, source).await;
    let kind = [(header::CONTENT_TYPE, "application/json")];
    (kind, text.0.to_string()).into_response()
}

async fn read(body: Body) -> Result<body::Bytes, StatusCode> {
    // What Content-Length says: one that is too long by its own words is not waited for.
    if body.size_hint().lower() > BODY_BYTES_MAX as u64 {
        return Err(StatusCode::PAYLOAD_TOO_LARGE);
    }
    let read = body::to_bytes(body, BODY_BYTES_MAX);
    match tokio::time::timeout(BODY_TIME_MAX, read).await {
        Ok(Ok(bytes)) => Ok(bytes),
        // A connection that broke while sending does not see the status.
        Ok(Err(_)) => Err(StatusCode::PAYLOAD_TOO_LARGE),
        Err(_) => Err(StatusCode::REQUEST_TIMEOUT),
    }
}

fn source(request: &Request) -> Option<IpAddr> {
    let ConnectInfo(address) = request.extensions().get::<ConnectInfo<SocketAddr>>()?;
    Some(address.ip())
}
