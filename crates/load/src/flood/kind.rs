//! The kinds of bad packets, and what each is made of.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};

use anyhow::Context;
use odeum_rtp::stun::{
    BindingRequest, IceRole, IntegrityKey, MESSAGE_SIZE_MAX, Nomination, TransactionId,
};
use rand::rngs::SmallRng;
use rand::{Rng, RngCore, SeedableRng};

use crate::drive::Drive;

/// The publisher that has viewers: whose name, address and packets are forged.
pub(super) const VICTIM: usize = 0;
/// The publisher that nobody plays: what a good packet costs.
pub(super) const UNWATCHED: usize = 1;
/// Addresses that strangers send from.
const STRANGERS: usize = 16;
/// Bytes of packets that look like video.
const VIDEO_BYTES: usize = 1_200;
/// How far ahead of the real ones forged packets are numbered: nothing but their tag is wrong.
const AHEAD: u16 = 1_000;

/// What is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Media of a publisher that nobody plays: not bad at all, and what the others are beside.
    Good,
    /// Random bytes.
    Random,
    /// Binding requests under names that nobody has.
    UnknownName,
    /// Binding requests under a client's name, with another password.
    WrongPassword,
    /// Hellos from addresses that ICE has not let in.
    StrangersHello,
    /// A client's media from another address.
    StrangersMedia,
    /// A client's media from its own address, with a wrong tag.
    WrongTag,
    /// A client's media from its own address, once more.
    Replayed,
    /// Sealed DTLS from a client's own address, with a wrong tag.
    WrongDtls,
}

impl Kind {
    /// All of them, the good one first.
    pub(super) const ALL: [Self; 9] = [
        Self::Good,
        Self::Random,
        Self::UnknownName,
        Self::WrongPassword,
        Self::StrangersHello,
        Self::StrangersMedia,
        Self::WrongTag,
        Self::Replayed,
        Self::WrongDtls,
    ];

    /// What it is called.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Good => "good: media that nobody plays",
            Self::Random => "random bytes from strangers",
            Self::UnknownName => "STUN for a name that nobody has",
            Self::WrongPassword => "STUN for a client, wrong MESSAGE-INTEGRITY",
            Self::StrangersHello => "DTLS hello from an address that is not validated",
            Self::StrangersMedia => "a client's RTP from another address",
            Self::WrongTag => "RTP from a client's address, wrong SRTP tag",
            Self::Replayed => "RTP from a client's address, replayed",
            Self::WrongDtls => "DTLS from a client's address, wrong tag",
        }
    }

    /// The server's counter of such packets, where it has one.
    pub(super) fn counter(self) -> Option<&'static str> {
        match self {
            Self::Good => Some("odeum_rtp_received_total"),
            Self::UnknownName | Self::WrongPassword => Some("odeum_stun_refused_total"),
            Self::StrangersHello | Self::StrangersMedia => Some("odeum_media_unknown_source_total"),
            Self::WrongTag => Some("odeum_srtp_refused_total"),
            Self::Replayed => Some("odeum_srtp_replayed_total"),
            Self::Random | Self::WrongDtls => None,
        }
    }
}

/// Sends packets of any kind.
pub(super) struct Attacker {
    /// Strangers' sockets.
    strangers: Vec<UdpSocket>,
    /// Where the server is.
    server: SocketAddr,
    /// What is random.
    random: SmallRng,
    /// The victim's name in checks.
    username: String,
    /// A hello.
    hello: Vec<u8>,
}

impl Attacker {
    /// One that knows the victim of `drive`.
    ///
    /// # Errors
    /// Out of descriptors, or a victim that is not connected.
    pub(super) fn new(drive: &mut Drive) -> anyhow::Result<Self> {
        let victim = drive.publisher(VICTIM);
        victim.keep_sent();
        let server = victim.peer.remote().context("the victim is not connected")?;
        let username = victim.peer.ice_username().context("the victim has no name")?.to_owned();
        let bind = || {
            let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
            socket.set_nonblocking(true).map(|()| socket)
        };
        let strangers = (0..STRANGERS).map(|_| bind()).collect::<Result<_, _>>()?;
        Ok(Self { strangers, server, random: SmallRng::seed_from_u64(1), username, hello: hello() })
    }

    /// Sends `count` packets of a kind; gives how many the kernel took.
    ///
    /// # Errors
    /// What it says, but for a full buffer.
    pub(super) fn send(
        &mut self,
        drive: &mut Drive,
        kind: Kind,
        count: u64,
    ) -> anyhow::Result<u64> {
        if kind == Kind::Good {
            drive.publisher(UNWATCHED).send_more(count)?;
            return Ok(count);
        }
        let victim = drive.publisher(VICTIM);
        let sent_last: Vec<Vec<u8>> = victim.sent_last().map(<[u8]>::to_vec).collect();
        let is_strangers = !matches!(kind, Kind::WrongTag | Kind::Replayed | Kind::WrongDtls);
        let mut taken = 0;
        for number in 0..count as usize {
            let Some(bytes) = self.packet(kind, number, &sent_last)? else { return Ok(taken) };
            let socket = match is_strangers {
                true => &self.strangers[number % STRANGERS],
                false => &victim.socket,
            };
            match socket.send_to(&bytes, self.server) {
                Ok(_) => taken += 1,
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(taken)
    }

    /// A packet; none while the victim has sent nothing that it could be made of.
    fn packet(
        &mut self,
        kind: Kind,
        number: usize,
        sent_last: &[Vec<u8>],
    ) -> anyhow::Result<Option<Vec<u8>>> {
        Ok(match kind {
            Kind::Good => None,
            Kind::Random => {
                let mut bytes = vec![0; VIDEO_BYTES];
                self.random.fill_bytes(&mut bytes);
                Some(bytes)
            }
            Kind::UnknownName => {
                let name = format!("{:08x}:{:08x}", self.random.next_u32(), number);
                Some(self.check(&name)?)
            }
            Kind::WrongPassword => Some(self.check(&self.username.clone())?),
            Kind::StrangersHello => Some(self.hello.clone()),
            Kind::StrangersMedia | Kind::Replayed => {
                sent_last.get(number % sent_last.len().max(1)).cloned()
            }
            Kind::WrongTag => sent_last.last().cloned().map(|mut bytes| {
                let ahead = AHEAD + (number % 100) as u16;
                let number = u16::from_be_bytes([bytes[2], bytes[3]]).wrapping_add(ahead);
                bytes[2..4].copy_from_slice(&number.to_be_bytes());
                bytes
            }),
            Kind::WrongDtls => {
                let mut record = vec![21, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 1, 0, 0, 26];
                record.resize(13 + 26, 0);
                self.random.fill_bytes(&mut record[13..]);
                Some(record)
            }
        })
    }

    fn check(&mut self, username: &str) -> anyhow::Result<Vec<u8>> {
        let request = BindingRequest {
            transaction: TransactionId(self.random.random()),
            username,
            priority: 1_853_824_767,
            role: IceRole::Controlling(1),
            nomination: Nomination::UseCandidate,
        };
        let mut buffer = [0; MESSAGE_SIZE_MAX];
        let length =
            request.write(&mut buffer, &IntegrityKey::new(b"not the one of the answer"))?;
        Ok(buffer[..length].to_vec())
    }
}

/// A hello as far as it matters to a server that drops it by its address.
fn hello() -> Vec<u8> {
    let record =
        [&[22, 0xfe, 0xfd][..], &[0; 8], &[0, 212], &[1, 0, 0, 200, 0, 0, 0, 0, 0, 0, 0, 200]];
    let mut hello = record.concat();
    hello.extend([0xfe, 0xfd]);
    hello.resize(13 + 12 + 200, 7);
    hello
}
