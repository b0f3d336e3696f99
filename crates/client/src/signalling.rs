//! One WebSocket to a server: requests and their replies, heartbeats, and the notices that come.

mod messages;
mod options;
mod owner;
mod socket;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use odeum_proto::signal::{
    self as wire, ClientMessage, ErrorMessage, LoggedIn, Numbered, Reply, Resumed,
};
use tokio::sync::{mpsc, oneshot};
use tokio_tungstenite::tungstenite::Message;

use crate::view::RoomView;
use owner::Owner;

pub use options::{LoginOptions, ResumeOptions};
pub use socket::{ByteStream, ConnectError, ConnectOptions, Tls, open_stream};

/// Requests that may wait for the WebSocket; beyond it a request waits to be queued.
const REQUESTS_QUEUED_MAX: usize = 64;

/// How long a reply may take; the server gives up after 5 s itself.
const REPLY_TIMEOUT: Duration = Duration::from_secs(10);

/// The requesting half of a connection. Clones share it; the WebSocket closes when all are dropped.
#[derive(Debug, Clone)]
pub struct Signalling {
    /// To the task that owns the WebSocket.
    requests: mpsc::Sender<Command>,
    /// Request ids given out.
    request_ids: Arc<AtomicU64>,
}

/// The listening half of a connection.
#[derive(Debug)]
pub struct Events {
    /// From the task that owns the WebSocket. Unbounded: a test or load generator reads all; a
    /// notice is small, and the server bounds what it sends to a session that does not heartbeat.
    events: mpsc::UnboundedReceiver<Event>,
    /// What the events so far tell.
    view: RoomView,
}

/// What comes without being asked for.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The room as it is; comes first, and after a resumption that missed too much.
    Snapshot(wire::Snapshot),
    /// Something happened in the room.
    Notice(Numbered),
    /// A message of the time that a snapshot has covered; after that snapshot, in order.
    Missed(Numbered),
    /// At most so many messages of that time are lost; before those that are not.
    MessagesLost(u64),
    /// An `error` that belongs to no request.
    Error(ErrorMessage),
    /// A notice is missing: the server broke its word. The notice follows.
    Gap(crate::view::GapError),
    /// The WebSocket is closed; the last event.
    Closed {
        /// The server's close code; none when the network failed.
        code: Option<u16>,
        /// The server's words.
        reason: String,
    },
}

/// Why a request was not carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// The server refused.
    #[error("refused with {code}: {message}")]
    Refused {
        /// A client error code of the contract.
        code: u32,
        /// The server's sentence.
        message: String,
    },
    /// The WebSocket closed before the reply.
    #[error("the WebSocket is closed")]
    Closed,
    /// No reply in time.
    #[error("no reply in {} s", REPLY_TIMEOUT.as_secs())]
    TimedOut,
    /// The reply was of another kind than the request asks for.
    #[error("the reply is of the wrong kind")]
    WrongReply,
}

/// For the task that owns the WebSocket.
#[derive(Debug)]
enum Command {
    /// A request.
    Request {
        /// Its number.
        id: u64,
        /// Its text.
        text: String,
        /// Where the reply goes.
        reply: oneshot::Sender<Result<Reply, RequestError>>,
    },
    /// Any text, as it is.
    Raw(Message),
    /// How often to heartbeat once a session is resumed.
    HeartbeatEvery(Duration),
}

impl Signalling {
    /// Opens a WebSocket.
    ///
    /// # Errors
    /// As [`ConnectError`] says.
    pub async fn connect(options: &ConnectOptions) -> Result<(Self, Events), ConnectError> {
        let socket = socket::connect(options).await?;
        let (requests, commands) = mpsc::channel(REQUESTS_QUEUED_MAX);
        let (sender, events) = mpsc::unbounded_channel();
        tokio::spawn(Owner::new(sender).run(socket, commands));
        let signalling = Self { requests, request_ids: Arc::new(AtomicU64::new(1)) };
        Ok((signalling, Events { events, view: RoomView::default() }))
    }

    /// Opens a session. Heartbeats go out by themselves from then on.
    ///
    /// # Errors
    /// As [`RequestError`] says.
    pub async fn login(&self, options: LoginOptions) -> Result<LoggedIn, RequestError> {
        let request_id = self.next_id();
        let message = ClientMessage::Login(wire::Login {
            request_id,
            version: wire::VERSION,
            app_id: options.app_id,
            room_id: options.room_id,
            user_id: options.user_id,
            user_name: options.user_name,
            token: options.token,
            user_update: options.user_update,
            max_member_count: options.max_member_count,
        });
        match self.request(request_id, &message).await? {
            Reply::LoggedIn(logged_in) => Ok(logged_in),
            Reply::Resumed(_)
            | Reply::Answer(_)
            | Reply::IceRestarted(_)
            | Reply::CommandSent(_)
            | Reply::Done { .. } => Err(RequestError::WrongReply),
        }
    }

    /// Carries a session on over this WebSocket.
    ///
    /// # Errors
    /// As [`RequestError`] says.
    pub async fn resume(&self, options: ResumeOptions) -> Result<Resumed, RequestError> {
        let request_id = self.next_id();
        let interval = Command::HeartbeatEvery(options.heartbeat_interval);
        self.requests.send(interval).await.map_err(|_| RequestError::Closed)?;
        let message = ClientMessage::Resume(wire::Resume {
            request_id,
            version: wire::VERSION,
            app_id: options.app_id,
            room_id: options.room_id,
            user_id: options.user_id,
            session_id: options.session_id,
            resume_secret: options.resume_secret,
            last_sequence: options.last_sequence,
            token: options.token,
        });
        match self.request(request_id, &message).await? {
            Reply::Resumed(resumed) => Ok(resumed),
            Reply::LoggedIn(_)
            | Reply::Answer(_)
            | Reply::IceRestarted(_)
            | Reply::CommandSent(_)
            | Reply::Done { .. } => Err(RequestError::WrongReply),
        }
    }

    /// Ends the session.
    ///
    /// # Errors
    /// As [`RequestError`] says.
    pub async fn logout(&self, room_id: &str) -> Result<(), RequestError> {
        let request_id = self.next_id();
        let room_id = room_id.to_owned();
        self.done(request_id, ClientMessage::Logout(wire::RoomRequest { request_id, room_id }))
            .await
    }

    /// Replaces the session's token.
    ///
    /// # Errors
    /// As [`RequestError`] says.
    pub async fn renew_token(&self, room_id: &str, token: &str) -> Result<(), RequestError> {
        let request_id = self.next_id();
        let (room_id, token) = (room_id.to_owned(), token.to_owned());
        let message = wire::RenewToken { request_id, room_id, token };
        self.done(request_id, ClientMessage::RenewToken(message)).await
    }

    /// Says that the client lives and has seen all notices up to `last_sequence`. Also sent by
    /// itself.
    ///
    /// # Errors
    /// As [`RequestError`] says.
    pub async fn heartbeat(&self, room_id: &str, last_sequence: u64) -> Result<(), RequestError> {
        let request_id = self.next_id();
        let message = wire::Heartbeat { request_id, room_id: room_id.to_owned(), last_sequence };
        self.done(request_id, ClientMessage::Heartbeat(message)).await
    }

    /// Publishes a stream; gives the SDP answer.
    ///
    /// # Errors
    /// As [`RequestError`] says.
    pub async fn publish(
        &self,
        room_id: &str,
        stream_id: &str,
        extra_info: &str,
        sdp: &str,
    ) -> Result<String, RequestError> {
        let request_id = self.next_id();
        let message = ClientMessage::Publish(wire::Publish {
            request_id,
            room_id: room_id.to_owned(),
            stream_id: stream_id.to_owned(),
            extra_info: extra_info.to_owned(),
            sdp: sdp.to_owned(),
        });
        self.answer(request_id, message).await
    }

    /// Stops publishing a stream.
    ///
    /// # Errors
    /// As [`RequestError`] says.
    pub async fn unpublish(&self, room_id: &str, stream_id: &str) -> Result<(), RequestError> {
        let message = self.stream_request(room_id, stream_id);
        self.done(message.request_id, ClientMessage::Unpublish(message)).await
    }

    /// Plays a stream; gives the SDP answer.
    ///
    /// # Errors
    /// As [`RequestError`] says.
    pub async fn play(
        &self,
        room_id: &str,
        stream_id: &str,
        sdp: &str,
    ) -> Result<String, RequestError> {
        let request_id = self.next_id();
        let message = ClientMessage::Play(wire::Play {
            request_id,
            room_id: room_id.to_owned(),
            stream_id: stream_id.to_owned(),
            sdp: sdp.to_owned(),
            video_layer: wire::VideoLayer::Best,
            video_height: 0,
            priority: wire::PlayPriority::Medium,
        });
        self.answer(request_id, message).await
    }

    /// Stops playing a stream.
    ///
    /// # Errors
    /// As [`RequestError`] says.
    pub async fn unplay(&self, room_id: &str, stream_id: &str) -> Result<(), RequestError> {
        let message = self.stream_request(room_id, stream_id);
        self.done(message.request_id, ClientMessage::Unplay(message)).await
    }

    /// Sends a text or binary message as it is, for tests of bad ones. What comes back is an event.
    ///
    /// # Errors
    /// [`RequestError::Closed`].
    pub async fn send_raw(&self, message: Message) -> Result<(), RequestError> {
        self.requests.send(Command::Raw(message)).await.map_err(|_| RequestError::Closed)
    }

    fn next_id(&self) -> u64 {
        self.request_ids.fetch_add(1, Ordering::Relaxed)
    }

    fn stream_request(&self, room_id: &str, stream_id: &str) -> wire::StreamRequest {
        wire::StreamRequest {
            request_id: self.next_id(),
            room_id: room_id.to_owned(),
            stream_id: stream_id.to_owned(),
        }
    }

    async fn done(&self, id: u64, message: ClientMessage) -> Result<(), RequestError> {
        match self.request(id, &message).await? {
            Reply::Done { .. } => Ok(()),
            Reply::LoggedIn(_)
            | Reply::Resumed(_)
            | Reply::Answer(_)
            | Reply::IceRestarted(_)
            | Reply::CommandSent(_) => Err(RequestError::WrongReply),
        }
    }

    async fn answer(&self, id: u64, message: ClientMessage) -> Result<String, RequestError> {
        match self.request(id, &message).await? {
            Reply::Answer(answer) => Ok(answer.sdp),
            Reply::LoggedIn(_)
            | Reply::Resumed(_)
            | Reply::IceRestarted(_)
            | Reply::CommandSent(_)
            | Reply::Done { .. } => Err(RequestError::WrongReply),
        }
    }

    async fn request(&self, id: u64, message: &ClientMessage) -> Result<Reply, RequestError> {
        let text = serde_json::to_string(message).expect("a message has only JSON types");
        let (reply, replied) = oneshot::channel();
        let command = Command::Request { id, text, reply };
        self.requests.send(command).await.map_err(|_| RequestError::Closed)?;
        match tokio::time::timeout(REPLY_TIMEOUT, replied).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(RequestError::Closed),
            Err(_) => Err(RequestError::TimedOut),
        }
    }
}

impl Events {
    /// The next event, taken into the view; none after `Closed`. Cancelling loses nothing.
    pub async fn next(&mut self) -> Option<Event> {
        let event = self.events.recv().await?;
        match &event {
            Event::Snapshot(snapshot) => self.view.replace(snapshot),
            Event::Notice(numbered) => {
                if let Err(gap) = self.view.apply(numbered) {
                    // The notice itself has been taken in; the gap is what matters now.
                    return Some(Event::Gap(gap));
                }
            }
            Event::Missed(_)
            | Event::MessagesLost(_)
            | Event::Error(_)
            | Event::Gap(_)
            | Event::Closed { .. } => {}
        }
        Some(event)
    }

    /// What the events taken so far tell of the room.
    pub fn view(&self) -> &RoomView {
        &self.view
    }

    /// Goes on from another connection's view: call it before the first [`Events::next`] of a
    /// WebSocket over which a session is resumed.
    pub fn continue_from(&mut self, view: RoomView) {
        self.view = view;
    }
}
