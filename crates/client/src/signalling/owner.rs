//! The task that owns a WebSocket: sends requests and heartbeats, sorts what comes.

use std::collections::HashMap;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use odeum_proto::signal::{self as wire, ClientMessage, ErrorMessage, Reply, ServerMessage};
use tokio::sync::{mpsc, oneshot};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

use super::socket::Socket;
use super::{Command, Event, RequestError};

/// The task's state: owns the WebSocket.
pub(super) struct Owner {
    /// Where events go.
    events: mpsc::UnboundedSender<Event>,
    /// Requests without a reply yet.
    waiting: HashMap<u64, oneshot::Sender<Result<Reply, RequestError>>>,
    /// The room and how often to heartbeat, once logged in.
    session: Option<(String, Duration)>,
    /// How often to heartbeat once a session is resumed.
    resumed_interval: Duration,
    /// The last notice seen.
    last_sequence: u64,
}

/// Heartbeats have numbers of their own, far from those of requests.
const HEARTBEAT_IDS_FROM: u64 = 1 << 52;

impl Owner {
    pub(super) fn new(events: mpsc::UnboundedSender<Event>) -> Self {
        Self {
            events,
            waiting: HashMap::new(),
            session: None,
            resumed_interval: Duration::from_secs(20),
            last_sequence: 0,
        }
    }

    pub(super) async fn run(mut self, mut socket: Socket, mut commands: mpsc::Receiver<Command>) {
        let mut heartbeat_id = HEARTBEAT_IDS_FROM;
        let mut heartbeat_at = tokio::time::Instant::now();
        let (code, reason) = loop {
            let was_logged_in = self.session.is_some();
            tokio::select! {
                command = commands.recv() => {
                    let message = match command {
                        Some(Command::Request { id, text, reply }) => {
                            self.waiting.insert(id, reply);
                            Message::text(text)
                        }
                        Some(Command::Raw(message)) => message,
                        Some(Command::HeartbeatEvery(interval)) => {
                            self.resumed_interval = interval;
                            continue;
                        }
                        None => {
                            // Nobody asks any more; whether the close arrives does not matter.
                            let _closed = socket.close(None).await;
                            break (None, "dropped".to_owned());
                        }
                    };
                    if let Err(error) = socket.send(message).await {
                        break (None, error.to_string());
                    }
                }
                arrived = socket.next() => match arrived {
                    Some(Ok(Message::Text(text))) => self.on_text(&text),
                    Some(Ok(Message::Close(frame))) => break close_reason(frame),
                    Some(Ok(_)) => {}
                    Some(Err(error)) => break (None, error.to_string()),
                    None => break (None, "gone".to_owned()),
                },
                () = tokio::time::sleep_until(heartbeat_at), if was_logged_in => {
                    let Some((room_id, interval)) = &self.session else { continue };
                    heartbeat_id += 1;
                    heartbeat_at = tokio::time::Instant::now() + *interval;
                    let message = ClientMessage::Heartbeat(wire::Heartbeat {
                        request_id: heartbeat_id,
                        room_id: room_id.clone(),
                        last_sequence: self.last_sequence,
                    });
                    let text = serde_json::to_string(&message).expect("only JSON types");
                    if let Err(error) = socket.send(Message::text(text)).await {
                        break (None, error.to_string());
                    }
                }
            }
            if let (false, Some((_, interval))) = (was_logged_in, &self.session) {
                heartbeat_at = tokio::time::Instant::now() + *interval;
            }
        };
        self.emit(Event::Closed { code, reason });
    }

    fn on_text(&mut self, text: &str) {
        match serde_json::from_str(text) {
            Ok(ServerMessage::Reply(reply)) => self.on_reply(reply),
            Ok(ServerMessage::Error(error)) => {
                match error.request_id.and_then(|id| self.waiting.remove(&id)) {
                    Some(waiting) => {
                        let ErrorMessage { code, message, .. } = error;
                        settle(waiting, Err(RequestError::Refused { code, message }));
                    }
                    None => self.emit(Event::Error(error)),
                }
            }
            Ok(ServerMessage::Notice(numbered)) => {
                if numbered.sequence > 0 {
                    self.last_sequence = numbered.sequence;
                }
                self.emit(Event::Notice(numbered));
            }
            // A message of a newer server; the protocol says to pass over what one does not know.
            Err(_) => {}
        }
    }

    fn on_reply(&mut self, reply: Reply) {
        let request_id = match &reply {
            Reply::LoggedIn(logged_in) => {
                let interval = Duration::from_millis(logged_in.heartbeat_interval_ms.max(100));
                self.session = Some((logged_in.room_id.clone(), interval));
                self.last_sequence = logged_in.snapshot.sequence;
                self.emit(Event::Snapshot(logged_in.snapshot.clone()));
                logged_in.request_id
            }
            Reply::Resumed(resumed) => {
                self.session = Some((resumed.room_id.clone(), self.resumed_interval));
                if let Some(snapshot) = &resumed.snapshot {
                    self.last_sequence = snapshot.sequence;
                    self.emit(Event::Snapshot(snapshot.clone()));
                }
                if resumed.messages_lost > 0 {
                    self.emit(Event::MessagesLost(resumed.messages_lost));
                }
                for message in &resumed.messages {
                    self.emit(Event::Missed(message.clone()));
                }
                resumed.request_id
            }
            Reply::Answer(answer) => answer.request_id,
            Reply::IceRestarted(restarted) => restarted.request_id,
            Reply::CommandSent(sent) => sent.request_id,
            Reply::Done { request_id } => *request_id,
        };
        if let Some(waiting) = self.waiting.remove(&request_id) {
            settle(waiting, Ok(reply));
        }
    }

    fn emit(&self, event: Event) {
        // A caller may drop its events and only send.
        let _nobody_listens = self.events.send(event);
    }
}

/// Gives a result to a request that may have given up.
fn settle(
    waiting: oneshot::Sender<Result<Reply, RequestError>>,
    result: Result<Reply, RequestError>,
) {
    let _gave_up = waiting.send(result);
}

fn close_reason(frame: Option<CloseFrame>) -> (Option<u16>, String) {
    match frame {
        Some(frame) => (Some(frame.code.into()), frame.reason.to_string()),
        None => (None, String::new()),
    }
}
