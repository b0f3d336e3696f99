//! Clients of the relay that come over TCP or TLS.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use odeum_turn::{Action, Client, frame_length};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::{Relay, Shared};
use crate::limits::{TURN_DATAGRAM_BYTES_MAX, TURN_IDLE_MAX, TURN_WRITE_MAX};

/// What a stream's task was woken by.
enum Woken {
    /// The client has sent so many bytes.
    Client(usize),
    /// A peer has sent so many bytes.
    Peer(usize, SocketAddr),
    /// A peer's socket told of an error of an earlier send.
    PeerFailed,
    /// Time.
    Look,
}

/// Serves one client until it goes, its allocation or its session ends.
///
/// # Errors
/// What the kernel says of the stream, and what is no frame of TURN.
pub(super) async fn serve<S>(
    shared: &Arc<Shared>,
    source: SocketAddr,
    stream: &mut S,
) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut client = Client::new(source, shared.limits);
    let mut relay: Option<Relay> = None;
    let idle_until = Instant::now() + TURN_IDLE_MAX;
    let mut input = vec![0; 2 * TURN_DATAGRAM_BYTES_MAX];
    let (mut buffer, mut out) = (vec![0; TURN_DATAGRAM_BYTES_MAX], Vec::new());
    let mut filled = 0;
    let mut look_at = idle_until;
    loop {
        let woken = tokio::select! {
            read = stream.read(&mut input[filled..]) => Woken::Client(read?),
            received = receive(&relay, &mut buffer) => match received {
                Ok((length, from)) => Woken::Peer(length, from),
                Err(_) => Woken::PeerFailed,
            },
            () = tokio::time::sleep_until(look_at.into()) => Woken::Look,
        };
        match woken {
            Woken::PeerFailed => {}
            Woken::Client(0) => return Ok(()),
            Woken::Client(read) => {
                let had_relay = relay.is_some();
                filled += read;
                filled =
                    serve_frames(shared, &mut client, &mut relay, stream, &mut input[..filled])
                        .await?
                        .ok_or(io::ErrorKind::ConnectionAborted)?;
                if relay.is_some() && !had_relay {
                    look_at = Shared::next_look(client.ends());
                }
            }
            Woken::Peer(length, from) => {
                if shared.handle_peer(&mut client, from, &buffer[..length], &mut out) {
                    write(stream, &out).await?;
                }
            }
            Woken::Look if relay.is_some() && shared.goes_on(&client) => {
                look_at = Shared::next_look(client.ends());
            }
            // Idle for too long, or over.
            Woken::Look => return Ok(()),
        }
    }
}

/// Carries out every whole frame, and moves the rest to the front: how many bytes of it there are;
/// none when the client has ended its allocation.
async fn serve_frames<S: AsyncWrite + Unpin>(
    shared: &Arc<Shared>,
    client: &mut Client,
    relay: &mut Option<Relay>,
    stream: &mut S,
    input: &mut [u8],
) -> io::Result<Option<usize>> {
    let mut at = 0;
    while let Some(length) = frame_length(&input[at..]).map_err(io::Error::other)?
        && at + length <= input.len()
    {
        let frame = &input[at..at + length];
        at += length;
        match shared.handle(client, frame) {
            Action::Nothing | Action::OverRate => {}
            Action::Reply(reply) | Action::Refuse { reply, .. } => write(stream, &reply).await?,
            Action::Ended(reply) => {
                write(stream, &reply).await?;
                return Ok(None);
            }
            Action::Open { username, family } => {
                let (opened, reply) = shared.open(client, &username, family).await;
                *relay = opened;
                write(stream, &reply).await?;
            }
            Action::ToPeer { to, bytes } => {
                if let Some(relay) = relay {
                    drop(relay.socket.send_to(bytes, to).await);
                }
            }
        }
    }
    input.copy_within(at.., 0);
    Ok(Some(input.len() - at))
}

async fn receive(relay: &Option<Relay>, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
    match relay {
        Some(relay) => relay.socket.recv_from(buffer).await,
        None => std::future::pending().await,
    }
}

/// Writes all of it; a client that does not read for so long is left. What comes meanwhile waits in
/// the relay's socket, and is lost there when it is too much.
async fn write<S: AsyncWrite + Unpin>(stream: &mut S, bytes: &[u8]) -> io::Result<()> {
    let all = async {
        stream.write_all(bytes).await?;
        stream.flush().await
    };
    match tokio::time::timeout(TURN_WRITE_MAX, all).await {
        Ok(written) => written,
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    }
}
