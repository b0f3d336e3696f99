//! A client of Odeum in Rust: signalling over WebSocket, and WebRTC as far as tests and the load
//! generator need it.
//!
//! - [`Signalling`]: one WebSocket to a server: login, resume, publish, play and the rest; its
//!   [`Events`] bring the room's notices and keep a [`RoomView`].
//! - [`WebRtcPeer`]: one transport, sans-IO: it makes the offer, takes the answer, connects (ICE
//!   controlling, DTLS client), and sends or receives. The caller owns sockets and clock, so that
//!   one thread may drive hundreds. [`UdpPeer`] is a thin shell with a socket of its own.
//! - [`VideoSource`], [`AudioSource`]: media that looks like VP8 and Opus to a server; each packet
//!   carries a [`Stamp`] that says when it left and proves that it arrived whole.
//!
//! The invariant: what a peer reports as received was authenticated, and its fingerprint was the
//! one of the answer.
//!
//! ```no_run
//! # async fn publish(token: String) -> Result<(), Box<dyn std::error::Error>> {
//! use odeum_client::{ConnectOptions, LoginOptions, Signalling};
//! use odeum_client::{Certificate, Direction, PeerConfig, UdpPeer, WebRtcPeer};
//! let (signalling, mut events) =
//!     Signalling::connect(&ConnectOptions::new("ws://127.0.0.1:7880/signal")).await?;
//! signalling.login(LoginOptions::new(1_234_567_890, "lobby", "ada", token)).await?;
//!
//! let config = PeerConfig::new(Direction::Send, Certificate::generate()?, rand::random());
//! let mut peer = UdpPeer::bind(WebRtcPeer::new(config), "127.0.0.1:0".parse()?).await?;
//! let answer = signalling.publish("lobby", "camera", "", &peer.peer().offer()).await?;
//! peer.peer_mut().accept_answer(std::time::Instant::now(), &answer)?;
//! while let Some(event) = events.next().await {
//!     println!("{event:?}");
//! }
//! # Ok(())
//! # }
//! ```

mod peer;
mod signalling;
mod source;
mod turn;
mod udp_peer;
mod view;

pub use peer::answer::AnswerError;
pub use peer::{
    Certificate, CertificateError, CloseReason, Direction, DtlsVersion, Kind, NackMode, PeerConfig,
    PeerEvent, ReceiveStatistics, Received, SendStatistics, SoundRepair, Transmit, WebRtcPeer,
};
pub use signalling::{
    ByteStream, ConnectError, ConnectOptions, Event, Events, LoginOptions, RequestError,
    ResumeOptions, Signalling, Tls, open_stream,
};
pub use source::{AudioSource, MediaPacket, Stamp, VideoSource, VideoSourceConfig};
pub use turn::{TurnAttribute, TurnCarrier, TurnClient, TurnError, TurnMethod, TurnServer};
pub use udp_peer::{UdpPeer, UdpPeerEvent};
pub use view::{GapError, RoomView};
