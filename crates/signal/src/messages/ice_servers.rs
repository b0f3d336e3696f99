//! STUN and TURN servers in the replies to `login` and `resume`.

use odeum_proto::signal as wire;

use super::Caller;

/// What `user` is told of, with credentials that begin to be good now.
pub(super) fn for_user(caller: &Caller, user: &str) -> Vec<wire::IceServer> {
    let grants = caller.state.ice_servers().grants(user, caller.state.now()).into_iter();
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
