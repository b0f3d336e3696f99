//! The life of one WebSocket: first a login or a resumption, then requests one after another and
//! the room's notices in between, at last a close with a reason. One task owns it all.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::ws::{Message, Utf8Bytes, WebSocket};
use odeum_node::{CloseReason, Inbox, Outgoing};
use odeum_proto::signal::{ClientMessage, ErrorMessage, Reply, close_code};
use odeum_room::{KickoutReason, Notice};
use serde::Deserialize;

use crate::code;
use crate::limits::{FAULTS_MAX, MESSAGE_BYTES_MAX, TOO_OFTEN_MAX};
use crate::messages::{self, Caller, Handled, OpenSession};
use crate::refusal::Refusal;
use crate::wire::{Arrival, Read, Wire};
use odeum_auth::RateBucket;

/// The `sequence` of a notice that has none.
const NOT_NUMBERED: u64 = 0;

/// One WebSocket.
pub(crate) struct Connection {
    /// Who is at the other end.
    caller: Caller,
    /// The socket.
    wire: Wire,
    /// The session, once a login or resumption went well.
    session: Option<OpenSession>,
    /// The session's notices.
    inbox: Option<Inbox>,
    /// The request that is being answered; the next one is read after it.
    request: Option<Request>,
    /// Set when the session ended while a request was being answered: what to close with after it.
    ending: Option<Closing>,
    /// What the session's end was called in its kickout.
    kickout: Option<KickoutReason>,
    /// Since when so much waits for the client that nothing more is taken for it.
    full_since: Option<tokio::time::Instant>,
    /// How often messages may come.
    rate: RateBucket,
    /// Messages refused for coming too often.
    too_often: u32,
    /// Messages that could not be read or came where they may not.
    faults: u32,
}

/// A request that is being answered.
struct Request {
    /// Its number.
    id: u64,
    /// The answer to come.
    answer: Pin<Box<dyn Future<Output = Result<Handled, Refusal>> + Send>>,
}

/// Why and how a WebSocket is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Closing {
    /// Close code; none when the other end has gone.
    code: Option<u16>,
    /// The reason in the close frame, and in the log.
    reason: &'static str,
}

/// What happened next.
enum Step {
    Answer(Box<Result<Handled, Refusal>>),
    Outgoing(Option<Outgoing>),
    Arrival(Arrival),
    /// The socket takes nothing, and the session's inbox is full or the time for it is over.
    Cut,
    /// No session in time.
    Silent,
}

impl Connection {
    /// A WebSocket that was just opened.
    pub(crate) fn new(caller: Caller, socket: WebSocket) -> Self {
        let limits = caller.state.limits();
        let (per_second, burst) = (limits.messages_per_second, limits.messages_burst);
        Self {
            wire: Wire::new(socket),
            session: None,
            inbox: None,
            request: None,
            ending: None,
            kickout: None,
            full_since: None,
            rate: RateBucket::new(Instant::now(), per_second, burst),
            too_often: 0,
            faults: 0,
            caller,
        }
    }

    /// Serves the WebSocket until it is closed.
    pub(crate) async fn run(mut self) {
        let closing = self.serve().await;
        // The answer to a request that is still under way has nobody to go to; what it does in the
        // room is done by the node whether it is waited for or not.
        drop(self.request.take());
        let node = self.caller.state.node().clone();
        if let Some(session) = self.session.take() {
            tracing::debug!(
                app = %session.reference.app, room = %session.reference.room, user = %session.user,
                reason = closing.reason, "connection closed"
            );
            node.disconnected(&session.reference).await;
        }
        if let Some(code) = closing.code {
            if code == close_code::TOO_SLOW {
                self.wire.clear();
            }
            let timeout = self.caller.state.limits().close_timeout;
            self.wire.close(code, closing.reason, timeout).await;
        }
    }

    async fn serve(&mut self) -> Closing {
        let deadline = tokio::time::Instant::now() + self.caller.state.limits().login_deadline;
        loop {
            let carried_on = match self.step(deadline).await {
                Step::Answer(answer) => self.on_answer(*answer),
                Step::Outgoing(outgoing) => self.on_outgoing(outgoing),
                Step::Arrival(arrival) => self.on_arrival(arrival),
                Step::Cut => Err(Closing::new(close_code::TOO_SLOW, "the client reads too slowly")),
                Step::Silent => Err(Closing::new(close_code::SILENT, "no login in time")),
            };
            if let Err(closing) = carried_on {
                return closing;
            }
        }
    }

    async fn step(&mut self, deadline: tokio::time::Instant) -> Step {
        let full = self.wire.is_full();
        let full_since = full.then(|| self.full_since.unwrap_or_else(tokio::time::Instant::now));
        self.full_since = full_since;
        let stalled_at = full_since.map(|at| at + self.caller.state.limits().stall_timeout);
        let read = if full || self.request.is_some() { Read::Later } else { Read::Wanted };
        let takes_notices = !full && self.ending.is_none() && self.inbox.is_some();
        let cut = self.inbox.as_ref().filter(|_| full).map(Inbox::cut_signal);
        tokio::select! {
            biased;
            answer = async { (&mut self.request.as_mut().expect("checked").answer).await },
                if self.request.is_some() => Step::Answer(Box::new(answer)),
            outgoing = async { self.inbox.as_mut().expect("checked").recv().await },
                if takes_notices => Step::Outgoing(outgoing),
            () = async { cut.as_ref().expect("checked").cut().await },
                if cut.is_some() => Step::Cut,
            arrival = self.wire.next(read) => Step::Arrival(arrival),
            () = tokio::time::sleep_until(stalled_at.unwrap_or(deadline)),
                if stalled_at.is_some() => Step::Cut,
            () = tokio::time::sleep_until(deadline),
                if self.session.is_none() && self.request.is_none() => Step::Silent,
        }
    }

    fn on_answer(&mut self, answer: Result<Handled, Refusal>) -> Result<(), Closing> {
        let request = self.request.take().map(|request| request.id);
        match answer {
            Ok(Handled::Opened { reply, session, inbox }) => {
                self.session = Some(session);
                self.inbox = Some(inbox);
                self.push_reply(&reply);
            }
            Ok(Handled::Renewed { reply, token }) => {
                if let Some(session) = &mut self.session {
                    session.token = token.into();
                }
                self.push_reply(&reply);
            }
            Ok(Handled::Answered(reply)) => self.push_reply(&reply),
            Ok(Handled::Ended(reply)) => {
                self.push_reply(&reply);
                self.session = None;
                return Err(Closing::new(close_code::SESSION_OVER, "logged out"));
            }
            Err(refusal) => {
                let before_login = self.session.is_none() && refusal.code == code::NOT_LOGGED_IN;
                self.push_error(&refusal.into_message(request));
                if before_login {
                    self.fault()?;
                }
            }
        }
        self.ending.map_or(Ok(()), Err)
    }

    fn on_outgoing(&mut self, outgoing: Option<Outgoing>) -> Result<(), Closing> {
        let closing = match outgoing {
            Some(Outgoing::Notice { sequence, notice }) => {
                self.push_notice(sequence, &notice);
                return Ok(());
            }
            Some(Outgoing::Unnumbered { notice }) => {
                self.push_notice(NOT_NUMBERED, &notice);
                return Ok(());
            }
            Some(Outgoing::Close { reason }) => closing(reason, self.kickout),
            // The node drops the other end of an inbox only when it ends itself.
            None => closing(CloseReason::ServerClosing, self.kickout),
        };
        if self.request.is_some() {
            self.ending = Some(closing);
            return Ok(());
        }
        Err(closing)
    }

    fn on_arrival(&mut self, arrival: Arrival) -> Result<(), Closing> {
        let message = match arrival {
            Arrival::Message(message) => message,
            Arrival::Relieved => return Ok(()),
            Arrival::Broken => {
                return Err(Closing::new(close_code::PROTOCOL_ERROR, "broken WebSocket"));
            }
            Arrival::Gone => return Err(Closing { code: None, reason: "gone" }),
        };
        let in_time = self.rate.try_take(Instant::now());
        match message {
            Message::Text(text) if text.len() > MESSAGE_BYTES_MAX => {
                Err(Closing::new(close_code::PROTOCOL_ERROR, "message too large"))
            }
            Message::Text(text) if in_time => self.on_text(&text),
            Message::Text(text) => {
                let refusal = Refusal::new(code::TOO_OFTEN, "messages come too often");
                self.push_error(&refusal.into_message(any_request_id(&text)));
                self.count_too_often()
            }
            Message::Binary(_) => {
                Err(Closing::new(close_code::PROTOCOL_ERROR, "binary messages are not spoken here"))
            }
            // The library answers a ping by itself.
            Message::Ping(_) | Message::Pong(_) if in_time => Ok(()),
            Message::Ping(_) | Message::Pong(_) => self.count_too_often(),
            Message::Close(_) => Err(Closing { code: None, reason: "closed by the client" }),
        }
    }

    fn on_text(&mut self, text: &Utf8Bytes) -> Result<(), Closing> {
        let message: ClientMessage = match serde_json::from_str(text) {
            Ok(message) => message,
            Err(error) => {
                // The text of serde's error names keys and positions, at most one word of the
                // client.
                let refusal = Refusal::new(code::BAD_PARAMETER, format!("unreadable: {error}"));
                self.push_error(&refusal.into_message(any_request_id(text)));
                return self.fault();
            }
        };
        self.request = Some(Request {
            id: messages::request_id(&message),
            answer: Box::pin(messages::handle(self.caller.clone(), self.session.clone(), message)),
        });
        Ok(())
    }

    fn fault(&mut self) -> Result<(), Closing> {
        self.faults += 1;
        if self.faults < FAULTS_MAX {
            return Ok(());
        }
        Err(Closing::new(close_code::PROTOCOL_ERROR, "too many messages that cannot be handled"))
    }

    fn count_too_often(&mut self) -> Result<(), Closing> {
        self.too_often += 1;
        if self.too_often < TOO_OFTEN_MAX {
            return Ok(());
        }
        Err(Closing::new(close_code::PROTOCOL_ERROR, "messages come too often"))
    }

    fn push_notice(&mut self, sequence: u64, notice: &Arc<Notice>) {
        if let Notice::Kickout { reason, .. } = &**notice {
            self.kickout = Some(*reason);
        }
        let Some(session) = &self.session else { return };
        let room = &session.reference.room;
        if let Some(text) = self.caller.state.notices().text(sequence, room, notice) {
            self.wire.push(text);
        }
    }

    fn push_reply(&mut self, reply: &Reply) {
        let text = serde_json::to_string(reply).expect("a reply has only JSON types");
        self.wire.push(text.into());
    }

    fn push_error(&mut self, error: &ErrorMessage) {
        let text = serde_json::to_string(error).expect("an error has only JSON types");
        self.wire.push(text.into());
    }
}

impl Closing {
    fn new(code: u16, reason: &'static str) -> Self {
        Self { code: Some(code), reason }
    }
}

/// The close code for the end of a session; `kickout` is the last kickout that it got.
fn closing(reason: CloseReason, kickout: Option<KickoutReason>) -> Closing {
    match reason {
        CloseReason::Replaced => {
            Closing::new(close_code::REPLACED, "the session goes on over another WebSocket")
        }
        CloseReason::TooSlow => Closing::new(close_code::TOO_SLOW, "the client reads too slowly"),
        CloseReason::ServerClosing => {
            Closing::new(close_code::SERVER_CLOSING, "the server is closing")
        }
        CloseReason::RoomFailed => Closing::new(close_code::SERVER_CLOSING, "the room has failed"),
        CloseReason::SessionOver => match kickout {
            Some(KickoutReason::ServerClosing) => {
                Closing::new(close_code::SERVER_CLOSING, "the server is closing")
            }
            Some(KickoutReason::HeartbeatTimeout) => {
                Closing::new(close_code::SILENT, "no heartbeat in time")
            }
            Some(
                KickoutReason::LoggedInElsewhere
                | KickoutReason::Kicked
                | KickoutReason::RoomClosed
                | KickoutReason::TokenExpired,
            )
            | None => Closing::new(close_code::SESSION_OVER, "the session is over"),
        },
    }
}

/// The request id of a message that is not read whole, if it has one.
fn any_request_id(text: &str) -> Option<u64> {
    #[derive(Deserialize)]
    struct Numbered {
        request_id: u64,
    }
    serde_json::from_str::<Numbered>(text).ok().map(|numbered| numbered.request_id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_close_code_says_whether_to_resume_log_in_or_stay_away() {
        for (reason, kickout, code) in [
            (CloseReason::Replaced, None, 4001),
            (CloseReason::TooSlow, None, 4002),
            (CloseReason::ServerClosing, None, 4004),
            (CloseReason::RoomFailed, None, 4004),
            (CloseReason::SessionOver, None, 4000),
            (CloseReason::SessionOver, Some(KickoutReason::Kicked), 4000),
            (CloseReason::SessionOver, Some(KickoutReason::ServerClosing), 4004),
            (CloseReason::SessionOver, Some(KickoutReason::HeartbeatTimeout), 4005),
        ] {
            assert_eq!(closing(reason, kickout).code, Some(code), "{reason:?} {kickout:?}");
        }
    }

    #[test]
    fn a_refused_message_is_answered_under_its_number_when_it_has_one() {
        assert_eq!(any_request_id(r#"{"type":"dance","request_id":4}"#), Some(4));
        assert_eq!(any_request_id(r#"{"type":"dance"}"#), None);
        assert_eq!(any_request_id("dance"), None);
    }
}
