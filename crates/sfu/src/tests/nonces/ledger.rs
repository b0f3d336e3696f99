//! What was sent under which nonce, and that none was used for two texts.

use std::collections::{HashMap, HashSet};

use odeum_rtp::{PacketKind, RtpPacket};
use odeum_srtp::Profile;
use odeum_types::PeerId;

use crate::tests::client::{Client, RTX_PT};

/// Bytes of key stream that tell a nonce: two nonces share them once in 2^64 pairs.
const STREAM_BYTES: usize = 8;

/// What tells a nonce.
#[derive(PartialEq, Eq, Hash)]
enum Nonce {
    /// Of media: its key stream.
    Stream(Vec<u8>),
    /// Of media too, for packets without a payload encrypt nothing: its source and its index, as
    /// its client counts them (RFC 3711 §3.3.1).
    Number { client: PeerId, ssrc: u32, index: u64 },
    /// Of a report, which may be too short for that: it carries its source and index in the clear,
    /// under its tag (RFC 7714 §9.2).
    Report { client: PeerId, ssrc: [u8; 4], index: [u8; 4] },
}

/// What was sent, by what it was encrypted with.
#[derive(Default)]
pub(super) struct Ledger {
    /// The datagram of each nonce.
    by_nonce: HashMap<Nonce, Vec<u8>>,
    /// All of them.
    sent: HashSet<Vec<u8>>,
    /// Media packets that were sent once more, byte for byte.
    pub(super) again: usize,
    /// Packets of retransmission streams.
    pub(super) rtx: usize,
    /// RTCP packets.
    pub(super) reports: usize,
    /// Times that a stream's 16-bit number began anew.
    pub(super) wraps: usize,
    /// Packets without a payload.
    pub(super) empty: usize,
    /// The last number of each source of each client.
    last: HashMap<(PeerId, u32), u16>,
    /// The largest index of each source of each client.
    newest: HashMap<(PeerId, u32), u64>,
}

impl Ledger {
    /// Opens a datagram as its client does, and takes note of what it was encrypted with.
    pub(super) fn take(&mut self, client: &mut Client, bytes: &[u8]) {
        let inbound = client.inbound.as_mut().expect("nothing is encrypted before the handshake");
        let mut plain = bytes.to_vec();
        let is_media = PacketKind::of(bytes) == PacketKind::Rtp;
        let opened = match is_media {
            true => inbound.unprotect_rtp(&mut plain),
            false => inbound.unprotect_rtcp(&mut plain),
        };
        let Ok(length) = opened else {
            // An index that was used: the very bytes, or the key is lost.
            assert!(self.sent.contains(bytes), "{opened:?} of bytes that were never sent");
            self.again += 1;
            return;
        };
        plain.truncate(length);
        let nonces = match is_media {
            true => [key_stream(bytes, &plain), Some(self.number(client, &plain))],
            false => [Some(index(client, bytes)), None],
        };
        for nonce in nonces.into_iter().flatten() {
            if let Some(before) = self.by_nonce.insert(nonce, bytes.to_vec()) {
                assert_eq!(before, bytes, "two texts under one nonce");
                self.again += 1;
            }
        }
        self.sent.insert(bytes.to_vec());
        if is_media {
            self.count(client, plain);
        } else {
            self.reports += 1;
        }
    }

    fn number(&mut self, client: &Client, plain: &[u8]) -> Nonce {
        let header = *RtpPacket::parse(plain).unwrap().header();
        let key = (client.id, header.ssrc);
        let number = header.sequence_number;
        let newest = self.newest.entry(key).or_insert(0x1_0000 + u64::from(number));
        let index = newest.wrapping_add_signed(number.wrapping_sub(*newest as u16) as i16 as i64);
        *newest = index.max(*newest);
        Nonce::Number { client: client.id, ssrc: header.ssrc, index }
    }

    fn count(&mut self, client: &mut Client, plain: Vec<u8>) {
        let packet = RtpPacket::parse(&plain).unwrap();
        let header = *packet.header();
        self.empty += usize::from(packet.payload().is_empty() && packet.padding() == 0);
        let key = (client.id, header.ssrc);
        let number = header.sequence_number;
        let last = self.last.insert(key, number).unwrap_or(number);
        let is_later = number.wrapping_sub(last) < 0x8000;
        self.wraps += usize::from(is_later && number < last);
        self.rtx += usize::from(header.payload_type == RTX_PT);
        client.rtp.push(plain);
    }
}

/// None of a packet without a media payload.
fn key_stream(sent: &[u8], plain: &[u8]) -> Option<Nonce> {
    // By hand (RFC 3550 §5.1): a padding count cannot be read before it is decrypted.
    assert_eq!(sent[0] & 0x0f, 0, "no CSRC");
    let begin = match sent[0] & 0x10 {
        0 => 12,
        _ => 16 + 4 * usize::from(u16::from_be_bytes([sent[14], sent[15]])),
    };
    let texts = sent[begin..].iter().zip(&plain[begin..]).take(STREAM_BYTES);
    let stream: Vec<u8> = texts.map(|(sent, plain)| sent ^ plain).collect();
    // An original sequence number may be all of a retransmission.
    (stream.len() > 2).then(|| {
        assert_eq!(stream.len(), STREAM_BYTES, "long enough to tell");
        Nonce::Stream(stream)
    })
}

fn index(client: &Client, sent: &[u8]) -> Nonce {
    let profile = client.outbound.as_ref().unwrap().profile();
    assert_ne!(profile, Profile::AesCm128HmacSha1_80, "the index is where GCM has it");
    Nonce::Report {
        client: client.id,
        ssrc: *sent[4..].first_chunk().unwrap(),
        index: *sent.last_chunk().unwrap(),
    }
}
