//! Where clients beyond a NAT reach the media workers: a STUN server is asked, from each worker's
//! own socket, at the start and again every few minutes.

use std::net::SocketAddr;

use tokio::sync::oneshot;

use crate::handle::NodeHandle;
use crate::limits::{STUN_INTERVAL, STUN_WAIT};
use crate::media_handle::MediaRequest;
use crate::shared::Shared;
use crate::turn::PermittedPeers;

/// Those who wait for what STUN servers say of one worker's socket.
#[derive(Default)]
pub(crate) struct StunAskers(Vec<(SocketAddr, oneshot::Sender<Option<SocketAddr>>)>);

impl StunAskers {
    /// One more. As many as there are questions: the sfu ends every one that it takes, but for
    /// those that it loses by a panic, and whose askers have given up by then.
    pub(crate) fn add(&mut self, server: SocketAddr, reply: oneshot::Sender<Option<SocketAddr>>) {
        self.0.retain(|(_, reply)| !reply.is_closed());
        self.0.push((server, reply));
    }

    /// What came of the oldest question to `server`.
    pub(crate) fn tell(&mut self, server: SocketAddr, found: Option<SocketAddr>) {
        if let Some(at) = self.0.iter().position(|(asked, _)| *asked == server) {
            // The asker may have given up.
            self.0.remove(at).1.send(found).unwrap_or(());
        }
    }
}

impl NodeHandle {
    /// Asks the configured STUN server for every media worker how it sees that worker's socket.
    /// Over when all have an answer or none comes (eight seconds); it goes into answers to clients
    /// from then on. Nothing is asked without a `stun_server`.
    pub async fn find_outer_addresses(&self) {
        let Some(server) = &self.shared.stun_server else { return };
        let servers = match tokio::time::timeout(STUN_WAIT, tokio::net::lookup_host(server)).await {
            Ok(Ok(found)) => one_of_each_version(found),
            Ok(Err(error)) => {
                tracing::warn!(server, %error, "the STUN server's name cannot be resolved");
                return;
            }
            Err(_) => {
                tracing::warn!(server, "the STUN server's name is not resolved in time");
                return;
            }
        };
        let mut questions = tokio::task::JoinSet::new();
        for number in 0..self.shared.media.len() {
            for &server in &servers {
                let shared = std::sync::Arc::clone(&self.shared);
                questions.spawn(async move { ask(&shared, number, server).await });
            }
        }
        questions.join_all().await;
        self.shared.permit_outer_addresses();
    }

    /// Asks again every few minutes, for as long as the node runs: addresses change.
    pub async fn keep_outer_addresses(self) {
        if self.shared.stun_server.is_none() {
            return;
        }
        while !self.shared.is_closing() {
            tokio::time::sleep(STUN_INTERVAL).await;
            self.find_outer_addresses().await;
        }
    }
}

impl Shared {
    /// What STUN servers say is a name of the media ports for clients of the TURN relay as well.
    fn permit_outer_addresses(&self) {
        let workers = self.media.iter().zip(&self.media_addresses);
        let outer = workers.flat_map(|(worker, local)| {
            worker.outer_addresses().into_iter().map(|address| (address, *local))
        });
        let permitted = PermittedPeers::new(self.media_ports.iter().copied(), outer);
        self.permitted_peers.send_if_modified(|known| {
            let is_new = **known != permitted;
            if is_new {
                *known = std::sync::Arc::new(permitted);
            }
            is_new
        });
    }
}

/// Asks from one worker's socket, and says what is new.
async fn ask(shared: &Shared, number: usize, server: SocketAddr) {
    let local = shared.media_addresses[number];
    if local.is_ipv4() != server.is_ipv4() && !(local.is_ipv6() && local.ip().is_unspecified()) {
        return;
    }
    let (reply, answer) = oneshot::channel();
    if shared.media[number].send(MediaRequest::AskStun(server, reply)).is_err() {
        return;
    }
    let answer = tokio::time::timeout(STUN_WAIT, answer).await;
    let Some(outer) = answer.ok().and_then(Result::ok).flatten() else {
        tracing::warn!(worker = number, %server, "the STUN server does not answer");
        return;
    };
    let kept_port = outer.port() == local.port();
    match kept_port {
        true => tracing::info!(worker = number, %outer, "a STUN server sees the media worker"),
        // Only packets of those whom this machine has sent to may come in there.
        false => tracing::warn!(
            worker = number, %outer, %local,
            "a NAT changes the media worker's port: forward the port and set external_addresses",
        ),
    }
}

/// The first of each IP version: a socket of both wants to know both.
fn one_of_each_version(found: impl Iterator<Item = SocketAddr>) -> Vec<SocketAddr> {
    let mut servers: Vec<SocketAddr> = Vec::new();
    for address in found {
        if servers.iter().all(|other| other.is_ipv4() != address.is_ipv4()) {
            servers.push(address);
        }
    }
    servers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_server_of_each_ip_version_is_asked() {
        let found = ["[2001:db8::1]:1", "203.0.113.1:1", "203.0.113.2:1", "[2001:db8::2]:1"];
        let servers = one_of_each_version(found.iter().map(|text| text.parse().unwrap()));
        assert_eq!(servers, [found[0].parse().unwrap(), found[1].parse().unwrap()]);
    }
}
