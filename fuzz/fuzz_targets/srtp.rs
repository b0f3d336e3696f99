//! SRTP and SRTCP: what the other side protected opens once and unchanged; a flipped bit or foreign
//! bytes open never, and leave no trace.
#![no_main]

use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;
use odeum_srtp::{DtlsKeys, Inbound, Outbound, Profile};

#[derive(Arbitrary, Debug, Clone, Copy, PartialEq)]
enum Kind {
    Rtp,
    Rtcp,
}

#[derive(Arbitrary, Debug)]
enum Operation {
    /// Bytes that nobody protected.
    Foreign { kind: Kind, bytes: Vec<u8> },
    /// A packet, damaged first if `flip` says so, then whole, then once more.
    Packet { kind: Kind, ssrc: u8, distance: i16, payload: Vec<u8>, flip: Option<(u16, u8)> },
}

#[derive(Arbitrary, Debug)]
struct Input {
    profile: u8,
    operations: Vec<Operation>,
}

fn plain_packet(kind: Kind, ssrc: u8, sequence: u16, payload: &[u8]) -> Vec<u8> {
    let ssrc = u32::from(ssrc).to_be_bytes();
    let mut packet = match kind {
        Kind::Rtp => {
            let mut packet = vec![0x80, 96];
            packet.extend(sequence.to_be_bytes());
            packet.extend([0; 4]);
            packet
        }
        Kind::Rtcp => vec![0x80, 201, 0, 1],
    };
    packet.extend(ssrc);
    packet.extend(&payload[..payload.len().min(2_000)]);
    packet
}

fn open(inbound: &mut Inbound, kind: Kind, bytes: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = bytes.to_vec();
    let opened = match kind {
        Kind::Rtp => inbound.unprotect_rtp(&mut bytes),
        Kind::Rtcp => inbound.unprotect_rtcp(&mut bytes),
    };
    bytes.truncate(opened.ok()?);
    Some(bytes)
}

fuzz_target!(|input: Input| {
    let profile = Profile::ALL[usize::from(input.profile) % Profile::ALL.len()];
    let material: Vec<u8> = (0..profile.keying_material_bytes() as u8).collect();
    let keys = DtlsKeys::split(profile, &material).unwrap();
    let mut outbound = Outbound::new(profile, &keys.client);
    let mut inbound = Inbound::new(profile, &keys.client);
    let mut sequence = 0x7000u16;
    for operation in input.operations {
        match operation {
            Operation::Foreign { kind, bytes } => {
                assert!(open(&mut inbound, kind, &bytes).is_none(), "opened what nobody sealed");
            }
            Operation::Packet { kind, ssrc, distance, payload, flip } => {
                sequence = sequence.wrapping_add_signed(distance);
                let plain = plain_packet(kind, ssrc, sequence, &payload);
                let mut sealed = plain.clone();
                let protected = match kind {
                    Kind::Rtp => {
                        sealed.resize(plain.len() + profile.rtp_overhead_bytes(), 0);
                        outbound.protect_rtp(&mut sealed)
                    }
                    Kind::Rtcp => {
                        sealed.resize(plain.len() + profile.rtcp_overhead_bytes(), 0);
                        outbound.protect_rtcp(&mut sealed)
                    }
                };
                if protected.is_err() {
                    continue;
                }
                if let Some((at, mask)) = flip.filter(|(_, mask)| *mask != 0) {
                    let mut damaged = sealed.clone();
                    let at = usize::from(at) % damaged.len();
                    damaged[at] ^= mask;
                    assert!(
                        open(&mut inbound, kind, &damaged).is_none(),
                        "opened what was damaged"
                    );
                }
                let opened = open(&mut inbound, kind, &sealed);
                assert_eq!(opened.as_ref(), Some(&plain), "a sound packet");
                assert!(open(&mut inbound, kind, &sealed).is_none(), "opened twice");
            }
        }
    }
});
