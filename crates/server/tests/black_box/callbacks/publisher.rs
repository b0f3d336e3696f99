//! A user who publishes a real stream: its media connects over UDP, and then stays.

use std::time::Instant;

use odeum_client::{
    Certificate, Direction, Event, PeerConfig, PeerEvent, RequestError, Signalling, UdpPeer,
    UdpPeerEvent, WebRtcPeer,
};
use tokio::task::JoinHandle;

use super::login_to_listen;

/// Somebody in a room whose stream is connected.
pub(super) struct Publisher {
    /// Its session.
    pub(super) session: Signalling,
    /// Answers the server's checks.
    media: JoinHandle<()>,
}

impl Publisher {
    /// Logs in; `confirmed` hears of it at once, for the stream may still fail. Then publishes.
    ///
    /// # Errors
    /// [`RequestError`]: refused, or the server is gone.
    pub(super) async fn start(
        (url, room, user): (&str, &str, &str),
        stream: &str,
        certificate: &Certificate,
        confirmed: impl FnOnce(),
    ) -> Result<Self, RequestError> {
        let (session, mut events) = login_to_listen(url, room, user).await?;
        confirmed();
        let config = PeerConfig::new(Direction::Send, certificate.clone(), rand::random());
        let local = "127.0.0.1:0".parse().expect("an address");
        let mut peer = UdpPeer::bind(WebRtcPeer::new(config), local).await.expect("a port is free");
        let answer = session.publish(room, stream, "", &peer.peer().offer()).await?;
        peer.peer_mut().accept_answer(Instant::now(), &answer).expect("a good answer");
        while !peer.peer().is_connected() {
            tokio::select! {
                event = peer.next() => match event.expect("the socket is whole") {
                    UdpPeerEvent::Peer(PeerEvent::Closed(_)) => return Err(RequestError::Closed),
                    UdpPeerEvent::Peer(_) | UdpPeerEvent::Media(_) | UdpPeerEvent::Progress => {}
                },
                event = events.next() => match event {
                    None | Some(Event::Closed { .. }) => return Err(RequestError::Closed),
                    Some(_) => {}
                },
            }
        }
        let media = tokio::spawn(async move {
            while let Ok(event) = peer.next().await {
                if let UdpPeerEvent::Peer(PeerEvent::Closed(_)) = event {
                    return;
                }
            }
        });
        Ok(Self { session, media })
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.media.abort();
    }
}
