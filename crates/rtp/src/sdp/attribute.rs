//! What single attributes say, as types.

use std::fmt;

use odeum_types::Redacted;

/// SHA-256 of a DTLS certificate (RFC 8122 §5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint(pub [u8; 32]);

impl Fingerprint {
    /// Reads `AB:CD:…`, 32 bytes in either case.
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        let mut parts = text.split(':');
        for byte in &mut bytes {
            let part = parts.next().filter(|part| part.len() == 2)?;
            let is_hex = part.bytes().all(|digit| digit.is_ascii_hexdigit());
            *byte = u8::from_str_radix(part, 16).ok().filter(|_| is_hex)?;
        }
        parts.next().is_none().then_some(Self(bytes))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { ":" };
            write!(f, "{separator}{byte:02X}")?;
        }
        Ok(())
    }
}

/// A username fragment and its password (RFC 8839 §5.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IceCredentials {
    /// Names the peer in STUN: 4 to 256 characters of `[A-Za-z0-9+/]`.
    pub ufrag: String,
    /// Makes the integrity: 22 to 256 characters of the same.
    pub password: Redacted<String>,
}

/// A username fragment of a peer (RFC 8839 §5.4): 4 to 256 characters of `[A-Za-z0-9+/]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IceUfrag(String);

/// Text that is no username fragment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an ICE user name fragment is 4 to 256 characters of [A-Za-z0-9+/]")]
pub struct NotAnIceUfrag;

impl IceUfrag {
    /// Takes text that is one.
    ///
    /// # Errors
    /// [`NotAnIceUfrag`].
    pub fn parse(text: &str) -> Result<Self, NotAnIceUfrag> {
        is_ice_text(text, 4..=256).then(|| Self(text.to_owned())).ok_or(NotAnIceUfrag)
    }

    /// As it stands in SDP.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether `text` is made of ICE's characters and has one of these lengths.
pub(super) fn is_ice_text(text: &str, sizes: std::ops::RangeInclusive<usize>) -> bool {
    let is_ice = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/';
    sizes.contains(&text.len()) && text.bytes().all(is_ice)
}

macro_rules! words {
    (
        $(#[$doc:meta])*
        $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)* }
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)*
        }

        impl $name {
            /// The word in SDP.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                }
            }

            /// The value that the word means.
            pub fn parse(word: &str) -> Option<Self> {
                match word {
                    $($text => Some(Self::$variant),)*
                    _ => None,
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

words! {
    /// Who opens the DTLS connection (RFC 8842).
    Setup {
        /// Either; what an offer should say.
        ActPass = "actpass",
        /// The sender of this line.
        Active = "active",
        /// The other end; what our answers say.
        Passive = "passive",
    }
}

words! {
    /// Which way media flows, seen by the sender of the line.
    Direction {
        /// Both ways; what a missing line means.
        SendReceive = "sendrecv",
        /// Away from it.
        SendOnly = "sendonly",
        /// To it.
        ReceiveOnly = "recvonly",
        /// No way.
        Inactive = "inactive",
    }
}

impl Direction {
    /// Whether the sender of the line wants to send.
    pub fn sends(self) -> bool {
        matches!(self, Self::SendReceive | Self::SendOnly)
    }

    /// Whether the sender of the line wants to receive.
    pub fn receives(self) -> bool {
        matches!(self, Self::SendReceive | Self::ReceiveOnly)
    }

    /// The same, seen from the other end.
    pub fn mirrored(self) -> Self {
        match self {
            Self::SendOnly => Self::ReceiveOnly,
            Self::ReceiveOnly => Self::SendOnly,
            Self::SendReceive | Self::Inactive => self,
        }
    }
}

words! {
    /// RTCP feedback that Odeum knows (RFC 4585 §4.2); others are not kept.
    Feedback {
        /// Generic NACK.
        Nack = "nack",
        /// Picture loss indication.
        NackPli = "nack pli",
        /// Full intra request.
        CcmFir = "ccm fir",
        /// Transport-wide congestion control.
        TransportCc = "transport-cc",
        /// Receiver estimated maximum bitrate.
        Remb = "goog-remb",
    }
}

/// What an m-line is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum MediaKind {
    /// Audio over RTP.
    Audio,
    /// Video over RTP.
    Video,
    /// Data channels.
    Application,
    /// Anything else, kept so that its rejection can repeat it.
    Other(String),
}

impl MediaKind {
    /// The kind that an m-line's first word means.
    pub fn parse(word: &str) -> Self {
        match word {
            "audio" => Self::Audio,
            "video" => Self::Video,
            "application" => Self::Application,
            other => Self::Other(other.to_owned()),
        }
    }

    /// The word in SDP.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Audio => "audio",
            Self::Video => "video",
            Self::Application => "application",
            Self::Other(word) => word,
        }
    }
}

/// A payload type with what `rtpmap`, `fmtp` and `rtcp-fb` say about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PayloadFormat {
    /// 0 to 127.
    pub payload_type: u8,
    /// The codec's name as it came, e.g. `VP8`; empty for a static type without `rtpmap`.
    pub encoding: String,
    /// In Hz.
    pub clock_rate: u32,
    /// Audio channels; 1 when the line does not say.
    pub channels: u8,
    /// `fmtp`, e.g. `minptime=10;useinbandfec=1`; empty when there is none.
    pub parameters: String,
    /// The feedback that is wanted.
    pub feedback: Vec<Feedback>,
}

impl PayloadFormat {
    /// A format without parameters and feedback.
    pub fn new(payload_type: u8, encoding: &str, clock_rate: u32) -> Self {
        Self {
            payload_type,
            encoding: encoding.to_owned(),
            clock_rate,
            channels: 1,
            parameters: String::new(),
            feedback: Vec::new(),
        }
    }

    /// The value of a parameter of `fmtp`; names are compared without case.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters
            .split(';')
            .filter_map(|parameter| parameter.trim().split_once('='))
            .find(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// Whether the codec's name is `encoding`, compared without case.
    pub fn is(&self, encoding: &str) -> bool {
        self.encoding.eq_ignore_ascii_case(encoding)
    }
}

/// How much sound a packet has, in milliseconds (RFC 8866 §6.4), for the whole line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PacketTimes {
    /// `ptime`: as a rule.
    pub usual_ms: Option<u8>,
    /// `maxptime`: at most.
    pub most_ms: Option<u8>,
}

impl PacketTimes {
    /// Opus has no longer packets (RFC 7587 §6.1), and other sound is not forwarded.
    const MS_MAX: u8 = 120;

    /// A value of either; none of one that is out of reach.
    pub(super) fn parse(value: &str) -> Option<u8> {
        value.trim().parse().ok().filter(|ms| (1..=Self::MS_MAX).contains(ms))
    }
}

/// Which MediaStream and track an m-line carries (RFC 8830).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Msid {
    /// The MediaStream's id; `-` for none.
    pub stream: String,
    /// The track's id; browsers may leave it out.
    pub track: String,
}
