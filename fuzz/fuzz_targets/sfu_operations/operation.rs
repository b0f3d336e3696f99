//! What may happen to the media planes.

use libfuzzer_sys::arbitrary::{self, Arbitrary};

#[derive(Arbitrary, Debug, Clone, Copy)]
pub(crate) enum Source {
    Audio,
    Video,
    Rtx,
    Foreign,
}

/// Who is there at first.
#[derive(Arbitrary, Debug, Clone, Copy)]
pub(crate) enum Begin {
    /// A publisher of one size, and a viewer.
    Plain,
    /// A publisher of several, and a viewer.
    Layers,
    /// The same, and the viewer is on the other worker.
    Mirror,
}

#[derive(Arbitrary, Debug)]
pub(crate) enum Operation {
    Publish,
    PublishLayers,
    Play {
        publisher: u8,
        rtx: bool,
    },
    OfferBytes {
        bytes: Vec<u8>,
    },
    /// An offer with some bytes changed.
    OfferDamaged {
        changes: Vec<(u16, u8)>,
    },
    /// ICE and DTLS to the end.
    Connect {
        peer: u8,
    },
    /// Opens DTLS and forgets about it.
    HalfConnect {
        peer: u8,
    },
    Check {
        peer: u8,
        from: u8,
        nominates: bool,
    },
    Rtp {
        peer: u8,
        source: Source,
        distance: i16,
        key: bool,
        payload: Vec<u8>,
        flip: Flip,
    },
    /// A packet of one of several layers, with its rid or without.
    Layer {
        peer: u8,
        layer: u8,
        names_it: bool,
        distance: i16,
        key: bool,
    },
    /// What a viewer wants to see.
    Wish {
        peer: u8,
        wish: u16,
    },
    Cut {
        peer: u8,
        audio: bool,
        video: bool,
    },
    RestartIce {
        peer: u8,
        ufrag: u8,
    },
    /// Lets the other worker mirror a publisher of the first.
    Mirror {
        peer: u8,
    },
    PlayMirror {
        peer: u8,
        rtx: bool,
    },
    /// The packets of a publisher do not cross any more.
    EndRelay {
        peer: u8,
    },
    CloseMirror {
        peer: u8,
    },
    /// Bytes that are said to have crossed, of a peer that may not be mirrored.
    Relayed {
        peer: u8,
        worker: bool,
        is_rtp: bool,
        bytes: Vec<u8>,
    },
    WantKeyFrame {
        peer: u8,
        layer: u8,
    },
    /// Plain bytes of the peer's own making behind a sound header, extensions and padding included.
    RawRtp {
        peer: u8,
        bytes: Vec<u8>,
    },
    RawRtcp {
        peer: u8,
        bytes: Vec<u8>,
    },
    Nack {
        peer: u8,
        back: u8,
        count: u8,
    },
    Pli {
        peer: u8,
    },
    SenderReport {
        peer: u8,
        source: Source,
        ntp: u64,
        timestamp: u32,
    },
    Goodbye {
        peer: u8,
        source: Source,
    },
    Foreign {
        from: u8,
        bytes: Vec<u8>,
    },
    CloseDtls {
        peer: u8,
    },
    Close {
        peer: u8,
    },
    /// Time passes; many peers' worth of it with a large number.
    Pass {
        milliseconds: u16,
    },
    /// Lets what is queued wait: the next operation belongs to the same batch.
    Wait,
}

/// What happens to a packet on its way: from which address it comes, and what is damaged.
#[derive(Arbitrary, Debug, Clone, Copy)]
pub(crate) enum Flip {
    None,
    At(u16, u8),
    From(u8),
}
