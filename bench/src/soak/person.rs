//! Somebody in a room: a session and one transport.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use odeum_client::{
    ConnectOptions, Direction, Event, Events, LoginOptions, PeerConfig, PeerEvent, RequestError,
    Signalling, UdpPeer, UdpPeerEvent, VideoSource, VideoSourceConfig, WebRtcPeer,
};

use super::life::Stage;
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

/// A session, and its transport once there is one.
pub(super) struct Person {
    /// Where it is.
    room: String,
    /// Its requests.
    signalling: Signalling,
    /// What it is told.
    events: Events,
    /// Its transport, and what it is for.
    transport: Option<(Role, UdpPeer)>,
    /// Its picture, if it publishes.
    source: Option<VideoSource>,
    /// Whether media may flow.
    is_connected: bool,
    /// Whether the server has ended the transport.
    is_closed: bool,
    /// Media packets taken.
    played: u64,
}

impl Person {
    /// Logs somebody in.
    ///
    /// # Errors
    /// A login that is refused.
    pub(super) async fn enter(stage: &Stage, room: &str, user: &str) -> anyhow::Result<Self> {
        let options = ConnectOptions::new(&stage.signal_url);
        let (signalling, events) = Signalling::connect(&options).await?;
        let login = LoginOptions::new(APP.0, room, user, token(user)?);
        signalling.login(login).await.context("login")?;
        Ok(Self {
            room: room.to_owned(),
            signalling,
            events,
            transport: None,
            source: None,
            is_connected: false,
            is_closed: false,
            played: 0,
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
        let local = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let mut peer = UdpPeer::bind(WebRtcPeer::new(config), local).await?;
        let offer = peer.peer().offer();
        let answer = match role {
            Role::Publisher => self.signalling.publish(&self.room, stream, "", &offer).await?,
            Role::Viewer => self.play(stream, &offer).await.context("play")?,
        };
        stage.count(|counts| counts.made += 1);
        peer.peer_mut().accept_answer(Instant::now(), &answer)?;
        self.transport = Some((role, peer));
        Ok(())
    }

    /// The publisher knows that it is connected a moment before the server does.
    async fn play(&self, stream: &str, offer: &str) -> Result<String, RequestError> {
        for _ in 1..PLAY_ATTEMPTS_MAX {
            match self.signalling.play(&self.room, stream, offer).await {
                Err(RequestError::Refused { .. }) => tokio::time::sleep(PLAY_AGAIN_IN).await,
                other => return other,
            }
        }
        self.signalling.play(&self.room, stream, offer).await
    }

    /// Goes on until the transport is connected.
    ///
    /// # Errors
    /// It is not by `deadline`.
    pub(super) async fn connect(&mut self, stage: &Stage, deadline: Instant) -> anyhow::Result<()> {
        while !self.is_connected {
            ensure!(Instant::now() < deadline && !self.is_closed, "the transport did not connect");
            self.step(deadline).await?;
        }
        stage.count(|counts| counts.connected += 1);
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

    /// Sends and takes media until `until`.
    ///
    /// # Errors
    /// The server ended something that it had no reason to end.
    pub(super) async fn live(&mut self, stage: &Stage, until: Instant) -> anyhow::Result<()> {
        while Instant::now() < until {
            ensure!(!self.is_closed, "the server ended a transport of {}", self.room);
            self.step(until).await?;
        }
        let played = std::mem::take(&mut self.played);
        stage.count(|counts| counts.played += played);
        Ok(())
    }

    /// Says goodbye: to the stream if there still is one, then to the room.
    ///
    /// # Errors
    /// A goodbye that is refused.
    pub(super) async fn take_leave(self, room: &str, stream: Option<&str>) -> anyhow::Result<()> {
        match (&self.transport, stream) {
            (Some((Role::Publisher, _)), Some(stream)) => {
                self.signalling.unpublish(room, stream).await?;
            }
            (Some((Role::Viewer, _)), Some(stream)) => {
                self.signalling.unplay(room, stream).await?;
            }
            (Some(_), None) | (None, _) => {}
        }
        Ok(self.signalling.logout(room).await?)
    }

    /// One thing that happens, or a frame that is due, or `until`.
    async fn step(&mut self, until: Instant) -> anyhow::Result<()> {
        let Some((_, peer)) = &mut self.transport else { bail!("no transport to drive") };
        let mut wake = until;
        if let Some(source) = &mut self.source {
            while let Some(packet) = source.poll_packet(Instant::now()) {
                peer.peer_mut().send_rtp(&packet);
            }
            wake = wake.min(source.poll_timeout());
        }
        tokio::select! {
            event = peer.next() => match event? {
                UdpPeerEvent::Peer(PeerEvent::Connected { .. }) => self.is_connected = true,
                UdpPeerEvent::Peer(PeerEvent::Closed(_)) => self.is_closed = true,
                UdpPeerEvent::Peer(PeerEvent::KeyFrameRequested) => {
                    if let Some(source) = &mut self.source {
                        source.request_key_frame();
                    }
                }
                UdpPeerEvent::Media(_) => self.played += 1,
                UdpPeerEvent::Progress => {}
            },
            event = self.events.next() => match event {
                None | Some(Event::Closed { .. }) => bail!("the WebSocket closed"),
                Some(Event::Gap(gap)) => bail!("a notice is missing: {gap}"),
                Some(_) => {}
            },
            () = tokio::time::sleep_until(wake.into()) => {}
        }
        Ok(())
    }
}
