//! STUN and TURN servers as `Link` headers of `rel="ice-server"` (RFC 9725, section 4.6): with the
//! answer to an offer, and with the answer to OPTIONS, for clients that gather before they offer.

use std::net::SocketAddr;

use axum::extract::rejection::QueryRejection;
use axum::extract::{ConnectInfo, Extension, Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use odeum_auth::{IceServerGrant, TurnHolder};

use crate::headers::{self, bearer};
use crate::offer::{Client, Options, authenticate, place};
use crate::{WhipState, source};

/// Answers OPTIONS. TURN servers are for those alone who show a token that an offer would be taken
/// with; a browser's preflight, which has none, hears of STUN servers.
pub(crate) async fn preflight(
    State(state): State<WhipState>,
    address: Option<Extension<ConnectInfo<SocketAddr>>>,
    Path((room, stream)): Path<(String, String)>,
    options: Result<Query<Options>, QueryRejection>,
    headers: HeaderMap,
) -> Response {
    let mut response = headers::preflight().await;
    let app = options.ok().and_then(|Query(options)| options.app_id);
    let client = (bearer(&headers).is_some())
        .then(|| place(&room, &stream).ok())
        .flatten()
        .and_then(|(room, _)| authenticate(&state, source(address), &room, app, &headers).ok());
    let servers = match client {
        Some(Client { app, user, .. }) => {
            let holder = TurnHolder { app, user, session: None };
            state.0.ice_servers.grants(&holder, state.now())
        }
        None => state.0.ice_servers.open(),
    };
    add(response.headers_mut(), &servers);
    response
}

/// One header for each URL.
pub(crate) fn add(headers: &mut HeaderMap, servers: &[IceServerGrant]) {
    for server in servers {
        for url in &server.urls {
            let mut text = format!("<{}>; rel=\"ice-server\"", url.as_str());
            if let Some((username, credential)) = &server.credentials {
                let (username, credential) = (quoted(username), quoted(credential.expose()));
                text += &format!("; username={username}; credential={credential}");
                text += "; credential-type=\"password\"";
            }
            // The configuration lets no other characters through than a header takes.
            if let Ok(value) = HeaderValue::try_from(text) {
                headers.append(header::LINK, value);
            }
        }
    }
}

/// A quoted-string (RFC 9110 §5.6.4).
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use odeum_auth::{IceAccess, IceServer, IceServers, IceUrl};
    use odeum_types::{AppId, Redacted, UnixMillis, UserId};

    use super::*;

    #[test]
    fn every_url_has_a_header_with_what_opens_it() {
        let server = |urls: &[&str], access| IceServer {
            urls: urls.iter().map(|url| IceUrl::parse(url).unwrap()).collect(),
            access,
        };
        let username = "a\"b\\c".to_owned();
        let credential = Redacted::new("p".to_owned());
        let servers = IceServers::new(vec![
            server(&["stun:s.example"], IceAccess::Open),
            server(
                &["turn:t.example?transport=udp", "turns:t.example"],
                IceAccess::Fixed { username, credential },
            ),
        ]);
        let mut headers = HeaderMap::new();
        let user = UserId::parse("ann").unwrap();
        let holder = TurnHolder { app: AppId(1), user, session: None };
        add(&mut headers, &servers.grants(&holder, UnixMillis(0)));
        let links: Vec<_> =
            headers.get_all(header::LINK).iter().map(|value| value.to_str().unwrap()).collect();
        let secrets = r#"username="a\"b\\c"; credential="p"; credential-type="password""#;
        assert_eq!(
            links,
            [
                "<stun:s.example>; rel=\"ice-server\"".to_owned(),
                format!("<turn:t.example?transport=udp>; rel=\"ice-server\"; {secrets}"),
                format!("<turns:t.example>; rel=\"ice-server\"; {secrets}"),
            ]
        );
    }
}
