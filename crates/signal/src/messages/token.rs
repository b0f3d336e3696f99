//! Tokens: `renew_token`, and the check that login and resumption share.

use std::time::Instant;

use odeum_auth::{Token, TokenError, TokenUse};
use odeum_proto::signal::{self as wire, Reply};
use odeum_room::RenewTokenError;
use odeum_types::{AppId, RoomId, UserId};

use super::{Caller, Handled, OpenSession, command_refusal};
use crate::code;
use crate::refusal::Refusal;

/// A token and what it must agree with.
pub(crate) struct Shown<'a> {
    /// The app that the client names.
    pub(crate) app: AppId,
    /// The room that it names.
    pub(crate) room: &'a RoomId,
    /// The user that it names.
    pub(crate) user: &'a UserId,
    /// The token.
    pub(crate) text: &'a str,
    /// What for.
    pub(crate) token_use: TokenUse,
}

/// Replaces the session's token; its rights count from now on.
pub(crate) async fn handle(
    caller: Caller,
    session: OpenSession,
    message: wire::RenewToken,
) -> Result<Handled, Refusal> {
    let token = check(
        &caller,
        Shown {
            app: session.reference.app,
            room: &session.reference.room,
            user: &session.user,
            text: &message.token,
            token_use: TokenUse::Renewal,
        },
    )?;
    let expires_at = caller.state.on_nodes_clock(token.expires_at);
    let renewed = caller.state.node().renew_token(&session.reference, Some(expires_at)).await;
    match renewed.map_err(command_refusal)? {
        Ok(()) => {
            Ok(Handled::Renewed { reply: Reply::Done { request_id: message.request_id }, token })
        }
        Err(error @ RenewTokenError::NoSession(_)) => Err(Refusal::new(code::NOT_LOGGED_IN, error)),
    }
}

/// Checks a token; a failure counts against the caller's address.
pub(crate) fn check_counted(
    caller: &Caller,
    now: Instant,
    shown: Shown<'_>,
) -> Result<Token, Refusal> {
    let failed_logins = caller.state.failed_logins();
    if !failed_logins.may_try(now, caller.source) {
        // Not the code of a bad token, which clients take for final: this one may be good.
        return Err(Refusal::new(
            code::TOO_OFTEN,
            "too many failed logins from this address, try again in a second",
        ));
    }
    check(caller, shown).inspect_err(|_| failed_logins.failed(now, caller.source))
}

fn check(caller: &Caller, shown: Shown<'_>) -> Result<Token, Refusal> {
    let Shown { app, room, user, text, token_use } = shown;
    let credentials = (caller.state.apps().get(app))
        .ok_or_else(|| Refusal::new(code::APP_REFUSED, format!("there is no app {app} here")))?;
    credentials
        .open_token(text, app, user, room, token_use, caller.state.now())
        .map_err(|error: TokenError| Refusal::new(error.client_code(), error))
}
