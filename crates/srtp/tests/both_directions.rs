//! What one side protects the other opens, once, and nothing else.

use odeum_srtp::{
    DtlsKeys, Inbound, Outbound, Profile, ProtectError, REPLAY_WINDOW_PACKETS, SSRCS_MAX,
    UnprotectError,
};
use proptest::prelude::*;

fn pair(profile: Profile) -> (Outbound, Inbound) {
    let material: Vec<u8> = (0..profile.keying_material_bytes() as u8).collect();
    let keys = DtlsKeys::split(profile, &material).unwrap();
    (Outbound::new(profile, &keys.server), Inbound::new(profile, &keys.server))
}

fn rtp(profile: Profile, sequence: u16, ssrc: u32, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x90, 96];
    packet.extend(sequence.to_be_bytes());
    packet.extend([1, 2, 3, 4]);
    packet.extend(ssrc.to_be_bytes());
    packet.extend([0xbe, 0xde, 0, 1, 0x10, 7, 0, 0]);
    packet.extend(payload);
    packet.resize(packet.len() + profile.rtp_overhead_bytes(), 0);
    packet
}

fn protected(outbound: &mut Outbound, sequence: u16, payload: &[u8]) -> Vec<u8> {
    let mut packet = rtp(outbound.profile(), sequence, 9, payload);
    outbound.protect_rtp(&mut packet).unwrap();
    packet
}

fn rtcp(profile: Profile) -> Vec<u8> {
    let mut packet = vec![0x81, 206, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2];
    packet.resize(packet.len() + profile.rtcp_overhead_bytes(), 0);
    packet
}

#[test]
fn a_packet_opens_once() {
    for profile in Profile::ALL {
        let (mut outbound, mut inbound) = pair(profile);
        let packet = protected(&mut outbound, 1, b"payload");
        assert!(!packet.windows(7).any(|bytes| bytes == b"payload"), "{profile:?}");
        let mut first = packet.clone();
        let length = inbound.unprotect_rtp(&mut first).unwrap();
        assert_eq!(&first[20..length], b"payload");
        assert_eq!(
            inbound.unprotect_rtp(&mut packet.clone()),
            Err(UnprotectError::Replayed { index: 1 })
        );
    }
}

#[test]
fn an_rtcp_packet_opens_once() {
    for profile in Profile::ALL {
        let (mut outbound, mut inbound) = pair(profile);
        let plain = rtcp(profile);
        let mut packet = plain.clone();
        outbound.protect_rtcp(&mut packet).unwrap();
        let mut first = packet.clone();
        assert_eq!(inbound.unprotect_rtcp(&mut first), Ok(12));
        assert_eq!(first[..12], plain[..12]);
        assert_eq!(inbound.unprotect_rtcp(&mut packet), Err(UnprotectError::Replayed { index: 0 }));
        let mut next = plain.clone();
        outbound.protect_rtcp(&mut next).unwrap();
        assert_eq!(inbound.unprotect_rtcp(&mut next), Ok(12));
    }
}

#[test]
fn a_forged_packet_leaves_no_trace() {
    for profile in Profile::ALL {
        let (mut outbound, mut inbound) = pair(profile);
        let packet = protected(&mut outbound, 700, b"payload");
        for at in [0, 1, 5, 15, 22, packet.len() - 1] {
            let mut forged = packet.clone();
            forged[at] ^= 0x04;
            assert!(inbound.unprotect_rtp(&mut forged).is_err(), "{profile:?} byte {at}");
        }
        // A forged far sequence number must not move the window.
        let mut far = packet.clone();
        far[2] = 0x70;
        assert_eq!(inbound.unprotect_rtp(&mut far), Err(UnprotectError::Forged));
        assert!(inbound.unprotect_rtp(&mut packet.clone()).is_ok());
    }
}

#[test]
fn rtcp_that_is_not_encrypted_is_refused() {
    for profile in Profile::ALL {
        let (mut outbound, mut inbound) = pair(profile);
        let mut packet = rtcp(profile);
        outbound.protect_rtcp(&mut packet).unwrap();
        let word = match profile {
            Profile::AesCm128HmacSha1_80 => packet.len() - 14,
            Profile::AeadAes128Gcm | Profile::AeadAes256Gcm => packet.len() - 4,
        };
        packet[word] &= 0x7f;
        assert_eq!(inbound.unprotect_rtcp(&mut packet), Err(UnprotectError::NotEncrypted));
    }
}

#[test]
fn sequence_numbers_roll_over_and_stragglers_still_open() {
    for profile in Profile::ALL {
        let (mut outbound, mut inbound) = pair(profile);
        let mut straggler = None;
        for step in 0..200_000u32 {
            let sequence = (65_000 + step) as u16;
            let mut packet = protected(&mut outbound, sequence, b"x");
            if step == 535 {
                straggler = Some(packet);
                continue;
            }
            inbound.unprotect_rtp(&mut packet).unwrap_or_else(|e| panic!("{profile:?} {step} {e}"));
            if step == 540 {
                assert_eq!(sequence, 4);
                inbound.unprotect_rtp(straggler.as_mut().unwrap()).unwrap();
            }
        }
    }
}

#[test]
fn an_index_is_never_sent_twice() {
    let profile = Profile::AeadAes128Gcm;
    let (mut outbound, _) = pair(profile);
    protected(&mut outbound, 1000, b"one");
    let mut again = rtp(profile, 1000, 9, b"two");
    let before = again.clone();
    assert_eq!(outbound.protect_rtp(&mut again), Err(ProtectError::IndexUsed { index: 1000 }));
    assert_eq!(again, before);
    protected(&mut outbound, 999, b"a reordered packet may go");
    let mut old = rtp(profile, 1000 - REPLAY_WINDOW_PACKETS as u16, 9, b"old");
    assert!(matches!(outbound.protect_rtp(&mut old), Err(ProtectError::IndexUsed { .. })));
}

#[test]
fn a_repeated_packet_is_the_same_bytes_and_only_what_was_sent_repeats() {
    for profile in Profile::ALL {
        let (mut outbound, _) = pair(profile);
        let sent = protected(&mut outbound, 1000, b"one");
        protected(&mut outbound, 1002, b"three");
        let mut again = rtp(profile, 1000, 9, b"one");
        outbound.protect_rtp_again(&mut again).unwrap();
        assert_eq!(again, sent);
        let mut never = rtp(profile, 1001, 9, b"two");
        assert_eq!(outbound.protect_rtp_again(&mut never), Err(ProtectError::NotSent));
    }
}

#[test]
fn ssrcs_are_bounded() {
    let profile = Profile::AeadAes128Gcm;
    let (mut outbound, mut inbound) = pair(profile);
    let (mut other, _) = pair(profile);
    for ssrc in 0..SSRCS_MAX as u32 {
        let mut packet = rtp(profile, 1, ssrc, b"x");
        outbound.protect_rtp(&mut packet).unwrap();
        inbound.unprotect_rtp(&mut packet).unwrap();
    }
    let mut packet = rtp(profile, 1, 77, b"x");
    assert_eq!(outbound.protect_rtp(&mut packet), Err(ProtectError::TooManySsrcs { ssrc: 77 }));
    other.protect_rtp(&mut packet).unwrap();
    assert_eq!(inbound.unprotect_rtp(&mut packet), Err(UnprotectError::TooManySsrcs { ssrc: 77 }));
}

#[test]
fn keying_material_of_another_length_is_refused() {
    assert!(DtlsKeys::split(Profile::AeadAes128Gcm, &[0; 60]).is_err());
}

proptest! {
    #[test]
    fn any_payload_comes_through(
        payload in proptest::collection::vec(any::<u8>(), 0..1400),
        sequence: u16,
        ssrc: u32,
    ) {
        for profile in Profile::ALL {
            let (mut outbound, mut inbound) = pair(profile);
            let plain = rtp(profile, sequence, ssrc, &payload);
            let mut packet = plain.clone();
            outbound.protect_rtp(&mut packet).unwrap();
            let length = inbound.unprotect_rtp(&mut packet).unwrap();
            prop_assert_eq!(&packet[..length], &plain[..length]);
        }
    }

    #[test]
    fn any_bytes_are_refused_without_a_panic(
        mut bytes in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        for profile in Profile::ALL {
            let (mut outbound, mut inbound) = pair(profile);
            prop_assert!(inbound.unprotect_rtp(&mut bytes.clone()).is_err());
            prop_assert!(inbound.unprotect_rtcp(&mut bytes.clone()).is_err());
            // Protecting is for our own packets, yet must not panic on others.
            if outbound.protect_rtp(&mut bytes).is_ok() {
                prop_assert!(bytes.len() >= 12);
            }
        }
    }
}
