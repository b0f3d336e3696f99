//! What a browser can load: the SDK, for every origin, and in `--dev` the try-it page.

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use odeum_node::NodeHandle;

/// The browser SDK as one ES module.
const SDK: &str = include_str!(concat!(env!("OUT_DIR"), "/odeum.js"));

/// `built`, or `missing` when the binary was made without Node.
const SDK_STATE: &str = env!("ODEUM_SDK");

/// Routes of the public listener that need no app: health and the SDK.
pub(crate) fn public_router(node: NodeHandle) -> Router {
    Router::new().route("/healthz", get(health)).with_state(node).route("/sdk/odeum.js", get(sdk))
}

/// Files of the try-it page.
pub(crate) fn try_router() -> Router {
    const HTML: &str = "text/html; charset=utf-8";
    const CSS: &str = "text/css; charset=utf-8";
    Router::new()
        .route("/try", get(|| file(HTML, include_str!("../../../console/try/index.html"))))
        .route("/try/try.css", get(|| file(CSS, include_str!("../../../console/try/try.css"))))
        .route("/try/try.js", get(|| file(JAVASCRIPT, include_str!("../../../console/try/try.js"))))
        .route("/try/actions.js", get(|| file(JAVASCRIPT, ACTIONS)))
}

/// The calls that the try-it page can make.
const ACTIONS: &str = include_str!("../../../console/try/actions.js");

const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

/// 503 once the server closes, or when it cannot serve media: a load balancer looks elsewhere.
async fn health(State(node): State<NodeHandle>) -> impl IntoResponse {
    let (code, status) = match node.is_healthy() {
        true => (StatusCode::OK, "ok"),
        false => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
    };
    let body = format!("{{\"status\":\"{status}\",\"sdk\":\"{SDK_STATE}\"}}");
    (code, [(header::CONTENT_TYPE, "application/json")], body)
}

async fn sdk() -> impl IntoResponse {
    let headers = [
        (header::CONTENT_TYPE, JAVASCRIPT),
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (header::CACHE_CONTROL, "no-cache"),
    ];
    (headers, SDK)
}

async fn file(content_type: &'static str, text: &'static str) -> impl IntoResponse {
    let headers = [(header::CONTENT_TYPE, content_type), (header::CACHE_CONTROL, "no-cache")];
    (headers, text)
}
