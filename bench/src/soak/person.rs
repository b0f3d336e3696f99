//! Somebody in a room: a session, or none with WHIP and WHEP, and one transport.

use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use odeum_client::{
    CloseReason, Direction, Event, Events, LoginOptions, PeerConfig, PeerEvent, RequestError,
    Signalling, TurnServer, VideoSource, VideoSourceConfig, WebRtcPeer,
};

use super::life::Stage;
use super::wire::{Link, Way};
use odeum_load::{APP, token};

/// Bits of video in a second: enough that rings and arenas are at work.
const BITS_PER_SECOND: u32 = 400_000;
/// Packets of a frame.
const FRAME_PACKETS: u32 = 3;
/// How often a viewer asks for a stream that is about to enter the room.
const PLAY_ATTEMPTS_MAX: u32 = 20;
/// From one of these to the next.
const PLAY_AGAIN_IN: Duration = Duration::from_millis(100);

/// What a transport is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// It publishes the stream.
    Publisher,
    /// It plays the stream.
    Viewer,
}

/// How somebody comes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Door {
    /// Over signalling, with a session.
    Signalling,
    /// With one request of WHIP or WHEP.
    Http,
}

/// How the server knows somebody.
enum Presence {
    /// By a session.
    Session { signalling: Signalling, events: Box<Events>, relay: Option<TurnServer> },
    /// By a resource, once there is one.
    Resource { token: String, path: Option<String> },
}

/// Somebody, and their transport once there is one.
pub(super) struct Person {
    /// Where they are.
    room: String,
    presence: Presence,
    /// Their transport, and what it is for.
    transport: Option<(Role, Link)>,
    way: Way,
    /// Their picture, if they publish.
    source: Option<VideoSource>,
    /// Whether media may flow.
    is_connected: bool,
    /// Why the transport is over.
    closed: Option<CloseReason>,
    /// Whether the server has answered the handshake.
    has_heard_dtls: bool,
}

impl Person {
    /// Lets somebody come in.
    ///
    /// # Errors
    /// A login that is refused.
    pub(super) async fn enter(
        stage: &Stage,
        door: Door,
        way: Way,
        room: &str,
        user: &str,
    ) -> anyhow::Result<Self> {
        let presence = match door {
            Door::Http => Presence::Resource { token: token(user)?, path: None },
            Door::Signalling => {
                let (signalling, events) = Signalling::connect(&stage.signalling).await?;
                let login = LoginOptions::new(APP.0, room, user, token(user)?);
                let logged_in = signalling.login(login).await.context("login")?;
                let relay = TurnServer::named_by(&logged_in.ice_servers);
                Presence::Session { signalling, events: Box::new(events), relay }
            }
        };
        Ok(Self {
            room: room.to_owned(),
            presence,
            transport: None,
            way,
            source: None,
            is_connected: false,
            closed: None,
            has_heard_dtls: false,
        })
    }

    /// Offers to publish or to play `stream` and takes the answer.
    ///
    /// # Errors
    /// A refusal.
    pub(super) async fn offer(
        &mut self,
        stage: &Stage,
        role: Role,
        stream: &str,
    ) -> anyhow::Result<()> {
        let direction = match role {
            Role::Publisher => Direction::Send,
            Role::Viewer => Direction::Receive,
        };
        let config = PeerConfig::new(direction, stage.certificate.clone(), rand::random());
        let peer = WebRtcPeer::new(config);
        let answer = self.request(stage, role, stream, &peer.offer()).await?;
        stage.count(|counts| counts.made += 1);
        let relay = match &self.presence {
            Presence::Session { relay, .. } => relay.as_ref(),
            Presence::Resource { .. } => None,
        };
        self.transport = Some((role, Link::open(peer, self.way, &answer, relay).await?));
        Ok(())
    }

    /// Goes on until the transport is connected.
    ///
    /// # Errors
    /// It is not by `deadline`.
    pub(super) async fn connect(&mut self, stage: &Stage, deadline: Instant) -> anyhow::Result<()> {
        while !self.is_connected {
            let way = self.way;
            let is_over = Instant::now() >= deadline || self.closed.is_some();
            ensure!(!is_over, "the transport did not connect by {way:?}: {}", self.progress());
            self.step(stage, deadline).await?;
        }
        let is_http = matches!(self.presence, Presence::Resource { .. });
        stage.count(|counts| {
            counts.connected += 1;
            counts.by_http += u64::from(is_http);
            match self.way {
                Way::Udp | Way::LossyUdp => {}
                Way::Tcp => counts.by_tcp += 1,
                Way::Turn(carrier) => counts.by_turn[carrier as usize] += 1,
            }
        });
        if matches!(self.transport, Some((Role::Publisher, _))) {
            let config = VideoSourceConfig {
                bits_per_second: BITS_PER_SECOND,
                burst_packets: FRAME_PACKETS,
                ..VideoSourceConfig::new(stage.epoch)
            };
            self.source = Some(VideoSource::new(Instant::now(), config));
        }
        Ok(())
    }

    /// How far it has come on its way to be connected.
    fn progress(&self) -> String {
        let remote = self.transport.as_ref().and_then(|(_, link)| link.peer.remote());
        let reached = match remote {
            None => "no check was answered",
            Some(_) if !self.has_heard_dtls => "no hello was answered",
            Some(_) => "the handshake did not end",
        };
        match self.closed {
            Some(reason) => format!("{reached}, and it closed: {reason:?}"),
            None => reached.to_owned(),
        }
    }

    /// Goes on until the server has answered the handshake, and no further.
    ///
    /// # Errors
    /// It has not by `deadline`.
    pub(super) async fn begin_handshake(
        &mut self,
        stage: &Stage,
        deadline: Instant,
    ) -> anyhow::Result<()> {
        while !self.has_heard_dtls {
            ensure!(Instant::now() < deadline && self.closed.is_none(), "no handshake began");
            self.step(stage, deadline).await?;
        }
        Ok(())
    }

    /// Sends and takes media until `until`.
    ///
    /// # Errors
    /// The server ended something that it had no reason to end.
    pub(super) async fn live(&mut self, stage: &Stage, until: Instant) -> anyhow::Result<()> {
        while Instant::now() < until {
            ensure!(self.closed.is_none(), "the server ended a transport of {}", self.room);
            self.step(stage, until).await?;
        }
        Ok(())
    }

    /// Says goodbye: to the stream if there still is one, then to the room.
    ///
    /// # Errors
    /// A goodbye that is refused.
    pub(super) async fn take_leave(
        mut self,
        stage: &Stage,
        room: &str,
        stream: Option<&str>,
    ) -> anyhow::Result<()> {
        if let Some((_, link)) = &mut self.transport
            && let Way::Turn(_) = self.way
        {
            link.give_back();
            stage.count(|counts| counts.given_back += 1);
        }
        let signalling = match self.presence {
            Presence::Session { signalling, .. } => signalling,
            Presence::Resource { token, path: Some(path) } if stream.is_some() => {
                let (status, _, body) = stage.request("DELETE", &path, &token, "").await?;
                ensure!(status == 200, "DELETE {path}: {status} {body}");
                return Ok(());
            }
            // Its stream was deleted, and with it the resource.
            Presence::Resource { .. } => return Ok(()),
        };
        match (&self.transport, stream) {
            (Some((Role::Publisher, _)), Some(stream)) => {
                signalling.unpublish(room, stream).await?;
            }
            (Some((Role::Viewer, _)), Some(stream)) => {
                signalling.unplay(room, stream).await?;
            }
            (Some(_), None) | (None, _) => {}
        }
        Ok(signalling.logout(room).await?)
    }

    /// Their transport, if there is one; the rest of them is gone.
    pub(super) fn into_link(self) -> Option<Link> {
        self.transport.map(|(_, link)| link)
    }

    /// The answer to an offer. The publisher knows that it is connected a moment before the server
    /// does, so viewers ask again.
    async fn request(
        &mut self,
        stage: &Stage,
        role: Role,
        stream: &str,
        offer: &str,
    ) -> anyhow::Result<String> {
        let mut left = PLAY_ATTEMPTS_MAX;
        loop {
            left -= 1;
            match &mut self.presence {
                Presence::Session { signalling, .. } => {
                    let answer = match role {
                        Role::Publisher => signalling.publish(&self.room, stream, "", offer).await,
                        Role::Viewer => signalling.play(&self.room, stream, offer).await,
                    };
                    match answer {
                        Err(RequestError::Refused { .. }) if role == Role::Viewer && left > 0 => {}
                        answer => return Ok(answer?),
                    }
                }
                Presence::Resource { token, path } => {
                    let what = if role == Role::Publisher { "whip" } else { "whep" };
                    let url = format!("/{what}/{}/{stream}", self.room);
                    let (status, location, body) =
                        stage.request("POST", &url, token, offer).await?;
                    if status == 201 {
                        *path = location;
                        return Ok(body);
                    }
                    ensure!(role == Role::Viewer && left > 0, "POST {url}: {status} {body}");
                }
            }
            tokio::time::sleep(PLAY_AGAIN_IN).await;
        }
    }

    /// One thing that happens, or a frame that is due, or `until`.
    async fn step(&mut self, stage: &Stage, until: Instant) -> anyhow::Result<()> {
        let Some((_, link)) = &mut self.transport else { bail!("no transport to drive") };
        let mut wake = until;
        if let Some(source) = &mut self.source {
            while let Some(packet) = source.poll_packet(Instant::now()) {
                link.peer.send_rtp(&packet);
            }
            wake = wake.min(source.poll_timeout());
        }
        let told = async {
            match &mut self.presence {
                Presence::Session { events, .. } => events.next().await,
                Presence::Resource { .. } => std::future::pending().await,
            }
        };
        tokio::select! {
            result = link.next() => result?,
            event = told => match event {
                None | Some(Event::Closed { .. }) => bail!("the WebSocket closed"),
                Some(Event::Gap(gap)) => bail!("a notice is missing: {gap}"),
                Some(_) => {}
            },
            () = tokio::time::sleep_until(wake.into()) => {}
        }
        let happened = link.take();
        for event in happened.events {
            match event {
                PeerEvent::Connected { .. } => self.is_connected = true,
                PeerEvent::Closed(reason) => self.closed = Some(reason),
                PeerEvent::KeyFrameRequested => {
                    self.source.iter_mut().for_each(VideoSource::request_key_frame);
                }
            }
        }
        self.has_heard_dtls |= happened.has_heard_dtls;
        stage.count(|counts| {
            counts.played += happened.played;
            counts.lost += happened.lost;
        });
        Ok(())
    }
}
