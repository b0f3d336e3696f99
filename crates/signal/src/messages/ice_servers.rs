//! STUN and TURN servers in the replies to `login` and `resume`.

use odeum_auth::TurnHolder;
use odeum_node::SessionRef;
use odeum_proto::signal as wire;
use odeum_types::UserId;

use super::Caller;

/// What the session of `user` is told of, with credentials that begin to be good now.
pub(super) fn for_session(
    caller: &Caller,
    user: &UserId,
    session: &SessionRef,
) -> Vec<wire::IceServer> {
    let holder =
        TurnHolder { app: session.app, user: user.clone(), session: Some(session.session) };
    let grants = caller.state.ice_servers().grants(&holder, caller.state.now()).into_iter();
    grants
        .map(|grant| {
            let (username, credential) = grant.credentials.unzip();
            wire::IceServer {
                urls: grant.urls.iter().map(|url| url.as_str().to_owned()).collect(),
                username,
                credential: credential.map(|credential| credential.expose().clone()),
            }
        })
        .collect()
}
