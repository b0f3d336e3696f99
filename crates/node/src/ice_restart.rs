//! Restarting ICE for what a session publishes or plays: the client has moved to another network,
//! and its media goes on over the same transport.

use odeum_room::{StopPlayingError, StopPublishingError};
use odeum_sfu::{IceCredentials, IceUfrag, NoTransport};
use odeum_types::StreamId;
use tokio::sync::oneshot;

use crate::error::CommandError;
use crate::handle::{NodeHandle, SessionRef};
use crate::room_worker::RoomWorker;

/// Which of a session's transports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransportUse {
    /// The one that publishes a stream.
    Publish,
    /// The one that plays a stream.
    Play,
}

/// Why ICE was not restarted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IceRestartFailed {
    /// The session does not publish the stream.
    #[error(transparent)]
    NotPublishing(#[from] StopPublishingError),
    /// The session does not play the stream.
    #[error(transparent)]
    NotPlaying(#[from] StopPlayingError),
    /// The transport has just ended.
    #[error(transparent)]
    NoTransport(#[from] NoTransport),
    /// The room or the media plane was not reached.
    #[error(transparent)]
    Command(#[from] CommandError),
}

/// An ICE restart, as a media worker is asked for it.
pub(crate) struct RestartIce {
    /// The client's new name.
    pub(crate) remote_ufrag: IceUfrag,
    /// Gets the new credentials.
    pub(crate) reply: oneshot::Sender<Result<IceCredentials, NoTransport>>,
}

impl NodeHandle {
    /// Restarts ICE for the client's new user name fragment, and gives the server's new
    /// credentials. Media goes on over the old path until the client has nominated a new one.
    ///
    /// # Errors
    /// [`IceRestartFailed`], each variant as it says; the transport is as before then.
    pub async fn restart_ice(
        &self,
        session: &SessionRef,
        of: TransportUse,
        stream: StreamId,
        remote_ufrag: IceUfrag,
    ) -> Result<IceCredentials, IceRestartFailed> {
        let began = tokio::time::Instant::now();
        let id = session.session;
        let key = (session.app, session.room.clone());
        let (reply_restart, restarted) = oneshot::channel();
        let restart = RestartIce { remote_ufrag, reply: reply_restart };
        self.ask(&key.clone(), move |worker, reply| {
            let found = worker.query(&key, |room| match of {
                TransportUse::Publish => {
                    room.publishing_peer(id, &stream).map_err(IceRestartFailed::from)
                }
                TransportUse::Play => {
                    room.playing_peer(id, &stream).map_err(IceRestartFailed::from)
                }
            });
            let asked = found.map_err(IceRestartFailed::from).flatten().and_then(|peer| {
                let media = worker.shared.media(worker.worker_of(&key, peer));
                media.restart_ice(peer, restart).map_err(|_| CommandError::Overloaded.into())
            });
            RoomWorker::reply(asked, None, reply);
        })
        .await??;
        let deadline = began + self.shared.limits.command_deadline;
        match tokio::time::timeout_at(deadline, restarted).await {
            Ok(Ok(result)) => Ok(result?),
            // The worker broke down; the room hears of that from the worker.
            Ok(Err(_)) => Err(CommandError::Overloaded.into()),
            Err(_) => Err(CommandError::DeadlinePassed.into()),
        }
    }
}
