//! Clients of the relay that come over UDP.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use odeum_sfu::AddressPair;
use odeum_turn::{Action, Client};
use tokio::sync::mpsc;

use super::socket::TurnSocket;
use super::{Relay, Shared};
use crate::limits::{TURN_DATAGRAM_BYTES_MAX, TURN_QUEUE_PACKETS_MAX};

/// How long to wait after a read that failed: mostly it told of an ICMP error of an earlier send.
const READ_PAUSE: Duration = Duration::from_millis(1);

/// Reads all clients of a UDP port and hands each its own.
pub(super) async fn serve(shared: Arc<Shared>, socket: Arc<TurnSocket>) {
    // One socket of a client's may ask at several of this machine's addresses (RFC 8656 §3).
    let mut clients: HashMap<AddressPair, mpsc::Sender<Vec<u8>>> = HashMap::new();
    let mut buffer = vec![0; TURN_DATAGRAM_BYTES_MAX];
    loop {
        let Ok((length, way)) = socket.receive(&mut buffer).await else {
            tokio::time::sleep(READ_PAUSE).await;
            continue;
        };
        let bytes = &buffer[..length];
        if let Some(client) = clients.get(&way) {
            match client.try_send(bytes.to_vec()) {
                // A full queue loses it, as a network would.
                Ok(()) | Err(mpsc::error::TrySendError::Full(_)) => continue,
                Err(mpsc::error::TrySendError::Closed(_)) => drop(clients.remove(&way)),
            }
        }
        let mut client = Client::new(way.remote.socket, shared.limits);
        let (relay, reply) = match shared.handle(&mut client, bytes) {
            Action::Reply(reply) | Action::Ended(reply) | Action::Refuse { reply, .. } => {
                (None, reply)
            }
            Action::Open { username, family } => shared.open(&mut client, &username, family).await,
            Action::Nothing | Action::OverRate | Action::ToPeer { .. } => continue,
        };
        if let Some(relay) = relay {
            if clients.len() >= 2 * shared.allocations_max {
                clients.retain(|_, client| !client.is_closed());
            }
            let (queue, packets) = mpsc::channel(TURN_QUEUE_PACKETS_MAX);
            clients.insert(way, queue);
            tokio::spawn(serve_client(client, relay, Arc::clone(&socket), way, packets));
        }
        // Lost as in a network when the kernel does not take it.
        drop(socket.send(way, &reply).await);
    }
}

/// Serves one client until its allocation or its session ends.
async fn serve_client(
    mut client: Client,
    relay: Relay,
    socket: Arc<TurnSocket>,
    way: AddressPair,
    mut packets: mpsc::Receiver<Vec<u8>>,
) {
    let shared = Arc::clone(&relay.shared);
    let (mut buffer, mut out) = (vec![0; TURN_DATAGRAM_BYTES_MAX], Vec::new());
    let mut look_at = Shared::next_look(client.ends());
    loop {
        tokio::select! {
            packet = packets.recv() => {
                let Some(packet) = packet else { return };
                match shared.handle(&mut client, &packet) {
                    Action::Ended(reply) => {
                        drop(socket.send(way, &reply).await);
                        return;
                    }
                    Action::Reply(reply) | Action::Refuse { reply, .. } => {
                        drop(socket.send(way, &reply).await);
                    }
                    Action::ToPeer { to, bytes } => drop(relay.socket.send_to(bytes, to).await),
                    Action::Nothing | Action::OverRate | Action::Open { .. } => {}
                }
            }
            received = relay.socket.recv_from(&mut buffer) => {
                let Ok((length, from)) = received else { continue };
                if shared.handle_peer(&mut client, from, &buffer[..length], &mut out) {
                    drop(socket.send(way, &out).await);
                }
            }
            () = tokio::time::sleep_until(look_at.into()) => {
                if !shared.goes_on(&client) {
                    return;
                }
                look_at = Shared::next_look(client.ends());
            }
        }
    }
}
