//! Publishing and playing: first the room, then the media plane, then the SDP answer. What the
//! media plane reports afterwards goes to the room's worker by itself.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use odeum_room::{StartPublishing, StopPlayingError};
use odeum_sfu::{Answer, PlayWish};
use odeum_types::StreamId;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::error::{CommandError, PlayFailed, PublishFailed};
use crate::handle::{NodeHandle, SessionRef};
use crate::mailbox::RoomKey;
use crate::media_handle::{CreatePeer, CreateRole, OfferAnswer};
use crate::peer_notice::{PeerOwner, PeerRole};
use crate::room_worker::RoomWorker;

impl NodeHandle {
    /// Begins a publication with the client's SDP offer and returns the SDP answer. The stream
    /// comes into the room's list when its media is connected. `source` is where the client comes
    /// from. A caller that goes away leaves a
    /// publication that ends by the media plane's connect timeout.
    ///
    /// # Errors
    /// [`PublishFailed`], each variant as it says; the room is as before then, but for what the
    /// stream's own replacement has ended.
    pub async fn publish(
        &self,
        session: &SessionRef,
        source: IpAddr,
        stream: StreamId,
        offer: String,
        extra_info: Arc<str>,
    ) -> Result<String, PublishFailed> {
        let began = Instant::now();
        self.shared.admit()?;
        let key = (session.app, session.room.clone());
        let room_key = key.clone();
        let peer = self.shared.ids.peer();
        let owner = self.owner(&key, session, &stream, PeerRole::Publisher);
        let start = StartPublishing { session: session.session, stream, peer, source, extra_info };
        let (reply_offer, answer) = oneshot::channel();
        self.ask(&key.clone(), move |worker, reply| {
            let started = worker.command(&key, |now, room, claims| {
                room.start_publishing(now, &mut claims.lock(), start)
            });
            let (result, events) = match started {
                Ok((Ok(cut), events)) => {
                    let role = CreateRole::Publisher { cut, linger: worker.linger(&key) };
                    let create = CreatePeer { peer, role, owner, offer, reply: reply_offer };
                    (worker.create_peer(&key, create).map_err(PublishFailed::Command), events)
                }
                Ok((Err(error), events)) => (Err(PublishFailed::Room(error)), events),
                Err(error) => (Err(PublishFailed::Command(error)), None),
            };
            RoomWorker::reply(result, events, reply);
        })
        .await??;
        match answered(answer, began + self.deadline()).await? {
            Ok(answer) => Ok(answer.sdp),
            Err(error) => {
                self.settle(&room_key).await;
                Err(error.into())
            }
        }
    }

    /// Begins a play of what `wish` says with the client's SDP offer, and returns the SDP answer
    /// with the codecs of the stream that the offer cannot take.
    ///
    /// # Errors
    /// [`PlayFailed`], each variant as it says.
    pub async fn play(
        &self,
        session: &SessionRef,
        stream: StreamId,
        offer: String,
        wish: PlayWish,
    ) -> Result<Answer, PlayFailed> {
        let began = Instant::now();
        self.shared.admit_without_events()?;
        let key = (session.app, session.room.clone());
        let room_key = key.clone();
        let peer = self.shared.ids.peer();
        let owner = self.owner(&key, session, &stream, PeerRole::Player);
        let session = session.session;
        let (reply_offer, answer) = oneshot::channel();
        self.ask(&key.clone(), move |worker, reply| {
            let started = worker.command(&key, |now, room, claims| {
                room.start_playing(now, &claims.lock(), session, &stream, peer)
            });
            let (result, events) = match started {
                Ok((Ok(publisher), events)) => {
                    let home = worker.worker_of(&key, publisher);
                    let role = CreateRole::Subscriber { publisher, home, wish };
                    let create = CreatePeer { peer, role, owner, offer, reply: reply_offer };
                    (worker.create_peer(&key, create).map_err(PlayFailed::Command), events)
                }
                Ok((Err(error), events)) => (Err(PlayFailed::Room(error)), events),
                Err(error) => (Err(PlayFailed::Command(error)), None),
            };
            RoomWorker::reply(result, events, reply);
        })
        .await??;
        match answered(answer, began + self.deadline()).await? {
            Ok(answer) => Ok(answer),
            Err(error) => {
                self.settle(&room_key).await;
                Err(error.into())
            }
        }
    }

    /// What a session wants of a stream that it plays, from now on.
    ///
    /// # Errors
    /// Outside, that the room was not reached; inside, that the stream is not played.
    pub async fn set_play_wish(
        &self,
        session: &SessionRef,
        stream: StreamId,
        wish: PlayWish,
    ) -> Result<Result<(), StopPlayingError>, CommandError> {
        let id = session.session;
        let key = (session.app, session.room.clone());
        self.ask(&key.clone(), move |worker, reply| {
            let found = worker.query(&key, |room| room.playing_peer(id, &stream));
            let result = found.map(|found| {
                found.map(|peer| {
                    let at = worker.worker_of(&key, peer);
                    worker.shared.media(at).set_play_wish(peer, wish);
                })
            });
            RoomWorker::reply(result, None, reply);
        })
        .await?
    }

    fn owner(
        &self,
        key: &RoomKey,
        session: &SessionRef,
        stream: &StreamId,
        role: PeerRole,
    ) -> PeerOwner {
        PeerOwner {
            app: key.0,
            room: key.1.clone(),
            session: session.session,
            stream: stream.clone(),
            role,
            notices: self.shared.mailbox(key).notices.clone(),
        }
    }

    /// Waits until the room has heard what the media plane told it before: a refused offer's stream
    /// is free for everyone once its publisher knows of the refusal.
    async fn settle(&self, key: &RoomKey) {
        // The worker hears the media plane before it takes a command. One that is too busy for this
        // one has heard by the time it has room for the next.
        self.ask(key, |_, reply| RoomWorker::reply((), None, reply)).await.unwrap_or(());
    }

    fn deadline(&self) -> Duration {
        self.shared.limits.command_deadline
    }
}

/// Waits for the media worker's answer.
async fn answered(
    answer: oneshot::Receiver<OfferAnswer>,
    deadline: Instant,
) -> Result<OfferAnswer, CommandError> {
    match tokio::time::timeout_at(deadline, answer).await {
        Ok(Ok(answer)) => Ok(answer),
        // The worker broke down with the offer; the room hears of that from the worker.
        Ok(Err(_)) => Err(CommandError::Overloaded),
        Err(_) => Err(CommandError::DeadlinePassed),
    }
}
