//! Offers become peers: what is accepted of an SDP, and the answer to it. The one place of this
//! crate that reads and writes SDP, and the only one that may allocate at will.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use odeum_rtp::ExtensionKind;
use odeum_rtp::negotiate::{self, Chosen};
use odeum_rtp::sdp::{
    self, Direction, Feedback, Fingerprint, IceCredentials, MediaSection, MediaSender, Offer,
    Transport,
};
use odeum_types::{Codec, PeerId, Redacted};

use crate::answer::{Answer, OfferError};
use crate::dtls::DtlsServer;
use crate::entropy::Entropy;
use crate::event::{CloseReason, MediaFacts};
use crate::forwarder::Origin;
use crate::ice::Ice;
use crate::layer_choice::{LAYERS_MAX, VideoWish};
use crate::peer::{Peer, Role};
use crate::publisher::Publisher;
use crate::retransmission_budget::RetransmissionBudget;
use crate::source_terms::{LossRepair, SourceTerms};
use crate::subscriber::{CNAME, ExtensionIds, Subscriber, SubscriberTrack, TrackTerms};
use crate::track::{RingSize, Track, TrackKind};
use crate::{PeerKey, Sfu, transport};

/// Extensions taken from a publisher.
fn is_taken(kind: ExtensionKind) -> bool {
    let names_layers =
        matches!(kind, ExtensionKind::RtpStreamId | ExtensionKind::RepairedRtpStreamId);
    kind == ExtensionKind::TransportSequenceNumber || names_layers || is_forwarded(kind)
}

/// Extensions given to a subscriber. Send times are not among them: they are the publisher's, and
/// the estimation between server and subscriber has to be about the server's.
fn is_forwarded(kind: ExtensionKind) -> bool {
    matches!(
        kind,
        ExtensionKind::AudioLevel | ExtensionKind::VideoOrientation | ExtensionKind::PlayoutDelay
    )
}

/// What a line is for; none for one that the offerer has stopped.
fn kind_of(media: &sdp::Media) -> Option<TrackKind> {
    if media.is_rejected() {
        return None;
    }
    match media.kind {
        sdp::MediaKind::Audio => Some(TrackKind::Audio),
        sdp::MediaKind::Video => Some(TrackKind::Video),
        sdp::MediaKind::Application | sdp::MediaKind::Other(_) => None,
    }
}

fn kind_of_codec(codec: Codec) -> TrackKind {
    match codec {
        Codec::Opus => TrackKind::Audio,
        Codec::Vp8 | Codec::Vp9 | Codec::H264 | Codec::H265 | Codec::Av1 => TrackKind::Video,
    }
}

impl MediaFacts {
    fn of(kind: TrackKind, codec: Codec, facts: Self) -> Self {
        match kind {
            TrackKind::Audio => Self { audio: Some(codec), ..facts },
            TrackKind::Video => Self { video: Some(codec), ..facts },
        }
    }
}

impl Sfu {
    /// Makes a publisher of an offer that sends at most one audio and one video track; what is more
    /// is rejected in the answer.
    ///
    /// # Errors
    /// See [`OfferError`].
    pub fn create_publisher(
        &mut self,
        now: Instant,
        peer: PeerId,
        offer_sdp: &str,
    ) -> Result<Answer, OfferError> {
        self.now = now;
        self.check_room_for(peer)?;
        self.contained_offer(peer, |sfu| sfu.admit_publisher(now, peer, offer_sdp))
    }

    fn admit_publisher(
        &mut self,
        now: Instant,
        peer: PeerId,
        offer_sdp: &str,
    ) -> Result<Answer, OfferError> {
        let offer = Offer::parse(offer_sdp)?;
        let mut publisher = Publisher::new(now, self.entropy.number());
        let mut facts = MediaFacts::default();
        let mut sections = Vec::with_capacity(offer.media().len());
        for media in offer.media() {
            let chosen = kind_of(media)
                .filter(|kind| media.direction.sends() && publisher.track(*kind).is_none())
                .and_then(|kind| Some((kind, negotiate::choose_for_publisher(media)?)))
                .filter(|(kind, chosen)| kind_of_codec(chosen.codec.codec()) == *kind);
            let Some((kind, chosen)) = chosen else {
                sections.push(None);
                continue;
            };
            let extensions = media.extensions.only(is_taken);
            let rids = taken_rids(media);
            // Layers are known by their rids; browsers name no SSRC then.
            let ssrc = media.primary_ssrc().filter(|_| rids.is_empty());
            let repair = match chosen.format.feedback.contains(&Feedback::Nack) {
                true => LossRepair::Nack,
                false => LossRepair::None,
            };
            let terms = SourceTerms {
                format: chosen.codec,
                payload_type: chosen.format.payload_type,
                rtx_payload_type: chosen.retransmission.as_ref().map(|f| f.payload_type),
                clock_rate: chosen.format.clock_rate,
                repair,
                extensions,
                ssrc,
                rtx_ssrc: None,
                rid: None,
            };
            for rid in &rids {
                let terms = SourceTerms { rid: Some(rid.as_str().into()), ..terms.clone() };
                publisher.add_layer(kind, Track::new(terms, self.ring_size(kind)));
            }
            if rids.is_empty() {
                publisher.add_layer(kind, Track::new(terms, self.ring_size(kind)));
            }
            facts = MediaFacts::of(kind, chosen.codec.codec(), facts);
            sections.push(Some(MediaSection {
                direction: Direction::ReceiveOnly,
                formats: chosen.formats(),
                extensions,
                rids,
                sender: None,
            }));
        }
        if facts == MediaFacts::default() {
            return Err(OfferError::NothingInCommon);
        }
        let role = Role::Publisher(Box::new(publisher));
        let (key, answer) = self.admit(now, peer, &offer, facts, role, &sections);
        self.publishers.push(key);
        Ok(answer)
    }

    /// Makes a subscriber of `publisher` of an offer that receives. A line that `publisher` has no
    /// track for is accepted as inactive: a browser that bundles all it can (`max-bundle`) gives
    /// only the first line a transport, and loses it for all when that line is rejected. Rejected
    /// is what has no codec of Odeum's.
    ///
    /// # Errors
    /// See [`OfferError`].
    pub fn create_subscriber(
        &mut self,
        now: Instant,
        peer: PeerId,
        publisher: PeerId,
        offer_sdp: &str,
    ) -> Result<Answer, OfferError> {
        self.now = now;
        self.check_room_for(peer)?;
        self.contained_offer(peer, |sfu| sfu.admit_subscriber(now, peer, publisher, offer_sdp))
    }

    fn admit_subscriber(
        &mut self,
        now: Instant,
        peer: PeerId,
        publisher: PeerId,
        offer_sdp: &str,
    ) -> Result<Answer, OfferError> {
        let publisher_key =
            *self.by_id.get(&publisher).ok_or(OfferError::NoPublisher { publisher })?;
        let Role::Publisher(source) = &self.peers[publisher_key].role else {
            return Err(OfferError::NoPublisher { publisher });
        };
        let subscribers_max = self.config.subscribers_per_publisher_max;
        if source.viewers().len() >= subscribers_max {
            return Err(OfferError::SubscribersMax { subscribers_max });
        }
        let offer = Offer::parse(offer_sdp)?;
        let mut tracks = [None, None];
        let mut facts = MediaFacts::default();
        let mut untaken = Vec::new();
        let mut sections = Vec::with_capacity(offer.media().len());
        for media in offer.media() {
            let wanted = kind_of(media)
                .filter(|kind| media.direction.receives() && tracks[*kind as usize].is_none())
                .and_then(|kind| Some((kind, source.track(kind)?.format())));
            let chosen = wanted.and_then(|(kind, format)| {
                Some((kind, negotiate::choose_for_subscriber(media, format)?))
            });
            let Some((kind, chosen)) = chosen else {
                untaken.extend(wanted.map(|(_, format)| format.codec()));
                sections.push(inactive_section(media));
                continue;
            };
            let terms = track_terms(&mut self.entropy, media, &chosen);
            tracks[kind as usize] = Some(subscriber_track(&mut self.entropy, terms));
            facts = MediaFacts::of(kind, chosen.codec.codec(), facts);
            let extensions = media.extensions.only(is_forwarded);
            sections.push(Some(subscriber_section(publisher, kind, chosen, &terms, extensions)));
        }
        if facts == MediaFacts::default() {
            return Err(OfferError::NothingInCommon);
        }
        let budget = RetransmissionBudget::new(now, self.config.retransmissions_per_second_max);
        let wish = VideoWish::default();
        let subscriber = Subscriber {
            publisher: publisher_key,
            tracks,
            budget,
            wish,
            available: None,
            video_layer: source.choose_video_layer(now, wish, None, None),
        };
        let role = Role::Subscriber(Box::new(subscriber));
        let (key, answer) = self.admit(now, peer, &offer, facts, role, &sections);
        if let Role::Publisher(source) = &mut self.peers[publisher_key].role {
            source.add_viewer(key);
        }
        Ok(Answer { untaken, ..answer })
    }

    /// Runs `admit` for the new peer `id`. Should it panic, nothing is left of that peer.
    fn contained_offer(
        &mut self,
        id: PeerId,
        admit: impl FnOnce(&mut Self) -> Result<Answer, OfferError>,
    ) -> Result<Answer, OfferError> {
        let admitted = catch_unwind(AssertUnwindSafe(|| {
            #[cfg(test)]
            assert!(!self.panics_at_offer, "injected");
            admit(self)
        }));
        admitted.unwrap_or_else(|_| {
            self.statistics.panics += 1;
            if let Some(&key) = self.by_id.get(&id) {
                self.drop_peer(key, CloseReason::Panicked);
            }
            Err(OfferError::Panicked)
        })
    }

    fn check_room_for(&self, peer: PeerId) -> Result<(), OfferError> {
        if self.by_id.contains_key(&peer) {
            return Err(OfferError::PeerExists { peer });
        }
        let peers_max = self.config.peers_max;
        if self.peers.len() >= peers_max {
            return Err(OfferError::PeersMax { peers_max });
        }
        Ok(())
    }

    pub(crate) fn ring_size(&self, kind: TrackKind) -> RingSize {
        match kind {
            TrackKind::Audio => RingSize {
                packets: self.config.audio_ring_packets,
                bytes: self.config.audio_ring_bytes,
            },
            TrackKind::Video => RingSize {
                packets: self.config.video_ring_packets,
                bytes: self.config.video_ring_bytes,
            },
        }
    }

    fn admit(
        &mut self,
        now: Instant,
        id: PeerId,
        offer: &Offer,
        facts: MediaFacts,
        role: Role,
        sections: &[Option<MediaSection>],
    ) -> (PeerKey, Answer) {
        let mut ice = Ice::new(now, &mut self.entropy, &offer.ice().ufrag);
        // 48 random bits: a second draw is a curiosity, a third one will not be seen.
        while self.by_ufrag.contains_key(ice.ufrag()) {
            ice = Ice::new(now, &mut self.entropy, &offer.ice().ufrag);
        }
        let transport = Transport {
            session_id: self.entropy.number_64() >> 1,
            ice: IceCredentials {
                ufrag: ice.ufrag().to_owned(),
                password: Redacted::new(ice.password().to_owned()),
            },
            fingerprint: Fingerprint(self.dtls.fingerprint()),
            candidates: self.config.candidates.clone(),
        };
        let sdp = offer.answer(&transport, sections).to_string();
        let ufrag: Box<str> = ice.ufrag().into();
        let key = self.peers.insert(Box::new(Peer {
            id,
            facts,
            transport: Some(transport::Transport {
                ice,
                dtls: DtlsServer::new(offer.fingerprint().0),
                srtp: None,
                created: now,
            }),
            heard: now,
            role,
            #[cfg(test)]
            panics_next: false,
        }));
        if self.peers.len() == 1 {
            self.next_sweep = now;
        }
        self.statistics.peers = self.peers.len() as u64;
        self.by_id.insert(id, key);
        self.by_ufrag.insert(ufrag, key);
        self.connecting.push(key);
        (key, Answer { sdp, untaken: Vec::new() })
    }
}

/// A line over which nothing will go, with a codec of the offer because a line has to have one.
fn inactive_section(media: &sdp::Media) -> Option<MediaSection> {
    let kind = kind_of(media)?;
    let chosen = negotiate::choose_for_publisher(media)?;
    (kind_of_codec(chosen.codec.codec()) == kind).then(|| MediaSection {
        direction: Direction::Inactive,
        formats: chosen.formats(),
        extensions: media.extensions.only(is_forwarded),
        rids: Vec::new(),
        sender: None,
    })
}

/// The layers that are taken of a line that offers several; empty for one that does not, or whose
/// packets would not say which layer they are of.
fn taken_rids(media: &sdp::Media) -> Vec<String> {
    let names_them = media.extensions.id(ExtensionKind::RtpStreamId).is_some();
    let is_several = media.simulcast && media.send_rids.len() > 1;
    let is_taken = names_them && is_several && kind_of(media) == Some(TrackKind::Video);
    let rids = media.send_rids.iter().filter(|_| is_taken);
    rids.take(LAYERS_MAX).cloned().collect()
}

fn track_terms(entropy: &mut Entropy, media: &sdp::Media, chosen: &Chosen) -> TrackTerms {
    TrackTerms {
        ssrc: entropy.number(),
        payload_type: chosen.format.payload_type,
        rtx: chosen.retransmission.as_ref().map(|format| (entropy.number(), format.payload_type)),
        extensions: ExtensionIds::of(&media.extensions.only(is_forwarded)),
        clock_rate: chosen.format.clock_rate,
    }
}

fn subscriber_track(entropy: &mut Entropy, terms: TrackTerms) -> SubscriberTrack {
    let mut sequence = || (entropy.number() & 0x7fff) as u16;
    let (first, rtx_first) = (sequence(), sequence());
    let origin = Origin { sequence: first, timestamp: entropy.number() };
    SubscriberTrack::new(terms, origin, rtx_first)
}

fn subscriber_section(
    publisher: PeerId,
    kind: TrackKind,
    mut chosen: Chosen,
    terms: &TrackTerms,
    extensions: odeum_rtp::ExtensionMap,
) -> MediaSection {
    // Without its header extension, feedback on the transport has nothing to count.
    chosen.format.feedback.retain(|feedback| *feedback != Feedback::TransportCc);
    let track = match kind {
        TrackKind::Audio => "audio",
        TrackKind::Video => "video",
    };
    MediaSection {
        direction: Direction::SendOnly,
        formats: chosen.formats(),
        extensions,
        rids: Vec::new(),
        sender: Some(MediaSender {
            ssrc: terms.ssrc,
            retransmission_ssrc: terms.rtx.map(|(ssrc, _)| ssrc),
            cname: CNAME.to_owned(),
            stream: format!("odeum-{publisher}"),
            track: track.to_owned(),
        }),
    }
}
