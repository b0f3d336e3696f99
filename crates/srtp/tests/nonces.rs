//! AES-GCM falls with the first nonce that is used twice (RFC 7714 §10.1). Ciphertext is plaintext
//! XOR key stream, and the key stream is the nonce's: packets full of zeros show it.

use std::collections::{HashMap, HashSet};

use odeum_srtp::{DtlsKeys, Outbound, Profile, SSRCS_MAX};
use proptest::prelude::*;

/// Zeros that become key stream: two blocks, so that a collision by chance will not be seen.
const ZEROS: usize = 32;

fn rtp(sequence: u16, ssrc: u32) -> Vec<u8> {
    let mut packet = vec![0x80, 96];
    packet.extend(sequence.to_be_bytes());
    packet.extend([0; 4]);
    packet.extend(ssrc.to_be_bytes());
    packet.resize(12 + ZEROS + Profile::AeadAes128Gcm.rtp_overhead_bytes(), 0);
    packet
}

fn rtcp(ssrc: u32) -> Vec<u8> {
    let mut packet = vec![0x80, 201, 0, 9];
    packet.extend(ssrc.to_be_bytes());
    packet.resize(8 + ZEROS + Profile::AeadAes128Gcm.rtcp_overhead_bytes(), 0);
    packet
}

#[derive(Debug, Clone)]
enum Step {
    /// A packet of this source, so far from its last one. Large steps wrap in a few.
    Rtp { ssrc: u32, distance: i16 },
    /// The same packet once more, if it was sent.
    Again { ssrc: u32, distance: i16 },
    /// A report of this source.
    Rtcp { ssrc: u32 },
}

fn step() -> impl Strategy<Value = Step> {
    // Media, its RTX, and sources that come and go: sometimes more than a context remembers, which
    // must not forget one that it has used.
    let ssrc = prop_oneof![3 => 0..6u32, 1 => 0..SSRCS_MAX as u32 + 8];
    let distance = prop_oneof![4 => -3..4i16, 1 => -500..500i16, 1 => any::<i16>()];
    prop_oneof![
        6 => (ssrc.clone(), distance.clone())
            .prop_map(|(ssrc, distance)| Step::Rtp { ssrc, distance }),
        2 => (ssrc.clone(), distance).prop_map(|(ssrc, distance)| Step::Again { ssrc, distance }),
        1 => ssrc.prop_map(|ssrc| Step::Rtcp { ssrc }),
    ]
}

proptest! {
    #[test]
    fn no_nonce_is_used_for_two_packets(
        profile in prop_oneof![Just(Profile::AeadAes128Gcm), Just(Profile::AeadAes256Gcm)],
        first in any::<u16>(),
        steps in proptest::collection::vec(step(), 1..400),
    ) {
        let material: Vec<u8> = (0..profile.keying_material_bytes() as u8).collect();
        let keys = DtlsKeys::split(profile, &material).unwrap();
        let mut outbound = Outbound::new(profile, &keys.server);
        let mut streams = HashSet::new();
        // What was sent last under each source and 16-bit number.
        let mut sent: HashMap<(u32, u16), Vec<u8>> = HashMap::new();
        let mut last: HashMap<u32, u16> = HashMap::new();
        for step in steps {
            match step {
                Step::Rtp { ssrc, distance } => {
                    let sequence =
                        last.get(&ssrc).map_or(first, |at| at.wrapping_add_signed(distance));
                    let mut packet = rtp(sequence, ssrc);
                    if outbound.protect_rtp(&mut packet).is_ok() {
                        let is_new = streams.insert(packet[12..12 + ZEROS].to_vec());
                        prop_assert!(is_new, "source {} number {}", ssrc, sequence);
                        sent.insert((ssrc, sequence), packet);
                        last.insert(ssrc, sequence);
                    }
                }
                Step::Again { ssrc, distance } => {
                    let Some(at) = last.get(&ssrc) else { continue };
                    let sequence = at.wrapping_add_signed(distance);
                    let mut packet = rtp(sequence, ssrc);
                    if outbound.protect_rtp_again(&mut packet).is_ok() {
                        prop_assert_eq!(Some(&packet), sent.get(&(ssrc, sequence)));
                    }
                }
                Step::Rtcp { ssrc } => {
                    let mut packet = rtcp(ssrc);
                    outbound.protect_rtcp(&mut packet).unwrap();
                    prop_assert!(streams.insert(packet[8..8 + ZEROS].to_vec()), "report {}", ssrc);
                }
            }
        }
    }
}
