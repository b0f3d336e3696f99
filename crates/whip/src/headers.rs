//! Headers that every answer has, and the answer to OPTIONS (RFC 9725, section 4.1).

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

/// The type of an offer and of an answer.
pub(crate) const SDP: &str = "application/sdp";

/// The type of what a PATCH brings (RFC 8840).
pub(crate) const SDP_FRAGMENT: &str = "application/trickle-ice-sdpfrag";

/// A codec of the stream that a player's offer has a line for and cannot take.
pub(crate) const UNTAKEN_CODECS: HeaderName = HeaderName::from_static("untaken-codecs");

/// Answers OPTIONS, a browser's preflight among them.
pub(crate) async fn preflight() -> Response {
    let headers = [
        (header::HeaderName::from_static("accept-post"), SDP),
        (header::HeaderName::from_static("accept-patch"), SDP_FRAGMENT),
        (header::ACCESS_CONTROL_ALLOW_METHODS, "POST, PATCH, DELETE, OPTIONS"),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "authorization, content-type, if-match"),
        (header::ACCESS_CONTROL_MAX_AGE, "86400"),
    ];
    (StatusCode::NO_CONTENT, headers).into_response()
}

/// Lets pages of every origin read the answer.
pub(crate) async fn for_any_origin(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(
        header::ACCESS_CONTROL_EXPOSE_HEADERS,
        HeaderValue::from_static("location, etag, link, retry-after, accept-patch, untaken-codecs"),
    );
    response
}

/// Whether the body is of this type, whatever its parameters.
pub(crate) fn is_type(headers: &HeaderMap, wanted: &str) -> bool {
    let text = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media_type = text.and_then(|text| text.split(';').next()).map(str::trim);
    media_type.is_some_and(|media_type| media_type.eq_ignore_ascii_case(wanted))
}

/// The token of `Authorization: Bearer …`.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let text = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = text.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: header::HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_str(value).unwrap())])
    }

    #[test]
    fn a_token_stands_behind_bearer_in_any_case() {
        let token = |value| bearer(&headers(header::AUTHORIZATION, value)).map(str::to_owned);
        assert_eq!(token("Bearer 04abc").as_deref(), Some("04abc"));
        assert_eq!(token("bearer  04abc ").as_deref(), Some("04abc"));
        assert_eq!(token("Basic 04abc"), None);
        assert_eq!(token("Bearer"), None);
        assert_eq!(bearer(&HeaderMap::new()), None);
    }

    #[test]
    fn parameters_and_case_of_a_type_do_not_matter() {
        let is = |value| is_type(&headers(header::CONTENT_TYPE, value), SDP);
        assert!(is("application/sdp") && is("Application/SDP; charset=utf-8"));
        assert!(!is("application/sdpx") && !is("text/plain"));
        assert!(!is_type(&HeaderMap::new(), SDP));
    }
}
