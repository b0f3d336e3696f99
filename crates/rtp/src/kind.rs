//! Whose datagram is it? STUN, DTLS, RTP and RTCP share one port (RFC 7983 §7, RFC 5761 §4).

/// What a datagram's first bytes say that it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PacketKind {
    /// STUN: first byte 0 to 3.
    Stun,
    /// DTLS: first byte 20 to 63.
    Dtls,
    /// RTP or SRTP: first byte 128 to 191.
    Rtp,
    /// RTCP or SRTCP: as RTP, with a second byte of 192 to 223.
    Rtcp,
    /// None of them, TURN channels and ZRTP included; to be dropped.
    Unknown,
}

impl PacketKind {
    /// Classifies `datagram` by its first two bytes.
    pub fn of(datagram: &[u8]) -> Self {
        match datagram {
            [0..=3, ..] => Self::Stun,
            [20..=63, ..] => Self::Dtls,
            [128..=191, 192..=223, ..] => Self::Rtcp,
            [128..=191, _, ..] => Self::Rtp,
            _ => Self::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_bytes_are_told_apart_at_the_borders_of_rfc_7983() {
        for (bytes, kind) in [
            (&[0u8, 1][..], PacketKind::Stun),
            (&[3, 1], PacketKind::Stun),
            (&[4, 1], PacketKind::Unknown),
            (&[19, 1], PacketKind::Unknown),
            (&[20, 1], PacketKind::Dtls),
            (&[63, 1], PacketKind::Dtls),
            (&[64, 1], PacketKind::Unknown),
            (&[127, 1], PacketKind::Unknown),
            (&[128, 96], PacketKind::Rtp),
            (&[191, 0x80 | 96], PacketKind::Rtp),
            (&[128, 191], PacketKind::Rtp),
            (&[128, 192], PacketKind::Rtcp),
            (&[128, 200], PacketKind::Rtcp),
            (&[128, 223], PacketKind::Rtcp),
            (&[128, 224], PacketKind::Rtp),
            (&[192, 200], PacketKind::Unknown),
            (&[128], PacketKind::Unknown),
            (&[], PacketKind::Unknown),
        ] {
            assert_eq!(PacketKind::of(bytes), kind, "{bytes:?}");
        }
    }
}
