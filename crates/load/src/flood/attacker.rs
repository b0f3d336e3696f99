//! Makes and sends bad packets.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};

use anyhow::Context;
use odeum_rtp::stun::{
    BindingRequest, IceRole, IntegrityKey, MESSAGE_SIZE_MAX, Nomination, TransactionId,
};
use rand::rngs::SmallRng;
use rand::{Rng, RngCore, SeedableRng};

use super::forged;
use super::halfway::Halfway;
use super::kind::{Kind, Source};
use crate::drive::Drive;
use crate::shape::StreamPlan;
use crate::stage::Stage;

/// The publisher that has viewers: whose name, address and packets are forged.
pub(super) const VICTIM: usize = 0;
/// The publisher that nobody plays: what a good packet costs.
pub(super) const UNWATCHED: usize = 1;
/// Addresses that strangers send from.
const STRANGERS: usize = 16;
/// Clients that are half-way in a window.
pub(super) const HALFWAY: usize = 32;
/// Bytes of packets that look like video.
const VIDEO_BYTES: usize = 1_200;
/// How far ahead of the real ones forged packets are numbered: nothing but their tag is wrong.
const AHEAD: u16 = 1_000;

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
    /// Clients that have no keys yet; others for each window.
    halfway: Vec<Halfway>,
    /// The certificate that those have promised, in DER.
    certificate: Vec<u8>,
    /// Packets so far.
    number: usize,
}

impl Attacker {
    /// One that knows the victim of `stage`.
    ///
    /// # Errors
    /// Out of descriptors, or a victim that is not connected.
    pub(super) fn new(stage: &mut Stage) -> anyhow::Result<Self> {
        let victim = stage.drive.publisher(VICTIM);
        victim.keep_sent();
        let server = victim.peer.remote().context("the victim is not connected")?;
        let username = victim.peer.ice_username().context("the victim has no name")?.to_owned();
        Ok(Self {
            strangers: (0..STRANGERS).map(|_| bind()).collect::<Result<_, _>>()?,
            server,
            random: SmallRng::seed_from_u64(1),
            username,
            hello: hello(),
            halfway: Vec::new(),
            certificate: stage.certificate().der().to_vec(),
            number: 0,
        })
    }

    /// Brings the clients half-way that a window of `kind` needs; those before are forgotten.
    ///
    /// # Errors
    /// The server refuses one, or does not answer it.
    pub(super) fn prepare(
        &mut self,
        stage: &mut Stage,
        stream: &StreamPlan,
        kind: Kind,
    ) -> anyhow::Result<()> {
        self.halfway.clear();
        if !matches!(kind.source(), Source::BeforeHello | Source::AfterHello) {
            return Ok(());
        }
        for peer in stage.play_anew(stream, &halfway_users())? {
            self.halfway.push(Halfway::reach(peer, bind()?)?);
        }
        if kind.source() == Source::AfterHello {
            self.halfway.iter().try_for_each(|client| client.say_hello(self.server))?;
        }
        Ok(())
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
        let mut taken = 0;
        for _ in 0..count {
            self.number += 1;
            let number = self.number;
            let Some(bytes) = self.packet(kind, number, &sent_last)? else { return Ok(taken) };
            let socket = match kind.source() {
                Source::Strangers => &self.strangers[number % STRANGERS],
                Source::Client => &victim.socket,
                Source::BeforeHello | Source::AfterHello => &self.halfway(number).socket,
            };
            match socket.send_to(&bytes, self.server) {
                Ok(_) => taken += 1,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(taken)
    }

    /// Hellos of the server that have come to clients who are half-way.
    ///
    /// # Errors
    /// What the kernel says.
    pub(super) fn take_answers(&self) -> anyhow::Result<u64> {
        self.halfway.iter().map(Halfway::take_answers).sum()
    }

    /// A packet; none while the victim has sent nothing that it could be made of.
    fn packet(
        &mut self,
        kind: Kind,
        number: usize,
        sent_last: &[Vec<u8>],
    ) -> anyhow::Result<Option<Vec<u8>>> {
        let own_hello = || self.halfway(number).hello.clone();
        Ok(match kind {
            Kind::Good => None,
            Kind::Random => {
                let mut bytes = vec![0; VIDEO_BYTES];
                self.random.fill_bytes(&mut bytes);
                Some(bytes)
            }
            Kind::UnknownName => {
                let name = format!("{:08x}:{:08x}", self.random.next_u32(), number as u32);
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
            Kind::SameHello => Some(own_hello()),
            Kind::OtherHello => Some(forged::another(own_hello(), &mut self.random)),
            Kind::BadHello => Some(forged::unanswerable(own_hello(), &mut self.random)),
            Kind::Garbage => Some(forged::garbage(&mut self.random)),
            Kind::Parts => Some(forged::parts(&mut self.random)),
            Kind::OtherCertificate => Some(forged::others_certificate(&mut self.random)),
            Kind::Flight => Some(forged::flight(&self.certificate, &mut self.random)),
            Kind::Alert => Some(forged::alert()),
            Kind::Sealed => Some(forged::sealed(&mut self.random)),
        })
    }

    fn halfway(&self, number: usize) -> &Halfway {
        &self.halfway[number % HALFWAY]
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

/// Who is half-way.
pub(super) fn halfway_users() -> Vec<String> {
    (0..HALFWAY).map(|at| format!("halfway-{at}")).collect()
}

fn bind() -> std::io::Result<UdpSocket> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    socket.set_nonblocking(true)?;
    Ok(socket)
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
