//! A client of the media planes, as the fuzzer drives it.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use odeum_rtp::{HeaderWriter, Marker, PacketKind, RtpHeader};
use odeum_srtp::UnprotectError;

use crate::client::{self, Client};
use crate::operation::Source;

/// A client, and what it knows of what it sends and gets.
pub(crate) struct Member {
    pub(crate) client: Client,
    /// The worker that it is on.
    pub(crate) worker: usize,
    /// Addresses from which it has sent authentic checks.
    pub(crate) checked_from: BTreeSet<SocketAddr>,
    /// Next sequence numbers of audio, video and RTX.
    pub(crate) sequences: [u16; 4],
    /// Next sequence numbers of layers.
    pub(crate) layers: [u16; 3],
    /// Source and number of the last packet received.
    pub(crate) last: Option<(u32, u16)>,
}

pub(crate) fn ssrc_of(source: Source) -> u32 {
    match source {
        Source::Audio => client::AUDIO_SSRC,
        Source::Video => client::VIDEO_SSRC,
        Source::Rtx => client::VIDEO_RTX_SSRC,
        Source::Foreign => 0x4444,
    }
}

impl Member {
    pub(crate) fn new(client: Client, worker: usize) -> Self {
        let sequences = [10, 65_530, 7, 9];
        let layers = [65_520, 100, 30_000];
        Self { client, worker, checked_from: BTreeSet::new(), sequences, layers, last: None }
    }

    /// A packet of a layer, mostly the next one.
    pub(crate) fn layer(
        &mut self,
        layer: usize,
        names_it: bool,
        distance: i16,
        key: bool,
    ) -> Option<Vec<u8>> {
        let distance = if distance % 8 == 0 { distance } else { 1 };
        self.layers[layer] = self.layers[layer].wrapping_add_signed(distance);
        let number = self.layers[layer];
        let header = HeaderWriter {
            marker: Marker::Set,
            payload_type: client::VIDEO_PT,
            sequence_number: number,
            timestamp: u32::from(number).wrapping_mul(3_000),
            ssrc: client::LAYER_SSRCS[layer],
            csrcs: &[],
        };
        let mut packet = vec![0; 64];
        let rid = names_it.then_some((4, client::RIDS[layer].as_bytes()));
        let length = header.write(&mut packet, rid.as_slice()).ok()?;
        packet.truncate(length);
        packet.extend(match key {
            true => client::layer_key_frame(180 << layer, number, number as u8),
            false => client::layer_frame(number, number as u8),
        });
        self.protect(PacketKind::Rtp, packet)
    }

    /// Opens what came for it.
    pub(crate) fn take(&mut self, bytes: &[u8]) {
        let Some(inbound) = &mut self.client.inbound else { return };
        let mut plain = bytes.to_vec();
        let opened = match PacketKind::of(bytes) {
            PacketKind::Rtp => inbound.unprotect_rtp(&mut plain),
            PacketKind::Rtcp => inbound.unprotect_rtcp(&mut plain),
            PacketKind::Stun => return,
            PacketKind::Dtls | PacketKind::Unknown => panic!("what is this? {bytes:02x?}"),
        };
        match opened {
            Ok(_) => {}
            // Sent again without RTX: the same bytes.
            Err(UnprotectError::Replayed { .. }) => return,
            Err(error) => panic!("it cannot open what was sent: {error}"),
        }
        if PacketKind::of(bytes) == PacketKind::Rtp {
            let header = RtpHeader::parse(&plain).expect("a sound header");
            if header.payload_type != client::RTX_PT {
                self.last = Some((header.ssrc, header.sequence_number));
            }
        }
    }

    pub(crate) fn rtp(
        &mut self,
        source: Source,
        distance: i16,
        key: bool,
        payload: &[u8],
    ) -> Option<Vec<u8>> {
        let payload = &payload[..payload.len().min(1_600)];
        let (payload_type, place) = match source {
            Source::Audio => (client::AUDIO_PT, 0),
            Source::Video => (client::VIDEO_PT, 1),
            Source::Rtx => (client::RTX_PT, 2),
            Source::Foreign => (client::VIDEO_PT, 3),
        };
        // Mostly the next one.
        let distance = if distance % 4 == 0 { distance } else { 1 };
        self.sequences[place] = self.sequences[place].wrapping_add_signed(distance);
        let header = HeaderWriter {
            marker: Marker::Set,
            payload_type,
            sequence_number: self.sequences[place],
            timestamp: u32::from(self.sequences[place]).wrapping_mul(3_000),
            ssrc: ssrc_of(source),
            csrcs: &[],
        };
        let mut packet = vec![0; 64];
        let number = self.sequences[place].to_be_bytes();
        let length = header.write(&mut packet, &[(1, &[5]), (3, &number)]).ok()?;
        packet.truncate(length);
        match source {
            Source::Rtx => {
                // Of something near the newest video.
                let original = self.sequences[1].wrapping_sub(u16::from(payload.len() as u8 % 80));
                packet.extend(original.to_be_bytes());
                packet.extend(client::inter_frame(payload));
            }
            Source::Video if key => packet.extend(client::key_frame(payload)),
            Source::Video => packet.extend(client::inter_frame(payload)),
            Source::Audio | Source::Foreign => packet.extend(payload),
        }
        self.protect(PacketKind::Rtp, packet)
    }

    pub(crate) fn protect(&mut self, kind: PacketKind, mut packet: Vec<u8>) -> Option<Vec<u8>> {
        let outbound = self.client.outbound.as_mut()?;
        packet.truncate(3_000);
        let profile = outbound.profile();
        let protected = match kind {
            PacketKind::Rtcp => {
                packet.resize(packet.len() + profile.rtcp_overhead_bytes(), 0);
                outbound.protect_rtcp(&mut packet)
            }
            _ => {
                packet.resize(packet.len() + profile.rtp_overhead_bytes(), 0);
                outbound.protect_rtp(&mut packet)
            }
        };
        protected.ok()?;
        Some(packet)
    }
}
