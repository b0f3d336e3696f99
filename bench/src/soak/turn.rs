//! As much of a TURN client (RFC 8656) as one channel to one peer needs.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, ensure};
use aws_lc_rs::hmac;
use md5::{Digest, Md5};
use odeum_proto::signal::IceServer;
use tokio::net::UdpSocket;
use tokio::time::timeout;

const MAGIC_COOKIE: u32 = 0x2112_A442;
/// Type, length, cookie and transaction.
const HEADER_BYTES: usize = 20;
/// The one channel.
const CHANNEL: u16 = 0x4001;
/// How long the relay may take to answer.
const ANSWERS_IN: Duration = Duration::from_secs(5);

/// Requests.
const ALLOCATE: u16 = 0x003;
const REFRESH: u16 = 0x004;
const CHANNEL_BIND: u16 = 0x009;

/// Attributes.
const USERNAME: u16 = 0x0006;
const INTEGRITY: u16 = 0x0008;
const ERROR_CODE: u16 = 0x0009;
const CHANNEL_NUMBER: u16 = 0x000C;
const LIFETIME: u16 = 0x000D;
const XOR_PEER_ADDRESS: u16 = 0x0012;
const REALM: u16 = 0x0014;
const NONCE: u16 = 0x0015;
const REQUESTED_TRANSPORT: u16 = 0x0019;

/// Where a relay is, and what opens it.
#[derive(Debug, Clone)]
pub(crate) struct Relay {
    /// UDP.
    pub(crate) address: SocketAddr,
    pub(crate) username: String,
    pub(crate) credential: String,
}

/// An allocation with a channel to one peer; given back when dropped, as browsers do. The server's
/// relay ends one that is not within two seconds of its session.
pub(crate) struct Channel {
    /// Connected to the relay.
    socket: UdpSocket,
    /// Gives the allocation back.
    goodbye: Vec<u8>,
}

impl Relay {
    /// The first over UDP of those that a login names.
    pub(crate) fn named_by(servers: &[IceServer]) -> Option<Self> {
        servers.iter().find_map(|server| {
            let url = server.urls.iter().find(|url| url.ends_with("?transport=udp"))?;
            let address = url.strip_prefix("turn:")?.split('?').next()?.parse().ok()?;
            let (username, credential) = (server.username.clone()?, server.credential.clone()?);
            Some(Self { address, username, credential })
        })
    }

    /// Opens a channel to `peer`.
    ///
    /// # Errors
    /// A refusal, or silence.
    pub(crate) async fn open(&self, peer: SocketAddr) -> anyhow::Result<Channel> {
        let socket = UdpSocket::bind(("127.0.0.1", 0)).await?;
        socket.connect(self.address).await?;
        let udp = (REQUESTED_TRANSPORT, vec![17, 0, 0, 0]);
        let (_refused, reply) =
            ask(&socket, &message(ALLOCATE, std::slice::from_ref(&udp), None)).await?;
        let part = |kind| find(&reply, kind).map(<[u8]>::to_vec).context("no realm or nonce");
        let (realm, nonce) = (part(REALM)?, part(NONCE)?);
        let name = self.username.as_bytes();
        let key = Md5::digest([name, b":", &realm, b":", self.credential.as_bytes()].concat());
        let signed = |method, mut attributes: Vec<(u16, Vec<u8>)>| {
            attributes.push((USERNAME, name.to_vec()));
            attributes.extend([(REALM, realm.clone()), (NONCE, nonce.clone())]);
            message(method, &attributes, Some(&key))
        };
        let (code, _) = ask(&socket, &signed(ALLOCATE, vec![udp])).await?;
        ensure!(code == 0, "the relay refuses an allocation: {code}");
        let channel = Channel { socket, goodbye: signed(REFRESH, vec![(LIFETIME, vec![0; 4])]) };
        let number = (CHANNEL_NUMBER, [CHANNEL.to_be_bytes(), [0, 0]].concat());
        let peer = (XOR_PEER_ADDRESS, xor(peer)?);
        let (code, _) = ask(&channel.socket, &signed(CHANNEL_BIND, vec![number, peer])).await?;
        ensure!(code == 0, "the relay refuses a channel: {code}");
        Ok(channel)
    }
}

impl Channel {
    /// Sends to the peer; what the socket does not take is lost, as in a network.
    pub(crate) fn send(&self, bytes: &[u8]) {
        let mut framed = [CHANNEL.to_be_bytes(), (bytes.len() as u16).to_be_bytes()].concat();
        framed.extend_from_slice(bytes);
        let _lost = self.socket.try_send(&framed);
    }

    /// Waits for what the peer sends; where it is in `buffer`.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) async fn receive(
        &self,
        buffer: &mut [u8],
    ) -> std::io::Result<Option<std::ops::Range<usize>>> {
        let length = self.socket.recv(buffer).await?;
        let is_data = length >= 4 && buffer[..2] == CHANNEL.to_be_bytes();
        let end = 4 + usize::from(u16::from_be_bytes([buffer[2], buffer[3]]));
        Ok((is_data && end <= length).then_some(4..end))
    }
}

impl Drop for Channel {
    fn drop(&mut self) {
        let _lost = self.socket.try_send(&self.goodbye);
    }
}

/// The code of the answer, 0 for none, and the answer.
async fn ask(socket: &UdpSocket, request: &[u8]) -> anyhow::Result<(u16, Vec<u8>)> {
    socket.send(request).await?;
    let mut reply = vec![0; 1_500];
    let length = timeout(ANSWERS_IN, socket.recv(&mut reply)).await.context("no answer")??;
    reply.truncate(length);
    ensure!(reply.len() >= HEADER_BYTES && reply[8..20] == request[8..20], "another's answer");
    let code = find(&reply, ERROR_CODE).and_then(|value| value.get(2..4));
    Ok((code.map_or(0, |code| u16::from(code[0]) * 100 + u16::from(code[1])), reply))
}

fn message(method: u16, attributes: &[(u16, Vec<u8>)], key: Option<&[u8]>) -> Vec<u8> {
    let mut bytes = method.to_be_bytes().to_vec();
    bytes.extend([0, 0]);
    bytes.extend(MAGIC_COOKIE.to_be_bytes());
    bytes.extend(rand::random::<[u8; 12]>());
    attributes.iter().for_each(|(kind, value)| add(&mut bytes, *kind, value));
    if let Some(key) = key {
        // The length counts the tag, which is made over it (RFC 8489 §14.5).
        set_length(&mut bytes, 24);
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, key);
        let tag = hmac::sign(&key, &bytes);
        add(&mut bytes, INTEGRITY, tag.as_ref());
    }
    set_length(&mut bytes, 0);
    bytes
}

fn set_length(bytes: &mut [u8], more: usize) {
    let length = (bytes.len() + more - HEADER_BYTES) as u16;
    bytes[2..4].copy_from_slice(&length.to_be_bytes());
}

fn add(bytes: &mut Vec<u8>, kind: u16, value: &[u8]) {
    bytes.extend(kind.to_be_bytes());
    bytes.extend((value.len() as u16).to_be_bytes());
    bytes.extend_from_slice(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
}

fn find(message: &[u8], kind: u16) -> Option<&[u8]> {
    let mut rest = message.get(HEADER_BYTES..)?;
    loop {
        let (head, after) = rest.split_first_chunk::<4>()?;
        let length = usize::from(u16::from_be_bytes([head[2], head[3]]));
        let value = after.get(..length)?;
        if u16::from_be_bytes([head[0], head[1]]) == kind {
            return Some(value);
        }
        rest = after.get(length.next_multiple_of(4)..)?;
    }
}

fn xor(address: SocketAddr) -> anyhow::Result<Vec<u8>> {
    let SocketAddr::V4(address) = address else { anyhow::bail!("the soak knows IPv4 alone") };
    let mut value = vec![0, 1];
    value.extend((address.port() ^ (MAGIC_COOKIE >> 16) as u16).to_be_bytes());
    value.extend((u32::from(*address.ip()) ^ MAGIC_COOKIE).to_be_bytes());
    Ok(value)
}
