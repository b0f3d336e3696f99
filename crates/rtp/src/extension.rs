//! What an RTP header extension means: kinds known by URI, and the ids and directions that one
//! negotiation gave them.

use crate::sdp::Direction;

/// A header extension that Odeum knows by its URI.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ExtensionKind {
    /// The m-line's mid (RFC 8843 §15).
    Mid,
    /// The simulcast layer's rid (RFC 8852).
    RtpStreamId,
    /// The rid of the layer that a retransmission repairs (RFC 8852).
    RepairedRtpStreamId,
    /// When the packet left, 6.18 fixed point seconds.
    AbsSendTime,
    /// The transport-wide sequence number.
    TransportSequenceNumber,
    /// Level and voice activity of audio (RFC 6464).
    AudioLevel,
    /// Transmission time offset (RFC 5450).
    TransmissionOffset,
    /// Coordination of video orientation (3GPP TS 26.114).
    VideoOrientation,
    /// Bounds on the playout delay.
    PlayoutDelay,
    /// AV1's dependency descriptor, passed by.
    DependencyDescriptor,
}

/// How many kinds there are.
const KINDS: usize = 10;

impl ExtensionKind {
    /// Every kind.
    pub const ALL: [Self; KINDS] = [
        Self::Mid,
        Self::RtpStreamId,
        Self::RepairedRtpStreamId,
        Self::AbsSendTime,
        Self::TransportSequenceNumber,
        Self::AudioLevel,
        Self::TransmissionOffset,
        Self::VideoOrientation,
        Self::PlayoutDelay,
        Self::DependencyDescriptor,
    ];

    /// The kind's name in `a=extmap`.
    pub fn uri(self) -> &'static str {
        match self {
            Self::Mid => "urn:ietf:params:rtp-hdrext:sdes:mid",
            Self::RtpStreamId => "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id",
            Self::RepairedRtpStreamId => "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id",
            Self::AbsSendTime => "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
            Self::TransportSequenceNumber => {
                "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
            }
            Self::AudioLevel => "urn:ietf:params:rtp-hdrext:ssrc-audio-level",
            Self::TransmissionOffset => "urn:ietf:params:rtp-hdrext:toffset",
            Self::VideoOrientation => "urn:3gpp:video-orientation",
            Self::PlayoutDelay => "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay",
            Self::DependencyDescriptor => {
                "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension"
            }
        }
    }

    /// The kind that `uri` names.
    pub fn from_uri(uri: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.uri() == uri)
    }
}

/// Which id each kind has in one m-line, 1 to 255 but for 15; zero is "not negotiated".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExtensionMap {
    /// Indexed by the kind.
    ids: [u8; KINDS],
    /// Likewise; both ways where nothing was said (RFC 8285 §5).
    directions: [Direction; KINDS],
}

impl Default for ExtensionMap {
    fn default() -> Self {
        Self { ids: [0; KINDS], directions: [Direction::SendReceive; KINDS] }
    }
}

impl ExtensionMap {
    /// Gives `kind` the id. False, and nothing changes, when the id cannot be used: 0, the reserved
    /// 15, or one that another kind has.
    #[must_use]
    pub fn insert(&mut self, id: u8, kind: ExtensionKind) -> bool {
        if id == 0 || id == 15 || self.kind(id).is_some_and(|other| other != kind) {
            return false;
        }
        self.ids[kind as usize] = id;
        true
    }

    /// Which way a kind goes, seen from the end that says so.
    pub fn set_direction(&mut self, kind: ExtensionKind, direction: Direction) {
        self.directions[kind as usize] = direction;
    }

    /// The same map seen from the other end: an answer's, from an offer's (RFC 8285 §5).
    pub fn mirrored(mut self) -> Self {
        self.directions = self.directions.map(Direction::mirrored);
        self
    }

    /// What the end that says so sends.
    pub fn sent(&self) -> Self {
        self.only(|kind| self.direction(kind).sends())
    }

    /// What the end that says so wants to receive.
    pub fn received(&self) -> Self {
        self.only(|kind| self.direction(kind).receives())
    }

    /// The map with only the kinds for which `wanted` holds: an answer's, from an offer's.
    pub fn only(&self, wanted: impl Fn(ExtensionKind) -> bool) -> Self {
        let mut map = *self;
        for kind in ExtensionKind::ALL.into_iter().filter(|kind| !wanted(*kind)) {
            map.ids[kind as usize] = 0;
        }
        map
    }

    /// The kind's id.
    pub fn id(&self, kind: ExtensionKind) -> Option<u8> {
        Some(self.ids[kind as usize]).filter(|id| *id != 0)
    }

    /// Which way the kind goes.
    pub fn direction(&self, kind: ExtensionKind) -> Direction {
        self.directions[kind as usize]
    }

    /// What the id means.
    pub fn kind(&self, id: u8) -> Option<ExtensionKind> {
        ExtensionKind::ALL.into_iter().find(|kind| id != 0 && self.ids[*kind as usize] == id)
    }

    /// All pairs, in the kinds' order.
    pub fn iter(&self) -> impl Iterator<Item = (u8, ExtensionKind)> + use<> {
        let ids = self.ids;
        ExtensionKind::ALL
            .into_iter()
            .map(move |kind| (ids[kind as usize], kind))
            .filter(|(id, _)| *id != 0)
    }
}

/// The value of the audio level extension (RFC 6464 §3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AudioLevel {
    /// Whether the encoder believes that someone speaks.
    pub voice: bool,
    /// 0 is the loudest, 127 is silence, in -dBov.
    pub level_minus_dbov: u8,
}

impl AudioLevel {
    /// Reads the extension's value.
    pub fn parse(value: &[u8]) -> Option<Self> {
        let first = *value.first()?;
        Some(Self { voice: first & 0x80 != 0, level_minus_dbov: first & 0x7F })
    }
}

/// The value of abs-send-time for a packet that leaves `elapsed` after any fixed instant: 6.18
/// fixed point seconds, modulo 64 seconds.
pub fn abs_send_time(elapsed: std::time::Duration) -> [u8; 3] {
    let ticks = (elapsed.as_micros() << 18) / 1_000_000;
    let [.., a, b, c] = (ticks as u32).to_be_bytes();
    [a, b, c]
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn every_kind_is_found_by_its_uri() {
        for kind in ExtensionKind::ALL {
            assert_eq!(ExtensionKind::from_uri(kind.uri()), Some(kind));
        }
        assert_eq!(ExtensionKind::from_uri("urn:unknown"), None);
    }

    #[test]
    fn an_id_has_one_kind_and_a_kind_one_id() {
        let mut map = ExtensionMap::default();
        assert!(map.insert(3, ExtensionKind::Mid));
        assert!(!map.insert(3, ExtensionKind::AudioLevel));
        assert!(!map.insert(0, ExtensionKind::AudioLevel));
        assert!(!map.insert(15, ExtensionKind::AudioLevel));
        assert!(map.insert(16, ExtensionKind::AudioLevel));
        assert_eq!(map.id(ExtensionKind::Mid), Some(3));
        assert_eq!(map.kind(16), Some(ExtensionKind::AudioLevel));
        assert_eq!(map.kind(0), None);
        assert_eq!(map.iter().count(), 2);
        let less = map.only(|kind| kind == ExtensionKind::Mid);
        assert_eq!(less.iter().collect::<Vec<_>>(), [(3, ExtensionKind::Mid)]);
    }

    #[test]
    fn a_direction_is_the_other_one_seen_from_the_other_end() {
        let mut map = ExtensionMap::default();
        for (id, kind, direction) in [
            (1, ExtensionKind::Mid, Direction::SendReceive),
            (2, ExtensionKind::PlayoutDelay, Direction::ReceiveOnly),
            (3, ExtensionKind::AudioLevel, Direction::SendOnly),
            (4, ExtensionKind::VideoOrientation, Direction::Inactive),
        ] {
            assert!(map.insert(id, kind));
            map.set_direction(kind, direction);
        }
        let ids = |map: ExtensionMap| map.iter().map(|(id, _)| id).collect::<Vec<_>>();
        let mut sent = ids(map.sent());
        sent.sort_unstable();
        assert_eq!(sent, [1, 3]);
        let mut received = ids(map.received());
        received.sort_unstable();
        assert_eq!(received, [1, 2]);
        let other = map.mirrored();
        assert_eq!(ids(other.sent()), ids(map.received()));
        assert_eq!(ids(other.received()), ids(map.sent()));
        assert_eq!(other.direction(ExtensionKind::VideoOrientation), Direction::Inactive);
    }

    #[test]
    fn abs_send_time_wraps_after_64_seconds() {
        assert_eq!(abs_send_time(Duration::from_secs(1)), [0x04, 0, 0]);
        assert_eq!(abs_send_time(Duration::from_millis(64_500)), [0x02, 0, 0]);
    }

    #[test]
    fn an_audio_level_is_flag_and_level() {
        let spoken = AudioLevel { voice: true, level_minus_dbov: 30 };
        assert_eq!(AudioLevel::parse(&[0x80 | 30]), Some(spoken));
        assert_eq!(AudioLevel::parse(&[]), None);
    }
}
