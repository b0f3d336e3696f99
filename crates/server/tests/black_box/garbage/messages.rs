//! Garbage at signalling: broken, oversized and out of order, before and after a login.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{FutureExt, SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

use super::random::Random;
use super::requests::connect;
use crate::process::{APP, token};

/// Users that log in again and again; so many sessions stay at most.
const USERS: usize = 40;
/// Messages over one WebSocket at most: a few more than it may send at once.
const MESSAGES_PER_SOCKET_MAX: usize = 130;
/// Longest wait for an answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);
/// The number of the message that must be answered, if the WebSocket is still open.
const LAST_REQUEST: u64 = 987_654_321;

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Messages by what they were.
    pub(crate) sent: BTreeMap<&'static str, u64>,
    /// Answers by their type.
    pub(crate) answers: BTreeMap<String, u64>,
    /// WebSockets by the code they were closed with by the server; 0 without one.
    pub(crate) closes: BTreeMap<u16, u64>,
    /// WebSockets.
    pub(crate) sockets: u64,
}

/// What the messages are made of.
pub(crate) struct Material {
    /// A token for each user.
    tokens: Vec<String>,
    /// Offers of real clients.
    offers: [String; 2],
}

impl Material {
    pub(crate) fn new(offers: [String; 2]) -> Self {
        Self { tokens: (0..USERS).map(|user| token(&format!("g{user}"))).collect(), offers }
    }
}

/// A WebSocket with garbage on its way.
struct Stranger<'a> {
    socket: WebSocketStream<TcpStream>,
    tally: &'a mut Tally,
    /// The room of its login.
    room: String,
    /// Replies and errors so far: each text gets one.
    answered: u64,
    /// The server's close code once it has closed.
    closed: Option<u16>,
    /// Whether a broken frame went out. It may announce a length, and what follows is then taken
    /// for its payload: an answer can no longer be asked for.
    is_broken: bool,
}

/// Sends `count` messages over one WebSocket after another.
pub(crate) async fn run(
    server: SocketAddr,
    material: &Material,
    mut random: Random,
    count: u64,
) -> Tally {
    let mut tally = Tally::default();
    let mut left = count;
    while left > 0 {
        let stream = connect(server, &mut random).await;
        let url = format!("ws://{server}/signal");
        let opened = tokio_tungstenite::client_async(url, stream).await;
        let (socket, _) = opened.expect("the server takes WebSockets");
        tally.sockets += 1;
        let room = format!("g{}", random.below(5));
        let mut stranger = Stranger {
            socket,
            tally: &mut tally,
            room,
            answered: 0,
            closed: None,
            is_broken: false,
        };
        let most = (random.below(MESSAGES_PER_SOCKET_MAX) as u64 + 1).min(left);
        left -= stranger.send(material, &mut random, most).await;
        if !random.one_in(8) && !stranger.is_broken {
            stranger.finish().await;
        }
    }
    tally
}

impl Stranger<'_> {
    /// Sends up to `most` messages; gives how many it could.
    async fn send(&mut self, material: &Material, random: &mut Random, most: u64) -> u64 {
        let mut sent = 0;
        if !random.one_in(4) {
            let login = login(material, random, &self.room);
            let answered = self.answered;
            self.message("login", Message::text(login.to_string())).await;
            self.wait_for_answer(answered).await;
            sent += 1;
        }
        // Whether each message waits for the answer to the one before, so that it is surely read.
        let waits = !random.one_in(8);
        while sent < most && self.closed.is_none() {
            sent += 1;
            if random.one_in(400) {
                let length = random.below(100);
                let frame = random.bytes(length);
                // The server may be closing.
                drop(self.socket.get_mut().write_all(&frame).await);
                self.is_broken = true;
                *self.tally.sent.entry("broken frame").or_default() += 1;
                continue;
            }
            let (what, message) = message(material, random, &self.room);
            let (has_answer, answered) = (message.is_text(), self.answered);
            self.message(what, message).await;
            if waits && has_answer && !self.is_broken {
                self.wait_for_answer(answered).await;
            }
        }
        sent
    }

    async fn message(&mut self, what: &'static str, message: Message) {
        *self.tally.sent.entry(what).or_default() += 1;
        if self.socket.send(message).await.is_err() {
            self.closed.get_or_insert(0);
        }
        while let Some(arrived) = self.socket.next().now_or_never() {
            if !self.take(arrived.and_then(Result::ok)) {
                break;
            }
        }
    }

    /// Waits until there are more answers than `answered`, or the WebSocket is closed.
    async fn wait_for_answer(&mut self, answered: u64) {
        let wait = async {
            while self.closed.is_none() && self.answered == answered {
                let arrived = self.socket.next().await.and_then(Result::ok);
                self.take(arrived);
            }
        };
        let waited = tokio::time::timeout(ANSWER_TIMEOUT, wait).await;
        waited.expect("signalling answers or closes");
    }

    /// Counts an answer; false when there will be no more.
    fn take(&mut self, arrived: Option<Message>) -> bool {
        match arrived {
            Some(Message::Text(text)) => {
                let answer: Value = serde_json::from_str(&text).expect("the server writes JSON");
                let kind = answer["type"].as_str().expect("each has a type").to_owned();
                self.answered += u64::from(answer.get("sequence").is_none());
                *self.tally.answers.entry(kind).or_default() += 1;
                true
            }
            Some(Message::Close(frame)) => {
                self.closed = Some(frame.map_or(0, |frame| frame.code.into()));
                true
            }
            Some(_) => true,
            None => {
                self.closed.get_or_insert(0);
                false
            }
        }
    }

    /// Waits until all was handled: either the WebSocket is closed or the last request answered.
    async fn finish(mut self) {
        let last = json!({"type": "heartbeat", "request_id": LAST_REQUEST, "room_id": "g",
            "last_sequence": 0});
        if self.closed.is_none() && self.socket.send(Message::text(last.to_string())).await.is_err()
        {
            self.closed.get_or_insert(0);
        }
        let until_answered = async {
            loop {
                let arrived = self.socket.next().await.and_then(Result::ok);
                let is_last = matches!(&arrived, Some(Message::Text(text)) if is_last(text));
                if !self.take(arrived) || is_last {
                    return;
                }
            }
        };
        let answered = tokio::time::timeout(ANSWER_TIMEOUT, until_answered).await;
        answered.expect("signalling answers or closes");
        if let Some(code) = self.closed {
            *self.tally.closes.entry(code).or_default() += 1;
        }
    }
}

fn is_last(text: &Utf8Bytes) -> bool {
    let answer: Value = serde_json::from_str(text).expect("the server writes JSON");
    answer["request_id"] == LAST_REQUEST
}

fn message(material: &Material, random: &mut Random, room: &str) -> (&'static str, Message) {
    // Mostly the room that it is in.
    let other = format!("g{}", random.below(6));
    let room = if random.one_in(8) { &other } else { room };
    match random.below(40) {
        0 if random.one_in(4) => {
            let length = random.below(200);
            ("binary", Message::binary(random.bytes(length)))
        }
        1 if random.one_in(10) => {
            let length = 128 * 1024 + 1 + random.below(500_000);
            ("oversized", Message::text("x".repeat(length)))
        }
        1 | 2 => {
            let length = random.below(125);
            ("ping", Message::Ping(random.bytes(length).into()))
        }
        3 => {
            let length = random.below(300);
            ("random text", Message::text(random.text(length)))
        }
        4 => ("random JSON", Message::text(json(random, 4).to_string())),
        5..7 => {
            let valid = valid(material, random, room).to_string();
            ("mutated text", Message::text(random.mutated_text(&valid)))
        }
        7..12 => {
            let mut valid = valid(material, random, room);
            spoil(&mut valid, random);
            ("a field spoiled", Message::text(valid.to_string()))
        }
        12..20 => {
            let mut valid = valid(material, random, room);
            if let Some(sdp) = valid.get_mut("sdp") {
                *sdp = random.mutated_text(sdp.as_str().expect("an offer is text")).into();
            }
            ("mutated offer", Message::text(valid.to_string()))
        }
        _ => ("out of order", Message::text(valid(material, random, room).to_string())),
    }
}

fn login(material: &Material, random: &mut Random, room_id: &str) -> Value {
    let user = random.below(USERS);
    json!({"type": "login", "request_id": random.next() >> 12, "version": 1, "app_id": APP.0,
        "room_id": room_id, "user_id": format!("g{user}"), "token": material.tokens[user],
        "user_update": random.one_in(2)})
}

/// A message that is right in itself, if not for who sends it when.
fn valid(material: &Material, random: &mut Random, room_id: &str) -> Value {
    let request_id = random.next() >> 12;
    let stream_id = format!("g{}", random.below(40));
    let [publishing, playing] = &material.offers;
    match random.below(10) {
        0 => login(material, random, room_id),
        1 => json!({"type": "resume", "request_id": request_id, "version": 1, "app_id": APP.0,
            "room_id": room_id, "user_id": "g1", "session_id": random.below(5_000),
            "resume_secret": format!("{:032x}", random.next()), "last_sequence": 0,
            "token": material.tokens[1]}),
        2 if random.one_in(4) => {
            json!({"type": "logout", "request_id": request_id, "room_id": room_id})
        }
        2 | 3 => json!({"type": "renew_token", "request_id": request_id, "room_id": room_id,
            "token": random.pick(&material.tokens)}),
        4 => json!({"type": "heartbeat", "request_id": request_id, "room_id": room_id,
            "last_sequence": random.next() >> random.below(64)}),
        5 | 6 => json!({"type": "publish", "request_id": request_id, "room_id": room_id,
            "stream_id": stream_id, "sdp": publishing}),
        7 => json!({"type": "play", "request_id": request_id, "room_id": room_id,
            "stream_id": stream_id, "sdp": playing}),
        8 => json!({"type": "unpublish", "request_id": request_id, "room_id": room_id,
            "stream_id": stream_id}),
        _ => json!({"type": "unplay", "request_id": request_id, "room_id": room_id,
            "stream_id": stream_id}),
    }
}

/// Removes a field, or puts something else into it.
fn spoil(message: &mut Value, random: &mut Random) {
    let fields = message.as_object_mut().expect("a message is an object");
    let names: Vec<String> = fields.keys().cloned().collect();
    let name = random.pick(&names);
    match random.below(4) {
        0 => drop(fields.remove(name)),
        1 => {
            let length = random.below(1_500);
            fields.insert(name.clone(), random.text(length).into());
        }
        _ => drop(fields.insert(name.clone(), json(random, 2))),
    }
}

fn json(random: &mut Random, depth: usize) -> Value {
    let kinds = if depth == 0 { 5 } else { 7 };
    match random.below(kinds) {
        0 => Value::Null,
        1 => random.one_in(2).into(),
        2 => (random.next() as i64 >> random.below(64)).into(),
        3 => f64::from_bits(random.next()).into(),
        4 => {
            let length = random.below(40);
            random.text(length).into()
        }
        5 => (0..random.below(5)).map(|_| json(random, depth - 1)).collect(),
        _ => {
            let field = |random: &mut Random| {
                let name = *random.pick(&["type", "request_id", "room_id", "sdp", "version", "x"]);
                (name.to_owned(), json(random, depth - 1))
            };
            Value::Object((0..random.below(6)).map(|_| field(random)).collect())
        }
    }
}
