//! The kinds of bad packets.

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
    /// From here on from the address of a client that has no keys yet: its own hello, again and
    /// again.
    SameHello,
    /// Hellos that might be its own, each another one.
    OtherHello,
    /// Hellos that cannot be answered.
    BadHello,
    /// Random bytes that say to be a handshake.
    Garbage,
    /// Parts of a long Certificate that do not fit together.
    Parts,
    /// A Certificate that its SDP did not promise.
    OtherCertificate,
    /// Its second flight, with a signature that is not its own.
    Flight,
    /// Fatal alerts.
    Alert,
    /// Records that say to be sealed.
    Sealed,
}

/// From whose address a kind comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// Addresses that nobody has heard of.
    Strangers,
    /// That of a client that is connected.
    Client,
    /// Those of clients that ICE has let in and that have said nothing else.
    BeforeHello,
    /// The same, whose hello has been answered.
    AfterHello,
}

impl Kind {
    /// All of them, the good one first.
    pub(super) const ALL: [Self; 18] = [
        Self::Good,
        Self::Random,
        Self::UnknownName,
        Self::WrongPassword,
        Self::StrangersHello,
        Self::StrangersMedia,
        Self::WrongTag,
        Self::Replayed,
        Self::WrongDtls,
        Self::SameHello,
        Self::OtherHello,
        Self::BadHello,
        Self::Garbage,
        Self::Parts,
        Self::OtherCertificate,
        Self::Flight,
        Self::Alert,
        Self::Sealed,
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
            Self::SameHello => "before keys: the same hello again",
            Self::OtherHello => "before keys: hellos, each another, that are answered",
            Self::BadHello => "before keys: hellos that cannot be answered",
            Self::Garbage => "before keys: random bytes as handshake",
            Self::Parts => "before keys: eight parts that never fit",
            Self::OtherCertificate => "before keys: another's Certificate",
            Self::Flight => "before keys: whole flights with a forged signature",
            Self::Alert => "before keys: fatal alerts",
            Self::Sealed => "before keys: records that say to be sealed",
        }
    }

    /// From whose address it comes.
    pub(super) fn source(self) -> Source {
        match self {
            Self::Good | Self::WrongTag | Self::Replayed | Self::WrongDtls => Source::Client,
            Self::Random
            | Self::UnknownName
            | Self::WrongPassword
            | Self::StrangersHello
            | Self::StrangersMedia => Source::Strangers,
            Self::SameHello | Self::OtherHello | Self::BadHello => Source::BeforeHello,
            Self::Garbage
            | Self::Parts
            | Self::OtherCertificate
            | Self::Flight
            | Self::Alert
            | Self::Sealed => Source::AfterHello,
        }
    }

    /// Packets of a window of `window_ms` in each second, where `wanted` are wanted from `clients`
    /// who are half-way: no more than the server looks at. What follows it drops unread, and the
    /// expensive ones come first (`HANDSHAKES_MAX`, `HELLOS_MAX` and `HANDSHAKE_PROOFS_MAX` in
    /// crates/sfu/src/config.rs).
    pub(super) fn per_second(self, wanted: u32, clients: usize, window_ms: u64) -> f64 {
        let of_each = match self {
            Self::OtherHello => 4,
            Self::BadHello => 32,
            Self::Flight => 64,
            _ => return f64::from(wanted),
        };
        f64::from(wanted).min((of_each * clients) as f64 * 1_000.0 / window_ms as f64)
    }

    /// The server's counter of such packets, where it has one.
    pub(super) fn counter(self) -> Option<&'static str> {
        match self {
            Self::Good => Some("odeum_rtp_received_total"),
            Self::UnknownName | Self::WrongPassword => Some("odeum_stun_refused_total"),
            Self::StrangersHello | Self::StrangersMedia => Some("odeum_media_unknown_source_total"),
            Self::WrongTag => Some("odeum_srtp_refused_total"),
            Self::Replayed => Some("odeum_srtp_replayed_total"),
            Self::Random
            | Self::WrongDtls
            | Self::SameHello
            | Self::OtherHello
            | Self::BadHello
            | Self::Garbage
            | Self::Parts
            | Self::OtherCertificate
            | Self::Flight
            | Self::Alert
            | Self::Sealed => None,
        }
    }
}
