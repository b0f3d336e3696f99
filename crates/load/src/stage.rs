//! Brings publishers and players in, as a plan says.

use std::time::Instant;

use futures_util::future::try_join_all;
use odeum_client::{Certificate, Direction, DtlsVersion, Kind, NackMode, PeerConfig, WebRtcPeer};
use tokio::runtime::Runtime;

use crate::args::{CommonArgs, Sending};
use crate::drive::Drive;
use crate::report::Progress;
use crate::shape::{Media, Plan, StreamPlan};
use crate::target::Target;

/// Peers that join at once.
const JOINING_MAX: usize = 25;

/// The server and who is connected to it.
pub(crate) struct Stage {
    /// Publishers and viewers.
    pub(crate) drive: Drive,
    /// What is measured.
    pub(crate) target: Target,
    /// Shared by all peers.
    certificate: Certificate,
    /// Runs the requests.
    runtime: Runtime,
}

impl Stage {
    /// Nobody yet.
    ///
    /// # Errors
    /// As [`Target::new`], and no certificate.
    pub(crate) fn new(args: &CommonArgs) -> anyhow::Result<Self> {
        Self::of(args.sending, Target::new(&args.target, &args.own)?)
    }

    /// Nobody yet, at `target`.
    ///
    /// # Errors
    /// No certificate.
    pub(crate) fn of(sending: Sending, target: Target) -> anyhow::Result<Self> {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        Ok(Self {
            drive: Drive::new(sending)?,
            target,
            certificate: Certificate::generate()?,
            runtime,
        })
    }

    /// Brings in those publishers of `plan` that are not there yet.
    ///
    /// # Errors
    /// The server refuses, or somebody does not connect.
    pub(crate) fn publish(&mut self, plan: &Plan, progress: &mut Progress) -> anyhow::Result<()> {
        loop {
            let begin = self.drive.size().0;
            let new = &plan.streams[begin..plan.streams.len().min(begin + JOINING_MAX)];
            if new.is_empty() {
                return Ok(());
            }
            progress.say(format_args!("{} of {} publish", begin, plan.streams.len()));
            let who: Vec<_> = new.iter().map(|one| (&*one.room, &*one.user)).collect();
            self.log_in(&who)?;
            let mut peers: Vec<_> =
                new.iter().map(|one| self.peer(Direction::Send, one.media)).collect();
            let target = &self.target;
            let requests = new.iter().zip(&peers).map(|(one, peer)| async move {
                let offer = peer.offer();
                target.publish(one, &offer).await
            });
            let opened = self.runtime.block_on(try_join_all(requests))?;
            for (peer, opened) in peers.iter_mut().zip(opened) {
                peer.accept_answer(Instant::now(), &opened.answer)?;
                self.target.opened(opened.resource);
            }
            self.drive.add_publishers(peers.into_iter().zip(new.iter().map(|one| one.media)))?;
        }
    }

    /// Logs everybody of `plan` in who is to play and is not logged in yet.
    ///
    /// # Errors
    /// The server refuses.
    pub(crate) fn log_in_players(&mut self, plan: &Plan) -> anyhow::Result<()> {
        let new = &plan.plays[self.drive.size().1..];
        let room = |stream: usize| &*plan.streams[stream].room;
        let mut who: Vec<_> = new.iter().map(|one| (room(one.stream), &*one.user)).collect();
        who.dedup();
        for who in who.chunks(JOINING_MAX) {
            self.log_in(who)?;
        }
        Ok(())
    }

    /// Lets those of `plan` play who do not yet.
    ///
    /// # Errors
    /// The server refuses, or somebody does not connect.
    pub(crate) fn play(&mut self, plan: &Plan, progress: &mut Progress) -> anyhow::Result<()> {
        loop {
            let begin = self.drive.size().1;
            let new = &plan.plays[begin..plan.plays.len().min(begin + JOINING_MAX)];
            if new.is_empty() {
                return Ok(());
            }
            progress.say(format_args!("{} of {} play", begin, plan.plays.len()));
            let media = |stream: usize| plan.streams[stream].media;
            let mut peers: Vec<_> =
                new.iter().map(|one| self.peer(Direction::Receive, media(one.stream))).collect();
            let target = &self.target;
            let requests = new.iter().zip(&peers).map(|(one, peer)| async move {
                let offer = peer.offer();
                target.play(&plan.streams[one.stream], &one.user, &offer).await
            });
            let opened = self.runtime.block_on(try_join_all(requests))?;
            for (peer, opened) in peers.iter_mut().zip(opened) {
                peer.accept_answer(Instant::now(), &opened.answer)?;
                self.target.opened(opened.resource);
            }
            self.drive.add_viewers(peers.into_iter().zip(new.iter().map(|one| one.stream)))?;
        }
    }

    /// Logs those in who are to be in `room` and are not yet.
    ///
    /// # Errors
    /// The server refuses.
    pub(crate) fn log_in_all(&mut self, room: &str, users: &[String]) -> anyhow::Result<()> {
        let who: Vec<_> = users.iter().map(|user| (room, &**user)).collect();
        who.chunks(JOINING_MAX).try_for_each(|who| self.log_in(who))
    }

    /// Lets `users` play `stream`, those who do already once more, and leaves it to the caller to
    /// connect their peers, which speak DTLS 1.2 alone.
    ///
    /// # Errors
    /// The server refuses.
    pub(crate) fn play_anew(
        &mut self,
        stream: &StreamPlan,
        users: &[String],
    ) -> anyhow::Result<Vec<WebRtcPeer>> {
        let config = PeerConfig {
            media: vec![Kind::Video],
            dtls: DtlsVersion::V12,
            ..PeerConfig::new(Direction::Receive, self.certificate.clone(), 0)
        };
        let peer = |_| WebRtcPeer::new(PeerConfig { seed: rand::random(), ..config.clone() });
        let mut peers: Vec<_> = users.iter().map(peer).collect();
        let target = &self.target;
        let requests = users.iter().zip(&peers).map(|(user, peer)| async move {
            let offer = peer.offer();
            target.stop_playing(stream, user).await?;
            target.play(stream, user, &offer).await
        });
        let opened = self.runtime.block_on(try_join_all(requests))?;
        for (peer, opened) in peers.iter_mut().zip(opened) {
            peer.accept_answer(Instant::now(), &opened.answer)?;
        }
        Ok(peers)
    }

    /// What all peers show.
    pub(crate) fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// Ends what a server that goes on would keep.
    pub(crate) fn end(&mut self) {
        self.runtime.block_on(self.target.end());
    }

    fn log_in(&mut self, who: &[(&str, &str)]) -> anyhow::Result<()> {
        let requests = who.iter().map(|(room, user)| self.target.log_in(room, user));
        let sessions = self.runtime.block_on(try_join_all(requests))?;
        for ((room, user), session) in who.iter().zip(sessions) {
            self.target.keep(room, user, session);
        }
        Ok(())
    }

    fn peer(&self, direction: Direction, media: Media) -> WebRtcPeer {
        let sound = media.audio.then_some(Kind::Audio);
        let video = media.frame_packets.is_some().then_some(Kind::Video);
        let config = PeerConfig {
            media: sound.into_iter().chain(video).collect(),
            // Loss shall be seen, not repaired.
            nack: NackMode::Count,
            ..PeerConfig::new(direction, self.certificate.clone(), rand::random())
        };
        WebRtcPeer::new(config)
    }
}
