//! As much of a TURN client (RFC 8656) as one channel to one peer needs, over UDP, TCP or TLS.

mod line;
mod message;

use std::io;
use std::net::SocketAddr;
use std::ops::Range;
use std::time::Duration;

use md5::{Digest, Md5};
use odeum_proto::signal::IceServer;
use tokio::time::timeout;

use crate::signalling::{ConnectError, Tls};
use line::Line;
use message::{Answer, address_value, write};

pub use message::{TurnAttribute, TurnMethod};

/// The one channel.
const CHANNEL: u16 = 0x4001;
/// REQUESTED-TRANSPORT of UDP, the only one there is (RFC 8656 §18.8).
const UDP: [u8; 4] = [17, 0, 0, 0];
/// How long the relay may take to answer.
const ANSWERS_IN: Duration = Duration::from_secs(5);
/// Longest answer.
const ANSWER_BYTES_MAX: usize = 1_500;

/// What a relay is talked to over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TurnCarrier {
    /// UDP.
    Udp,
    /// TCP.
    Tcp,
    /// TLS over TCP; any certificate will do, for this is for tests and load.
    Tls,
}

/// Where a relay is, and what opens it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TurnServer {
    /// Over UDP.
    pub udp: SocketAddr,
    /// Over TCP.
    pub tcp: SocketAddr,
    /// Over TLS, if it is reached so.
    pub tls: Option<SocketAddr>,
    /// Its user name.
    pub username: String,
    /// Its password.
    pub credential: String,
}

/// A client of a relay that has been told realm and nonce, and what it has there.
pub struct TurnClient {
    /// To the relay.
    line: Line,
    /// What it shows.
    username: String,
    /// Of user name, realm and password (RFC 8489 §9.2.2).
    key: [u8; 16],
    /// What it was told.
    realm: Vec<u8>,
    /// The same; tests put another there.
    pub nonce: Vec<u8>,
}

/// Why a relay gave no answer, or none that is good.
#[derive(Debug, thiserror::Error)]
pub enum TurnError {
    /// It cannot be reached.
    #[error("the relay cannot be reached")]
    Connect(#[from] ConnectError),
    /// The network.
    #[error("the network to the relay")]
    Io(#[from] io::Error),
    /// Nothing has come in time.
    #[error("the relay did not answer in {} s", ANSWERS_IN.as_secs())]
    Silent,
    /// What has come is no answer to the request.
    #[error("what the relay says is no answer")]
    NoAnswer,
    /// It is not reached in that way.
    #[error("the relay is not reached by {0:?}")]
    NotBy(TurnCarrier),
    /// A request was refused, with this code.
    #[error("the relay refuses {0:?}: {1}")]
    Refused(TurnMethod, u16),
}

impl TurnServer {
    /// The one that a login names.
    pub fn named_by(servers: &[IceServer]) -> Option<Self> {
        servers.iter().find_map(|server| {
            let address = |scheme: &str, transport: &str| {
                server.urls.iter().find_map(|url| {
                    let (address, query) = url.strip_prefix(scheme)?.split_once('?')?;
                    (query == transport).then(|| address.parse().ok()).flatten()
                })
            };
            Some(Self {
                udp: address("turn:", "transport=udp")?,
                tcp: address("turn:", "transport=tcp")?,
                tls: address("turns:", "transport=tcp"),
                username: server.username.clone()?,
                credential: server.credential.clone()?,
            })
        })
    }

    /// Opens a channel to `peer`.
    ///
    /// # Errors
    /// [`TurnError`].
    pub async fn open(
        &self,
        carrier: TurnCarrier,
        peer: SocketAddr,
    ) -> Result<TurnClient, TurnError> {
        let mut client = self.connect(carrier).await?;
        let refused = |method| move |code| TurnError::Refused(method, code);
        client.allocate().await?.map_err(refused(TurnMethod::Allocate))?;
        client.bind(peer).await?.map_err(refused(TurnMethod::ChannelBind))?;
        Ok(client)
    }

    /// Asks for realm and nonce, and no more.
    ///
    /// # Errors
    /// [`TurnError`].
    pub async fn connect(&self, carrier: TurnCarrier) -> Result<TurnClient, TurnError> {
        let mut line = match carrier {
            TurnCarrier::Udp => Line::udp(self.udp).await?,
            TurnCarrier::Tcp => Line::stream(self.tcp, None).await?,
            TurnCarrier::Tls => {
                let relay = self.tls.ok_or(TurnError::NotBy(carrier))?;
                Line::stream(relay, Some(&Tls::AcceptAny)).await?
            }
        };
        let request = write(TurnMethod::Allocate, &[(TurnAttribute::Transport, &UDP)], None);
        let answer = ask(&mut line, &request).await?;
        let part = |kind| answer.find(kind).map(<[u8]>::to_vec).ok_or(TurnError::NoAnswer);
        let (realm, nonce) = (part(TurnAttribute::Realm)?, part(TurnAttribute::Nonce)?);
        let (username, key) = (self.username.clone(), self.key(&realm));
        Ok(TurnClient { line, username, key, realm, nonce })
    }

    fn key(&self, realm: &[u8]) -> [u8; 16] {
        let (name, password) = (self.username.as_bytes(), self.credential.as_bytes());
        Md5::digest([name, b":", realm, b":", password].concat()).into()
    }
}

impl TurnClient {
    /// Shows another name and password from now on.
    pub fn show(&mut self, other: &TurnServer) {
        (self.username, self.key) = (other.username.clone(), other.key(&self.realm));
    }

    /// Asks for an allocation; the inner error is the code with which it is refused.
    ///
    /// # Errors
    /// As [`TurnClient::request`].
    pub async fn allocate(&mut self) -> Result<Result<(), u16>, TurnError> {
        self.request(TurnMethod::Allocate, &[(TurnAttribute::Transport, &UDP)]).await
    }

    /// Asks for the channel to `peer`; the inner error is the code with which it is refused.
    ///
    /// # Errors
    /// As [`TurnClient::request`].
    pub async fn bind(&mut self, peer: SocketAddr) -> Result<Result<(), u16>, TurnError> {
        let number = [CHANNEL.to_be_bytes(), [0, 0]].concat();
        let peer = address_value(peer);
        let attributes = [(TurnAttribute::Channel, &number[..]), (TurnAttribute::Peer, &peer[..])];
        self.request(TurnMethod::ChannelBind, &attributes).await
    }

    /// Makes a request in the client's name; the inner error is the code of a refusal.
    ///
    /// # Errors
    /// No answer, or none that is one.
    pub async fn request(
        &mut self,
        method: TurnMethod,
        attributes: &[(TurnAttribute, &[u8])],
    ) -> Result<Result<(), u16>, TurnError> {
        let request = self.signed(method, attributes);
        Ok(match ask(&mut self.line, &request).await?.code() {
            0 => Ok(()),
            code => Err(code),
        })
    }

    /// Sends to the peer of the channel; what does not fit is lost, as in a network.
    pub fn send(&mut self, bytes: &[u8]) {
        let mut framed = [CHANNEL.to_be_bytes(), (bytes.len() as u16).to_be_bytes()].concat();
        framed.extend_from_slice(bytes);
        self.line.send(&framed);
    }

    /// Waits for something to come; where in `buffer` what the peer sent is, if it was that.
    /// Cancelling loses nothing.
    ///
    /// # Errors
    /// What the system says; the relay closed the stream.
    pub async fn receive(&mut self, buffer: &mut [u8]) -> io::Result<Option<Range<usize>>> {
        let length = self.line.receive(buffer).await?;
        let is_data = length >= 4 && buffer[..2] == CHANNEL.to_be_bytes();
        let end = 4 + usize::from(u16::from_be_bytes([buffer[2], buffer[3]]));
        Ok((is_data && end <= length).then_some(4..end))
    }

    /// Gives the allocation back, as a browser does that closes a transport; that of a stream ends
    /// with it.
    pub fn give_back(&mut self) {
        if let Line::Udp(_) = self.line {
            let goodbye = self.signed(TurnMethod::Refresh, &[(TurnAttribute::Lifetime, &[0; 4])]);
            self.line.send(&goodbye);
        }
    }

    fn signed(&self, method: TurnMethod, attributes: &[(TurnAttribute, &[u8])]) -> Vec<u8> {
        let own = [
            (TurnAttribute::Username, self.username.as_bytes()),
            (TurnAttribute::Realm, &self.realm[..]),
            (TurnAttribute::Nonce, &self.nonce[..]),
        ];
        write(method, &[attributes, &own].concat(), Some(&self.key))
    }
}

async fn ask(line: &mut Line, request: &[u8]) -> Result<Answer, TurnError> {
    line.send(request);
    let mut reply = vec![0; ANSWER_BYTES_MAX];
    let receive = timeout(ANSWERS_IN, line.receive(&mut reply));
    let length = receive.await.map_err(|_| TurnError::Silent)??;
    reply.truncate(length);
    Answer::to(request, reply).ok_or(TurnError::NoAnswer)
}
