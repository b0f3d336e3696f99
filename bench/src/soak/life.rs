//! The life of a room: a publisher and some viewers come, media flows for a while, and it ends.

use std::net::SocketAddr;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use futures_util::future::join_all;
use odeum_client::{Certificate, ConnectOptions, Tls, TurnCarrier, open_stream};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::person::{Door, Person, Role};
use super::wire::{Link, Way};
use crate::http_load::Signer;
use odeum_load::Server;

/// How long the media of a room flows, at most; at least a quarter of it.
const FLOWS_MS: u64 = 4_000;
/// Viewers of a room, at most.
const VIEWERS_MAX: u64 = 4;
/// How long a transport may take to connect before it gives up, on a machine that is busy.
const CONNECTS_IN: Duration = Duration::from_secs(12);

/// How long connections of those who are gone stay open: longer than the server waits for a word.
const GONE_FOR: Duration = Duration::from_secs(60);

/// Where everything happens.
pub(super) struct Stage {
    /// The server's HTTP.
    http: SocketAddr,
    /// The server's signalling.
    pub(super) signalling: ConnectOptions,
    /// Whom HTTP trusts.
    tls: Option<Tls>,
    /// Who all clients are: making a certificate is none of the server's work.
    pub(super) certificate: Certificate,
    /// What stamps of media count from.
    pub(super) epoch: Instant,
    /// Signs the backend's calls; held only while one is written.
    signer: Mutex<Signer>,
    /// What happened so far; held only to count.
    counts: Mutex<Counts>,
    /// Connections of those who are gone without a word, and since when: no end of them tells the
    /// server. Held only to add one and to take out what is older than [`GONE_FOR`].
    gone: Mutex<Vec<(Instant, Link)>>,
}

/// What happened.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counts {
    /// Rooms begun; the number of the next.
    pub(super) rooms: u64,
    /// Transports whose answer came.
    pub(super) made: u64,
    /// Of them, those that connected.
    pub(super) connected: u64,
    /// Of them, those that meant to and did not.
    pub(super) gave_up: u64,
    /// Packets that viewers took.
    pub(super) played: u64,
    /// Transports that ended by a goodbye.
    pub(super) goodbyes: u64,
    /// Transports that ended with a stream that the backend deleted.
    pub(super) deleted: u64,
    /// Transports that ended without a word.
    pub(super) vanished: u64,
    /// Transports that were left alone before they were connected.
    pub(super) abandoned: u64,
    /// Transports that were left alone in the middle of their handshake.
    pub(super) died: u64,
    /// Of those connected, by ICE-TCP.
    pub(super) by_tcp: u64,
    /// Of those connected, through the server's relay, which was talked to over UDP, TCP and TLS.
    pub(super) by_turn: [u64; 3],
    /// Of those who came by it and ended, those who gave back what it had for them.
    pub(super) given_back: u64,
    /// Of the same, those who did not.
    pub(super) kept: u64,
    /// Of those connected, by WHIP and WHEP.
    pub(super) by_http: u64,
    /// Media packets that were lost on their way to viewers.
    pub(super) lost: u64,
}

/// How a room ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// Everybody takes leave.
    Goodbye,
    /// The backend deletes the stream; then everybody takes leave.
    StreamDeleted,
    /// Sockets close and nobody says anything.
    Vanish,
    /// The publisher never connects.
    Abandoned,
    /// The publisher dies in the middle of its handshake.
    Dies,
}

impl Stage {
    /// An empty stage before a server.
    ///
    /// # Errors
    /// A machine without randomness.
    pub(super) fn new(server: &Server) -> anyhow::Result<Self> {
        Ok(Self {
            http: server.http,
            signalling: server.connect_options(),
            tls: server.tls(),
            certificate: Certificate::generate()?,
            epoch: Instant::now(),
            signer: Mutex::new(Signer::new()),
            counts: Mutex::default(),
            gone: Mutex::default(),
        })
    }

    /// What happened so far.
    pub(super) fn counts(&self) -> Counts {
        *self.counts.lock().expect("nobody panics while counting")
    }

    /// Counts.
    pub(super) fn count(&self, change: impl FnOnce(&mut Counts)) {
        change(&mut self.counts.lock().expect("nobody panics while counting"));
    }

    /// Takes the transport of somebody who is gone without a word. Nothing is heard of it from now
    /// on: what the relay has for it is not given back, and its connection stays open.
    fn bury(&self, person: Person) {
        let Some(link) = person.into_link() else { return };
        if matches!(link.way(), Way::Turn(_)) {
            self.count(|counts| counts.kept += 1);
        }
        let mut gone = self.gone.lock().expect("nobody panics while burying");
        gone.retain(|(since, _)| since.elapsed() < GONE_FOR);
        gone.push((Instant::now(), link));
    }

    /// A request of WHIP or WHEP: status, Location and body of the answer.
    ///
    /// # Errors
    /// What the system says, or no answer that is one.
    pub(super) async fn request(
        &self,
        method: &str,
        path: &str,
        token: &str,
        body: &str,
    ) -> anyhow::Result<(u16, Option<String>, String)> {
        let reply = self
            .exchange(&format!(
                "{method} {path} HTTP/1.1\r\nHost: odeum\r\nAuthorization: Bearer {token}\r\n\
                 Content-Type: application/sdp\r\nContent-Length: {}\r\nConnection: close\r\n\r\n\
                 {body}",
                body.len()
            ))
            .await?;
        let (head, body) = reply.split_once("\r\n\r\n").context("no HTTP answer")?;
        let status = head.split(' ').nth(1).and_then(|word| word.parse().ok());
        let location = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("location").then(|| value.trim().to_owned())
        });
        Ok((status.context("no HTTP status")?, location, body.to_owned()))
    }

    async fn delete_stream(&self, room: &str, user: &str, stream: &str) -> anyhow::Result<()> {
        let parameters = format!("&RoomId={room}&UserId={user}&StreamId={stream}");
        let request = {
            let mut signer = self.signer.lock().expect("nobody panics while signing");
            signer.request("DeleteStream", &parameters)
        };
        let request = request.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n");
        let reply = self.exchange(&request).await?;
        ensure!(reply.contains("\"Code\":0,"), "DeleteStream: {reply}");
        Ok(())
    }

    async fn exchange(&self, request: &str) -> anyhow::Result<String> {
        let (host, port) = (self.http.ip().to_string(), self.http.port());
        let mut socket = open_stream(&host, port, self.tls.as_ref()).await?;
        socket.write_all(request.as_bytes()).await?;
        socket.flush().await?;
        let mut reply = Vec::new();
        socket.take(64 * 1024).read_to_end(&mut reply).await?;
        Ok(String::from_utf8_lossy(&reply).into_owned())
    }
}

/// One room after the other until `end`.
pub(super) async fn rooms(stage: std::sync::Arc<Stage>, end: Instant) {
    while Instant::now() < end {
        let number = {
            let mut counts = stage.counts.lock().expect("nobody panics while counting");
            counts.rooms += 1;
            counts.rooms
        };
        if let Err(error) = room(&stage, number).await {
            // On a machine that is busy with other things something may come late. What is lost
            // is counted, and the run fails when it is much.
            eprintln!("room {number}: {error:#}");
            stage.count(|counts| counts.gave_up += 1);
        }
    }
}

async fn room(stage: &Stage, number: u64) -> anyhow::Result<()> {
    let ending = match number % 9 {
        0..=2 => Ending::Goodbye,
        3 | 4 => Ending::StreamDeleted,
        5 | 6 => Ending::Vanish,
        7 => Ending::Abandoned,
        _ => Ending::Dies,
    };
    let (room, host) = (format!("soak-{number}"), format!("host-{number}"));
    let stream = format!("stream-{number}");
    let (door, way) = door_and_way(number, Role::Publisher);
    let mut publisher = Person::enter(stage, door, way, &room, &host).await?;
    publisher.offer(stage, Role::Publisher, &stream).await?;
    if ending == Ending::Abandoned {
        stage.bury(publisher);
        stage.count(|counts| counts.abandoned += 1);
        return Ok(());
    }
    if ending == Ending::Dies {
        publisher.begin_handshake(stage, Instant::now() + CONNECTS_IN).await?;
        stage.bury(publisher);
        stage.count(|counts| counts.died += 1);
        return Ok(());
    }
    publisher.connect(stage, Instant::now() + CONNECTS_IN).await?;
    let until = Instant::now()
        + Duration::from_millis(FLOWS_MS / 4 + number.wrapping_mul(7_919) % (FLOWS_MS * 3 / 4));
    let viewers = (0..1 + number % VIEWERS_MAX).map(|viewer| {
        let (room, stream) = (&room, &stream);
        async move {
            let (door, way) = door_and_way(number / 9 + viewer, Role::Viewer);
            let user = format!("guest-{number}-{viewer}");
            let mut viewer = Person::enter(stage, door, way, room, &user).await?;
            viewer.offer(stage, Role::Viewer, stream).await?;
            viewer.connect(stage, Instant::now() + CONNECTS_IN).await?;
            viewer.live(stage, until).await?;
            anyhow::Ok(viewer)
        }
    });
    let (lived, viewers) = tokio::join!(publisher.live(stage, until), join_all(viewers));
    lived?;
    let mut people = viewers.into_iter().collect::<anyhow::Result<Vec<_>>>()?;
    if ending == Ending::StreamDeleted {
        stage.delete_stream(&room, &host, &stream).await?;
    }
    people.push(publisher);
    for person in people {
        match ending {
            Ending::Goodbye => {
                person.take_leave(stage, &room, Some(&stream)).await.context("goodbye")?;
                stage.count(|counts| counts.goodbyes += 1);
            }
            Ending::StreamDeleted => {
                person.take_leave(stage, &room, None).await.context("leave after the deletion")?;
                stage.count(|counts| counts.deleted += 1);
            }
            Ending::Vanish => {
                stage.bury(person);
                stage.count(|counts| counts.vanished += 1);
            }
            Ending::Abandoned | Ending::Dies => bail!("it was over before"),
        }
    }
    Ok(())
}

/// How the `number`th of a kind comes in and reaches the server: everything with everything, in
/// turn. A relay's password comes by signalling here.
fn door_and_way(number: u64, role: Role) -> (Door, Way) {
    let door = if number / 5 % 3 == 2 { Door::Http } else { Door::Signalling };
    let way = match (number % 5, role, door) {
        (2, Role::Viewer, _) => Way::LossyUdp,
        (3, ..) => Way::Tcp,
        (4, _, Door::Signalling) => Way::Turn(
            [TurnCarrier::Udp, TurnCarrier::Tcp, TurnCarrier::Tls][(number / 15 % 3) as usize],
        ),
        _ => Way::Udp,
    };
    (door, way)
}

impl Counts {
    /// Whether all endings happened, and at least `share` of the transports that meant to
    /// connect did, and something was seen.
    pub(super) fn is_real(&self, share: f64) -> bool {
        let meant = self.made.saturating_sub(self.abandoned + self.died) as f64;
        let [by_udp, by_tcp, by_tls] = self.by_turn;
        let happened = [
            self.goodbyes,
            self.deleted,
            self.vanished,
            self.abandoned,
            self.died,
            self.by_tcp,
            by_udp,
            by_tcp,
            by_tls,
            self.given_back,
            self.kept,
            self.by_http,
            self.lost,
            self.played,
        ];
        self.connected as f64 >= meant * share && happened.iter().all(|count| *count > 0)
    }

    /// For the file of results.
    pub(super) fn to_json(self) -> Value {
        json!({
            "rooms": self.rooms,
            "made": self.made,
            "connected": self.connected,
            "gave_up": self.gave_up,
            "played": self.played,
            "goodbyes": self.goodbyes,
            "deleted": self.deleted,
            "vanished": self.vanished,
            "abandoned": self.abandoned,
            "died": self.died,
            "by_tcp": self.by_tcp,
            "by_turn": self.by_turn.iter().sum::<u64>(),
            "by_turn_over_udp_tcp_tls": self.by_turn,
            "given_back": self.given_back,
            "kept": self.kept,
            "by_http": self.by_http,
            "lost": self.lost,
        })
    }
}
